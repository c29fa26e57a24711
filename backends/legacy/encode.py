"""Encodes pictures with libwebrtc's VP8, VP9 and H264 encoders."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from backends.legacy import ffi
from backends.legacy.codecs import codec_number, missing, pace_of
from backends.legacy.colour import Recolourer, is_usual
from backends.legacy.convert import LegacyVideoConverter
from backends.legacy.errors import UNSUPPORTED_PARAMETER
from backends.legacy.pictures import as_picture, upright
from shim.spi.engines import CodecImplementation, Conversion, EncodedVideo
from shim.spi.errors import OperationError

if TYPE_CHECKING:
    from av import VideoFrame

    from shim.spi.engines import EncoderSettings
    from shim.spi.errors import ShimError

COMPONENT: Final = "video_encode"
AS_THEY_ARE: Final = frozenset({"yuv420p", "yuvj420p", "nv12"})
"""Formats that libwebrtc's encoders read; the others become yuv420p."""


class LegacyVideoEncoder:
    """The encoder of :mod:`shim.spi.engines`. Pictures are read where they are; the bitstream is copied once.

    :param settings: of the SDK, checked.
    :raises CapabilityError: libwebrtc does not have the codec, in this size or in hardware.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        codec = codec_number(settings.codec, settings.hardware, COMPONENT)
        self._handle = 0
        self._library = ffi.load()
        self._settings = settings
        self._pace = pace_of(settings)
        self._handle = self._open(codec)
        name = self._library.take_string(self._library.lib.rtc_encoder_name(self._handle))
        reason = f"libwebrtc's own {settings.codec} encoder; it has none in hardware"
        self._implementation = CodecImplementation(name, False, reason, self._pace.words)
        self._out = self._library.ffi.new("rtc_encoded *")
        self._converter: LegacyVideoConverter | None = None
        self._recolourer = Recolourer()
        self._since_key: int | None = None

    def __del__(self) -> None:
        self.close()

    @property
    def implementation(self) -> CodecImplementation:
        """See :attr:`shim.spi.engines.VideoEncoder.implementation`."""
        return self._implementation

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        """See :meth:`shim.spi.engines.VideoEncoder.encode`."""
        kept: list[Any] = []
        picture = as_picture(self._library, self._readable(frame), kept, writable=False)
        wished = key_frame or self._is_key_due()
        done = self._library.lib.rtc_encoder_encode(self._handle, picture, wished, self._out)
        if done == UNSUPPORTED_PARAMETER:
            raise self._too_large(frame.width, frame.height)
        self._checked(done)
        return [self._encoded(frame)] if done else []

    def set_rates(self, bitrate: int, framerate: float) -> None:
        """See :meth:`shim.spi.engines.VideoEncoder.set_rates`."""
        self._checked(self._library.lib.rtc_encoder_set_rates(self._handle, bitrate, framerate))

    def flush(self) -> list[EncodedVideo]:
        """See :meth:`shim.spi.engines.VideoEncoder.flush`. libwebrtc's encoders hold nothing back."""
        self._since_key = None
        return []

    def close(self) -> None:
        """See :meth:`shim.spi.engines.VideoEncoder.close`."""
        handle, self._handle = getattr(self, "_handle", 0), 0
        if handle:
            self._library.lib.rtc_encoder_free(handle)

    def _open(self, codec: int) -> int:
        settings, options = self._settings, self._library.ffi.new("rtc_encoder_options *")
        options.codec, options.width, options.height = codec, settings.width, settings.height
        options.bitrate, options.framerate = settings.bitrate, settings.framerate
        options.temporal_layers, options.screen = settings.temporal_layers, settings.screen
        options.speed, options.cores = self._pace.speed, self._pace.cores
        handle: int = self._library.lib.rtc_encoder_new(options)
        if handle < 0:
            raise self._too_large(settings.width, settings.height)
        return handle

    def _too_large(self, width: int, height: int) -> ShimError:
        wish = f"{self._settings.codec} of {width}x{height}"
        return missing(f"{wish}: {self._library.last_error()}. Try a smaller size or another codec", COMPONENT)

    def _is_key_due(self) -> bool:
        """Whether there is to be a key frame by the interval, or since everything begins anew."""
        if self._since_key is None:
            return True
        interval = self._settings.key_interval
        return interval is not None and self._since_key >= interval

    def _readable(self, frame: VideoFrame) -> VideoFrame:
        if not (frame.format.is_rgb or is_usual(frame)):
            frame = self._recolourer.usual(frame)
        if frame.format.name in AS_THEY_ARE:
            return upright(frame)
        if self._converter is None:
            self._converter = LegacyVideoConverter()
        return self._converter.convert(frame, Conversion("yuv420p", frame.width, frame.height))

    def _encoded(self, frame: VideoFrame) -> EncodedVideo:
        out = self._out
        is_key = bool(out.key_frame)
        self._since_key = 1 if is_key else (self._since_key or 0) + 1
        data = self._library.ffi.buffer(out.data, out.size)[:]
        pts, time_base = frame.pts or 0, frame.time_base or Fraction(1)
        return EncodedVideo(data, pts, time_base, is_key, out.width, out.height, out.temporal_layer)

    def _checked(self, result: int) -> int:
        if result < 0:
            raise OperationError(
                f"{COMPONENT}: {self._library.last_error()}. Encode the next picture, it becomes a key frame (backend "
                "legacy)",
                backend="legacy",
                component=COMPONENT,
            )
        return result
