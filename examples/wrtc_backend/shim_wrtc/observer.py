"""What wrtc says of a connection, told in the events of the seam."""

from __future__ import annotations

from typing import Any

import webrtc

from shim.spi import engines as e
from shim.spi import events as ev
from shim_wrtc.channel import WrtcDataChannel
from shim_wrtc.session import message_size, native_transports
from shim_wrtc.transceiver import WrtcTransceiver
from shim_wrtc.watching import watch

EVENTS = (
    "icegatheringstatechange",
    "iceconnectionstatechange",
    "connectionstatechange",
    "icecandidate",
    "icecandidateerror",
    "datachannel",
)


class Observer:
    """Receives the events of one connection, and keeps the channels and transceivers that they are about."""

    def __init__(self, pc: webrtc.RTCPeerConnection, sink: e.EventSink) -> None:
        self.channels: set[WrtcDataChannel] = set()
        self.transceivers: dict[webrtc.RTCRtpTransceiver, WrtcTransceiver] = {}
        self.connected = False
        self.closed = False
        self._pc = pc
        self._sink = sink
        self._ice: e.IceConnectionState = "new"
        self._waiting: list[WrtcDataChannel] | None = []
        self._transports: set[webrtc.RTCDtlsTransport] = set()
        self._sctp: webrtc.RTCSctpTransport | None = None

    def post(self, event: ev.Event) -> None:
        """Tell the SDK, unless the connection has been closed."""
        if not self.closed:
            self._sink.post(event)

    def start(self) -> None:
        """Listen from now on, on the running loop."""
        for name in EVENTS:
            watch(self._pc, name, getattr(self, f"_on_{name}"))
        waiting, self._waiting = self._waiting or [], None
        for channel in waiting:
            channel.start()

    def adopt(self, native: webrtc.RTCDataChannel, *, announced: bool = False) -> WrtcDataChannel:
        """Take over a channel; its handlers wait for the loop, if need be."""
        channel = WrtcDataChannel(native, self, self.channels.discard, announced=announced)
        self.channels.add(channel)
        if self._waiting is None:
            channel.start()
        else:
            self._waiting.append(channel)
        return channel

    def watch_transports(self) -> None:
        """Listen to transports that a description has made."""
        known, self._transports = self._transports, set(native_transports(self._pc))
        for transport in self._transports - known:
            watch(transport, "statechange", self._on_dtls)
            for name in ("statechange", "selectedcandidatepairchange", "gatheringstatechange"):
                watch(transport.ice_transport, name, self._on_transports)
        if self._sctp is None and self._pc.sctp is not None:
            self._sctp = self._pc.sctp
            watch(self._sctp, "statechange", self._on_sctp)

    def update_senders(self) -> None:
        """Start or pause sending, as negotiated."""
        for transceiver in self.transceivers.values():
            transceiver.update(self.connected)

    # --- ICE -----------------------------------------------------------------------------------------------

    def _on_icegatheringstatechange(self, _: object) -> None:
        state = str(self._pc.ice_gathering_state)
        if state == "complete":
            # W3C and wrtc tell the end of candidates after this state, the seam before it.
            self.post(ev.CandidateFound(None))
        self.post(ev.IceGatheringChanged(state))  # type: ignore[arg-type]
        self._complete_ice()

    def _on_iceconnectionstatechange(self, _: object) -> None:
        state: e.IceConnectionState = str(self._pc.ice_connection_state)  # type: ignore[assignment]
        if state == self._ice or (state == "connected" and self._ice == "completed"):
            return
        self._ice = state
        self.post(ev.IceConnectionChanged(state))
        self._complete_ice()

    def _complete_ice(self) -> None:
        # libwebrtc comes to "completed" late, and only on the controlling side; aiortc's applications wait for it.
        if self._ice == "connected" and self._pc.ice_gathering_state == "complete":
            self._ice = "completed"
            self.post(ev.IceConnectionChanged("completed"))

    def _on_icecandidate(self, event: Any) -> None:  # noqa: ANN401 - here and below: what wrtc delivers
        native = event.candidate
        if native is not None and native.candidate:
            self.post(
                ev.CandidateFound(
                    e.IceCandidate(
                        native.candidate, native.sdp_mid or "", native.sdp_m_line_index or 0, native.username_fragment
                    )
                )
            )

    def _on_icecandidateerror(self, event: Any) -> None:  # noqa: ANN401
        self.post(ev.CandidateFailed(event.url, event.error_code, event.error_text, event.address, event.port))

    # --- transports ----------------------------------------------------------------------------------------

    def _on_connectionstatechange(self, _: object) -> None:
        state = str(self._pc.connection_state)
        if state == "connected":
            self.connected = True
            self.update_senders()
        self.post(ev.ConnectionChanged(state))  # type: ignore[arg-type]

    def _on_transports(self, _: object) -> None:
        self.post(ev.TransportsChanged())

    def _on_dtls(self, _: object) -> None:
        self.post(ev.TransportsChanged())
        # A transport that bundling, a rollback or stop() made superfluous closes as well.
        used = native_transports(self._pc)
        if used and all(transport.state == "closed" for transport in used):
            self._end_by_remote()

    def _end_by_remote(self) -> None:
        """The remote said goodbye (DTLS close_notify): end what it carried, as aiortc does."""
        for channel in tuple(self.channels):
            channel.end()
        for transceiver in self.transceivers.values():
            transceiver.end_receiving()
        self.post(ev.SctpChanged("closed"))
        self.post(ev.ConnectionChanged("closed"))

    def _on_sctp(self, _: object) -> None:
        if self._sctp is not None:
            size, count = self._sctp.max_message_size, self._sctp.max_channels
            self.post(ev.SctpChanged(str(self._sctp.state), message_size(size), count))  # type: ignore[arg-type]

    # --- what the remote makes -----------------------------------------------------------------------------

    def _on_datachannel(self, event: Any) -> None:  # noqa: ANN401
        self.adopt(event.channel, announced=True)
