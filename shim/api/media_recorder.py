"""A sink that writes a file: :class:`MediaRecorder`."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import av
from av import AudioFrame, VideoFrame
from av.container import OutputContainer

from shim.api.media_relay import cancel_all, next_or_none
from shim.api.media_writer import AudioWriter, Muxer, TrackWriter, VideoWriter
from shim.api.tracks import MediaStreamTrack
from shim.spi.errors import InvalidStateError

logger = logging.getLogger(__name__)

_AUDIO_CODECS: Final = {
    "wav": "pcm_s16le",
    "alsa": "pcm_s16le",
    "pulse": "pcm_s16le",
    "mp3": "mp3",
    "ogg": "libopus",
    "opus": "libopus",
    "webm": "libopus",
}
_VIDEO_CODECS: Final = {"image2": ("png", "rgb24"), "webm": ("libvpx", "yuv420p")}


class MediaRecorder:
    """Writes tracks to a file: ``MediaRecorder("call.mp4")``, or pictures: ``MediaRecorder("frame-%3d.png")``.

    Encoding runs on threads of its own. Tracks keep the distance in time at which they arrived; a change of
    picture size, pixel format, sample rate or layout is converted to what the file started with.

    :param file: path or file-like object.
    :param format: FFmpeg's name of the format; from the file's name if `None`.
    :param options: for FFmpeg.
    :raises av.FFmpegError: the file cannot be created.
    """

    def __init__(
        self,
        file: Any,  # noqa: ANN401 - aiortc's signature: whatever PyAV opens
        format: str | None = None,
        options: dict[str, str] | None = None,
    ) -> None:
        container = av.open(file=file, format=format, mode="w", options=options)
        self.__container: OutputContainer | None = container
        self.__muxer = Muxer(container)
        self.__writers: dict[MediaStreamTrack, TrackWriter] = {}
        self.__tasks: dict[MediaStreamTrack, asyncio.Task[None]] = {}
        self.__executor = ThreadPoolExecutor(thread_name_prefix="media-recorder")

    def addTrack(self, track: MediaStreamTrack) -> None:
        """Add a track; it is recorded from the next :meth:`start` on.

        :raises InvalidStateError: recording has been stopped.
        :raises ValueError: the format of the file cannot hold it.
        """
        if self.__container is None:
            raise InvalidStateError("MediaRecorder.addTrack: recording has been stopped. Create another recorder.")
        if track in self.__writers:
            return
        format_name = self.__container.format.name
        writer: TrackWriter
        if track.kind == "audio":
            writer = AudioWriter(self.__container, _AUDIO_CODECS.get(format_name, "aac"))
        else:
            codec, pixel_format = _VIDEO_CODECS.get(format_name, ("libx264", "yuv420p"))
            writer = VideoWriter(self.__container, codec, pixel_format)
        self.__writers[track] = writer
        self.__muxer.add(writer)

    async def start(self) -> None:
        """Start recording."""
        for track, writer in self.__writers.items():
            if track not in self.__tasks:
                self.__tasks[track] = asyncio.ensure_future(self.__run_track(track, writer))

    async def stop(self) -> None:
        """Write what is left, and close the file. Further calls do nothing.

        :raises av.FFmpegError: the file could not be finished.
        """
        if self.__container is None:
            return
        self.__container = None
        tasks, self.__tasks, self.__writers = list(self.__tasks.values()), {}, {}
        try:
            await cancel_all(tasks)
            await asyncio.get_running_loop().run_in_executor(self.__executor, self.__muxer.finish)
        finally:
            self.__executor.shutdown()

    async def __run_track(self, track: MediaStreamTrack, writer: TrackWriter) -> None:
        while (frame := await next_or_none(track, "MediaRecorder")) is not None:
            if not isinstance(frame, AudioFrame if track.kind == "audio" else VideoFrame):
                kind = type(frame).__name__
                logger.error("MediaRecorder: only frames can be recorded; the %s track has a %s", track.kind, kind)
                return
            try:
                await self.__write(writer, frame)
            except Exception:
                logger.exception("MediaRecorder: writing the %s track failed; it ends here", track.kind)
                return

    async def __write(self, writer: TrackWriter, frame: AudioFrame | VideoFrame) -> None:
        written = asyncio.get_running_loop().run_in_executor(
            self.__executor, self.__muxer.write, writer, frame, time.monotonic()
        )
        try:
            await asyncio.shield(written)
        except asyncio.CancelledError:
            await written  # the encoder is not free before
            raise
