"""The way in: makes PyAV frames of what libwebrtc decodes and hands them to a sink."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, Protocol

from av import AudioFrame, VideoFrame

from backends.legacy.connection import Connection
from backends.legacy.eventqueue import EventStruct
from backends.legacy.runtime import owners
from shim.spi.engines import Kind, MediaSink

CONCEALED: Final = 2
CONCEALED_AT_MOST: Final = 50
"""Blocks of 10 ms without received sound that are delivered in a row, before delivery pauses."""

VIDEO_TIME_BASE: Final = Fraction(1, 90000)
UNTOLD: Final = 2
"""Matrix of pictures of which the bitstream says nothing (ITU-T H.273)."""
AUDIO_WAITING: Final = 200
"""Blocks of 10 ms that may wait for the event loop."""
VIDEO_WAITING: Final = 8
"""Pictures that may wait for the event loop; decoders have few buffers."""


class Blocks(Protocol):
    """Turns events into frames."""

    def take(self, event: EventStruct) -> AudioFrame | VideoFrame | None: ...


class Receiver:
    """Delivers what one transceiver receives to one sink.

    :param transceiver: native handle.
    """

    def __init__(self, connection: Connection, kind: Kind, transceiver: int, sink: MediaSink) -> None:
        self._connection = connection
        self._sink: MediaSink | None = sink
        self._blocks: Blocks = AudioBlocks(connection) if kind == "audio" else Pictures(connection)
        self._owner = next(owners)
        connection.queue.subscribe(self._owner, self)
        waiting = AUDIO_WAITING if kind == "audio" else VIDEO_WAITING
        handle = connection.lib.rtc_receiver_attach_sink(transceiver, connection.queue.handle, self._owner, waiting, 0)
        self._handle = connection.check(handle, "receiving")
        connection.receivers.add(self)

    def on_event(self, event: EventStruct) -> None:
        """Take one event of the native sink."""
        frame = self._blocks.take(event)
        if frame is not None and self._sink is not None:
            self._sink.put(frame)

    def release(self) -> None:
        """Detach, and say that no frame will follow. Any thread."""
        sink, self._sink = self._sink, None
        if sink is not None:
            self._connection.queue.unsubscribe(self._owner)
            if not self._connection.gone:
                self._connection.lib.rtc_sink_detach(self._handle)
            sink.end()

    def __del__(self) -> None:
        # The sink may outlive a connection that nobody closed.
        if getattr(self, "_handle", 0) > 0:
            self.release()


class AudioBlocks:
    """Makes frames of 20 ms from libwebrtc's blocks of 10 ms: that is what aiortc's applications expect.

    Sound at 48 kHz is always stereo, as aiortc delivers Opus. Nothing is delivered before the first packet; when
    none comes any more, half a second of concealment is delivered, and nothing after that until one comes.
    """

    def __init__(self, connection: Connection) -> None:
        self._ffi = connection.ffi
        self._pts = 0
        self._rate = 0
        self._started = False
        self._concealed = CONCEALED_AT_MOST
        self._frame: AudioFrame | None = None
        self._form: tuple[int, int] | None = None

    def take(self, event: EventStruct) -> AudioFrame | None:
        """Take one block; returns a frame with every second one."""
        rate, channels, samples = event.i0, event.i1, event.i2
        self._concealed = self._concealed + 1 if event.flags & CONCEALED else 0
        if self._concealed > CONCEALED_AT_MOST:
            self._frame = None
            self._advance(rate, samples if self._started else 0)
            return None
        self._started = True
        start = self._advance(rate, samples)
        block = memoryview(self._ffi.buffer(event.data, event.len)).cast("B").cast("h")
        first, self._frame = self._frame, None
        if first is not None and self._form == (rate, channels):
            _fill(first, block, channels, samples)
            return first
        self._form = rate, channels
        self._frame = _new_frame(rate, channels, 2 * samples, start)
        _fill(self._frame, block, channels, 0)
        return None

    def _advance(self, rate: int, samples: int) -> int:
        """Let time pass; returns when it began, counted in samples of this rate."""
        if rate != self._rate and self._rate:
            self._pts = self._pts * rate // self._rate
        self._rate = rate
        start = self._pts
        self._pts += samples
        return start


def _new_frame(rate: int, channels: int, samples: int, pts: int) -> AudioFrame:
    layout = "stereo" if channels == 2 or rate == 48000 else "mono"
    frame = AudioFrame(format="s16", layout=layout, samples=samples)
    frame.sample_rate = rate
    frame.pts = pts
    frame.time_base = Fraction(1, rate)
    return frame


def _fill(frame: AudioFrame, block: memoryview[int], channels: int, offset: int) -> None:
    plane: Any = frame.planes[0]
    samples = memoryview(plane).cast("B").cast("h")
    width = len(frame.layout.channels)
    start, count = offset * width, len(block) // channels * width
    if width == channels:
        samples[start : start + count] = block
    else:
        for channel in range(width):
            samples[start + channel : start + count : width] = block[::channels]


class Pictures:
    """Makes frames of I420 pictures, with one copy."""

    def __init__(self, connection: Connection) -> None:
        self._ffi = connection.ffi
        self._lib = connection.lib
        self._check = connection.check
        self._info = connection.ffi.new("rtc_frame_info *")
        self._pts = 0
        self._last: int | None = None

    def take(self, event: EventStruct) -> VideoFrame:
        """Take one picture."""
        try:
            frame = VideoFrame(event.i0, event.i1, "yuv420p")
            planes: list[Any] = []
            for plane in frame.planes:
                planes += [self._ffi.from_buffer("uint8_t[]", plane, require_writable=True), plane.line_size]
            self._check(self._lib.rtc_frame_copy_planes(event.object, *planes), "receiving video")
            self._check(self._lib.rtc_frame_get(event.object, self._info), "receiving video")
        finally:
            self._lib.rtc_frame_free(event.object)
        frame.pts = self._unwrapped(event.i3)
        frame.time_base = VIDEO_TIME_BASE
        if self._info.matrix != UNTOLD or self._info.range:
            frame.colorspace, frame.color_range = self._info.matrix, self._info.range
        return frame

    def _unwrapped(self, timestamp: int) -> int:
        """Count on from the 32 bit RTP timestamp, from 0."""
        if self._last is not None:
            step = (timestamp - self._last) & 0xFFFFFFFF
            self._pts += step - 0x100000000 if step & 0x80000000 else step
        self._last = timestamp
        return self._pts
