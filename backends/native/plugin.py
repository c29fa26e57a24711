"""The hooks of the native backend. Importing this module loads neither aiortc nor av."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.native.info import backend_info
from shim.spi.hookspecs import hookimpl
from shim.spi.records import BackendInfo, ProbeResult

if TYPE_CHECKING:
    from shim.spi.engines import (
        AudioProcessor,
        AudioResampler,
        CaptureSettings,
        EncoderSettings,
        EngineConfig,
        EventSink,
        Hardware,
        Kind,
        PeerEngine,
        ProcessorSettings,
        RtpCapabilities,
        ScreenCapturer,
        SoundForm,
        VideoCodec,
        VideoCodecs,
        VideoConverter,
        VideoDecoder,
        VideoEncoder,
    )


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the backend."""
    return backend_info()


@hookimpl
def shim_probe() -> ProbeResult:
    """Load the libraries, and say what was found."""
    try:
        from backends.native import engine
    except Exception as exc:  # a broken binary wheel fails with more than ImportError
        return ProbeResult(False, f"{type(exc).__name__}: {exc}")
    return ProbeResult(True, f"{backend_info().engine}, {engine.__name__}")


@hookimpl
def shim_rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Tell what can be sent and received; that is the same."""
    from backends.native.capabilities import rtp_capabilities

    return rtp_capabilities(kind)


@hookimpl
def shim_create_peer_engine(config: EngineConfig, sink: EventSink) -> PeerEngine:
    """Create a peer connection."""
    from backends.native.engine import NativePeer

    return NativePeer(config, sink)


@hookimpl
def shim_create_video_converter() -> VideoConverter:
    """Create a converter over swscale."""
    from backends.native.video_convert import NativeVideoConverter

    return NativeVideoConverter()


@hookimpl
def shim_create_audio_resampler(target: SoundForm) -> AudioResampler:
    """Create a resampler over swresample."""
    from backends.native.audio_resample import NativeAudioResampler

    return NativeAudioResampler(target)


@hookimpl
def shim_video_codecs() -> VideoCodecs:
    """Tell which encoders and decoders this FFmpeg has."""
    from backends.native.codec_libraries import video_codecs

    return video_codecs()


@hookimpl
def shim_create_video_encoder(settings: EncoderSettings) -> VideoEncoder:
    """Create an encoder over FFmpeg's."""
    from backends.native.codec_encoder import NativeVideoEncoder

    return NativeVideoEncoder(settings)


@hookimpl
def shim_create_video_decoder(codec: VideoCodec, hardware: Hardware) -> VideoDecoder:
    """Create a decoder over FFmpeg's."""
    from backends.native.codec_decoder import NativeVideoDecoder

    return NativeVideoDecoder(codec, hardware)


@hookimpl
def shim_create_audio_processor(settings: ProcessorSettings) -> AudioProcessor:
    """Create a processor over livekit's wrapping of libwebrtc, if the extra ``audio`` is installed."""
    from backends.native.audio_process import NativeAudioProcessor

    return NativeAudioProcessor(settings)


@hookimpl
def shim_create_screen_capturer(settings: CaptureSettings) -> ScreenCapturer:
    """Create a capturer over FFmpeg's devices."""
    from backends.native.screen import NativeScreenCapturer

    return NativeScreenCapturer(settings)
