"""The time of sent media: continuous and rising, whatever the sources do."""

from __future__ import annotations

import fractions
from typing import Final, Protocol

FORWARD_MAX: Final = 30.0
"""Seconds by which a source may leap ahead of the wall clock before its times are taken as a new origin."""


class TimeBase(Protocol):
    """A rational number (`fractions.Fraction`, or PyAV's own type in later versions)."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


class Timeline:
    """Maps the times of frames to ticks that start at 0 and always rise.

    A source that starts again, has no times, repeats them or goes back continues after as many ticks as
    really passed.

    :param rate: ticks per second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._offset: int | None = None
        self._last = -1
        self._at = 0.0
        self.rebased = True

    def restart(self) -> None:
        """Expect the next frame to have another origin of time."""
        self._offset = None

    def map(self, pts: int | None, time_base: TimeBase | None, now: float) -> int:
        """Return the tick of a frame; `rebased` then tells whether it was taken from the wall clock.

        :param pts: the frame's time in units of `time_base`, if it has one.
        :param now: seconds of a monotonic clock.
        """
        passed = 0 if self._last < 0 else max(1, round((now - self._at) * self._rate))
        wanted = max(self._last, 0) + passed
        if pts is None or time_base is None or not time_base.numerator:
            self._offset, self.rebased, tick = None, True, wanted
        else:
            tick = self._shift(self._ticks(pts, time_base), wanted)
        self._last, self._at = tick, now
        return tick

    def _ticks(self, pts: int, time_base: TimeBase) -> int:
        return int(fractions.Fraction(pts * time_base.numerator * self._rate, time_base.denominator))

    def _shift(self, ticks: int, wanted: int) -> int:
        if self._offset is not None:
            tick = ticks + self._offset
            if self._last < tick <= wanted + FORWARD_MAX * self._rate:
                self.rebased = False
                return tick
        self._offset, self.rebased = wanted - ticks, True
        return wanted
