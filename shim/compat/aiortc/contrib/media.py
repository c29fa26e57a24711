"""Mirror of ``aiortc.contrib.media``."""

from shim.api.media import (
    REAL_TIME_FORMATS,
    MediaBlackhole,
    MediaPlayer,
    MediaRecorder,
    MediaRelay,
    PlayerStreamTrack,
    RelayStreamTrack,
)
from shim.api.tracks import AUDIO_PTIME, MediaStreamTrack
from shim.compat.absences import absent
from shim.spi.errors import MediaStreamError

__all__ = [
    "AUDIO_PTIME",
    "REAL_TIME_FORMATS",
    "MediaBlackhole",
    "MediaPlayer",
    "MediaRecorder",
    "MediaRelay",
    "MediaStreamError",
    "MediaStreamTrack",
    "PlayerStreamTrack",
    "RelayStreamTrack",
]

__getattr__ = absent("contrib.media")
