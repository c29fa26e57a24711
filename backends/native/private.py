"""The only file of the peer engine that names private parts of aiortc and aioice.

Each class here turns private names into public ones for the rest of the backend. `NAMES` lists every
one, and ``tests/test_private.py`` fails with the name when an upgrade of a dependency changes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

import aioice.ice
from aioice import Candidate, Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol
from aioice.turn import TurnTransport
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport, RtpReceiver, RtpSender
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters, RTCRtpSendParameters
from aiortc.rtcsctptransport import (
    USERDATA_MAX_LENGTH,
    DataChunk,
    RTCSctpTransport,
    tsn_plus_one,
)
from aiortc.rtp import AnyRtcpPacket, RtpPacket
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from backends.native.private_dtls import DatagramLink, QuickDtlsTransport, run_now
from backends.native.private_sctp import QuickSctpTransport
from backends.native.routing import MidRouter
from backends.native.sctp_guard import is_endless
from backends.native.tasks import end
from shim.spi.engines import SctpState

logger = logging.getLogger(__name__)

NAMES: Final[Mapping[type, Mapping[str, tuple[str, ...]]]] = {
    Connection: {
        "_pair_remote_candidate": ("remote_candidate",),
        "_remote_candidates_expected": (),
        "_check_list_maybe_fail": (),
        "_check_periodic": (),
        "build_request": ("pair", "nominate"),
        "check_complete": ("pair",),
        "check_incoming": ("message", "addr", "protocol"),
        "check_start": ("pair",),
        "check_state": ("pair", "state"),
    },
    StunProtocol: {"request": ("request", "addr", "integrity_key", "retransmissions")},
    RTCDtlsTransport: {
        "_set_role": ("role",),
        "_get_stats": (),
        "_recv_next": (),
    },
    RTCSctpTransport: {
        "_handle_data": ("data",),
        "_receive": ("stream_id", "pp_id", "data"),
        "_set_state": ("state",),
        "_send": ("stream_id", "pp_id", "user_data", "expiry", "max_retransmits", "ordered"),
        "_transmit": (),
        "_transmit_reconfig": (),
        "_reconfig_timer_expired": (),
        "_data_channel_close": ("channel",),
        "_data_channel_closed": ("stream_id",),
        "_data_channel_flush": (),
        "_abort": (),
        "_maybe_abandon": ("chunk",),
        "_t1_expired": (),
        "_update_rto": ("R",),
    },
    RTCCertificate: {"__init__": ("key", "cert")},
}
"""Methods that are called or overridden, with their parameters."""

ATTRIBUTES: Final[Mapping[type, tuple[str, ...]]] = {
    Connection: (
        "_check_list",
        "_check_list_done",
        "_early_checks_done",
        "_local_candidates",
        "_local_candidates_end",
        "_local_candidates_start",
        "_nominated",
        "_protocols",
        "_remote_candidates",
        "_remote_candidates_end",
        "_closing",
    ),
    RTCDtlsTransport: ("_role", "_rtp_router", "_ssl", "_task", "_transport"),
    RTCSctpTransport: (
        "_advertised_rwnd",
        "_association_state",
        "_cwnd",
        "_data_channel_id",
        "_data_channel_queue",
        "_data_channels",
        "_inbound_streams_count",
        "_local_tsn",
        "_outbound_stream_seq",
        "_reconfig_in_progress",
        "_reconfig_queue",
        "_reconfig_request",
        "_reconfig_request_seq",
        "_sent_queue",
        "_outbound_queue",
        "_outbound_streams_count",
        "_remote_max_message_size",
        "_remote_port",
        "_rto",
        "_srtt",
    ),
    RTCCertificate: ("_key", "_cert"),
    TurnTransport: ("__close_task", "__inner_protocol"),
}
"""Attributes that are read or set."""


CLOSE_SECONDS: Final = 0.5
RETRY_FIRST: Final = 1.0
"""Seconds until the first packet of an association is repeated, if there is no answer (RFC 9260 section 16)."""
RETRY_LIMIT: Final = 3.0
"""Seconds between its later repetitions: aiortc's constant, which keeps trying for as long as aiortc does."""


