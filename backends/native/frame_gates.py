"""Which frames of a source are sent: no more than a wished-for rate, and no more bits than are allowed."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

CLOCK_RATE: Final = 90000
BURST_SECONDS: Final = 0.5
"""What a key frame may take in advance, in seconds of the limit."""


USUAL_RATE: Final = 30.0
"""Pictures per second, of a source that is not known yet."""
RATES: Final = 1.0, 240.0
"""Least and most pictures per second that an encoder is told."""
SAME_RATE: Final = 0.1
"""By which a frame rate may differ from the one told before: no clock is exact."""


class Cadence:
    """Tells at which rate frames come."""

    def __init__(self) -> None:
        self._gaps: deque[int] = deque(maxlen=15)
        self._last: int | None = None
        self._rate = USUAL_RATE

    def note(self, tick: int) -> float:
        """Note a frame; return frames per second, which is the usual rate until there were a few."""
        if self._last is not None:
            self._gaps.append(max(1, tick - self._last))
        self._last = tick
        if len(self._gaps) * 2 > (self._gaps.maxlen or 0):
            least, most = RATES
            rate = min(max(CLOCK_RATE / median(self._gaps), least), most)
            self._rate = rate if abs(rate - self._rate) > SAME_RATE * self._rate else self._rate
        return self._rate


class FrameGate:
    """Drops frames evenly so that no more than a wished-for rate passes."""

    def __init__(self) -> None:
        self._next: float | None = None

    def passes(self, tick: int, max_framerate: float | None) -> bool:
        """Tell whether the frame at this tick of the video clock is to be sent."""
        if not max_framerate:
            self._next = None
            return True
        interval = CLOCK_RATE / max_framerate
        # A millisecond of slack: times that were rounded must not cost every second frame.
        if self._next is not None and tick + CLOCK_RATE / 1000 < self._next:
            return False
        self._next = tick + interval if self._next is None or tick > self._next + interval else self._next + interval
        return True


class BitBucket:
    """Drops frames while an encoder is above a limit: at its worst quality it cannot spend less on a frame.

    A leaky bucket: what is encoded runs in, what the limit allows runs out.
    """

    def __init__(self) -> None:
        self._bits = 0.0
        self._at = 0.0

    def passes(self, limit: int | None, now: float) -> bool:
        """Tell whether a frame may be encoded at this moment.

        :param limit: bits per second, if there is one.
        :param now: seconds of a monotonic clock.
        """
        passed, self._at = now - self._at, now
        self._bits = 0.0 if limit is None else max(0.0, self._bits - passed * limit)
        return limit is None or self._bits <= BURST_SECONDS * limit

    def add(self, size: int) -> None:
        """Count a frame that was encoded, in bytes."""
        self._bits += 8 * size
