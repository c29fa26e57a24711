"""Sources and sinks of media: files, devices, relays. The names are aiortc's ``contrib.media``."""

from __future__ import annotations

from shim.api.media_player import REAL_TIME_FORMATS, MediaPlayer, PlayerStreamTrack
from shim.api.media_recorder import MediaRecorder
from shim.api.media_relay import MediaBlackhole, MediaRelay, RelayStreamTrack

__all__ = [
    "REAL_TIME_FORMATS",
    "MediaBlackhole",
    "MediaPlayer",
    "MediaRecorder",
    "MediaRelay",
    "PlayerStreamTrack",
    "RelayStreamTrack",
]
