"""One measured call: two connections in one process, a file sent both ways, everything noted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, Literal

import av

from shim.api.datachannel import RTCDataChannel
from shim.api.media_player import MediaPlayer
from shim.api.peerconnection import RTCPeerConnection
from shim.api.rtp import RTCRtpTransceiver
from shim.api.tracks import MediaStreamTrack
from shim.calls.clip import probe
from shim.calls.data import measure_channel, opened
from shim.calls.ledger import AudioLedger, VideoLedger
from shim.calls.recording import Recording
from shim.calls.results import CallReport, CallSpec, DataReport, DirectionReport
from shim.calls.sound import SEARCH
from shim.calls.tracks import Frame, SentAudio, SentVideo, consume
from shim.calls.usage import rss_mib, usage
from shim.calls.worker import Worker
from shim.flags.context import use_backend
from shim.spi.errors import OperationError, ShimError

CONNECT_TIMEOUT: Final = 20.0
DATA_TIMEOUT: Final = 20.0
SHORTEST_LOOP: Final = 2 * SEARCH
"""Seconds of the shortest file that starts again at its end: sound that repeats sooner could be mistaken."""
GRACE: Final = 0.6
"""Seconds after the last counted frame in which it may still arrive; longer than a window of sound."""

Progress = Callable[[str, float], None]
"""Told the stage of a call, and how much of the call is over, 0 to 1."""


class _Side:
    """One end of the call, and the books of what it sends."""

    def __init__(self, role: Literal["offerer", "answerer"], backend: str, spec: CallSpec, worker: Worker) -> None:
        self.role = role
        self.backend = backend
        self.pc = RTCPeerConnection(backend=backend)
        self.audio = AudioLedger(worker)
        self.video = VideoLedger(worker, stamped=spec.stamp)
        self.connected_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.channel: asyncio.Future[RTCDataChannel] = asyncio.get_running_loop().create_future()
        self.counts = (0, 0)
        self.pc.on("connectionstatechange", self._on_state)
        self.pc.on("datachannel", self._on_channel)

    def _on_state(self) -> None:
        state = self.pc.connectionState
        if state == "connected" and not self.connected_at.done():
            self.connected_at.set_result(time.monotonic())
        elif state == "failed" and not self.connected_at.done():
            self.connected_at.set_exception(OperationError(f"the connection of the {self.role} failed"))

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if not self.channel.done():
            self.channel.set_result(channel)


class _Direction:
    """What goes from one side to the other, and how it is received."""

    def __init__(self, sender: _Side, receiver: _Side, recording: Recording | None) -> None:
        self.sender, self.receiver, self.recording = sender, receiver, recording
        self.data: DataReport | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.taking = False
        receiver.pc.on("track", self._on_track)

    @property
    def name(self) -> Literal["offerer-to-answerer", "answerer-to-offerer"]:
        """As it is printed, and part of the recording's name."""
        return "offerer-to-answerer" if self.sender.role == "offerer" else "answerer-to-offerer"

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.tasks.append(asyncio.ensure_future(consume(track, self._take)))

    def _take(self, frame: Frame, now: float) -> None:
        """Note a frame. Silence that an engine makes up before the media starts is not of the call."""
        if not self.taking:
            return
        if isinstance(frame, av.AudioFrame):
            self.sender.audio.received(frame, now)
        else:
            self.sender.video.received(frame, now)
        if self.recording is not None:
            self.recording.put(frame, now)


