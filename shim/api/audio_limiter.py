"""A limiter: what is too loud is turned down in time, and neither wraps around nor is cut off."""

from __future__ import annotations

from math import exp, tanh
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from shim.api.audio_arrays import Sound

THRESHOLD: Final = 0.8
"""Full scale is 1. Up to here sound is left as it is."""
CEILING: Final = 0.998
RELEASE: Final = 0.06
"""Seconds in which two thirds of the gain come back."""
STEP: Final = 0.001


class Limiter:
    """Turns down what is louder than :data:`THRESHOLD`, all channels alike, so that nothing exceeds :data:`CEILING`.

    It sees what comes one step ahead, and its gain goes in straight lines from step to step: so it is down before a
    peak begins. Sound that needs no limiting comes out as it went in.

    :param samples: that every piece of sound has.
    """

    def __init__(self, channels: int, rate: int, samples: int) -> None:
        self._step = next(size for size in range(int(rate * STEP), 0, -1) if samples % size == 0)
        self._release = 1 - exp(-self._step / (rate * RELEASE))
        self._held = np.zeros((channels, self._step), np.float32)
        self._gain = self._start = 1.0
        self._ramp = ((np.arange(self._step, dtype=np.float32) + 0.5) / self._step)[None, :]

    @property
    def delay(self) -> int:
        """Samples that are held back."""
        return self._step

    def limit(self, sound: Sound) -> Sound:
        """Return as much sound, `delay` later."""
        data = np.concatenate([self._held, sound], 1)
        self._held = data[:, -self._step :]
        gains = self._gains(np.abs(data[:, self._step :]).reshape(len(data), -1, self._step).max((0, 2)))
        out = data[:, : -self._step]
        if min(gains) == 1.0:
            return out
        nodes = np.array(gains, np.float32)
        lines = nodes[:-1, None] + (nodes[1:] - nodes[:-1])[:, None] * self._ramp
        limited: Sound = (out * lines.reshape(-1)).astype(np.float32)
        return limited

    def _gains(self, peaks: Sound) -> list[float]:
        """Return the gain at each end of each step that goes out, for the peaks of the steps after each."""
        nodes = [self._start]
        for peak in peaks.tolist():
            before = self._gain
            self._gain = min(_gain_for(peak), 1 - (1 - before) * (1 - self._release))
            if self._gain > 0.9999:
                self._gain = 1.0
            nodes.append(min(before, self._gain))
        self._start = nodes[-1]
        return nodes


def _gain_for(peak: float) -> float:
    """Return the gain that brings a peak onto the curve: straight, then ever flatter."""
    if peak <= THRESHOLD:
        return 1.0
    room = CEILING - THRESHOLD
    return (THRESHOLD + room * tanh((peak - THRESHOLD) / room)) / peak
