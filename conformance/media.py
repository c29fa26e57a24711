"""Sound and pictures that can be recognised after a codec: tones by pitch, pictures by a code in large blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from av import AudioFrame, VideoFrame

if TYPE_CHECKING:
    from av.packet import Packet

    from conformance.targets import Target
    from shim import MediaStreamTrack

    Content = AudioFrame | VideoFrame | Packet[Any]

Kind = Literal["audio", "video"]
PTIME: Final = 0.020
BITS: Final = 8
"""Blocks in a picture, hence codes from 0 to 255."""
KEY_AUDIBLE: Final = 0.03
"""Amplitude below which a tone of a key is not heard."""
Array = np.ndarray[Any, np.dtype[Any]]


# --- sound -------------------------------------------------------------------------------------------


def tone_frame(index: int, hz: float, rate: int = 48000, layout: str = "mono", amplitude: float = 0.4) -> AudioFrame:
    """Return the 20 ms number `index` of an endless tone, 16 bits, packed."""
    samples = int(rate * PTIME)
    moments = (np.arange(samples) + index * samples) / rate
    wave = (np.sin(2 * np.pi * hz * moments) * amplitude * 32767).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    frame = AudioFrame.from_ndarray(np.repeat(wave, channels).reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, index * samples, Fraction(1, rate)
    return frame


def mono_samples(frame: AudioFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the samples of a received frame, its channels averaged, -1 to 1."""
    data = frame.to_ndarray().astype(np.float64)
    if data.dtype.kind == "f" and "s16" in frame.format.name:
        data /= 32768
    channels = len(frame.layout.channels)
    mono: np.ndarray[Any, np.dtype[np.float64]] = (
        data.mean(axis=0) if frame.format.is_planar else data.reshape(-1, channels).mean(axis=1)
    )
    return mono


def pitch(frames: list[AudioFrame]) -> float:
    """Return the loudest frequency in hertz; 0 for silence."""
    sound = np.concatenate([mono_samples(frame) for frame in frames])
    if np.sqrt(np.mean(sound**2)) < 0.01:
        return 0.0
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * frames[0].sample_rate / len(sound))


# --- keys of a telephone -------------------------------------------------------------------------------

ROWS: Final = (697, 770, 852, 941)
COLUMNS: Final = (1209, 1336, 1477, 1633)
KEYS: Final = "123A456B789C*0#D"
"""Row by row (ITU-T Q.23)."""


def strength(sound: Array, hz: float, rate: int) -> float:
    """Return the amplitude of one frequency (Goertzel), 1 for full scale."""
    turns = np.exp(-2j * np.pi * hz / rate * np.arange(len(sound)))
    return float(2 * abs(sound @ turns) / max(len(sound), 1))


def key_of(sound: Array, rate: int) -> str | None:
    """Return the key whose two tones are heard, and no other; `None` for anything else.

    :param sound: some 20 ms of samples, -1 to 1.
    """
    rows, columns = ([strength(sound, hz, rate) for hz in group] for group in (ROWS, COLUMNS))
    for group in (rows, columns):
        loud, *others = sorted(group, reverse=True)
        # Half of a window of 20 ms tells 70 Hz apart no better than this.
        if loud < KEY_AUDIBLE or others[0] > loud * 0.7:
            return None
    return KEYS[rows.index(max(rows)) * len(COLUMNS) + columns.index(max(columns))]


# --- pictures ----------------------------------------------------------------------------------------


def coded_picture(code: int, width: int = 320, height: int = 240, format: str = "yuv420p") -> VideoFrame:
    """Return a grey picture of vertical bars, light for each bit of `code` that is set."""
    luma = np.full((height, width), 60, np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        if code >> bit & 1:
            luma[:, edges[bit] : edges[bit + 1]] = 200
    frame = VideoFrame.from_ndarray(luma, format="gray")
    return frame.reformat(format=format)


def code_of(frame: VideoFrame) -> int:
    """Return the code in a received picture of any size."""
    luma = frame.reformat(format="gray").to_ndarray()
    edges = np.linspace(0, luma.shape[1], BITS + 1).astype(int)
    middle = luma[luma.shape[0] // 4 : -luma.shape[0] // 4 or None]
    bars = (middle[:, edges[bit] + 2 : max(edges[bit + 1] - 2, edges[bit] + 3)].mean() for bit in range(BITS))
    return sum(1 << bit for bit, level in enumerate(bars) if level > 130)


# --- tracks ------------------------------------------------------------------------------------------


def track(target: Target, kind: Kind, frame_at: Callable[[int], Content], period: float) -> Any:
    """Return a track of the class that `target` sends, which yields `frame_at(0)`, `frame_at(1)`, ... in real time.

    :param frame_at: makes frames, or packets that are encoded already.
    :param period: seconds from one to the next.
    """
    started: list[float] = []
    index = -1

    async def recv(self: MediaStreamTrack) -> Content:
        nonlocal index
        if not started:
            started.append(time.monotonic())
        index += 1
        await asyncio.sleep(started[0] + index * period - time.monotonic())
        frame = frame_at(index)
        if frame.pts is None:
            frame.pts, frame.time_base = round(index * period * 90000), Fraction(1, 90000)
        return frame

    base = target.track_base(kind)
    return type(base.__name__, (base,), {"recv": recv})()


def tone_track(target: Target, hz: float = 440.0, rate: int = 48000, layout: str = "mono") -> Any:
    """Return a track with a tone."""
    return track(target, "audio", lambda index: tone_frame(index, hz, rate, layout), PTIME)


def picture_track(target: Target, code: int = 0b10110010, fps: float = 30, **shape: Any) -> Any:
    """Return a track that shows one code.

    :param shape: width, height and format of its pictures.
    """
    return track(target, "video", lambda _: coded_picture(code, **shape), 1 / fps)


def media_track(target: Target, kind: Kind) -> Any:
    """Return a track of a kind, with whatever content."""
    return tone_track(target) if kind == "audio" else picture_track(target)


# --- frames that make no picture ---------------------------------------------------------------------


def rows_every(stride: int) -> VideoFrame:
    """Return 48x16 pixels of RGB whose rows begin so many bytes apart, which overlap below 144."""
    rows = np.lib.stride_tricks.as_strided(np.zeros(16 * 144, np.uint8), (16, 48, 3), (stride, 3, 1))
    return VideoFrame.from_numpy_buffer(rows, "rgb24")


def short_frame() -> Any:
    """Return what has all that a frame of 48x16 pixels of RGB has, but a plane that ends within its first row."""
    frame = VideoFrame(48, 16, "rgb24")
    plane = SimpleNamespace(width=48, height=16, line_size=frame.planes[0].line_size, buffer_size=99)
    kept = ("format", "width", "height", "colorspace", "color_range", "pts", "time_base")
    return SimpleNamespace(planes=(plane,), **{name: getattr(frame, name) for name in kept})
