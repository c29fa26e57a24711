"""From whole frames to a sink: decoding, in a thread where it takes long, never more queued than can be caught up."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import av
from av import AudioFrame, VideoFrame

from backends.native.decoders import Decoder, get_decoder
from backends.native.jitter import MediaFrame
from backends.native.loudness import SoundMeter
from backends.native.tones import TonePlayout
from shim.spi.engines import MediaSink

logger = logging.getLogger(__name__)

QUEUE_MAX: Final = 30
DEFAULT_FORMAT: Final = (48000, "stereo")
"""Rate and layout of sound before any has been decoded."""


@dataclass(slots=True)
class DecodeCounters:
    """What has been decoded so far. Seconds, frames, pixels.

    :param skipped: frames that were not decoded, because decoding did not keep up.
    """

    frames: int = 0
    key_frames: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    samples: int = 0
    buffered_seconds: float = 0.0
    width: int = 0
    height: int = 0
    sound: SoundMeter = field(default_factory=SoundMeter)


class FrameRate:
    """Counts what happened in the last second."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=240)

    def note(self, now: float) -> None:
        self._times.append(now)

    def value(self, now: float) -> float:
        return float(sum(1 for t in list(self._times) if t > now - 1))


class Outlet:
    """The sink of a receiver: nothing is put before it is attached or after it has ended."""

    def __init__(self) -> None:
        self._sink: MediaSink | None = None
        self._ended = False
        self._lock = threading.Lock()

    def attach(self, sink: MediaSink) -> None:
        """Deliver to `sink`, which learns at once if nothing will come."""
        with self._lock:
            self._sink = sink
            ended = self._ended
        if ended:
            sink.end()

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        """Deliver a frame. Any thread."""
        with self._lock:
            if self._sink is None or self._ended:
                return
            try:
                self._sink.put(frame)
            except Exception:
                logger.warning("the sink of a remote track raised; the frame is lost", exc_info=True)

    def end(self) -> None:
        """End the sink, once. Any thread."""
        with self._lock:
            ended, self._ended = self._ended, True
        if self._sink is not None and not ended:
            self._sink.end()

    @property
    def ended(self) -> bool:
        return self._ended


class FrameDecoder:
    """Decodes frames one after the other into an outlet, in whatever thread it is called.

    :param failed: called, in that thread, when a frame could not be decoded.
    """

    def __init__(self, outlet: Outlet, failed: Callable[[], None]) -> None:
        self._outlet = outlet
        self._failed = failed
        self._decoder: Decoder | None = None
        self._mime = ""
        self._tones = TonePlayout()
        self._format = DEFAULT_FORMAT
        self.counters = DecodeCounters()
        self.rate = FrameRate()

    def play(self, frame: MediaFrame, pts: int, clock_rate: int) -> None:
        """Play what a telephone event adds, in the format of the sound around it.

        :param pts: time of the event's start in ticks of `clock_rate`.
        """
        for output in self._tones.play(frame.data, pts, clock_rate, *self._format):
            self._count(output, frame)
            self._outlet.put(output)

    def decode(self, mime: str, frame: MediaFrame, pts: int) -> None:
        """Decode one frame and deliver what comes of it.

        :param pts: time in ticks of the codec's RTP clock.
        """
        if self._outlet.ended or not frame.data:
            return
        if self._decoder is None or mime != self._mime:
            self._decoder, self._mime = get_decoder(mime), mime
        started = time.perf_counter()
        try:
            decoded = self._decoder.decode(frame.data, pts)
        except (av.FFmpegError, ValueError) as exc:
            # The decoder is kept: a new one could decode nothing before the next key frame.
            self.counters.errors += 1
            logger.info("a received %s frame could not be decoded: %s", mime, exc)
            self._failed()
            return
        self.counters.seconds += time.perf_counter() - started
        for output in decoded:
            if isinstance(output, AudioFrame):
                self._format = output.sample_rate, output.layout.name
            self._count(output, frame)
            self._outlet.put(output)

    def _count(self, output: AudioFrame | VideoFrame, frame: MediaFrame) -> None:
        counters, now = self.counters, time.monotonic()
        counters.frames += 1
        counters.key_frames += frame.key
        amount = 1
        if isinstance(output, VideoFrame):
            counters.width, counters.height = output.width, output.height
            self.rate.note(now)
        else:
            amount = output.samples
            counters.sound.note(output)
        counters.samples += amount
        counters.buffered_seconds += amount * max(0.0, now - frame.arrived)


class DecodeThread:
    """Runs a decoder in a thread of its own. Methods are called on one thread.

    When decoding does not keep up, frames are dropped until a key frame comes and the queue has been caught up.

    :param want_key_frame: called when frames have been dropped.
    """

    def __init__(self, decoder: FrameDecoder, want_key_frame: Callable[[], None]) -> None:
        self._decoder = decoder
        self._want_key_frame = want_key_frame
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="native-decoder")
        self._pending: deque[Future[None]] = deque()
        self._dropping = False
        self._closed = False

    def decode(self, mime: str, frame: MediaFrame, pts: int) -> None:
        """Queue one frame."""
        if self._closed or not self._has_room(frame):
            return
        self._pending.append(self._executor.submit(self._decoder.decode, mime, frame, pts))

    def finish(self, then: Callable[[], None]) -> None:
        """Call `then` in the thread after what is queued; take nothing any more."""
        if not self._closed:
            self._closed = True
            self._executor.submit(then)
            self._executor.shutdown(wait=False)

    async def close(self) -> None:
        """Drop what is queued, wait for the frame being decoded, end the thread."""
        self._closed = True
        for waiting in self._pending:
            waiting.cancel()
        running = [asyncio.wrap_future(future) for future in self._pending if not future.done()]
        try:
            if running:
                await asyncio.wait(running)
        finally:
            # The thread is idle by now, so that this takes no time.
            self._executor.shutdown(wait=not any(not future.done() for future in self._pending))

    def _has_room(self, frame: MediaFrame) -> bool:
        while self._pending and self._pending[0].done():
            self._pending.popleft()
        if self._dropping and frame.key and len(self._pending) < QUEUE_MAX // 2:
            self._dropping = False
        elif not self._dropping and len(self._pending) >= QUEUE_MAX:
            self._dropping = True
        if self._dropping:
            self._decoder.counters.skipped += 1
            self._want_key_frame()
        return not self._dropping