def _give_up_relay(transport: object) -> None:
    """Stop asking a TURN server that does not answer to free an allocation: it expires by itself."""
    if isinstance(transport, TurnTransport):
        parts = vars(transport)
        if parts["_TurnTransport__close_task"] is not None:
            parts["_TurnTransport__close_task"].cancel()
        parts["_TurnTransport__inner_protocol"].transport.close()


def renew_mdns() -> None:
    """Let aioice make another socket and lock for mDNS if those of this thread belong to a loop of the past."""
    shared, loop = aioice.ice._mdns, asyncio.get_running_loop()
    if getattr(shared, "loop", None) is not loop:
        shared.loop, shared.lock, shared.protocol, shared.subscribers = loop, asyncio.Lock(), None, set()


class OpenConnection(Connection):
    """An aioice connection with the handles that incremental gathering and an early start of DTLS need."""

    def __init__(self, *, ufrag: str, password: str, policy: TransportPolicy, controlling: bool = False) -> None:
        super().__init__(
            ice_controlling=controlling, local_username=ufrag, local_password=password, transport_policy=policy
        )
        self.gathering = False
        self._close_task: asyncio.Future[None] | None = None
        self.servers: dict[tuple[str, int], str] = {}
        """URL of the server that a local candidate comes from, by the candidate's address."""
        self.usable = asyncio.Event()
        """Set once `connect()` has something to send from, or never will."""

    @property
    def selected(self) -> CandidatePair | None:
        """The nominated pair."""
        return self._nominated.get(1)

    def select(self, pair: CandidatePair) -> None:
        """Send over this pair."""
        self._nominated[1] = pair

    def pairs(self) -> tuple[CandidatePair, ...]:
        """Return the pairs that were or will be checked."""
        return tuple(self._check_list)

    @property
    def closing(self) -> bool:
        """Whether `close()` was called."""
        return self._closing

    @property
    def ended(self) -> bool:
        """Whether end-of-candidates was signalled by the remote."""
        return self._remote_candidates_end

    async def add_remote_candidate(self, remote_candidate: Candidate | None) -> None:
        """Add a candidate; the name of an mDNS one is looked up with a socket of this loop."""
        renew_mdns()
        await super().add_remote_candidate(remote_candidate)

    def begin_gathering(self) -> None:
        """Let candidates be added, and `connect()` run, before gathering is over."""
        self.gathering = True
        self._local_candidates_start = True
        self._local_candidates_end = True

    def end_gathering(self) -> None:
        """Let the checks fail from now on, when all have."""
        self.gathering = False
        self.usable.set()
        if self._early_checks_done and not self._check_list_done:
            self._check_list_maybe_fail()

    def add_local_candidate(self, candidate: Candidate, protocol: StunProtocol | None = None) -> None:
        """Add a candidate; `protocol` is given if it is a new base, which is then paired."""
        self._local_candidates.append(candidate)
        if protocol is None:
            return
        self._protocols.append(protocol)
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        self.usable.set()
        self.hurry()

    async def close(self) -> None:
        # One close, shielded: a cancelled one would leave futures behind that make the next one fail.
        self.usable.set()
        if self._close_task is None:
            self._close_task = asyncio.ensure_future(super().close())
        protocols = list(self._protocols)
        await asyncio.wait([self._close_task], timeout=CLOSE_SECONDS)
        if not self._close_task.done():
            for protocol in protocols:
                _give_up_relay(protocol.transport)
            await asyncio.wait([self._close_task])

    def abandon(self) -> None:
        """Close every socket without waiting for anything."""
        self._closing = True
        for protocol in self._protocols:
            _give_up_relay(protocol.transport)
            if not isinstance(protocol.transport, TurnTransport):
                protocol.transport.close()

    def hurry(self) -> None:
        """Start a check now instead of at the next tick of the pace."""
        if self._early_checks_done and not self._check_list_done and not self._closing:
            self._check_periodic()

    def _remote_candidates_expected(self) -> bool:
        return self.gathering or super()._remote_candidates_expected()


