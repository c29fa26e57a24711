"""Finding again in a received sound what was sent: by correlation, so it works with any sound that varies.

Both sides keep the sound with the time at which each frame passed. A window of the received sound is looked for in
everything that had been handed over during :data:`SEARCH` before it came out. Where it fits best is the delay.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
import numpy.typing as npt

RATE: Final = 16000
"""Sounds are compared at this rate: a delay is found to 1/16 ms."""
WINDOW: Final = 0.4
"""Seconds compared at once."""
HOP: Final = 0.2
"""Seconds from one window to the next."""
SEARCH: Final = 1.5
"""The largest delay that is looked for, in seconds."""
FOUND: Final = 0.5
"""The least likeness at which a window counts as found: chance gives 0.2."""
_SILENCE: Final = 30.0
"""Root mean square of 16-bit samples below which there is nothing to compare."""

Samples = npt.NDArray[np.float64]


class Take:
    """A sound as it passed: mono samples, and when each frame was there. One thread at a time."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.int16]] = []
        self._starts: list[float] = []
        self._times: list[float] = []
        self._length = 0.0

    def add(self, frame: av.AudioFrame, now: float) -> None:
        """Append a frame that passed at `now`, seconds of a monotonic clock."""
        self._starts.append(self._length)
        self._times.append(now)
        self._parts.append(_resampled(frame, self._length))
        self._length += frame.samples / frame.sample_rate

    @property
    def frames(self) -> int:
        """How many frames passed."""
        return len(self._starts)

    def samples(self) -> Samples:
        """Return the whole sound, mono, at :data:`RATE`."""
        return np.concatenate(self._parts, dtype=np.float64) if self._parts else np.zeros(0)

    def start_of(self, frame: int) -> float:
        """Return the position of a frame's first sample, in seconds of sound."""
        return self._starts[frame]

    def length_of(self, frame: int) -> float:
        """Return how long a frame is, in seconds."""
        end = self._starts[frame + 1] if frame + 1 < len(self._starts) else self._length
        return end - self._starts[frame]

    def came_at(self, frame: int) -> float:
        """Return when a frame passed."""
        return self._times[frame]

    def frame_at(self, position: float) -> int:
        """Return the index of the frame that holds a position."""
        return max(0, bisect_right(self._starts, position) - 1)

    def time_of(self, position: float) -> float:
        """Return when a position was there, if the frame that holds it had come sample by sample from its time on."""
        frame = self.frame_at(position)
        return self._times[frame] + position - self._starts[frame]

    def frames_by(self, time: float) -> int:
        """Return how many frames had passed at a time."""
        return bisect_right(self._times, time)

    def length_by(self, time: float) -> float:
        """Return how much had passed at a time, in seconds of sound."""
        frames = self.frames_by(time)
        return self._starts[frames] if frames < len(self._starts) else self._length


