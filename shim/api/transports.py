"""The transports under a connection, as read-only views (webrtc-pc sections 5.5, 5.6, 6.1).

Engines do not hand out their transports: a view has the states, candidates and certificates that applications
read, and building connections from transports (ORTC) raises `CapabilityError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Self

from shim.api.certificates import RTCCertificate
from shim.api.configuration import RTCIceServer, RTCIceTransportPolicy
from shim.api.emitter import Emitter
from shim.api.sdp import candidate_from_sdp
from shim.api.values import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCSctpCapabilities,
)
from shim.spi.engines import TransportInfo
from shim.spi.errors import CapabilityError

if TYPE_CHECKING:
    from shim.api.datachannel import RTCDataChannel

__all__ = [
    "RTCCertificate",
    "RTCDtlsFingerprint",
    "RTCDtlsParameters",
    "RTCDtlsTransport",
    "RTCIceCandidate",
    "RTCIceGatherer",
    "RTCIceParameters",
    "RTCIceTransport",
    "RTCSctpCapabilities",
    "RTCSctpTransport",
]

DEFAULT_MAX_MESSAGE_SIZE = 65536
"""What a remote accepts that does not say so, bytes (RFC 8841 section 6.1)."""

LOCAL_MAX_MESSAGE_SIZE = 65536
_NEW = TransportInfo((), "new", "new", "unknown", "new")


def no_ortc(what: str) -> NoReturn:
    """Raise the error for what only an ORTC engine could do."""
    raise CapabilityError(
        f"{what}: no engine hands out its transports (capability 'transport.ortc'). Use RTCPeerConnection.",
        component="peer",
    )


def _parse(lines: tuple[str, ...]) -> list[RTCIceCandidate]:
    return [candidate_from_sdp(line.removeprefix("candidate:")) for line in lines]


class RTCIceGatherer(Emitter):
    """View of what gathers local candidates."""

    def __init__(
        self,
        iceServers: list[RTCIceServer] | None = None,
        iceTransportPolicy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
        local_username: str | None = None,
        local_password: str | None = None,
    ) -> None:
        no_ortc("RTCIceGatherer")

    _info: TransportInfo

    @classmethod
    def _of(cls) -> Self:
        gatherer = cls.__new__(cls)
        Emitter.__init__(gatherer)
        gatherer._info = _NEW
        return gatherer

    @property
    def state(self) -> str:
        """``"new"``, ``"gathering"`` or ``"completed"``."""
        return "completed" if self._info.gathering_state == "complete" else self._info.gathering_state

    @classmethod
    def getDefaultIceServers(cls) -> list[RTCIceServer]:
        """Return no server: none is used unless configured."""
        return []

    def getLocalCandidates(self) -> list[RTCIceCandidate]:
        """Return the candidates gathered so far."""
        return _parse(self._info.local_candidates)

    def getLocalParameters(self) -> RTCIceParameters:
        """Not available: read the local description."""
        no_ortc("RTCIceGatherer.getLocalParameters")

    async def gather(self) -> None:
        """Not available: `setLocalDescription` gathers."""
        no_ortc("RTCIceGatherer.gather")

    def _update(self, info: TransportInfo) -> None:
        before, self._info = self.state, info
        if self.state != before:
            self.emit("statechange")


class RTCIceTransport(Emitter):
    """View of an ICE transport."""

    def __init__(self, gatherer: RTCIceGatherer) -> None:
        no_ortc("RTCIceTransport")

    _info: TransportInfo
    _gatherer: RTCIceGatherer

    @classmethod
    def _of(cls) -> Self:
        transport = cls.__new__(cls)
        Emitter.__init__(transport)
        transport._info = _NEW
        transport._gatherer = RTCIceGatherer._of()
        return transport

    @property
    def iceGatherer(self) -> RTCIceGatherer:
        """The gatherer of this transport."""
        return self._gatherer

    @property
    def role(self) -> str:
        """``"controlling"``, ``"controlled"`` or ``"unknown"``."""
        return self._info.ice_role

    @property
    def state(self) -> str:
        """``"new"``, ``"checking"``, ``"connected"``, ``"completed"``, ``"disconnected"``, ``"failed"`` or
        ``"closed"``."""
        return self._info.ice_state

    def getRemoteCandidates(self) -> list[RTCIceCandidate]:
        """Return the remote candidates known."""
        return _parse(self._info.remote_candidates)

    def getSelectedCandidatePair(self) -> tuple[RTCIceCandidate, RTCIceCandidate] | None:
        """Return the local and the remote candidate in use, or `None`."""
        if self._info.selected_local is None or self._info.selected_remote is None:
            return None
        local, remote = _parse((self._info.selected_local, self._info.selected_remote))
        return local, remote

    async def addRemoteCandidate(self, candidate: RTCIceCandidate | None) -> None:
        """Not available: use `RTCPeerConnection.addIceCandidate`."""
        no_ortc("RTCIceTransport.addRemoteCandidate")

    async def start(self, remoteParameters: RTCIceParameters) -> None:
        """Not available: descriptions start the transport."""
        no_ortc("RTCIceTransport.start")

    async def stop(self) -> None:
        """Not available: use `RTCPeerConnection.close`."""
        no_ortc("RTCIceTransport.stop")

    def _update(self, info: TransportInfo) -> None:
        before, self._info = self.state, info
        self._gatherer._update(info)
        if self.state != before:
            self.emit("statechange")


class RTCDtlsTransport(Emitter):
    """View of a DTLS transport."""

    def __init__(self, transport: RTCIceTransport, certificates: list[RTCCertificate]) -> None:
        no_ortc("RTCDtlsTransport")

    _info: TransportInfo
    _transport: RTCIceTransport

    @classmethod
    def _of(cls) -> Self:
        transport = cls.__new__(cls)
        Emitter.__init__(transport)
        transport._info = _NEW
        transport._transport = RTCIceTransport._of()
        return transport

    @property
    def state(self) -> str:
        """``"new"``, ``"connecting"``, ``"connected"``, ``"closed"`` or ``"failed"``."""
        return self._info.dtls_state

    @property
    def transport(self) -> RTCIceTransport:
        """The ICE transport underneath."""
        return self._transport

    @property
    def iceTransport(self) -> RTCIceTransport:
        """Same as `transport`, as W3C names it."""
        return self._transport

    def getRemoteCertificates(self) -> list[bytes]:
        """Return the remote's certificate chain, DER, leaf first; empty before the handshake."""
        return list(self._info.remote_certificates)

    def getLocalParameters(self) -> RTCDtlsParameters:
        """Not available: read the local description."""
        no_ortc("RTCDtlsTransport.getLocalParameters")

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:
        """Not available: descriptions start the transport."""
        no_ortc("RTCDtlsTransport.start")

    async def stop(self) -> None:
        """Not available: use `RTCPeerConnection.close`."""
        no_ortc("RTCDtlsTransport.stop")

    def _update(self, info: TransportInfo) -> None:
        before, self._info = self.state, info
        self._transport._update(info)
        if self.state != before:
            self.emit("statechange")


