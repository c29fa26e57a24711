"""Process-wide defaults that aiortc programs set by patching codec constants.

``shim.compat.aiortc.codecs.vpx.MAX_BITRATE = 4_000_000`` writes here; a connection reads it when it is created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final


@dataclass
class CodecBitrate:
    """Bits per second that an application set for one codec; `None` where it has set nothing."""

    default: int | None = None
    min: int | None = None
    max: int | None = None


@dataclass
class BitrateDefaults:
    """What the application set, by codec family. `min`, `start` and `max` hold for every new connection."""

    vpx: CodecBitrate = field(default_factory=CodecBitrate)
    h264: CodecBitrate = field(default_factory=CodecBitrate)

    @property
    def min(self) -> int | None:
        """The lowest minimum that was set."""
        return min(_known((self.vpx.min, self.h264.min)), default=None)

    @property
    def start(self) -> int | None:
        """The highest start that was set."""
        return max(_known((self.vpx.default, self.h264.default)), default=None)

    @property
    def max(self) -> int | None:
        """The highest maximum that was set."""
        return max(_known((self.vpx.max, self.h264.max)), default=None)


def _known(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]


BITRATE: Final = BitrateDefaults()
"""The process's defaults, mutable. An explicit setting of a connection wins over them."""
