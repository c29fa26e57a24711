"""Mirror of ``aiortc.mediastreams``."""

from av import AudioFrame, VideoFrame
from av.frame import Frame
from av.packet import Packet

from shim.api.tracks import (
    AUDIO_PTIME,
    VIDEO_CLOCK_RATE,
    VIDEO_PTIME,
    VIDEO_TIME_BASE,
    AudioStreamTrack,
    MediaStreamTrack,
    TimeBase,
    VideoStreamTrack,
    convert_timebase,
)
from shim.spi.errors import MediaStreamError

__all__ = [
    "AUDIO_PTIME",
    "VIDEO_CLOCK_RATE",
    "VIDEO_PTIME",
    "VIDEO_TIME_BASE",
    "AudioFrame",
    "AudioStreamTrack",
    "Frame",
    "MediaStreamError",
    "MediaStreamTrack",
    "Packet",
    "TimeBase",
    "VideoFrame",
    "VideoStreamTrack",
    "convert_timebase",
]
