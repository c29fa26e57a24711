"""What a call costs this process."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """A reading of the clocks. Seconds."""

    wall: float
    processor: float

    def per_second_since(self, before: Usage, excluded: float) -> float:
        """Return processor seconds per second since `before`, less `excluded` processor seconds."""
        return (self.processor - before.processor - excluded) / (self.wall - before.wall)


def usage() -> Usage:
    """Read the clocks; processor time is that of all threads."""
    return Usage(time.monotonic(), time.process_time())


def rss_mib() -> float:
    """Return the memory of this process in MiB: now on Linux, the most so far elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return pages * resource.getpagesize() / (1 << 20)