class Call:
    """A call in progress. Use :func:`run_call`.

    :param spec: what to do.
    :param progress: told how it goes.
    """

    def __init__(self, spec: CallSpec, progress: Progress) -> None:
        self._spec = spec
        self._progress = progress
        self._info = probe(Path(spec.send))
        self._has_audio = spec.audio and self._info.audio
        self._has_video = spec.video and self._info.video
        self._start = asyncio.Event()
        self._ended = asyncio.Event()
        self._exits = AsyncExitStack()
        self._notes: list[str] = []

    async def run(self) -> CallReport:
        """Make the call.

        :raises ShimError: it could not be made.
        """
        async with self._exits:
            return await self._run()

    async def _run(self) -> CallReport:
        spec, before = self._spec, rss_mib()
        self._progress("connecting", 0.0)
        worker = Worker("measuring")
        self._exits.callback(worker.close)
        offerer = self._side("offerer", spec.offerer, worker)
        answerer = self._side("answerer", spec.answerer, worker)
        directions = [self._direction(offerer, answerer), self._direction(answerer, offerer)]
        offered_at = await self._connect(offerer, answerer)
        if spec.data:
            self._progress("data channel", 0.05)
            await self._exchange_data(offerer, answerer, directions)
        for direction in directions:
            direction.taking = True
        clocks, busy = usage(), await self._busy(worker, directions)
        self._start.set()
        seconds = await self._flow()
        for side in (offerer, answerer):
            side.counts = (side.audio.count, side.video.count)
        await asyncio.sleep(GRACE)
        excluded = await self._busy(worker, directions) - busy
        cpu = usage().per_second_since(clocks, excluded) if seconds else None
        rss = rss_mib()
        self._progress("finishing", 0.95)
        for direction in directions:
            await self._stop(direction)
        await worker.flush()
        reports = tuple(self._report(direction, offered_at) for direction in directions)
        return CallReport(spec.offerer, spec.answerer, seconds, reports, cpu, rss, before, tuple(self._notes))

    def _side(self, role: Literal["offerer", "answerer"], backend: str, worker: Worker) -> _Side:
        side = _Side(role, backend, self._spec, worker)
        self._exits.push_async_callback(side.pc.close)
        return side

    def _direction(self, sender: _Side, receiver: _Side) -> _Direction:
        direction = _Direction(sender, receiver, None)
        if self._spec.record is not None and (self._has_audio or self._has_video):
            size = (self._info.width, self._info.height) if self._has_video else None
            path = recording_path(Path(self._spec.record), direction.name)
            direction.recording = Recording(path, size, self._info.fps, self._has_audio)
        self._exits.push_async_callback(self._stop, direction)
        return direction

    # --- connecting ----------------------------------------------------------------------------------

    async def _connect(self, offerer: _Side, answerer: _Side) -> float:
        """Connect both sides; return when it began."""
        if self._spec.data:
            offerer.channel.set_result(offerer.pc.createDataChannel("call"))
        self._add_tracks(offerer)
        self._prefer_codec(offerer)
        began = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._negotiate(offerer, answerer)
                await asyncio.gather(offerer.connected_at, answerer.connected_at)
        except TimeoutError as exc:
            states = ", ".join(
                f"{side.role} ({side.backend}) {side.pc.connectionState}" for side in (offerer, answerer)
            )
            raise OperationError(f"not connected after {CONNECT_TIMEOUT:g} s: {states}") from exc
        return began

    async def _negotiate(self, offerer: _Side, answerer: _Side) -> None:
        await offerer.pc.setLocalDescription(await offerer.pc.createOffer())
        assert offerer.pc.localDescription is not None
        await answerer.pc.setRemoteDescription(offerer.pc.localDescription)
        self._add_tracks(answerer)
        await answerer.pc.setLocalDescription(await answerer.pc.createAnswer())
        assert answerer.pc.localDescription is not None
        await offerer.pc.setRemoteDescription(answerer.pc.localDescription)

    def _add_tracks(self, side: _Side) -> None:
        player = MediaPlayer(self._spec.send, loop=(self._info.seconds or 0.0) >= SHORTEST_LOOP)
        for source in (player.audio, player.video):
            if source is None:
                continue
            if not (self._has_audio if source.kind == "audio" else self._has_video):
                source.stop()
                continue
            track = (
                SentAudio(source, side.audio, self._start)
                if source.kind == "audio"
                else SentVideo(source, side.video, self._start)
            )
            track.once("ended", self._ended.set)
            self._exits.callback(track.stop)
            side.pc.addTrack(track)

    def _prefer_codec(self, side: _Side) -> None:
        for transceiver in side.pc.getTransceivers():
            if transceiver.kind == "video":
                _prefer(transceiver, self._spec.video_codec, side.backend)

    # --- measuring -----------------------------------------------------------------------------------

    async def _exchange_data(self, offerer: _Side, answerer: _Side, directions: list[_Direction]) -> None:
        """Measure both directions one after the other; what fails stays without figures."""
        try:
            async with asyncio.timeout(DATA_TIMEOUT):
                near, far = await offerer.channel, await answerer.channel
                await asyncio.gather(opened(near), opened(far))
                directions[0].data = await measure_channel(near, far)
                directions[1].data = await measure_channel(far, near)
        except TimeoutError:
            self._notes.append(f"the data channel was not measured within {DATA_TIMEOUT:g} s")
        except ShimError as exc:
            self._notes.append(f"the data channel failed: {exc}")

    async def _flow(self) -> float:
        """Let media flow; return for how long."""
        began = time.monotonic()
        wanted = self._spec.seconds
        if not (self._has_audio or self._has_video):
            return 0.0
        while (past := time.monotonic() - began) < wanted and not self._ended.is_set():
            self._progress("media", 0.15 + 0.8 * past / wanted)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), min(0.2, wanted - past))
        return time.monotonic() - began

    async def _busy(self, worker: Worker, directions: list[_Direction]) -> float:
        """Return the processor seconds of measuring and recording so far."""
        workers = [worker, *(direction.recording.worker for direction in directions if direction.recording)]
        return sum([await one.flush() for one in workers])

    async def _stop(self, direction: _Direction) -> None:
        direction.taking = False
        tasks, direction.tasks = direction.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if direction.recording is not None:
            await direction.recording.close()

    # --- reporting -----------------------------------------------------------------------------------

    def _report(self, direction: _Direction, offered_at: float) -> DirectionReport:
        sender, recording = direction.sender, direction.recording
        audio = sender.audio.report(sender.counts[0]) if self._has_audio else None
        video = sender.video.report(sender.counts[1]) if self._has_video else None
        arrived = {
            "audio": audio is None or audio.found,
            "video": video is None or video.found,
            "data": not self._spec.data or direction.data is not None,
        }
        return DirectionReport(
            name=direction.name,
            sender=sender.backend,
            receiver=direction.receiver.backend,
            setup_ms=(direction.receiver.connected_at.result() - offered_at) * 1000,
            audio=audio,
            video=video,
            data=direction.data,
            recording=str(recording.path) if recording else None,
            unrecorded=recording.skipped if recording else 0,
            missing=tuple(kind for kind, came in arrived.items() if not came),
        )


def _prefer(transceiver: RTCRtpTransceiver, codec: str, backend: str) -> None:
    with use_backend(backend):
        known = transceiver.sender.getCapabilities("video").codecs
    wanted = [one for one in known if one.name.upper() == codec]
    if not wanted:
        raise OperationError(f"backend {backend} does not send {codec}. Choose another --video-codec.")
    retransmission = [one for one in known if one.name.lower() == "rtx"]
    transceiver.setCodecPreferences(wanted + retransmission)


def recording_path(record: Path, direction: str) -> Path:
    """Return where a direction is recorded: ``OUT.mp4`` becomes e.g. ``OUT-offerer-to-answerer.mp4``."""
    return record.with_name(f"{record.stem}-{direction}{record.suffix}")


async def run_call(spec: CallSpec, progress: Progress) -> CallReport:
    """Make a call and measure it. A call that fails gives a report with `error`, and leaves nothing behind."""
    try:
        return await Call(spec, progress).run()
    except ShimError as exc:
        return CallReport(spec.offerer, spec.answerer, error=str(exc))