class RTCSctpTransport(Emitter):
    """View of the SCTP transport of the data channels."""

    def __init__(self, transport: RTCDtlsTransport, port: int = 5000) -> None:
        no_ortc("RTCSctpTransport")

    _transport: RTCDtlsTransport
    _state: str
    _max_channels: int | None
    _channels: list[RTCDataChannel]

    maxMessageSize: int
    """Largest message that the remote accepts, bytes; 0 means any size."""
    mid: str | None
    """Media identification of the data section."""

    @classmethod
    def _of(cls, transport: RTCDtlsTransport) -> Self:
        sctp = cls.__new__(cls)
        Emitter.__init__(sctp)
        sctp._transport = transport
        sctp._state = "new"
        sctp._max_channels = None
        sctp.maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE
        sctp.mid = None
        return sctp

    @property
    def maxChannels(self) -> int | None:
        """How many channels can be used at once; `None` until connected."""
        return self._max_channels

    @property
    def port(self) -> int:
        """The local SCTP port."""
        return 5000

    @property
    def state(self) -> str:
        """``"new"``, ``"connecting"``, ``"connected"`` or ``"closed"``."""
        return self._state

    @property
    def transport(self) -> RTCDtlsTransport:
        """The DTLS transport underneath."""
        return self._transport

    @classmethod
    def getCapabilities(cls) -> RTCSctpCapabilities:
        """Return what is accepted of the remote."""
        return RTCSctpCapabilities(maxMessageSize=LOCAL_MAX_MESSAGE_SIZE)

    async def start(self, remoteCaps: RTCSctpCapabilities, remotePort: int) -> None:
        """Not available: descriptions start the transport."""
        no_ortc("RTCSctpTransport.start")

    async def stop(self) -> None:
        """Not available: use `RTCPeerConnection.close`."""
        no_ortc("RTCSctpTransport.stop")

    def _update(self, state: str, max_message_size: int | None = None, max_channels: int | None = None) -> None:
        before, self._state = self._state, state
        if max_message_size is not None:
            self.maxMessageSize = max_message_size
        if max_channels is not None:
            self._max_channels = max_channels
        if state != before:
            self.emit("statechange")


class TransportViews:
    """Keeps one view per media section, and lets sections that share a transport share a view."""

    def __init__(self) -> None:
        self._by_mid: dict[str, RTCDtlsTransport] = {}
        self._views: list[RTCDtlsTransport] = []

    def first(self) -> RTCDtlsTransport:
        """Return the view of the first transport, which everything is bundled on unless negotiated otherwise."""
        if not self._views:
            self._views.append(RTCDtlsTransport._of())
        return self._views[0]

    def of(self, mid: str | None) -> RTCDtlsTransport:
        """Return the view for a media section."""
        return self._by_mid.get(mid or "") or self.first()

    def update(self, infos: tuple[TransportInfo, ...]) -> None:
        """Take over a snapshot: transports keep their view, by position."""
        while len(self._views) < len(infos):
            self._views.append(RTCDtlsTransport._of())
        self._by_mid = {mid: view for view, info in zip(self._views, infos, strict=False) for mid in info.mids}
        for view, info in zip(list(self._views), infos, strict=False):
            view._update(info)

    def close(self) -> None:
        """Move every view to its final state."""
        for view in self._views:
            closed = view._info
            view._update(TransportInfo(closed.mids, "closed", "closed", closed.ice_role, closed.gathering_state))
