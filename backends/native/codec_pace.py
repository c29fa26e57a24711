"""Notices that an encoder does not keep up with its pictures."""

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


class Pace:
    """Compares the time that pictures take with the time there is."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._wait = 0
        self.late = False
        """Whether the last pictures took longer than there is time for them."""

    def note(self, seconds: float, interval: float) -> bool:
        """Note what a picture took; returns whether it is too slow, and then begins anew.

        :param seconds: that it took.
        :param interval: seconds from one picture to the next.
        """
        self._times.append(seconds)
        self._wait = max(0, self._wait - 1)
        if len(self._times) < WINDOW:
            return False
        self.late = median(self._times) > TOO_SLOW * interval
        if self._wait or not self.late:
            return False
        self._times.clear()
        self._wait = PATIENCE * WINDOW
        return True
