"""What a test leaves behind in the process: threads and file descriptors."""

from __future__ import annotations

import gc
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PATIENCE: Final = 10.0
"""Seconds that threads and descriptors have to go after their owner has been closed: a bound, not a measure."""
COLLECT_EVERY: Final = 0.25
"""Seconds. What a thread held until it ended may be garbage only then."""
_PROC: Final = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Census:
    """Threads and descriptors of this process at one moment.

    :param threads: how many there are by name, those of C++ included where the system tells.
    :param descriptors: how many are open by kind, e.g. ``"socket"``; empty where the system does not tell.
    """

    threads: Counter[str]
    descriptors: Counter[str]

    @classmethod
    def take(cls) -> Self:
        """Count now."""
        return cls(Counter(_thread_names()), Counter(_descriptor_kinds()))

    def growth(self, later: Census) -> list[str]:
        """Say what there is more of later."""
        found = []
        if later.threads.total() > self.threads.total():
            found.append(f"threads: {dict(later.threads - self.threads)}")
        if more := later.descriptors - self.descriptors:
            found.append(f"descriptors: {dict(more)}")
        return found


def leaks_since(before: Census) -> list[str]:
    """Return what has been left behind since; waits a little for what is about to go."""
    deadline = time.monotonic() + PATIENCE
    growth, collect_at = before.growth(Census.take()), 0.0
    while growth and time.monotonic() < deadline:
        if time.monotonic() >= collect_at:
            gc.collect()
            collect_at = time.monotonic() + COLLECT_EVERY
        time.sleep(0.02)
        growth = before.growth(Census.take())
    return growth


def _thread_names() -> list[str]:
    tasks = _PROC / "task"
    if not tasks.is_dir():
        return [thread.name for thread in threading.enumerate()]
    names = []
    for task in tasks.iterdir():
        with suppress(OSError):  # it ended while we were looking
            names.append((task / "comm").read_text().strip())
    return names


def _descriptor_kinds() -> list[str]:
    descriptors = _PROC / "fd"
    if not descriptors.is_dir():
        return []
    kinds = []
    for descriptor in descriptors.iterdir():
        with suppress(OSError):  # the one of this listing itself
            kinds.append(re.sub(r":?\[?\d+\]?$", "", str(descriptor.readlink())))
    return kinds
