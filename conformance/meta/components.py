"""Proxies around the components of a good backend that are no connection."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.meta.naming import in_our_name
from shim.spi.engines import (
    AudioProcessor,
    AudioResampler,
    CaptureSettings,
    CodecImplementation,
    Conversion,
    EncodedVideo,
    EncoderSettings,
    Hardware,
    MediaSink,
    Mix,
    ProcessorSettings,
    ProcessorStats,
    ScreenCapturer,
    SoundForm,
    VideoCodec,
    VideoConverter,
    VideoDecoder,
    VideoEncoder,
)

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

CreateResampler = Callable[[SoundForm], AudioResampler]
CreateProcessor = Callable[[ProcessorSettings], AudioProcessor]
CreateEncoder = Callable[[EncoderSettings], VideoEncoder]
CreateDecoder = Callable[[VideoCodec, Hardware], VideoDecoder]
CreateCapturer = Callable[[CaptureSettings], ScreenCapturer]


class ConverterProxy(VideoConverter):
    """Stands for a converter of the good backend."""

    def __init__(self, inner: VideoConverter) -> None:
        self.inner = inner

    def convert(self, frame: VideoFrame, wish: Conversion) -> VideoFrame:
        with in_our_name():
            return self.inner.convert(frame, wish)


class ResamplerProxy(AudioResampler):
    """Stands for a resampler of the good backend.

    :param create: creates that.
    """

    def __init__(self, create: CreateResampler, target: SoundForm) -> None:
        self.target = target
        with in_our_name():
            self.inner = create(target)

    @property
    def delay(self) -> float:
        return self.inner.delay

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        with in_our_name():
            self.inner.start(source, mix)

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        with in_our_name():
            return self.inner.resample(frame)

    def flush(self) -> list[AudioFrame]:
        with in_our_name():
            return self.inner.flush()


class ProcessorProxy(AudioProcessor):
    """Stands for a processor of speech of the good backend.

    :param create: creates that.
    """

    def __init__(self, create: CreateProcessor, settings: ProcessorSettings) -> None:
        with in_our_name():
            self.inner = create(self.configured(settings))

    # What a mutant may override besides the methods of the processor.

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        """Return the settings that the good processor gets."""
        return settings

    # --- AudioProcessor ---

    def process(self, frame: AudioFrame) -> AudioFrame:
        with in_our_name():
            return self.inner.process(frame)

    def process_reverse(self, frame: AudioFrame) -> None:
        with in_our_name():
            self.inner.process_reverse(frame)

    def set_delay(self, seconds: float) -> None:
        with in_our_name():
            self.inner.set_delay(seconds)

    def stats(self) -> ProcessorStats:
        with in_our_name():
            return self.inner.stats()


class EncoderProxy(VideoEncoder):
    """Stands for an encoder of the good backend.

    :param create: creates that.
    """

    def __init__(self, create: CreateEncoder, settings: EncoderSettings) -> None:
        with in_our_name():
            self.inner = create(self.configured(settings))

    # What a mutant may override besides the methods of the encoder.

    def configured(self, settings: EncoderSettings) -> EncoderSettings:
        """Return the settings that the good encoder gets."""
        return settings

    def encoded(self, picture: EncodedVideo) -> EncodedVideo:
        """Return what becomes of an encoded picture."""
        return picture

    # --- VideoEncoder ---

    @property
    def implementation(self) -> CodecImplementation:
        return self.inner.implementation

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        with in_our_name():
            return [self.encoded(picture) for picture in self.inner.encode(frame, key_frame=key_frame)]

    def set_rates(self, bitrate: int, framerate: float) -> None:
        with in_our_name():
            self.inner.set_rates(bitrate, framerate)

    def flush(self) -> list[EncodedVideo]:
        with in_our_name():
            return [self.encoded(picture) for picture in self.inner.flush()]

    def close(self) -> None:
        self.inner.close()


class DecoderProxy(VideoDecoder):
    """Stands for a decoder of the good backend.

    :param create: creates that.
    """

    def __init__(self, create: CreateDecoder, codec: VideoCodec, hardware: Hardware) -> None:
        with in_our_name():
            self.inner = create(codec, hardware)

    @property
    def implementation(self) -> CodecImplementation:
        return self.inner.implementation

    def decode(self, data: bytes, pts: int, time_base: Fraction, *, key_frame: bool) -> list[VideoFrame]:
        with in_our_name():
            return self.inner.decode(data, pts, time_base, key_frame=key_frame)

    def flush(self) -> list[VideoFrame]:
        with in_our_name():
            return self.inner.flush()

    def close(self) -> None:
        self.inner.close()


class CapturerProxy(ScreenCapturer):
    """Stands for a capturer of the good backend, and for the sink of its pictures.

    :param create: creates the capturer.
    """

    def __init__(self, create: CreateCapturer, settings: CaptureSettings) -> None:
        with in_our_name():
            self.inner = create(self.configured(settings))
        self.sink: MediaSink | None = None

    def configured(self, settings: CaptureSettings) -> CaptureSettings:
        """Return the settings that the good capturer gets."""
        return settings

    def start(self, sink: MediaSink) -> None:
        self.sink = sink
        with in_our_name():
            self.inner.start(self)

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        assert self.sink is not None
        self.sink.put(frame)

    def end(self) -> None:
        assert self.sink is not None
        self.sink.end()

    def close(self) -> None:
        self.inner.close()
