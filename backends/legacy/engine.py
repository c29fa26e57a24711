"""The peer connection of libwebrtc behind the seam."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from backends.legacy import errors, sdp
from backends.legacy.channel import LegacyDataChannel, create_channel, keep_data_section
from backends.legacy.config import ConfigHandle
from backends.legacy.connection import Connection
from backends.legacy.eventqueue import EventStruct
from backends.legacy.observer import ConnectionObserver
from backends.legacy.runtime import current
from backends.legacy.session import session_state, transport_infos
from backends.legacy.stats import w3c_stats
from backends.legacy.tones import with_tones_of_its_clock
from backends.legacy.transceiver import LegacyTransceiver, TransceiverTable, add_transceiver
from shim.spi.engines import (
    DataChannelInit,
    Direction,
    Encoding,
    EngineConfig,
    EventSink,
    IceCandidate,
    Kind,
    MediaSource,
    SdpType,
    SessionDescription,
    SessionState,
    TransceiverEngine,
    TransportInfo,
)
from shim.spi.errors import InvalidStateError, ShimError
from shim.spi.events import SessionChanged

SDP_TYPES: Final[Mapping[SdpType, int]] = {"offer": 0, "pranswer": 1, "answer": 2, "rollback": 3}
STATS_OF_SENDER: Final = 1
STATS_OF_RECEIVER: Final = 2

Submit = Callable[[int], int]


class LegacyPeerEngine:
    """One connection of libwebrtc. Creating the first one of a process starts libwebrtc's threads.

    :raises BackendUnavailableError: the library is missing or does not fit.
    """

    def __init__(self, config: EngineConfig, sink: EventSink) -> None:
        self._connection = Connection(current(), config)
        self._sink = sink
        self._transceivers = TransceiverTable(self._connection)
        self._observer = ConnectionObserver(self._connection, sink, self._transceivers)
        if config.always_negotiate_data_channels:
            keep_data_section(self._connection)
        self._closing: asyncio.Future[None] | None = None
        self._finalizer = weakref.finalize(self, self._connection.release)
        # At exit the runtime closes everything at once; one by one would take longer and meet freed handles.
        self._finalizer.atexit = False

    async def start(self) -> None:
        """Deliver events on the running loop from now on."""
        queue, loop = self._connection.queue, asyncio.get_running_loop()
        if not queue.bound:
            queue.bind(loop)
        elif not queue.serves(loop):
            raise InvalidStateError(
                "RTCPeerConnection: created on one event loop and used on another (backend legacy). "
                "Create it in the coroutine that uses it.",
                backend="legacy",
            )

    # --- negotiation ---------------------------------------------------------------------------------

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        """Create an offer."""
        call = self._connection.lib.rtc_pc_create_offer
        return await self._create("createOffer", "offer", lambda request: call(self._handle, request, ice_restart))

    async def create_answer(self) -> SessionDescription:
        """Create an answer to the pending remote offer."""
        call = self._connection.lib.rtc_pc_create_answer
        return await self._create("createAnswer", "answer", lambda request: call(self._handle, request))

    async def set_local_description(self, description: SessionDescription) -> None:
        """Apply a local description, or roll back."""
        await self._apply("setLocalDescription", self._connection.lib.rtc_pc_set_local, description)

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Apply a remote description, or roll back."""
        wishes = sdp.opus_wishes(self._connection.config.opus, local=False)
        text = with_tones_of_its_clock(sdp.with_opus(sdp.readable(description.sdp), wishes))
        text = sdp.with_layers_off(text, self._transceivers.layers_off())
        wished = SessionDescription(description.type, text)
        await self._apply("setRemoteDescription", self._connection.lib.rtc_pc_set_remote, wished)

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        """Add a remote candidate; `None` ends candidates of all sections."""
        if candidate is not None:
            await self._add_candidate(candidate)
            return
        state = self.local_state()
        remote = state.pending_remote or state.current_remote
        for index, mid in enumerate(sdp.mids(remote.sdp) if remote else ()):
            await self._add_candidate(IceCandidate("", mid, index))

    def restart_ice(self) -> None:
        """Make the next offer carry new ICE credentials."""
        self._connection.check(self._connection.lib.rtc_pc_restart_ice(self._handle), "restartIce")

    def set_configuration(self, config: EngineConfig) -> None:
        """Use other ICE servers or policy from the next gathering on."""
        # To libwebrtc the same certificates, read again, are other ones; none means those of before.
        same = config.certificates == self._connection.config.certificates
        given = replace(config, certificates=()) if same else config
        with ConfigHandle(self._connection.library, given) as handle:
            result = self._connection.lib.rtc_pc_set_configuration(self._handle, handle)
            self._connection.check(result, "setConfiguration")
        self._connection.reconfigure(config)

    def local_state(self) -> SessionState:
        """Return the session as it is now: one round trip to libwebrtc's signaling thread."""
        handle = self._connection.lib.rtc_pc_snapshot(self._handle)
        return self._state(self._json(handle, "localDescription"))

    def transports(self) -> tuple[TransportInfo, ...]:
        """Return a snapshot of each transport in use."""
        handle = self._connection.lib.rtc_pc_transports(self._handle)
        return transport_infos(self._json(handle, "transports"), self.local_state())

    # --- media and data ------------------------------------------------------------------------------

    def add_transceiver(
        self,
        kind: Kind,
        direction: Direction,
        source: MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[Encoding] = (),
    ) -> TransceiverEngine:
        """Create a transceiver."""
        by_track = len(encodings) <= 1 and not self._transceivers.has_idle(kind)
        made = add_transceiver(self._connection, kind, direction, source, stream_ids, encodings, by_track=by_track)
        return self._transceivers.add(made)

    def create_data_channel(self, init: DataChannelInit) -> LegacyDataChannel:
        """Create a channel; it opens when the transport does."""
        return create_channel(self._connection, self._sink, self._observer.channels, init)

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Mapping[str, Mapping[str, object]]:
        """Return statistics of the whole connection, or of one sender and receiver."""
        if not isinstance(transceiver, LegacyTransceiver):
            return await self._stats(0, 0)
        sent = await self._stats(STATS_OF_SENDER, transceiver.handle)
        return sent | await self._stats(STATS_OF_RECEIVER, transceiver.handle)

    # --- end -----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End everything; later calls wait for the first one."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._finalizer.detach()
        for owner in self._observer.channels:
            self._connection.queue.unsubscribe(owner)
        await self._connection.close()

    # --- inside --------------------------------------------------------------------------------------

    @property
    def _handle(self) -> int:
        return self._connection.handle

    def _json(self, handle: int, what: str) -> Any:  # noqa: ANN401
        return self._connection.library.take_json(self._connection.check(handle, what))

    def _event_json(self, event: EventStruct) -> Any:  # noqa: ANN401
        # An empty report is an empty text, not an empty array.
        return json.loads(self._connection.library.text(event.data, event.len) or "[]")

    async def _create(self, what: str, kind: SdpType, submit: Submit) -> SessionDescription:
        text = self._connection.library.text
        made = await self._connection.request(what, submit, lambda event: text(event.data, event.len))
        wishes = sdp.opus_wishes(self._connection.config.opus, local=True)
        return SessionDescription(kind, sdp.with_opus(sdp.with_rejected_in_short(made), wishes))

    async def _apply(self, what: str, call: Callable[..., int], description: SessionDescription) -> None:
        text, kind = description.sdp.encode("utf-8", "replace"), SDP_TYPES[description.type]

        def refuse(code: int, detail: str, offending: str) -> ShimError:
            return errors.description_error(code, what, detail, offending, description.sdp)

        await self._connection.request(
            what,
            lambda request: call(self._handle, kind, text, request),
            lambda event: self._applied(event, description.type),
            refuse,
        )

    def _applied(self, event: EventStruct, kind: SdpType) -> None:
        state = self._state(self._event_json(event))
        dropped = self._transceivers.take(state.transceivers)
        # A rollback takes transceivers back, anything else stops them: the application is told once.
        if kind != "rollback":
            state = replace(state, transceivers=state.transceivers + dropped)
        self._sink.post(SessionChanged(state))

    def _state(self, snapshot: Mapping[str, Any]) -> SessionState:
        return session_state(snapshot, self._transceivers.lookup, self._transceivers.receiving)

    async def _add_candidate(self, candidate: IceCandidate) -> None:
        lib, ffi = self._connection.lib, self._connection.ffi
        mid, line = candidate.sdp_mid.encode(), sdp.with_known_candidates(candidate.candidate).encode()
        ufrag = candidate.username_fragment.encode() if candidate.username_fragment else ffi.NULL
        await self._connection.request(
            "addIceCandidate",
            lambda request: lib.rtc_pc_add_ice_candidate(
                self._handle, mid or ffi.NULL, candidate.sdp_mline_index, line, ufrag, request
            ),
            lambda event: None,
            lambda code, detail, _: errors.candidate_error(code, "addIceCandidate", detail),
        )

    async def _stats(self, selector: int, transceiver: int) -> dict[str, dict[str, object]]:
        call = self._connection.lib.rtc_pc_get_stats
        reports: Iterable[Mapping[str, Any]] = await self._connection.request(
            "getStats", lambda request: call(self._handle, request, selector, transceiver), self._event_json
        )
        return w3c_stats(reports)