class OpenDtlsTransport(QuickDtlsTransport):
    """A DTLS transport whose role, peer certificate and counters can be reached."""

    def __init__(self, transport: DatagramLink, certificate: RTCCertificate) -> None:
        super().__init__(transport, certificate)
        self._rtp_router = MidRouter()

    @property
    def role(self) -> str:
        """``"auto"``, ``"client"`` or ``"server"``."""
        return self._role

    @role.setter
    def role(self, role: str) -> None:
        self._set_role(role)

    def peer_certificate(self) -> bytes | None:
        """Return the certificate of the remote, DER."""
        certificate = self._ssl.get_peer_certificate(as_cryptography=True) if self._ssl else None
        return certificate.public_bytes(Encoding.DER) if certificate is not None else None

    def session_details(self) -> dict[str, str]:
        """Return what the handshake agreed on, by the names of RTCTransportStats."""
        cipher = self._ssl.get_cipher_name() if self._ssl is not None else None
        if self._ssl is None or cipher is None:
            return {}
        details = {"tlsVersion": f"{self._ssl.get_protocol_version():04X}", "dtlsCipher": cipher}
        profile = self._ssl.get_selected_srtp_profile()
        return details | ({"srtpCipher": profile.decode()} if profile else {})

    def counters(self) -> tuple[int, int, int, int]:
        """Return packets and bytes sent, packets and bytes received."""
        (stats,) = self._get_stats().values()
        return stats.packetsSent, stats.bytesSent, stats.packetsReceived, stats.bytesReceived

    async def _recv_next(self) -> None:
        try:
            await super()._recv_next()
        except ConnectionError:
            raise
        except Exception:
            # What gets out of here ends the transport: one packet that a parser chokes on must not.
            logger.debug("dropped a malformed packet", exc_info=True)

    async def stop(self) -> None:
        task = self._task
        await super().stop()
        await end([task] if task is not None else [])


class ChannelHooks:
    """What aiortc's SCTP transport calls on a data channel, under public names."""

    __slots__ = ()

    def sctp_state_changed(self, state: str) -> None:
        """Follow the state that SCTP gave the channel."""
        raise NotImplementedError

    def sctp_assigned(self, id: int) -> None:
        """Take the stream id."""
        raise NotImplementedError

    def sctp_buffered(self, amount: int) -> None:
        """Add to the buffered amount."""
        raise NotImplementedError

    def _setReadyState(self, state: str) -> None:
        self.sctp_state_changed(state)

    def _setId(self, id: int) -> None:
        self.sctp_assigned(id)

    def _addBufferedAmount(self, amount: int) -> None:
        self.sctp_buffered(amount)


