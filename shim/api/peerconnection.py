"""The peer connection (webrtc-pc section 4.4): what an application holds, on top of an engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast, overload

from shim._core.dispatch import backend_info, create_peer
from shim._core.sink import Sink
from shim.api.configuration import RTCConfiguration, engine_config
from shim.api.datachannel import RTCDataChannel, RTCDataChannelParameters, channel_init
from shim.api.emitter import Emitter
from shim.api.guard import EngineGuard
from shim.api.jsep import (
    check_create_answer,
    check_description,
    check_transition,
    needs_implicit_rollback,
    section_of,
    ufrags,
)
from shim.api.negotiation import negotiation_needed
from shim.api.operations import Operations
from shim.api.parameters import RTCRtpEncodingParameters
from shim.api.receiving import EventReceiver, RTCIceCandidateErrorEvent
from shim.api.rtp import (
    DIRECTIONS,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    check_encoding,
    find_sender,
)
from shim.api.sdp import SessionDescription as ParsedDescription
from shim.api.sdp import candidate_to_sdp, canonical
from shim.api.stats import RTCStatsReport, report_from
from shim.api.tracks import MediaStreamTrack, source_of
from shim.api.transports import RTCSctpTransport, TransportViews
from shim.api.values import RTCIceCandidate, RTCSessionDescription
from shim.spi.capabilities import Capability
from shim.spi.engines import (
    ConnectionState,
    DataChannelEngine,
    Direction,
    Encoding,
    IceCandidate,
    IceConnectionState,
    IceGatheringState,
    Kind,
    MediaSource,
    PeerEngine,
    SessionDescription,
    SessionState,
    SignalingState,
    TransceiverEngine,
    TransceiverState,
)
from shim.spi.errors import InternalError, InvalidAccessError, InvalidModificationError, InvalidStateError, ShimError
from shim.spi.records import Decision

logger = logging.getLogger(__name__)
T = TypeVar("T")
_MAX_EARLY_CANDIDATES = 1000


class RTCPeerConnection(Emitter):
    """A WebRTC connection between the local computer and a remote peer.

    Events, in aiortc's order: ``signalingstatechange``, ``icegatheringstatechange``, ``iceconnectionstatechange``,
    ``connectionstatechange``, ``track`` (track), ``datachannel`` (channel); and from W3C ``icecandidate``
    (candidate, `None` after the last), ``icecandidateerror``, ``negotiationneeded``.

    :param configuration: how to connect; the default has no ICE server.
    :param backend: the backend to use, whatever the flags say.
    :param targetingKey: what a rollout is sticky to, e.g. a user id.
    :raises FlagConfigError: `backend` names no backend.
    :raises BackendUnavailableError: the backend cannot run here, and no other may replace it.
    :raises ValueError: the configuration has an impossible value.
    """

    def __init__(
        self,
        configuration: RTCConfiguration | None = None,
        *,
        backend: str | None = None,
        targetingKey: str | None = None,
    ) -> None:
        super().__init__()
        self._configuration = configuration or RTCConfiguration()
        self._receiving = EventReceiver(self)
        self._sink = Sink(self._receiving.receive)
        self._engine: PeerEngine
        self._engine, self._decision = create_peer(
            engine_config(self._configuration), self._sink, backend=backend, targeting_key=targetingKey
        )
        self._guard = EngineGuard(self._decision.backend, backend_info(self._decision.backend).capabilities)
        self._views = TransportViews()
        self._transceivers: dict[TransceiverEngine, RTCRtpTransceiver] = {}
        self._channels: dict[DataChannelEngine, RTCDataChannel] = {}
        self._sctp: RTCSctpTransport | None = None
        self._session = SessionState("stable", None, None, None, None, ())
        self._stale = False
        self._connection_state: ConnectionState = "new"
        self._ice_connection_state: IceConnectionState = "new"
        self._ice_gathering_state: IceGatheringState = "new"
        self._gathered: frozenset[str] = frozenset()
        self._gathering_waiters: set[asyncio.Future[None]] = set()
        self._early_candidates: list[RTCIceCandidate | None] = []
        self._operations = Operations(self._engine, self._sink, self._guard)
        self._closed: asyncio.Future[None] | None = None
        self._wants_restart = False
        self._remote_closed: asyncio.Task[None] | None = None
        self._negotiation_pending = False
        self._negotiation_flagged = False
        try:
            self._operations.bind(asyncio.get_running_loop())
        except RuntimeError:
            logger.debug("created outside an event loop; events wait for the first coroutine")

    # --- state ---------------------------------------------------------------------------------------

    @property
    def backendDecision(self) -> Decision:
        """Which backend serves this connection, and why."""
        return self._decision

    @property
    def connectionState(self) -> ConnectionState:
        """``"new"``, ``"connecting"``, ``"connected"``, ``"disconnected"``, ``"failed"`` or ``"closed"``."""
        return self._connection_state

    @property
    def iceConnectionState(self) -> IceConnectionState:
        """``"new"``, ``"checking"``, ``"connected"``, ``"completed"``, ``"disconnected"``, ``"failed"`` or
        ``"closed"``."""
        return self._ice_connection_state

    @property
    def iceGatheringState(self) -> IceGatheringState:
        """``"new"``, ``"gathering"`` or ``"complete"``."""
        return self._ice_gathering_state

    @property
    def signalingState(self) -> SignalingState:
        """``"stable"``, ``"have-local-offer"``, ``"have-remote-offer"``, a pranswer state, or ``"closed"``."""
        return self._session.signaling_state

    @property
    def localDescription(self) -> RTCSessionDescription | None:
        """The pending local description, else the current one; with the candidates gathered so far."""
        return self.pendingLocalDescription or self.currentLocalDescription

    @property
    def remoteDescription(self) -> RTCSessionDescription | None:
        """The pending remote description, else the current one; with the candidates added so far."""
        return self.pendingRemoteDescription or self.currentRemoteDescription

    @property
    def currentLocalDescription(self) -> RTCSessionDescription | None:
        """The local description negotiated last."""
        return _wrap(self._refreshed().current_local)

    @property
    def currentRemoteDescription(self) -> RTCSessionDescription | None:
        """The remote description negotiated last."""
        return _wrap(self._refreshed().current_remote)

    @property
    def pendingLocalDescription(self) -> RTCSessionDescription | None:
        """The local description under negotiation."""
        return _wrap(self._refreshed().pending_local)

    @property
    def pendingRemoteDescription(self) -> RTCSessionDescription | None:
        """The remote description under negotiation."""
        return _wrap(self._refreshed().pending_remote)

    @property
    def sctp(self) -> RTCSctpTransport | None:
        """View of the SCTP transport; `None` while there are no data channels."""
        return self._sctp

    # --- negotiation ---------------------------------------------------------------------------------

    async def createOffer(self, *, iceRestart: bool = False) -> RTCSessionDescription:
        """Create an offer (RFC 9429 section 5.2). Nothing changes until it is set.

        :param iceRestart: with new ICE credentials.
        """
        async with self._operations.step():
            return await self._create_offer(iceRestart)

    async def createAnswer(self) -> RTCSessionDescription:
        """Create an answer to the remote offer (RFC 9429 section 5.3).

        :raises InvalidStateError: there is no remote offer.
        """
        async with self._operations.step():
            return await self._create_answer()

    async def setLocalDescription(self, sessionDescription: RTCSessionDescription | None = None) -> None:
        """Apply a local description; `None` creates the offer or answer that is due.

        Returns when candidates have been gathered, as in aiortc, unless the configuration says `trickle`.

        :raises InvalidStateError: the signaling state does not allow it.
        :raises SdpSyntaxError: the description does not parse (a ValueError).
        :raises InvalidModificationError: it does not fit the session (a ValueError).
        """
        async with self._operations.step():
            self._check_open()
            description = sessionDescription or await self._create_due()
            check_transition(self.signalingState, description.type, local=True)
            await self._apply(description, local=True)
        if description.type != "rollback" and not self._configuration.trickle:
            await self._wait_for_gathering()

    async def setRemoteDescription(self, sessionDescription: RTCSessionDescription) -> None:
        """Apply a remote description. An offer while ours is pending rolls ours back.

        :raises InvalidStateError: the signaling state does not allow it.
        :raises SdpSyntaxError: the description does not parse (a ValueError).
        :raises InvalidModificationError: it does not fit the session (a ValueError).
        """
        async with self._operations.step():
            self._check_open()
            if needs_implicit_rollback(self.signalingState, sessionDescription.type):
                self._guard.require(Capability.ROLLBACK, "RTCPeerConnection.setRemoteDescription during glare")
                check_description(sessionDescription, self._session, local=False)
                await self._apply(RTCSessionDescription(sdp="", type="rollback"), local=True)
            check_transition(self.signalingState, sessionDescription.type, local=False)
            await self._apply(sessionDescription, local=False)
            if sessionDescription.type != "rollback":
                await self._add_early_candidates()

    async def addIceCandidate(self, candidate: RTCIceCandidate | None) -> None:
        """Add a remote candidate; `None` says that there are no more.

        One that arrives before the remote description is kept until then.

        :raises ValueError: it has neither `sdpMid` nor `sdpMLineIndex`.
        :raises OperationError: the remote description has no such section, or the engine refuses it.
        """
        if candidate is not None and candidate.sdpMid is None and candidate.sdpMLineIndex is None:
            raise ValueError("Candidate must have either sdpMid or sdpMLineIndex")
        async with self._operations.step():
            self._check_open()
            if self._session.pending_remote or self._session.current_remote:
                await self._add_candidate(candidate)
            elif len(self._early_candidates) < _MAX_EARLY_CANDIDATES:
                self._early_candidates.append(candidate)

    def restartIce(self) -> None:
        """Let the next offer restart ICE; emits ``negotiationneeded``."""
        self._check_open()
        self._guard.require(Capability.ICE_RESTART, "RTCPeerConnection.restartIce")
        with self._guard.call("RTCPeerConnection.restartIce"):
            self._engine.restart_ice()
        self._wants_restart = True
        self._update_negotiation_needed()

    def getConfiguration(self) -> RTCConfiguration:
        """Return the configuration in use."""
        return self._configuration

    def setConfiguration(self, configuration: RTCConfiguration) -> None:
        """Use other ICE servers or another transport policy from the next gathering on.

        :raises InvalidModificationError: it changes what cannot change (bundle policy, certificates, ports).
        """
        self._check_open()
        self._guard.require(Capability.SET_CONFIGURATION, "RTCPeerConnection.setConfiguration")
        config, before = engine_config(configuration), self._configuration
        for name in ("bundlePolicy", "certificates", "portRange", "mtu"):
            if getattr(configuration, name) != getattr(before, name):
                raise InvalidModificationError(
                    f"RTCPeerConnection.setConfiguration: {name} cannot change after creation", component="peer"
                )
        with self._guard.call("RTCPeerConnection.setConfiguration"):
            self._engine.set_configuration(config)
        self._configuration = configuration

    # --- media ---------------------------------------------------------------------------------------

    def addTrack(self, track: MediaStreamTrack, *streams: str) -> RTCRtpSender:
        """Send a track: with a transceiver that has none, else with a new one.

        :param streams: ids of the streams that it belongs to.
        :raises InternalError: the kind is neither audio nor video.
        :raises InvalidAccessError: it is being sent already.
        """
        self._check_open()
        self._check_kind(track.kind)
        find_sender(self._transceivers, track)
        for transceiver in self._transceivers.values():
            if transceiver.kind == track.kind and transceiver.sender.track is None and not transceiver.stopped:
                transceiver.sender._set_track(track)
                transceiver._set_direction(_sending(transceiver.direction))
                return transceiver.sender
        return self._add(track.kind, track, "sendrecv", streams).sender

    def removeTrack(self, sender: RTCRtpSender) -> None:
        """Stop sending the track of a sender; takes a negotiation to tell the remote.

        :raises InvalidAccessError: the sender belongs to another connection.
        """
        self._check_open()
        transceiver = sender._transceiver
        if transceiver not in self._transceivers.values():
            raise InvalidAccessError(
                "RTCPeerConnection.removeTrack: not a sender of this connection; getSenders() has them all",
                backend=self._guard.backend,
                component="peer",
            )
        if sender.track is not None and not transceiver.stopped:
            sender._set_track(None)
            transceiver._set_direction(_not_sending(transceiver.direction))

    def addTransceiver(
        self,
        trackOrKind: MediaStreamTrack | str,
        direction: Direction = "sendrecv",
        *,
        streams: tuple[str, ...] = (),
        sendEncodings: list[RTCRtpEncodingParameters] | None = None,
    ) -> RTCRtpTransceiver:
        """Add a sender and a receiver.

        :param trackOrKind: the track to send, or ``"audio"`` or ``"video"``.
        :param sendEncodings: one per layer to send (simulcast if there are several).
        :raises InternalError: unknown kind or direction.
        :raises InvalidAccessError: the track is being sent already.
        """
        self._check_open()
        track = trackOrKind if isinstance(trackOrKind, MediaStreamTrack) else None
        kind = track.kind if track is not None else cast("str", trackOrKind)
        self._check_kind(kind)
        if direction not in DIRECTIONS:
            raise InternalError(f'Invalid direction "{direction}"', component="peer")
        if track is not None:
            find_sender(self._transceivers, track)
        encodings = tuple(check_encoding(encoding) for encoding in sendEncodings or [])
        if len(encodings) > 1:
            self._guard.require(Capability.SIMULCAST, "RTCPeerConnection.addTransceiver with several encodings")
        return self._add(kind, track, direction, streams, encodings)

    def getReceivers(self) -> list[RTCRtpReceiver]:
        """Return the receivers, in order of creation."""
        return [transceiver.receiver for transceiver in self._transceivers.values()]

    def getSenders(self) -> list[RTCRtpSender]:
        """Return the senders, in order of creation."""
        return [transceiver.sender for transceiver in self._transceivers.values()]

    def getTransceivers(self) -> list[RTCRtpTransceiver]:
        """Return the transceivers, in order of creation."""
        return list(self._transceivers.values())

    def tracks(self) -> AsyncIterator[MediaStreamTrack]:
        """Iterate over remote tracks that arrive from now on, until the connection closes."""
        return self._iterate("track", "_closed")

    async def getStats(self, selector: MediaStreamTrack | None = None) -> RTCStatsReport:
        """Return statistics (webrtc-stats), of the whole connection or of one track.

        :raises InvalidAccessError: no sender or receiver has the track.
        """
        if selector is None:
            return report_from(await self._run("RTCPeerConnection.getStats", self._engine.get_stats))
        for transceiver in self._transceivers.values():
            if transceiver.sender.track is selector:
                return await transceiver.sender.getStats()
            if transceiver.receiver.track is selector:
                return await transceiver.receiver.getStats()
        raise InvalidAccessError("RTCPeerConnection.getStats: no sender or receiver has this track", component="peer")

    # --- data ----------------------------------------------------------------------------------------

    def createDataChannel(
        self,
        label: str,
        maxPacketLifeTime: int | None = None,
        maxRetransmits: int | None = None,
        ordered: bool = True,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
    ) -> RTCDataChannel:
        """Create a data channel; see `RTCDataChannelParameters` for the options.

        :raises ValueError: an option is out of range, or two exclude each other.
        :raises ChannelIdInUseError: the id is taken (a ValueError).
        """
        self._check_open()
        init = channel_init(
            RTCDataChannelParameters(label, maxPacketLifeTime, maxRetransmits, ordered, protocol, negotiated, id)
        )
        if maxRetransmits is not None:
            self._guard.require(Capability.DATA_MAX_RETRANSMITS, "createDataChannel with maxRetransmits")
        if maxPacketLifeTime is not None:
            self._guard.require(Capability.DATA_MAX_LIFETIME, "createDataChannel with maxPacketLifeTime")
        channel = RTCDataChannel._of(init, self._sctp_view(), self._guard)
        with self._guard.call("RTCPeerConnection.createDataChannel"):
            channel._engine = self._engine.create_data_channel(init)
        self._channels[channel._engine] = channel
        self._update_negotiation_needed()
        return channel

    # --- end -----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End the connection: everything stops, nothing is left behind. May be called more than once."""
        if self._closed is not None:
            await asyncio.shield(self._closed)
            return
        loop = asyncio.get_running_loop()
        self._closed = loop.create_future()
        self._sink.close()
        try:
            await self._shut_down()
        finally:
            self.remove_all_listeners()
            self._closed.set_result(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _shut_down(self) -> None:
        self._refreshed()
        self._operations.abort()
        self._receiving.signaling_closed()
        try:
            await self._engine.close()
        except Exception:
            logger.exception("backend %s failed to close; the connection is closed all the same", self._guard.backend)
        self._receiving.transports_closed()

    # --- inside --------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed is not None:
            raise InvalidStateError("RTCPeerConnection is closed", backend=self._guard.backend, component="peer")

    @staticmethod
    def _check_kind(kind: str) -> None:
        if kind not in {"audio", "video"}:
            raise InternalError(f'Invalid track kind "{kind}"', component="peer")

    async def _run(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        self._check_open()
        return await self._operations.run(what, call)

    async def _create_offer(self, ice_restart: bool = False) -> RTCSessionDescription:
        if ice_restart:
            self._guard.require(Capability.ICE_RESTART, "RTCPeerConnection.createOffer(iceRestart=True)")
        description = await self._run(
            "RTCPeerConnection.createOffer", lambda: self._engine.create_offer(ice_restart=ice_restart)
        )
        return RTCSessionDescription(sdp=description.sdp, type=description.type)

    async def _create_answer(self) -> RTCSessionDescription:
        self._check_open()
        check_create_answer(self.signalingState)
        description = await self._run("RTCPeerConnection.createAnswer", self._engine.create_answer)
        return RTCSessionDescription(sdp=description.sdp, type=description.type)

    async def _create_due(self) -> RTCSessionDescription:
        if self.signalingState in {"have-remote-offer", "have-local-pranswer"}:
            return await self._create_answer()
        return await self._create_offer()

    async def _apply(self, description: RTCSessionDescription, *, local: bool) -> None:
        what = f"RTCPeerConnection.set{'Local' if local else 'Remote'}Description"
        if description.type in {"rollback", "pranswer"}:
            needed = Capability.ROLLBACK if description.type == "rollback" else Capability.PRANSWER
            self._guard.require(needed, f"{what}({description.type})")
        kind = check_description(description, self._session, local=local)
        given = SessionDescription(kind, "" if kind == "rollback" else canonical(description.sdp))
        apply = self._engine.set_local_description if local else self._engine.set_remote_description
        self._receiving.local = local
        self._operations.hold(self)
        await self._run(what, lambda: apply(given))
        if local and kind == "offer":
            self._wants_restart = False
        self._update_negotiation_needed()

    async def _wait_for_gathering(self) -> None:
        """Wait until candidates of every section have been gathered, or the connection is closed."""
        session = self._session
        description = session.pending_local or session.current_local
        if description is None or ufrags(description.sdp) <= self._gathered:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathering_waiters.add(waiter)
        try:
            await self._operations.wait(waiter)
        finally:
            self._gathering_waiters.discard(waiter)

    async def _add_candidate(self, candidate: RTCIceCandidate | None) -> None:
        given = None if candidate is None else self._located(candidate)
        await self._run("RTCPeerConnection.addIceCandidate", lambda: self._engine.add_ice_candidate(given))
        self._stale = True

    def _located(self, candidate: RTCIceCandidate) -> IceCandidate:
        description = self._session.pending_remote or self._session.current_remote
        assert description is not None
        mid, index = section_of(candidate, ParsedDescription.parse(description.sdp))
        return IceCandidate(f"candidate:{candidate_to_sdp(candidate)}", mid, index, candidate.usernameFragment)

    async def _add_early_candidates(self) -> None:
        early, self._early_candidates = self._early_candidates, []
        for candidate in early:
            try:
                await self._add_candidate(candidate)
            except ShimError as exc:
                logger.warning("a candidate that came before the remote description is dropped: %s", exc)

    def _add(
        self,
        kind: str,
        track: MediaStreamTrack | None,
        direction: Direction,
        streams: tuple[str, ...],
        encodings: tuple[Encoding, ...] = (),
    ) -> RTCRtpTransceiver:
        media = cast("Kind", kind)
        source: MediaSource | None = None if track is None else source_of(track)
        with self._guard.call("RTCPeerConnection.addTransceiver"):
            engine = self._engine.add_transceiver(media, direction, source, streams, encodings)
        state = TransceiverState(engine, media, None, None, direction, None, stopped=False)
        transceiver = self._transceivers[engine] = RTCRtpTransceiver._of(self, state, track)
        self._update_negotiation_needed()
        return transceiver

    def _sctp_view(self) -> RTCSctpTransport:
        if self._sctp is None:
            self._sctp = RTCSctpTransport._of(self._views.of(self._session.sctp_mid))
        return self._sctp

    def _refreshed(self) -> SessionState:
        """Return the session with the candidates that came since it was applied."""
        if self._stale and self._closed is None:
            self._stale = False
            with self._guard.call("RTCPeerConnection.localDescription"):
                self._session = self._engine.local_state()
        return self._session

    async def _stats(self, transceiver: TransceiverEngine, direction: str) -> RTCStatsReport:
        raw = await self._run("getStats", lambda: self._engine.get_stats(transceiver))
        unwanted = (
            {"inbound-rtp", "remote-outbound-rtp"} if direction == "send" else {"outbound-rtp", "remote-inbound-rtp"}
        )
        return report_from({key: value for key, value in raw.items() if value.get("type") not in unwanted})

    def _update_negotiation_needed(self) -> None:
        """Check soon whether to emit ``negotiationneeded``: once, however many changes led to it."""
        loop = self._operations.loop
        if loop is not None and not self._negotiation_pending and self._closed is None:
            self._negotiation_pending = True
            loop.call_soon(self._check_negotiation_needed)

    def _check_negotiation_needed(self) -> None:
        self._negotiation_pending = False
        if self._closed is not None or self.signalingState != "stable" or not self.listeners("negotiationneeded"):
            return
        states = tuple(transceiver._wished() for transceiver in self._transceivers.values())
        needed = negotiation_needed(
            self._session, states, wants_data=bool(self._channels), wants_restart=self._wants_restart
        )
        flagged, self._negotiation_flagged = self._negotiation_flagged, needed
        if needed and not flagged:
            self._receiving.emit("negotiationneeded")

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def on(self, event: StateEvent) -> Callable[[StateHandler], StateHandler]: ...
        @overload
        def on(self, event: StateEvent, f: StateHandler) -> StateHandler: ...
        @overload
        def on(self, event: Literal["track"]) -> Callable[[TrackHandler], TrackHandler]: ...
        @overload
        def on(self, event: Literal["track"], f: TrackHandler) -> TrackHandler: ...
        @overload
        def on(self, event: Literal["datachannel"]) -> Callable[[ChannelHandler], ChannelHandler]: ...
        @overload
        def on(self, event: Literal["datachannel"], f: ChannelHandler) -> ChannelHandler: ...
        @overload
        def on(self, event: Literal["icecandidate"]) -> Callable[[CandidateHandler], CandidateHandler]: ...
        @overload
        def on(self, event: Literal["icecandidate"], f: CandidateHandler) -> CandidateHandler: ...
        @overload
        def on(self, event: Literal["icecandidateerror"]) -> Callable[[FailureHandler], FailureHandler]: ...
        @overload
        def on(self, event: Literal["icecandidateerror"], f: FailureHandler) -> FailureHandler: ...
        def on(self, event: str, f: Callable[..., Any] | None = None) -> Any:
            """Register a handler; usable as a decorator."""


def _wrap(description: SessionDescription | None) -> RTCSessionDescription | None:
    return None if description is None else RTCSessionDescription(sdp=description.sdp, type=description.type)


def _sending(direction: Direction) -> Direction:
    return "sendrecv" if direction in {"recvonly", "sendrecv"} else "sendonly"


def _not_sending(direction: Direction) -> Direction:
    return "recvonly" if direction in {"recvonly", "sendrecv"} else "inactive"


if TYPE_CHECKING:
    StateEvent = Literal[
        "signalingstatechange",
        "icegatheringstatechange",
        "iceconnectionstatechange",
        "connectionstatechange",
        "negotiationneeded",
    ]
    StateHandler = Callable[[], Any]
    TrackHandler = Callable[[MediaStreamTrack], Any]
    ChannelHandler = Callable[[RTCDataChannel], Any]
    CandidateHandler = Callable[[RTCIceCandidate | None], Any]
    FailureHandler = Callable[[RTCIceCandidateErrorEvent], Any]