def _resampled(frame: av.AudioFrame, start: float) -> npt.NDArray[np.int16]:
    """Return the samples at :data:`RATE` that lie within a frame which begins at `start`. Keeps no state."""
    mono, rate = _mono(frame), frame.sample_rate
    if rate % RATE == 0 and len(mono) % (rate // RATE) == 0:
        return np.asarray(mono.reshape(-1, rate // RATE).mean(axis=1), np.int16)
    first, end = int(np.ceil(start * RATE)), int(np.ceil((start + len(mono) / rate) * RATE))
    positions = (np.arange(first, end) / RATE - start) * rate
    return np.asarray(np.interp(positions, np.arange(len(mono)), mono), np.int16)


def _mono(frame: av.AudioFrame) -> Samples:
    """Return the mean of the channels, on the scale of 16-bit samples."""
    channels = frame.layout.nb_channels
    data = frame.to_ndarray()
    data = data if frame.format.is_planar else data.reshape(-1, channels).T
    mono = data.mean(axis=0, dtype=np.float64)
    scale = {"u": 256.0, "s": 32768.0 / 2 ** (8 * data.itemsize - 1)}.get(frame.format.name[0], 32767.0)
    return np.asarray((mono - 128 if data.dtype == np.uint8 else mono) * scale, np.float64)


@dataclass(frozen=True, slots=True)
class Match:
    """A window of a received sound that was found in the sent one. Positions in seconds of each sound.

    :param likeness: normalised correlation, 0 to 1.
    """

    received: float
    sent: float
    likeness: float


@dataclass(frozen=True, slots=True)
class SoundReport:
    """What became of a sent sound.

    :param latencies: seconds, of each received frame in a window that was found: from when its first sample was
        handed to the sender, counted sample by sample from the time of its frame, to when it came out.
    :param likeness: median of the windows found; 0 if there are none.
    :param first_at: when the first frame that holds sent sound came out.
    :param arrived: how much of each sent frame arrived, 0 to 1.
    """

    latencies: list[float]
    likeness: float
    first_at: float | None
    arrived: tuple[float, ...]


def compare(sent: Take, received: Take) -> SoundReport:
    """Find out what became of a sent sound."""
    matches = find_matches(sent, received)
    if not matches:
        return SoundReport([], 0.0, None, (0.0,) * sent.frames)
    latencies: list[float] = []
    arrived = [0.0] * sent.frames
    first_at: float | None = None
    for frame in range(received.frames):
        start = received.start_of(frame)
        match = _nearest(matches, start)
        position = start + match.sent - match.received
        if position < -0.01:
            continue
        first_at = received.came_at(frame) if first_at is None else first_at
        _cover(arrived, sent, max(0.0, position), position + received.length_of(frame))
        if 0 <= start - match.received < HOP:
            latencies.append(received.came_at(frame) - sent.time_of(max(0.0, position)))
    likeness = float(np.median([match.likeness for match in matches]))
    return SoundReport(latencies, likeness, first_at, tuple(min(1.0, part) for part in arrived))


def _cover(arrived: list[float], sent: Take, start: float, end: float) -> None:
    """Add to each sent frame the part of it that lies between two positions."""
    for frame in range(sent.frame_at(start), min(sent.frame_at(end) + 1, len(arrived))):
        begin, length = sent.start_of(frame), sent.length_of(frame)
        arrived[frame] += max(0.0, min(end, begin + length) - max(start, begin)) / length


def find_matches(sent: Take, received: Take) -> list[Match]:
    """Return the windows of the received sound that were found, in order."""
    hay, needle = sent.samples(), received.samples()
    matches = []
    length = int(WINDOW * RATE)
    for start in range(0, len(needle) - length + 1, int(HOP * RATE)):
        window = needle[start : start + length]
        out_at = received.time_of(start / RATE)
        first = int(sent.length_by(out_at - SEARCH) * RATE)
        # The window may begin anywhere in what had been handed over when its first sample came out.
        last = int(sent.length_by(out_at + 0.001) * RATE)
        offset, likeness = best_fit(hay[first : last + length], window)
        if likeness >= FOUND:
            matches.append(Match(start / RATE, (first + offset) / RATE, likeness))
    return matches


def best_fit(hay: Samples, needle: Samples) -> tuple[int, float]:
    """Return where `needle` fits best into `hay`, and its normalised correlation there; 0.0 if it is silent."""
    if len(hay) < len(needle) or np.sqrt(np.mean(needle**2)) < _SILENCE:
        return 0, 0.0
    # Differences weigh all frequencies alike: otherwise the pitch gives a false maximum every few milliseconds.
    offset = int(np.argmax(_correlation(np.diff(hay), np.diff(needle))))
    found = hay[offset : offset + len(needle)]
    power = float(np.sqrt(np.sum(found**2) * np.sum(needle**2)))
    return offset, max(0.0, float(np.sum(found * needle)) / power) if power else 0.0


def _correlation(hay: Samples, needle: Samples) -> Samples:
    size = 1 << (len(hay) + len(needle)).bit_length()
    product = np.fft.rfft(hay, size) * np.conj(np.fft.rfft(needle, size))
    raw = np.fft.irfft(product, size)[: len(hay) - len(needle) + 1]
    energy = np.concatenate([[0.0], np.cumsum(hay**2)])
    energy = energy[len(needle) :] - energy[: -len(needle)]
    # Next to silence the quotient would be noise.
    return np.asarray(raw / np.sqrt(np.maximum(energy, 0.01 * energy.max() + 1e-9)))


def _nearest(matches: list[Match], position: float) -> Match:
    """Return the match whose window holds a position, else the one before it, else the first."""
    index = bisect_right(matches, position, key=lambda match: match.received)
    return matches[max(0, index - 1)]
