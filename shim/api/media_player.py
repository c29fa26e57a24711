"""A source that reads a file, a stream or a device: :class:`MediaPlayer`."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import av
import av.container
from av import VideoFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from shim.api.media_reader import Feed, PlayerReader
from shim.api.tracks import MediaStreamTrack, QueuedTrack
from shim.spi.errors import MediaStreamError

if TYPE_CHECKING:
    from av import AudioFrame

logger = logging.getLogger(__name__)

REAL_TIME_FORMATS: Final = [
    "alsa",
    "android_camera",
    "avfoundation",
    "bktr",
    "decklink",
    "dshow",
    "fbdev",
    "gdigrab",
    "iec61883",
    "jack",
    "kmsgrab",
    "openal",
    "oss",
    "pulse",
    "rtsp",
    "sndio",
    "v4l2",
    "vfwcap",
    "x11grab",
]
"""FFmpeg formats whose frames come when their time has come."""

RELAYED_CODECS: Final[Mapping[str, frozenset[str]]] = {
    "audio": frozenset({"opus", "pcm_alaw", "pcm_mulaw"}),
    "video": frozenset({"h264", "vp8"}),
}
"""What can be sent as it is in the file."""

_FILE_QUEUE: Final = {"audio": 500, "video": 120}


class PlayerStreamTrack(QueuedTrack):
    """A track of a :class:`MediaPlayer`; its first ``recv()`` starts the reading."""

    def __init__(self, player: MediaPlayer, kind: str) -> None:
        super().__init__(kind, "drop_oldest", None)
        self._player: MediaPlayer | None = player
        self._origin: float | None = None
        self.feed = Feed(kind, self._queue)

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        """Return the next frame (or packet) when its time has come.

        :raises MediaStreamError: the end of the file, a failure to read it, or the track was stopped.
        """
        player = self._player
        if self.readyState != "live" or player is None:
            raise MediaStreamError("MediaPlayer: the track has ended")
        player._start(self)
        media = await super().recv()
        if media.pts is not None and media.time_base is not None:
            time = float(media.pts * media.time_base)
            player._delivered(self, time)
            if player._throttle_playback:
                await self._wait_for(time)
        return media

    async def _wait_for(self, time: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = now - time
        await asyncio.sleep(self._origin + time - now)

    def stop(self) -> None:
        """End the track; the player stops reading with its last track in use."""
        super().stop()
        player, self._player = self._player, None
        if player is not None:
            player._stop(self)


class MediaPlayer:
    """Reads audio and/or video: ``MediaPlayer("clip.mp4")``, or a webcam with ``format="v4l2"``.

    A file is read no more than half a second ahead of who consumes it.

    :param file: path, URL, device or file-like object.
    :param format: FFmpeg's name of the format; detected if `None`.
    :param options: for FFmpeg, e.g. ``{"video_size": "640x480"}``.
    :param timeout: seconds to open or read at most.
    :param loop: start again at the end; needs a file that can be rewound.
    :param decode: deliver frames; otherwise packets, of codecs that can be sent as they are.
    :raises ValueError: `loop` is not possible.
    :raises av.FFmpegError: the file cannot be opened.
    """

    def __init__(
        self,
        file: Any,  # noqa: ANN401 - aiortc's signature: whatever PyAV opens
        format: str | None = None,
        options: dict[str, str] | None = None,
        timeout: int | None = None,
        loop: bool = False,
        decode: bool = True,
    ) -> None:
        container = av.open(file=file, format=format, mode="r", options=options, timeout=timeout)
        if loop and container.duration is None:
            container.close()
            raise ValueError("MediaPlayer: the `loop` argument requires a seekable file")
        self._throttle_playback = not set(container.format.name.split(",")) & set(REAL_TIME_FORMATS)
        self.__tracks: dict[str, PlayerStreamTrack] = {}
        streams: list[AudioStream | VideoStream] = []
        for stream in container.streams:
            if isinstance(stream, AudioStream | VideoStream) and self.__can_play(stream, decode):
                self.__tracks[stream.type] = PlayerStreamTrack(self, stream.type)
                streams.append(stream)
        feeds = {kind: track.feed for kind, track in self.__tracks.items()}
        self.__reader = PlayerReader(container, streams, feeds, decode=decode, paced=self._throttle_playback, loop=loop)
        # The reading thread holds neither player nor tracks: dropping them ends it.
        weakref.finalize(self, self.__reader.cancel)

    def __can_play(self, stream: AudioStream | VideoStream, decode: bool) -> bool:
        if stream.type in self.__tracks:
            return False
        return decode or stream.codec_context.name in RELAYED_CODECS[stream.type]

    @property
    def audio(self) -> MediaStreamTrack | None:
        """The audio track, if the file has audio."""
        return self.__tracks.get("audio")

    @property
    def video(self) -> MediaStreamTrack | None:
        """The video track, if the file has video."""
        return self.__tracks.get("video")

    def _start(self, track: PlayerStreamTrack) -> None:
        if not track.feed.started and self._throttle_playback:
            track.setQueuePolicy("drop_oldest", _FILE_QUEUE[track.kind])
        self.__reader.start(track.feed)

    def _delivered(self, track: PlayerStreamTrack, time: float) -> None:
        self.__reader.delivered(track.feed, time)

    def _stop(self, track: PlayerStreamTrack) -> None:
        self.__reader.stop(track.feed)
