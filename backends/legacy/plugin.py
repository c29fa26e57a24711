"""The hooks of the ``legacy`` backend. Importing this module loads no shared library and no PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shim.spi.hookspecs import hookimpl

if TYPE_CHECKING:
    from shim.spi.engines import (
        AudioProcessor,
        AudioResampler,
        EncoderSettings,
        EngineConfig,
        EventSink,
        Hardware,
        Kind,
        PeerEngine,
        ProcessorSettings,
        RtpCapabilities,
        SoundForm,
        VideoCodec,
        VideoCodecs,
        VideoConverter,
        VideoDecoder,
        VideoEncoder,
    )
    from shim.spi.records import BackendInfo, ProbeResult


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the backend; names the libwebrtc build once it has been loaded."""
    from backends.legacy.info import backend_info

    return backend_info()


@hookimpl
def shim_probe() -> ProbeResult:
    """Load the library, and tell why not if that fails."""
    from backends.legacy.info import probe

    return probe()


@hookimpl
def shim_rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Ask libwebrtc's codec factories (starts libwebrtc)."""
    from backends.legacy.parameters import rtp_capabilities

    return rtp_capabilities(kind, sender)


@hookimpl
def shim_create_peer_engine(config: EngineConfig, sink: EventSink) -> PeerEngine:
    """Create a C++ peer connection; the first one starts libwebrtc's threads."""
    from backends.legacy.engine import LegacyPeerEngine

    return LegacyPeerEngine(config, sink)


@hookimpl
def shim_create_video_converter() -> VideoConverter:
    """Create a converter over libyuv; starts no thread."""
    from backends.legacy.convert import LegacyVideoConverter

    return LegacyVideoConverter()


@hookimpl
def shim_create_audio_resampler(target: SoundForm) -> AudioResampler:
    """Create a resampler over libwebrtc's sinc resampler; starts no thread."""
    from backends.legacy.resample import LegacyAudioResampler

    return LegacyAudioResampler(target)


@hookimpl
def shim_video_codecs() -> VideoCodecs:
    """Name libwebrtc's codecs; loads nothing."""
    from backends.legacy.codecs import video_codecs

    return video_codecs()


@hookimpl
def shim_create_video_encoder(settings: EncoderSettings) -> VideoEncoder:
    """Create one of libwebrtc's software encoders."""
    from backends.legacy.encode import LegacyVideoEncoder

    return LegacyVideoEncoder(settings)


@hookimpl
def shim_create_video_decoder(codec: VideoCodec, hardware: Hardware) -> VideoDecoder:
    """Create one of libwebrtc's software decoders."""
    from backends.legacy.decode import LegacyVideoDecoder

    return LegacyVideoDecoder(codec, hardware)


@hookimpl
def shim_create_audio_processor(settings: ProcessorSettings) -> AudioProcessor:
    """Create a processor over libwebrtc's own; starts no thread."""
    from backends.legacy.processing import LegacyAudioProcessor

    return LegacyAudioProcessor(settings)
