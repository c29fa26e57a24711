"""A buffer between two clocks: it is written to by one and read by the other, a little faster or slower as it fills."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shim.api.audio_arrays import Sound

MAX_DRIFT: Final = 1000e-6
"""The most that the speed is changed: what is to be followed, twice."""
_PULL: Final = 0.1
"""Change of speed for each second of error, per second; settles in some ten seconds, without swinging."""
_LEARN: Final = _PULL**2 / 4
_SMOOTHING: Final = 1.0
"""Seconds over which the level is averaged: frames come and go in lumps."""
_SPARE: Final = 0.2
"""Seconds above the wished-for level at which the buffer is full."""
_JOIN: Final = 0.005
_TAPS: Final = 32
_PHASES: Final = 512


def _kernels() -> NDArray[np.float32]:
    """Return a windowed sinc for each fraction of a sample, and one more to interpolate with."""
    offsets = np.arange(_TAPS) - (_TAPS // 2 - 1) - np.arange(_PHASES + 1)[:, None] / _PHASES
    kernels = (
        0.94 * np.sinc(0.94 * offsets) * np.i0(8 * np.sqrt(np.maximum(0, 1 - (offsets / (_TAPS // 2)) ** 2))) / np.i0(8)
    )
    level: NDArray[np.float32] = (kernels / kernels.sum(1, keepdims=True)).astype(np.float32)
    return level


class ClockFollower:
    """Sound written at one clock's pace and read at another's.

    :param latency: seconds that are kept in the buffer.
    """

    def __init__(self, channels: int, rate: int, latency: float) -> None:
        self._rate, self._latency = rate, latency
        self._kernels = _kernels()
        self._slopes = np.diff(self._kernels, axis=0)
        self._data = np.zeros((channels, _TAPS), np.float32)
        self._place = float(_TAPS // 2)
        self._error = self._learnt = 0.0
        self._running = self._began = False
        self.speed = 1.0
        """How fast the sound is read, 1 for as it was written."""
        self.concealed = self.dropped = 0
        """Samples of silence that filled a gap, and samples that there was no room for."""

    @property
    def level(self) -> float:
        """Seconds that are there to be read."""
        return max(0.0, self._data.shape[1] - _TAPS // 2 - self._place) / self._rate

    def write(self, sound: Sound) -> None:
        """Add sound."""
        done = int(self._place) - _TAPS // 2
        self._place -= done
        self._data = np.concatenate([self._data[:, done:], sound], 1)

    def read(self, samples: int) -> Sound:
        """Return as many samples; silence until the buffer has been filled once, and where it is empty."""
        if not self.level or (not self._running and self.level < self._latency):
            # After a gap as at the start: the next frame alone would be used up before another one comes.
            self.concealed += samples if self._began else 0
            self._running = False
            return np.zeros((self._data.shape[0], samples), np.float32)
        self._running = self._began = True
        self._steer(samples / self._rate)
        skipped = self._surplus()
        out = self._taken(self._place, samples)
        if skipped:
            self.dropped += skipped
            self._place += skipped
            join = min(samples, int(_JOIN * self._rate))
            fade = (np.arange(join, dtype=np.float32) + 0.5) / join
            later = self._taken(self._place, samples)
            later[:, :join] = later[:, :join] * fade + out[:, :join] * (1 - fade)
            out = later
        self._place += samples * self.speed
        return out

    def _steer(self, seconds: float) -> None:
        """Set the speed by how much is in the buffer (a proportional-integral controller)."""
        error = self.level - self._latency
        self._error += (error - self._error) * min(1.0, seconds / _SMOOTHING)
        self._learnt = _bounded(self._learnt + _LEARN * self._error * seconds)
        self.speed = 1 + _bounded(_PULL * self._error + self._learnt)

    def _surplus(self) -> int:
        return int((self.level - self._latency) * self._rate) if self.level > self._latency + _SPARE else 0

    def _taken(self, place: float, samples: int) -> Sound:
        """Return samples from a place on, at the speed of now."""
        places = place + self.speed * np.arange(samples)
        whole = places.astype(np.int64)
        there = int(np.searchsorted(whole, self._data.shape[1] - _TAPS // 2))
        phases = (places[:there] - whole[:there]) * _PHASES
        lower = phases.astype(np.int64)
        share = (phases - lower).astype(np.float32)[:, None]
        weights = self._slopes[lower]
        weights *= share
        weights += self._kernels[lower]
        out = np.zeros((self._data.shape[0], samples), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._data, _TAPS, 1)
        # Nearly all samples follow one another: a view of those costs nothing, picking windows one by one a lot.
        breaks = np.flatnonzero(np.diff(whole[:there]) != 1) + 1
        for start, end in pairwise([0, *breaks.tolist(), there]):
            first = whole[start] - (_TAPS // 2 - 1)
            run = windows[:, first : first + end - start]
            np.einsum("cnt,nt->cn", run, weights[start:end], out=out[:, start:end])
        self.concealed += samples - there
        return out


def _bounded(drift: float) -> float:
    return max(-MAX_DRIFT, min(MAX_DRIFT, drift))
