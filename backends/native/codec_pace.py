"""Notices that an encoder does not keep up with its pictures, and later that it has time to spare."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

WINDOW: Final = 15
"""Pictures. The median of so many is no hiccup of the machine."""
TOO_SLOW: Final = 0.9
"""Of the time between two pictures."""
PATIENCE: Final = 4
"""Windows to wait after a step before the next one, so that its key frame costs no step."""

EASY: Final = 0.4
"""Of the time between two pictures."""
CALM: Final = 20.0
"""Seconds of ease before a better setting is tried the first time."""
LONGEST_CALM: Final = 600.0


class Pace:
    """Compares the time that pictures take with the time there is."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._wait = 0
        self.load = 0.0
        """Share of the time there is that the last pictures took."""

    @property
    def late(self) -> bool:
        """Whether that is too much."""
        return self.load > TOO_SLOW

    def note(self, seconds: float, interval: float) -> bool:
        """Note what a picture took; returns whether it is too slow, and then begins anew.

        :param seconds: that it took.
        :param interval: seconds from one picture to the next.
        """
        self._times.append(seconds)
        self._wait = max(0, self._wait - 1)
        if len(self._times) < WINDOW:
            return False
        self.load = median(self._times) / interval
        if self._wait or not self.late:
            return False
        self._times.clear()
        self._wait = PATIENCE * WINDOW
        return True


class Recovery:
    """Tells an encoder that has stepped down when to try what it had before; each time after twice as long."""

    def __init__(self) -> None:
        self._calm = 0.0
        self._wait = CALM

    def note(self, load: float, interval: float) -> bool:
        """Note a picture; returns whether it is time to try.

        :param load: share of the time between two pictures that the better setting will take.
        :param interval: seconds from one picture to the next.
        """
        self._calm = self._calm + interval if load <= EASY else 0.0
        if self._calm < self._wait:
            return False
        self._calm, self._wait = 0.0, min(2 * self._wait, LONGEST_CALM)
        return True