class OpenSctpTransport(QuickSctpTransport):
    """An SCTP association that leaves data channels to its subclass."""

    RECEIVE_LIMIT: ClassVar[int] = 16 * 1024 * 1024
    PACKET_OVERHEAD: ClassVar[int] = 120
    """IPv6, UDP, DTLS, and the SCTP and chunk headers."""

    on_state: Callable[[SctpState], None] | None = None
    _fast_window: ClassVar[int] = 128 * 1024
    _fastest = 1.0

    def __init__(self, transport: QuickDtlsTransport, *, mtu: int | None) -> None:
        room = USERDATA_MAX_LENGTH if mtu is None else (mtu - self.PACKET_OVERHEAD) // 4 * 4
        # Not above aiortc's own size at first: a remote on aiortc reads records of up to 1500 bytes.
        super().__init__(transport, min(room, USERDATA_MAX_LENGTH), may_grow=mtu is None)
        self._rto = RETRY_FIRST

    async def receive(self, stream_id: int, protocol: int, data: bytes) -> None:
        """Take one message, or one of the channel protocol (RFC 8832)."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Hand queued messages to the association while it takes them."""
        raise NotImplementedError

    @property
    def started(self) -> bool:
        """Whether `start()` was called."""
        return self._remote_port is not None

    @property
    def established(self) -> bool:
        """Whether messages can be exchanged."""
        return self._association_state is self.State.ESTABLISHED

    @property
    def busy(self) -> bool:
        """Whether chunks wait for the congestion window."""
        return bool(self._outbound_queue)

    @property
    def channels(self) -> dict[int, Any]:
        """Channels by stream id."""
        return self._data_channels

    @property
    def first_id(self) -> int:
        """The lowest id of ours: 0 for the DTLS client, 1 for the server."""
        return self._data_channel_id or 0

    @property
    def remote_max_message_size(self) -> int:
        """The largest message that the remote takes; 0 is any size."""
        return self._remote_max_message_size

    @property
    def round_trip_time(self) -> float | None:
        """Smoothed round trip, seconds."""
        return self._srtt

    async def send_message(
        self, stream_id: int, protocol: int, data: bytes, expiry: float | None, retransmits: int | None, ordered: bool
    ) -> None:
        """Give one message to the association."""
        await self._send(stream_id, protocol, data, expiry=expiry, max_retransmits=retransmits, ordered=ordered)

    async def continue_resets(self) -> None:
        """Send stream resets that waited for messages."""
        await self._transmit_reconfig()

    @property
    def queue(self) -> deque[tuple[Any, int, bytes]]:
        """Messages not handed over yet: (channel, protocol, data). aiortc looks here before a stream reset."""
        return self._data_channel_queue

    def reset(self, channel: ChannelHooks) -> None:
        """Start the closing procedure of a channel."""
        self._data_channel_close(channel)  # type: ignore[arg-type]

    def _update_rto(self, R: float) -> None:
        # aiortc widens its window until packets are lost, and spends time per acknowledgement in proportion to
        # what is in flight. A queue that only adds delay is not worth either.
        super()._update_rto(R)
        self._fastest = min(self._fastest, R)
        if self._fast_window < self._cwnd and 3 * self._fastest + 0.005 < R:
            self._cwnd -= self._fragment

    def _t1_expired(self) -> None:
        self._rto = min(2 * self._rto, RETRY_LIMIT)
        super()._t1_expired()

    def _maybe_abandon(self, chunk: DataChunk) -> bool:
        # The remote has it: a FORWARD TSN past it would make libwebrtc throw it away.
        return not chunk._acked and super()._maybe_abandon(chunk)

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        await self.receive(stream_id, pp_id, data)

    async def try_flush(self) -> None:
        """Flush; a transport that closes meanwhile is not an error."""
        try:
            await self.flush()
        except ConnectionError:
            logger.debug("the transport closed while messages were queued")

    def flush_now(self) -> None:
        """Flush without a task."""
        run_now(self.try_flush())

    async def _data_channel_flush(self) -> None:
        await self.try_flush()

    def _reconfig_timer_expired(self) -> None:
        request = self._reconfig_request
        if self._reconfig_in_progress and request is not None:
            # libwebrtc answers a repeated request as it did the first time: ask anew (RFC 6525 section 5.2.7 H2).
            self._reconfig_request = replace(request, request_sequence=self._reconfig_request_seq)
            self._reconfig_request_seq = tsn_plus_one(self._reconfig_request_seq)
        super()._reconfig_timer_expired()

    async def _transmit_reconfig(self) -> None:
        if self._reconfig_queue and not self._reconfig_request:
            unacknowledged = {chunk.stream_id for chunk in (*self._sent_queue, *self._outbound_queue)}
            if not unacknowledged.isdisjoint(self._reconfig_queue):
                return  # the next acknowledgement comes back here
        try:
            await super()._transmit_reconfig()
        except ConnectionError:
            logger.debug("the transport closed while a stream reset was queued")

    async def _handle_data(self, data: bytes) -> None:
        try:
            if not await self._take_packet(data) and not is_endless(data):
                await super()._handle_data(data)
        except ConnectionError:
            raise
        except Exception:
            logger.debug("dropped a malformed SCTP packet", exc_info=True)
        if self._advertised_rwnd < -self.RECEIVE_LIMIT:
            logger.warning("the remote sends a message that never ends: association aborted")
            await self._abort()
            self._set_state(self.State.CLOSED)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if self.on_state is not None and state in (self.State.ESTABLISHED, self.State.CLOSED):
            self.on_state("connected" if state is self.State.ESTABLISHED else "closed")


