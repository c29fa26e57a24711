"""The thread behind :class:`~shim.api.media_player.MediaPlayer`: reads a container into queues."""

from __future__ import annotations

import errno
import fractions
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Union

import av
from av import AudioFrame, VideoFrame
from av.packet import Packet

from shim.api.media_frames import FlexibleResampler
from shim.api.tracks import AUDIO_PTIME

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from shim.api.frame_queue import FrameQueue

logger = logging.getLogger(__name__)

READ_AHEAD: Final = 0.5
"""Seconds that a file is read ahead of its consumer."""
MAX_DAMAGED: Final = 100
"""Damaged packets in a row that are skipped."""
JOIN_TIMEOUT: Final = 2.0
"""Seconds that stopping waits for a read that is going on, e.g. from a dead network stream."""

SAMPLE_RATE: Final = 48000
AUDIO_TIME_BASE: Final = fractions.Fraction(1, SAMPLE_RATE)

Media = Union[AudioFrame, VideoFrame, "Packet[Any]"]


@dataclass(eq=False)
class Feed:
    """What the reader knows of a track.

    :param position: media time in seconds of the last frame that was consumed.
    """

    kind: str
    queue: FrameQueue[Media]
    started: bool = False
    stopped: bool = False
    position: float = 0.0

    @property
    def in_use(self) -> bool:
        """Whether somebody reads the track."""
        return self.started and not self.stopped


class PlayerReader:
    """Reads `streams` of `container`, which it owns, on a thread that runs while a feed is in use.

    :param paced: read no further than :data:`READ_AHEAD`.
    """

    def __init__(
        self,
        container: InputContainer,
        streams: Sequence[AudioStream | VideoStream],
        feeds: Mapping[str, Feed],
        *,
        decode: bool,
        paced: bool,
        loop: bool,
    ) -> None:
        self._container = container
        self._streams = streams
        self._feeds = feeds
        self._decode = decode
        self._paced = paced
        self._loop = loop
        self._changed = threading.Condition()
        self._quit = threading.Event()
        self._thread: threading.Thread | None = None
        self._resampler = FlexibleResampler("s16", "stereo", SAMPLE_RATE, int(SAMPLE_RATE * AUDIO_PTIME))
        self._samples = 0
        self._first_pts: dict[str, int] = {}
        self._offset = 0.0
        self._end = 0.0

    # --- on the application's thread ---

    def start(self, feed: Feed) -> None:
        """Say that a feed is read from now on."""
        if feed.started:
            return
        with self._changed:
            feed.started = True
            self._changed.notify()
        if self._quit.is_set():
            feed.queue.end()
        elif self._thread is None:
            self._thread = threading.Thread(target=self._run, name="media-player", daemon=True)
            self._thread.start()

    def delivered(self, feed: Feed, time: float) -> None:
        """Say how far a feed has been read, in seconds."""
        with self._changed:
            feed.position = time
            self._changed.notify()

    def stop(self, feed: Feed) -> None:
        """Say that a feed is not read any more; with the last one in use, stop reading and close the file."""
        feed.stopped = True
        feeds = self._feeds.values()
        was_used = any(each.started for each in feeds)
        if any(each.in_use for each in feeds) or not (was_used or all(each.stopped for each in feeds)):
            return
        self.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_TIMEOUT)

    def cancel(self) -> None:
        """Stop reading as soon as the read that is going on returns."""
        self._quit.set()
        with self._changed:
            self._changed.notify()
        if self._thread is None:
            self._close()

    # --- on the reader's thread ---

    def _run(self) -> None:
        try:
            while self._play_once() and self._loop and not self._quit.is_set():
                self._rewind()
        except Exception as exc:
            # As text: a log record that kept the exception would keep the decoders, and their threads.
            logger.warning("MediaPlayer(%s): reading failed, the tracks end: %s", self._container.name, str(exc))
        finally:
            self._quit.set()
            self._close()

    def _close(self) -> None:
        for feed in self._feeds.values():
            feed.queue.end()
        self._container.close()

    def _play_once(self) -> bool:
        """Read to the end; tell whether there was anything. Sound that fills no frame is left out, as in aiortc."""
        played = False
        for media in self._read():
            played = True
            self._deliver(media)
            if self._quit.is_set():
                return True
        return played

    def _rewind(self) -> None:
        self._container.seek(0)
        self._offset = self._end
        self._samples = max(self._samples, round(self._offset * SAMPLE_RATE))
        self._first_pts.clear()

    def _read(self) -> Iterator[Any]:
        damaged = 0
        while not self._quit.is_set():
            try:
                for media in self._read_on():
                    damaged = 0
                    yield media
                return
            except av.error.InvalidDataError:
                damaged += 1
                if damaged > MAX_DAMAGED:
                    raise
            except av.FFmpegError as exc:
                if exc.errno != errno.EAGAIN:
                    raise
                self._quit.wait(0.01)  # a device that has nothing yet

    def _read_on(self) -> Iterator[Any]:
        if self._decode:
            return self._container.decode(*self._streams)
        return (packet for packet in self._container.demux(*self._streams) if packet.size)

    def _deliver(self, media: Media) -> None:
        if isinstance(media, AudioFrame):
            for frame in self._resampler.resample(media):
                self._put_audio(frame)
            return
        kind = "video" if isinstance(media, VideoFrame) else media.stream.type
        if media.pts is None or media.time_base is None:
            logger.debug("MediaPlayer(%s): skipping %s without pts", self._container.name, kind)
            return
        # A webcam does not start at 0, and neither does the second round of a loop.
        first = self._first_pts.setdefault(kind, media.pts)
        media.pts += int(self._offset / media.time_base) - first
        self._put(kind, media)

    def _put_audio(self, frame: AudioFrame) -> None:
        frame.pts, frame.time_base = self._samples, AUDIO_TIME_BASE
        self._samples += frame.samples
        self._put("audio", frame)

    def _put(self, kind: str, media: Media) -> None:
        assert media.pts is not None
        assert media.time_base is not None
        time = float(media.pts * media.time_base)
        self._end = max(self._end, time + self._duration_of(kind, media))
        if self._paced:
            with self._changed:
                self._changed.wait_for(lambda: self._is_wanted(time))
        if kind in self._feeds:
            self._feeds[kind].queue.put(media)

    def _duration_of(self, kind: str, media: Media) -> float:
        if isinstance(media, AudioFrame):
            return media.samples / SAMPLE_RATE
        if media.duration and media.time_base is not None:
            return float(media.duration * media.time_base)
        return AUDIO_PTIME if kind == "audio" else 1 / 30

    def _is_wanted(self, time: float) -> bool:
        if self._quit.is_set():
            return True
        feeds = [feed for feed in self._feeds.values() if feed.in_use]
        # A track with nothing to read must not wait for another one, however the file is interleaved.
        return any(feed.queue.stats.queued == 0 or time <= feed.position + READ_AHEAD for feed in feeds)
