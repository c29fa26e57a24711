"""Mirror of ``aiortc.codecs.vpx``: assigning to the bit rates has an effect."""

import sys

from shim.api.tracks import VIDEO_TIME_BASE
from shim.compat.absences import absent
from shim.compat.aiortc.codecs.bitrate import CodecModule

__all__ = [
    "DEFAULT_BITRATE",
    "MAX_BITRATE",
    "MIN_BITRATE",
    "VIDEO_TIME_BASE",
]

DEFAULT_BITRATE: int
MIN_BITRATE: int
MAX_BITRATE: int

__getattr__ = absent("codecs.vpx")
sys.modules[__name__].__class__ = CodecModule
