"""The components of a backend that are no connection: their tests make them here."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.requirements import LACKS, NOT_DECLARED
from shim.spi.capabilities import Component
from shim.spi.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av import AudioFrame
    from numpy.typing import NDArray

    from conformance.targets import Target
    from shim import AudioProcessor, AudioResampler, VideoConverter, VideoDecoder, VideoEncoder


def converter_of(target: Target) -> VideoConverter:
    """Create a converter, or skip the test."""
    from shim import VideoConverter

    _require(target, Component.VIDEO_CONVERT)
    return VideoConverter(backend=target.name)


def resampler_of(target: Target, rate: int, layout: str = "mono", format: str = "flt") -> AudioResampler:
    """Create a resampler, or skip the test."""
    from shim import AudioResampler

    _require(target, Component.AUDIO_RESAMPLE)
    return AudioResampler(rate, layout, format, backend=target.name)


def processor_of(target: Target, rate: int = 16000, layout: str = "mono", **settings: Any) -> AudioProcessor:
    """Create a processor that does nothing but what is asked for."""
    from shim import AudioProcessor

    nothing: dict[str, Any] = {
        "echo_cancellation": False,
        "noise_suppression": "off",
        "gain_control": False,
        "high_pass": False,
    }
    return AudioProcessor(rate, layout, backend=target.name, **(nothing | settings))


def require_processor(target: Target, config: pytest.Config) -> None:
    """Skip the test where there is no processor; fail it if the backend is required and only the machine lacks one."""
    _require(target, Component.AUDIO_PROCESS)
    try:
        processor_of(target)
    except BackendUnavailableError as exc:
        if target.name in config.option.require_backend:
            pytest.fail(f"backend {target} is required, but this machine lacks a part of it: {exc}", pytrace=False)
        pytest.skip(f"{LACKS} a part of backend {target}: {exc}")


def encoder_of(target: Target, codec: str, width: int = 160, height: int = 120, **settings: Any) -> VideoEncoder:
    """Create an encoder, or skip the test.

    :param settings: of `VideoEncoder`; unless told, 400 kbit/s, and a speed, so that a busy machine changes nothing.
    """
    from shim import VideoEncoder

    require_codec(target, codec, Component.VIDEO_ENCODE)
    return VideoEncoder(codec, width, height, backend=target.name, **{"bitrate": 400_000, "speed": 7, **settings})


def decoder_of(target: Target, codec: str) -> VideoDecoder:
    """Create a decoder, or skip the test."""
    from shim import VideoDecoder

    require_codec(target, codec, Component.VIDEO_DECODE)
    return VideoDecoder(codec, backend=target.name)


def require_codec(target: Target, codec: str, component: Component) -> None:
    """Skip the test if a backend does not tell that it has this codec."""
    from shim import video_codecs

    _require(target, component)
    codecs = video_codecs(backend=target.name)
    if codec not in (codecs.encode if component is Component.VIDEO_ENCODE else codecs.decode):
        pytest.skip(f"backend {target} {NOT_DECLARED} to {component.value.removeprefix('video_')} {codec}")


def _require(target: Target, component: Component) -> None:
    if component not in target.info.components:
        pytest.skip(f"backend {target} {NOT_DECLARED} of the component {component}")


def sound(samples: NDArray[Any], rate: int, layout: str = "mono", format: str = "flt") -> AudioFrame:
    """Return a frame of samples, (channels, samples) or (samples,), full scale 1."""
    from av import AudioFrame

    data = np.atleast_2d(np.asarray(samples, np.float64))
    if format.startswith("s16"):
        data = np.clip(np.rint(data * 32768), -32768, 32767)
    frame = AudioFrame(format, layout, data.shape[1])
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    if not frame.samples:
        return frame
    for plane, row in zip(_planes(frame), data if frame.format.is_planar else [data.T.reshape(-1)], strict=True):
        np.frombuffer(plane, _kind(format), row.size)[:] = row
    return frame


def samples_of(frames: Iterable[AudioFrame]) -> NDArray[np.float64]:
    """Return the samples of all frames, (channels, samples), full scale 1."""
    return np.concatenate([_samples(frame) for frame in frames], 1)


def _samples(frame: AudioFrame) -> NDArray[np.float64]:
    name, channels = frame.format.name, len(frame.layout.channels)
    width = 1 if frame.format.is_planar else channels
    rows = [np.frombuffer(plane, _kind(name), frame.samples * width) for plane in _planes(frame)]
    data = np.stack(rows) if frame.format.is_planar else rows[0].reshape(-1, channels).T
    return data.astype(np.float64) / (32768 if name.startswith("s16") else 1)


def _planes(frame: AudioFrame) -> list[Any]:
    # PyAV lists more planes than there are when there are eight.
    return list(frame.planes[: len(frame.layout.channels) if frame.format.is_planar else 1])


def _kind(format: str) -> type[np.int16] | type[np.float32]:
    return np.int16 if format.startswith("s16") else np.float32