def certificate_from(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> RTCCertificate:
    """Wrap a key and a certificate."""
    return RTCCertificate(key=key, cert=certificate)


def certificate_der(certificate: RTCCertificate) -> bytes:
    """Return a certificate, DER."""
    return certificate._cert.public_bytes(Encoding.DER)


# --- media: what a sender or a receiver of RTP needs of its DTLS transport -----------------------------

MEDIA_NAMES: Final[Mapping[type, Mapping[str, tuple[str, ...]]]] = {
    RTCDtlsTransport: {
        "_send_rtp": ("data",),
        "_register_rtp_receiver": ("receiver", "parameters"),
        "_unregister_rtp_receiver": ("receiver",),
        "_register_rtp_sender": ("sender", "parameters"),
        "_unregister_rtp_sender": ("sender",),
    },
    RtpReceiver: {
        "_handle_disconnect": (),
        "_handle_rtcp_packet": ("packet",),
        "_handle_rtp_packet": ("packet", "arrival_time_ms"),
    },
    RtpSender: {"_handle_rtcp_packet": ("packet",)},
}
"""Methods of the media path that are called, or that the transport calls, with their parameters."""


class RtpEndpoint:
    """What both ends of a stream do on their transport."""

    def __init__(self, transport: RTCDtlsTransport) -> None:
        self._transport = transport

    async def send_packet(self, data: bytes) -> None:
        """Protect and send one RTP or RTCP packet."""
        await self._transport._send_rtp(data)


class RtpReceiverEnd(RtpEndpoint):
    """What the transport calls on a receiver, under public names."""

    async def on_rtp(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        """Take an RTP packet."""
        raise NotImplementedError

    async def on_rtcp(self, packet: AnyRtcpPacket) -> None:
        """Take an RTCP packet that concerns the stream."""
        raise NotImplementedError

    def on_disconnect(self) -> None:
        """Learn that the transport is gone."""
        raise NotImplementedError

    def header_size(self, packet: RtpPacket) -> int:
        """Return how many bytes of a packet were header, extensions included: only those that were agreed on come."""
        _, extensions = self._transport._rtp_header_extensions_map.set(packet.extensions)
        return 12 + 4 * len(packet.csrc) + (4 + len(extensions) if extensions else 0)

    def register(self, parameters: RTCRtpReceiveParameters) -> None:
        """Get the packets that `parameters` describe."""
        self._transport._register_rtp_receiver(self, parameters)

    def unregister(self) -> None:
        """Get no packets any more."""
        self._transport._unregister_rtp_receiver(self)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        try:
            await self.on_rtp(packet, arrival_time_ms)
        except Exception:
            # What gets out of here ends the transport, and every other stream with it.
            logger.warning("an RTP packet could not be taken: %s", packet, exc_info=True)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        await self.on_rtcp(packet)

    def _handle_disconnect(self) -> None:
        self.on_disconnect()


class RtpSenderEnd(RtpEndpoint):
    """What the transport calls on a sender, under public names."""

    def __init__(self, transport: RTCDtlsTransport, ssrc: int) -> None:
        super().__init__(transport)
        self._ssrc = ssrc

    @property
    def ssrc(self) -> int:
        """Synchronization source of the media."""
        return self._ssrc

    async def on_rtcp(self, packet: AnyRtcpPacket) -> None:
        """Take an RTCP packet that concerns the stream."""
        raise NotImplementedError

    def register(self, parameters: RTCRtpSendParameters) -> None:
        """Get the feedback that concerns the stream."""
        self._transport._register_rtp_sender(self, parameters)

    def unregister(self) -> None:
        """Get no feedback any more."""
        self._transport._unregister_rtp_sender(self)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        await self.on_rtcp(packet)
