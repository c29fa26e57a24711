"""The pluggy hooks of a backend: ``from shim.spi.hookspecs import hookimpl``.

A backend is a module (or object) with functions of these names, registered under the entry point group
``shim.backends``. Factories are synchronous and do no I/O; after creation no hook is called per frame or
per message. A backend implements `shim_backend_info`, `shim_probe` and the factories of the components it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import pluggy

if TYPE_CHECKING:
    from shim.spi.capabilities import Component
    from shim.spi.engines import (
        AudioProcessor,
        AudioResampler,
        CaptureSettings,
        DataTransport,
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
        Surface,
        VideoCodec,
        VideoCodecs,
        VideoConverter,
        VideoDecoder,
        VideoEncoder,
    )
    from shim.spi.records import BackendInfo, Decision, ProbeResult

PROJECT: Final = "shim"
ENTRY_POINT_GROUP: Final = "shim.backends"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks(Protocol):
    """The hook specifications. A backend implements those of the components it serves."""

    @hookspec(firstresult=True)
    def shim_backend_info(self) -> BackendInfo:
        """Describe the backend. Imports nothing heavy."""
        ...

    @hookspec(firstresult=True)
    def shim_probe(self) -> ProbeResult:
        """Find out whether the backend can run here. May load the engine's libraries; never raises."""
        ...

    @hookspec(firstresult=True)
    def shim_rtp_capabilities(self, kind: Kind, sender: bool) -> RtpCapabilities:
        """Tell what can be sent (`sender`) or received (webrtc-pc section 5.2)."""
        ...

    @hookspec(firstresult=True)
    def shim_create_peer_engine(self, config: EngineConfig, sink: EventSink) -> PeerEngine:
        """Create a peer connection that posts to `sink`."""
        ...

    @hookspec(firstresult=True)
    def shim_create_video_converter(self) -> VideoConverter:
        """Create a converter of pictures."""
        ...

    @hookspec(firstresult=True)
    def shim_create_audio_resampler(self, target: SoundForm) -> AudioResampler:
        """Create a resampler with this output."""
        ...

    @hookspec(firstresult=True)
    def shim_create_audio_processor(self, settings: ProcessorSettings) -> AudioProcessor:
        """Create a processor of speech.

        :raises BackendUnavailableError: the library that it needs is not installed; says how to get it.
        """
        ...

    @hookspec(firstresult=True)
    def shim_video_codecs(self) -> VideoCodecs:
        """Tell what the encoder and the decoder can be created for; probes the software, not the hardware."""
        ...

    @hookspec(firstresult=True)
    def shim_create_video_encoder(self, settings: EncoderSettings) -> VideoEncoder:
        """Create an encoder.

        :raises CapabilityError: the codec, its layers or the required hardware are not there.
        """
        ...

    @hookspec(firstresult=True)
    def shim_create_video_decoder(self, codec: VideoCodec, hardware: Hardware) -> VideoDecoder:
        """Create a decoder; errors as above."""
        ...

    @hookspec(firstresult=True)
    def shim_create_screen_capturer(self, settings: CaptureSettings) -> ScreenCapturer:
        """Create a capturer of the screen. Whether there is one, `start` finds out."""
        ...

    @hookspec(firstresult=True)
    def shim_create_data_transport(self, config: EngineConfig, sink: EventSink) -> DataTransport:
        """Create a transport for data channels."""
        ...

    @hookspec(firstresult=True)
    def shim_create_surface(self, title: str) -> Surface:
        """Create somewhere to show frames."""
        ...

    @hookspec
    def shim_decided(self, decision: Decision) -> None:
        """Observe a decision. Every registered plugin is told; errors are logged and ignored."""

    @hookspec
    def shim_backend_failed(self, backend: str, component: Component, error: Exception) -> None:
        """Observe that a backend could not serve."""

    @hookspec
    def shim_shadow_result(self, component: Component, same: bool, detail: str) -> None:
        """Observe the comparison of a shadow run."""
