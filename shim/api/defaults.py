"""Process-wide defaults that aiortc programs set by patching codec constants.

``shim.compat.aiortc.codecs.vpx.MAX_BITRATE = 4_000_000`` writes here; a connection reads it when it is created.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shim.spi.engines import BitrateBounds


@dataclass
class CodecBitrate:
    """Bits per second that an application set for one codec; `None` where it has set nothing."""

    default: int | None = None
    min: int | None = None
    max: int | None = None


@dataclass
class BitrateDefaults:
    """What the application set, by codec family."""

    vpx: CodecBitrate = field(default_factory=CodecBitrate)
    h264: CodecBitrate = field(default_factory=CodecBitrate)

    def bounds(self) -> BitrateBounds:
        """Return the bounds of a new connection: the lowest minimum, the highest start and maximum that were set."""
        codecs = (self.vpx, self.h264)
        lowest = [codec.min for codec in codecs if codec.min is not None]
        start = [codec.default for codec in codecs if codec.default is not None]
        highest = [codec.max for codec in codecs if codec.max is not None]
        return BitrateBounds(
            min=min(lowest, default=None), start=max(start, default=None), max=max(highest, default=None)
        )


BITRATE: Final = BitrateDefaults()
"""The process's defaults, mutable. An explicit setting of a connection wins over them."""
