"""What an engine's events do to a connection: its state first, then the application's handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shim.api.datachannel import RTCDataChannel
from shim.api.jsep import ufrags
from shim.api.rtp import RTCRtpTransceiver
from shim.api.sdp import candidate_from_sdp
from shim.api.tracks import RemoteTrack
from shim.api.values import RTCIceCandidate
from shim.spi import events
from shim.spi.engines import SessionState

if TYPE_CHECKING:
    from shim.api.peerconnection import RTCPeerConnection


@dataclass(frozen=True)
class RTCIceCandidateErrorEvent:
    """A STUN or TURN server failed (webrtc-pc section 4.8.3).

    :param url: of the server.
    :param errorCode: of STUN (RFC 8489), or 701 if the server did not answer.
    """

    url: str
    errorCode: int
    errorText: str
    address: str | None = None
    port: int | None = None


class EventReceiver:
    """Applies events to one connection. Runs on its loop; emits only after the state is whole."""

    def __init__(self, pc: RTCPeerConnection) -> None:
        self._pc = pc
        self.local = False
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            events.ChannelMessage: self._on_message,
            events.SessionChanged: self._on_session,
            events.IceGatheringChanged: self._on_gathering,
            events.IceConnectionChanged: self._on_ice_connection,
            events.ConnectionChanged: self._on_connection,
            events.SctpChanged: self._on_sctp,
            events.CandidateFound: self._on_candidate,
            events.CandidateFailed: self._on_candidate_failed,
            events.TransportsChanged: self._on_transports,
            events.ToneChanged: self._on_tone,
            events.ChannelAnnounced: self._on_announced,
            events.ChannelOpened: self._on_opened,
            events.ChannelBufferedAmountLow: self._on_low,
            events.ChannelClosing: self._on_closing,
            events.ChannelClosed: self._on_closed,
        }

    def receive(self, event: events.Event) -> None:
        """Apply one event."""
        self._handlers[type(event)](event)

    def emit(self, name: str, *args: object) -> None:
        """Emit on the connection outside the sink; a handler that raises is reported, nothing else stops."""
        self._guarded(lambda: self._pc.emit(name, *args))

    # --- end of a connection ---------------------------------------------------------------------------

    def signaling_closed(self) -> None:
        """Close the signaling state, as the first step of closing."""
        pc = self._pc
        session = pc._session
        pc._session = SessionState(
            "closed",
            session.current_local,
            session.pending_local,
            session.current_remote,
            session.pending_remote,
            session.transceivers,
            session.sctp_mid,
        )
        self.emit("signalingstatechange")

    def transports_closed(self) -> None:
        """Close channels, tracks and states, as the last step of closing."""
        pc = self._pc
        for channel in list(pc._channels.values()):
            self._guarded(channel._closed)
        pc._channels.clear()
        for transceiver in pc._transceivers.values():
            transceiver._end_track()
        if (sctp := pc._sctp) is not None:
            self._guarded(lambda: sctp._update("closed"))
        self._guarded(pc._views.close)
        if pc._ice_connection_state != "closed":
            pc._ice_connection_state = "closed"
            self.emit("iceconnectionstatechange")
        if pc._connection_state != "closed":
            pc._connection_state = "closed"
            self.emit("connectionstatechange")
        self.emit("_closed")

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as exc:
            self._pc._operations.report(exc)

    # --- session -------------------------------------------------------------------------------------

    def _on_session(self, event: events.SessionChanged) -> None:
        pc, state = self._pc, event.state
        before, pc._session = pc._session, state
        pc._stale = False
        if state.sctp_mid is not None:
            pc._sctp_view().mid = state.sctp_mid
        if state.max_message_size is not None and pc._sctp is not None:
            pc._sctp.maxMessageSize = state.max_message_size
        pc._views.update(pc._engine.transports())
        started = self._take_transceivers(state)
        if state.signaling_state == "stable" != before.signaling_state:
            pc._negotiation_flagged = False
        for track in started:
            self._guarded(lambda track=track: pc.emit("track", track))  # type: ignore[misc]
        if state.signaling_state != before.signaling_state:
            pc.emit("signalingstatechange")

    def _take_transceivers(self, state: SessionState) -> list[RemoteTrack]:
        """Bring transceivers up to date; return the remote tracks that start, in the order of their sections."""
        pc = self._pc
        known = pc._transceivers
        gone = set(known) - {s.engine for s in state.transceivers}
        for engine in gone:
            if known[engine].mid is not None:
                known.pop(engine)._end_track()
        started: list[tuple[int, RemoteTrack]] = []
        for snapshot in state.transceivers:
            transceiver = known.get(snapshot.engine)
            if transceiver is None:
                transceiver = known[snapshot.engine] = RTCRtpTransceiver._of(pc, snapshot, None)
            transceiver._update(snapshot)
            if snapshot.receive_track_id is not None and transceiver.receiver.track is None:
                track = transceiver.receiver._start(snapshot.receive_track_id)
                started.append((snapshot.mline_index or 0, track))
        return [track for _, track in sorted(started, key=lambda place: place[0])]

    # --- ICE and transports --------------------------------------------------------------------------

    def _on_gathering(self, event: events.IceGatheringChanged) -> None:
        pc = self._pc
        changed = event.state != pc._ice_gathering_state
        pc._ice_gathering_state = event.state
        pc._stale = True
        if event.state == "complete":
            self._gathering_complete()
        if changed:
            pc.emit("icegatheringstatechange")

    def _gathering_complete(self) -> None:
        pc = self._pc
        description = pc._session.pending_local or pc._session.current_local
        if description is not None:
            pc._gathered = ufrags(description.sdp)
        for waiter in pc._gathering_waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _on_ice_connection(self, event: events.IceConnectionChanged) -> None:
        if event.state != self._pc._ice_connection_state:
            self._pc._ice_connection_state = event.state
            self._pc.emit("iceconnectionstatechange")

    def _on_connection(self, event: events.ConnectionChanged) -> None:
        pc = self._pc
        if event.state == "closed":
            # As in aiortc: a remote that closes its transports ends the connection on this side.
            pc._remote_closed = asyncio.ensure_future(pc.close())
        elif event.state != pc._connection_state:
            pc._connection_state = event.state
            pc.emit("connectionstatechange")

    def _on_sctp(self, event: events.SctpChanged) -> None:
        self._pc._sctp_view()._update(event.state, event.max_message_size, event.max_channels)

    def _on_candidate(self, event: events.CandidateFound) -> None:
        self._pc._stale = True
        if not self._pc.listeners("icecandidate"):
            return
        candidate: RTCIceCandidate | None = None
        if event.candidate is not None:
            candidate = candidate_from_sdp(event.candidate.candidate.removeprefix("candidate:"))
            candidate.sdpMid = event.candidate.sdp_mid
            candidate.sdpMLineIndex = event.candidate.sdp_mline_index
        self._pc.emit("icecandidate", candidate)

    def _on_candidate_failed(self, event: events.CandidateFailed) -> None:
        self._pc.emit(
            "icecandidateerror",
            RTCIceCandidateErrorEvent(event.url, event.error_code, event.error_text, event.address, event.port),
        )

    def _on_transports(self, event: events.TransportsChanged) -> None:
        self._pc._views.update(self._pc._engine.transports())

    def _on_tone(self, event: events.ToneChanged) -> None:
        transceiver = self._pc._transceivers.get(event.transceiver)
        if transceiver is not None and transceiver.sender.dtmf is not None:
            transceiver.sender.dtmf._tone(event.tone)

    # --- data channels -------------------------------------------------------------------------------

    def _on_message(self, event: events.ChannelMessage) -> None:
        channel = self._pc._channels.get(event.channel)
        if channel is not None and channel._state != "closed":
            channel.emit("message", event.data)

    def _on_announced(self, event: events.ChannelAnnounced) -> None:
        pc = self._pc
        channel = RTCDataChannel._of(event.init, pc._sctp_view(), pc._guard)
        channel._engine = event.channel
        channel._id = event.channel.id
        channel._state = "open"
        pc._channels[event.channel] = channel
        pc.emit("datachannel", channel)

    def _on_opened(self, event: events.ChannelOpened) -> None:
        if channel := self._pc._channels.get(event.channel):
            channel._opened()

    def _on_low(self, event: events.ChannelBufferedAmountLow) -> None:
        if channel := self._pc._channels.get(event.channel):
            channel.emit("bufferedamountlow")

    def _on_closing(self, event: events.ChannelClosing) -> None:
        if channel := self._pc._channels.get(event.channel):
            channel._closing()

    def _on_closed(self, event: events.ChannelClosed) -> None:
        if channel := self._pc._channels.pop(event.channel, None):
            channel._closed(event.error)
