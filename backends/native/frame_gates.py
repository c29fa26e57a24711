"""Which frames of a source are sent: no more than a wished-for rate, and no more bits than are allowed."""

from __future__ import annotations

from typing import Final

CLOCK_RATE: Final = 90000
BURST_SECONDS: Final = 0.5
"""What a key frame may take in advance, in seconds of the limit."""


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
