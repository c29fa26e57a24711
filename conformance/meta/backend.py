"""The plugin of the backend "mutant": which one it is says the environment, so that other processes agree."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, cast

from conformance.meta.catalogue import CONTROL, GOOD_BACKEND, Mutant, mutant_named
from conformance.meta.naming import NAME
from shim.spi.capabilities import Component
from shim.spi.hookspecs import ENTRY_POINT_GROUP, hookimpl
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
    from shim.spi.hookspecs import Hooks

MUTANT_VARIABLE: Final = "CONFORMANCE_MUTANT"
BASE_VARIABLE: Final = "CONFORMANCE_MUTANT_BASE"
COMPONENTS: Final = frozenset(
    {
        Component.PEER,
        Component.VIDEO_CONVERT,
        Component.AUDIO_RESAMPLE,
        Component.AUDIO_PROCESS,
        Component.VIDEO_ENCODE,
        Component.VIDEO_DECODE,
        Component.SCREEN_CAPTURE,
    }
)
"""What there are proxies for."""


@lru_cache(maxsize=1)
def _mutant() -> Mutant:
    return mutant_named(os.environ.get(MUTANT_VARIABLE, CONTROL), os.environ.get(BASE_VARIABLE, GOOD_BACKEND))


@lru_cache(maxsize=1)
def _base() -> Hooks:
    (point,) = set(entry_points(group=ENTRY_POINT_GROUP, name=_mutant().base))
    return cast("Hooks", point.load())


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the good backend under another name."""
    info, mutant = _base().shim_backend_info(), _mutant()
    engine = f"{info.engine}; mutant {mutant.name}: {mutant.description}"
    return replace(info, name=NAME, engine=engine, components=info.components & COMPONENTS)


@hookimpl
def shim_probe() -> ProbeResult:
    """Ask the good backend."""
    return _base().shim_probe()


@hookimpl
def shim_rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Tell what the mutant says it can send or receive."""
    return _mutant().parts.capabilities(_base().shim_rtp_capabilities(kind, sender))


@hookimpl
def shim_create_peer_engine(config: EngineConfig, sink: EventSink) -> PeerEngine:
    """Create a proxy around a peer of the good backend."""
    parts = _mutant().parts
    return parts.engine(_base().shim_create_peer_engine, config, sink, parts)


@hookimpl
def shim_create_video_converter() -> VideoConverter:
    """Create a proxy around a converter of the good backend."""
    return _mutant().parts.converter(_base().shim_create_video_converter())


@hookimpl
def shim_create_audio_resampler(target: SoundForm) -> AudioResampler:
    """Create a proxy around a resampler of the good backend."""
    return _mutant().parts.resampler(_base().shim_create_audio_resampler, target)


@hookimpl
def shim_create_audio_processor(settings: ProcessorSettings) -> AudioProcessor:
    """Create a proxy around a processor of the good backend."""
    return _mutant().parts.processor(_base().shim_create_audio_processor, settings)


@hookimpl
def shim_video_codecs() -> VideoCodecs:
    """Tell what the good backend encodes and decodes."""
    return _base().shim_video_codecs()


@hookimpl
def shim_create_video_encoder(settings: EncoderSettings) -> VideoEncoder:
    """Create a proxy around an encoder of the good backend."""
    return _mutant().parts.encoder(_base().shim_create_video_encoder, settings)


@hookimpl
def shim_create_video_decoder(codec: VideoCodec, hardware: Hardware) -> VideoDecoder:
    """Create a proxy around a decoder of the good backend."""
    return _mutant().parts.decoder(_base().shim_create_video_decoder, codec, hardware)


@hookimpl
def shim_create_screen_capturer(settings: CaptureSettings) -> ScreenCapturer:
    """Create a proxy around a capturer of the good backend."""
    return _mutant().parts.capturer(_base().shim_create_screen_capturer, settings)
