"""The peer connection of wrtc behind the seam."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import webrtc

from shim.spi import engines as e
from shim.spi import events as ev
from shim.spi.errors import ChannelIdInUseError
from shim_wrtc.errors import DESCRIPTION, REQUEST, translated
from shim_wrtc.observer import Observer
from shim_wrtc.session import native_transports, session_state, transport_info
from shim_wrtc.tones import with_tones_of_its_clock
from shim_wrtc.transceiver import Tasks, WrtcTransceiver
from shim_wrtc.values import native_channel_init, native_configuration, native_encoding


class WrtcPeerEngine:
    """One connection of libwebrtc M152."""

    def __init__(self, config: e.EngineConfig, sink: e.EventSink) -> None:
        _keep_threads()
        with translated("RTCPeerConnection"):
            self._pc = webrtc.RTCPeerConnection(native_configuration(config))
        self._config = config
        self._observer = Observer(self._pc, sink)
        self._streams: dict[str, str] = {}
        self._tasks: Tasks = set()
        self._session: e.SessionState | None = None
        self._closing: asyncio.Future[None] | None = None
        # wrtc keeps a connection with handlers until somebody closes it.
        self._finalizer = weakref.finalize(self, _release, self._pc, self._tasks)

    async def start(self) -> None:
        """Listen on the running loop from now on."""
        self._observer.start()

    # --- negotiation -----------------------------------------------------------------------------------------

    async def create_offer(self, *, ice_restart: bool = False) -> e.SessionDescription:
        """Create an offer."""
        with translated("RTCPeerConnection.createOffer"):
            made = await self._pc.create_offer(webrtc.RTCOfferOptions(ice_restart=ice_restart))
        return e.SessionDescription("offer", self._outward(made.sdp))

    async def create_answer(self) -> e.SessionDescription:
        """Create an answer to the pending remote offer."""
        with translated("RTCPeerConnection.createAnswer"):
            made = await self._pc.create_answer()
        return e.SessionDescription("answer", self._outward(made.sdp))

    async def set_local_description(self, description: e.SessionDescription) -> None:
        """Apply a local description, or roll back."""
        with translated("RTCPeerConnection.setLocalDescription", DESCRIPTION):
            if description.type == "rollback":
                await self._roll_back()
            else:
                native = webrtc.RTCSessionDescriptionInit(description.type, self._inward(description.sdp))
                await self._pc.set_local_description(native)
        self._applied(description)

    async def set_remote_description(self, description: e.SessionDescription) -> None:
        """Apply a remote description, or roll back."""
        with translated("RTCPeerConnection.setRemoteDescription", DESCRIPTION):
            if description.type == "rollback":
                await self._roll_back()
            else:
                sdp = with_tones_of_its_clock(description.sdp)
                native_description = webrtc.RTCSessionDescriptionInit(description.type, sdp)
                await self._pc.set_remote_description(native_description)
            for native in self._pc.get_transceivers():
                if native not in self._observer.transceivers:
                    await self._adopt(native)
        self._applied(description)

    async def add_ice_candidate(self, candidate: e.IceCandidate | None) -> None:
        """Add a remote candidate; `None` ends candidates of all sections."""
        native = None
        if candidate is not None:
            native = webrtc.RTCIceCandidateInit(
                candidate.candidate, candidate.sdp_mid or None, candidate.sdp_mline_index, candidate.username_fragment
            )
        with translated("RTCPeerConnection.addIceCandidate", REQUEST):
            await self._pc.add_ice_candidate(native)

    def restart_ice(self) -> None:
        """Make the next offer carry new ICE credentials."""
        self._pc.restart_ice()

    def set_configuration(self, config: e.EngineConfig) -> None:
        """Use other ICE servers or policy from the next gathering on."""
        with translated("RTCPeerConnection.setConfiguration"):
            self._pc.set_configuration(native_configuration(config))
        self._config = config

    def local_state(self) -> e.SessionState:
        """Return the session as it is now."""
        return session_state(self._pc, self._observer.transceivers.values(), self._outward)

    def transports(self) -> tuple[e.TransportInfo, ...]:
        """Return a snapshot of each transport in use."""
        return tuple(transport_info(transport, mids) for transport, mids in native_transports(self._pc).items())

    # --- media, data, statistics -------------------------------------------------------------------------------

    def add_transceiver(
        self,
        kind: e.Kind,
        direction: e.Direction,
        source: e.MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[e.Encoding] = (),
    ) -> e.TransceiverEngine:
        """Create a transceiver."""
        generator = webrtc.MediaStreamTrackGenerator(kind)
        streams = [webrtc.MediaStream() for _ in stream_ids]
        with translated("RTCPeerConnection.addTransceiver"):
            native = self._create(generator, direction, streams, encodings)
        self._streams |= {stream.id: name for stream, name in zip(streams, stream_ids, strict=True)}
        made = self._enter(native, kind, generator)
        made.replace_source(source)
        return made

    def create_data_channel(self, init: e.DataChannelInit) -> e.DataChannelEngine:
        """Create a channel; it opens when the transport does."""
        if init.negotiated and any(channel.id == init.id for channel in self._observer.channels):
            raise ChannelIdInUseError(
                f"createDataChannel: id {init.id} is in use by another channel (backend wrtc). Choose another one.",
                backend="wrtc",
            )
        with translated("RTCPeerConnection.createDataChannel"):
            return self._observer.adopt(self._pc.create_data_channel(init.label, native_channel_init(init)))

    async def get_stats(self, transceiver: e.TransceiverEngine | None = None) -> Mapping[str, Mapping[str, object]]:
        """Return statistics of the whole connection, or of one sender and receiver."""
        with translated("RTCPeerConnection.getStats"):
            if not isinstance(transceiver, WrtcTransceiver):
                return _plain(await self._pc.get_stats())
            sent = await transceiver.native.sender.get_stats()
            return _plain(sent) | _plain(await transceiver.native.receiver.get_stats())

    # --- end -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """End everything; later calls wait for the first one."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._observer.closed = True
        for transceiver in self._observer.transceivers.values():
            transceiver.end()
        left = tuple(self._tasks)
        self._finalizer()
        await asyncio.gather(*left, return_exceptions=True)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _create(
        self,
        generator: webrtc.MediaStreamTrackGenerator,
        direction: e.Direction,
        streams: list[webrtc.MediaStream],
        encodings: Sequence[e.Encoding],
    ) -> webrtc.RTCRtpTransceiver:
        if encodings:
            wished = [native_encoding(encoding) for encoding in encodings]
            return self._pc.add_transceiver(generator, webrtc.RTCRtpTransceiverInit(direction, streams, wished))
        # As addTrack does: a remote offer's section takes no other, where aiortc lets it take any.
        sender = self._pc.add_track(generator, *streams)
        native = next(t for t in self._pc.get_transceivers() if t.sender == sender)
        native.direction = direction
        return native

    async def _roll_back(self) -> None:
        """Take the pending offer back. JSEP lets either side's method do it, wrtc only the one that set it."""
        rollback = webrtc.RTCSessionDescriptionInit("rollback")
        if self._pc.signaling_state == "have-remote-offer":
            await self._pc.set_remote_description(rollback)
        else:
            await self._pc.set_local_description(rollback)

    async def _adopt(self, native: webrtc.RTCRtpTransceiver) -> None:
        """Take over a transceiver that the remote caused; addTrack would take one whose sender has no track."""
        kind: e.Kind = "audio" if native.receiver.track.kind == "audio" else "video"
        generator = webrtc.MediaStreamTrackGenerator(kind)
        await native.sender.replace_track(generator)
        self._enter(native, kind, generator)

    def _enter(
        self, native: webrtc.RTCRtpTransceiver, kind: e.Kind, generator: webrtc.MediaStreamTrackGenerator
    ) -> WrtcTransceiver:
        made = WrtcTransceiver(native, kind, generator, self._observer, self._tasks)
        made.configure_jitter(self._config.jitter_target)
        self._observer.transceivers[native] = made
        return made

    def _applied(self, description: e.SessionDescription) -> None:
        known = self._observer.transceivers
        kept = set(self._pc.get_transceivers())
        gone = [known.pop(native) for native in tuple(known) if native not in kept]
        for transceiver in gone:
            transceiver.end()
        self._observer.watch_transports()
        state = self.local_state()
        before, self._session = self._session, state
        # A rollback takes transceivers back, anything else stops them: the application is told once.
        if description.type != "rollback" and before is not None:
            dropped = tuple(
                replace(t, stopped=True, current_direction=None, receive_track_id=None)
                for t in before.transceivers
                if t.engine in gone
            )
            state = replace(state, transceivers=state.transceivers + dropped)
        self._observer.post(ev.SessionChanged(state))
        self._observer.update_senders()

    def _outward(self, sdp: str) -> str:
        """Put the application's ids of tracks and streams in place of wrtc's, which cannot be chosen."""
        for theirs, ours in self._names():
            sdp = sdp.replace(theirs, ours)
        return sdp

    def _inward(self, sdp: str) -> str:
        for theirs, ours in self._names():
            sdp = sdp.replace(f" {ours}\r", f" {theirs}\r").replace(f":{ours} ", f":{theirs} ")
        return sdp

    def _names(self) -> Iterator[tuple[str, str]]:
        yield from self._streams.items()
        for transceiver in self._observer.transceivers.values():
            yield transceiver.generator.id, transceiver.track_id


@functools.cache
def _keep_threads() -> webrtc.RTCPeerConnection:
    """Keep libwebrtc's threads for the life of the process; else they end and start with each lonely connection."""
    anchor = webrtc.RTCPeerConnection()
    anchor.close()
    return anchor


def _release(pc: webrtc.RTCPeerConnection, tasks: Tasks) -> None:
    for task in tuple(tasks):
        if not task.get_loop().is_closed():
            task.get_loop().call_soon_threadsafe(task.cancel)
    pc.close()


def _plain(report: webrtc.RTCStatsReport) -> dict[str, Mapping[str, object]]:
    return {key: entry.to_json() for key, entry in report.items()}
