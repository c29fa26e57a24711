"""Resamples sound with libwebrtc's sinc resampler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from av import AudioFrame, AudioLayout

from backends.legacy import ffi

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shim.spi.engines import Mix, SoundForm

HALF_KERNEL: Final = 16
FULL_SCALE: Final = 32768


class LegacyAudioResampler:
    """The resampler of :mod:`shim.spi.engines`. libwebrtc changes the rate; numpy mixes the channels.

    :param target: the output.
    """

    def __init__(self, target: SoundForm) -> None:
        self._library = ffi.load()
        self._target = target
        self._channels = len(AudioLayout(target.layout).channels)
        self._stream: _SincStream | None = None
        self._source = target
        self._mix: NDArray[np.float32] | None = None

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.free()

    @property
    def delay(self) -> float:
        """See :attr:`shim.spi.engines.AudioResampler.delay`."""
        if self._stream is None:
            return 0.0
        # The count of the output is rounded down.
        return self._stream.held / self._source.rate + 1 / self._target.rate

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        """See :meth:`shim.spi.engines.AudioResampler.start`."""
        self._end()
        self._source = source
        self._mix = None if mix is None else np.array(mix, np.float32)
        if source.rate != self._target.rate:
            width = self._channels if mix is None else min(len(mix), len(mix[0]))
            self._stream = _SincStream(self._library, source.rate, self._target.rate, width)

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        """See :meth:`shim.spi.engines.AudioResampler.resample`."""
        if self._mix is None:
            return self._run(frame) if self._stream else [self._framed(_floats(frame))]
        sound = _floats(frame)
        if self._mixes_first():
            sound = self._mix @ sound
        if self._stream is None:
            return [self._framed(sound)]
        return self._mixed(self._run(_written(sound, "fltp", f"{len(sound)}c", self._source.rate)))

    def flush(self) -> list[AudioFrame]:
        """See :meth:`shim.spi.engines.AudioResampler.flush`."""
        rest = self._mixed(self._run(None)) if self._stream else []
        self._end()
        return rest

    def _end(self) -> None:
        if self._stream is not None:
            self._stream.free()
        self._stream = None

    def _mixes_first(self) -> bool:
        """Whether there are fewer channels to resample after the mix, or as many."""
        return self._mix is not None and (self._stream is None or self._mix.shape[0] <= self._mix.shape[1])

    def _mixed(self, frames: list[AudioFrame]) -> list[AudioFrame]:
        if self._mix is None:
            return frames
        sounds = [_floats(frame) for frame in frames]
        return [self._framed(sound if self._mixes_first() else self._mix @ sound) for sound in sounds]

    def _run(self, frame: AudioFrame | None) -> list[AudioFrame]:
        """Change the rate; what is to be mixed yet stays in floats."""
        if self._stream is None:
            return []
        if self._mix is None:
            return self._stream.run(frame, self._target.format, self._target.layout)
        return self._stream.run(frame, "fltp", f"{self._stream.channels}c")

    def _framed(self, sound: NDArray[np.float32]) -> AudioFrame:
        """Write sound down in the form of the output."""
        form = self._target
        data: NDArray[Any] = sound
        if form.format.startswith("s16"):
            data = np.clip(np.rint(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return _written(data, form.format, form.layout, form.rate)


class _SincStream:
    """One stream through the C ABI."""

    def __init__(self, library: ffi.Library, in_rate: int, out_rate: int, channels: int) -> None:
        self._library = library
        self._rate = out_rate
        self.channels = channels
        self._handle = self._checked(library.lib.rtc_resampler_new(in_rate, out_rate, channels))
        self.held: int = library.lib.rtc_resampler_block(self._handle) + HALF_KERNEL
        """Samples of the input that may be held back."""
        self._in, self._out = library.ffi.new("rtc_pcm *"), library.ffi.new("rtc_pcm *")

    def free(self) -> None:
        """Let go of the C++ object."""
        handle, self._handle = self._handle, 0
        if handle:
            self._library.lib.rtc_resampler_free(handle)

    def run(self, frame: AudioFrame | None, format: str, layout: str) -> list[AudioFrame]:
        """Take a frame, or flush; return what is ready in this form."""
        ended, samples = frame is None, 0 if frame is None else frame.samples
        ready = self._checked(self._library.lib.rtc_resampler_ready(self._handle, samples, ended))
        kept: list[Any] = []
        result = AudioFrame(format=format, layout=layout, samples=ready) if ready else None
        self._fill(self._in, frame, kept)
        self._fill(self._out, result, kept)
        self._checked(self._library.lib.rtc_resampler_run(self._handle, self._in, self._out, ended))
        if result is None:
            return []
        result.sample_rate = self._rate
        return [result]

    def _fill(self, pcm: Any, frame: AudioFrame | None, kept: list[Any]) -> None:  # noqa: ANN401
        pcm.samples = 0 if frame is None else frame.samples
        if frame is None:
            return
        name = frame.format.name
        pcm.format, pcm.planar = name.startswith("flt"), name.endswith("p")
        for index, plane in enumerate(_planes(frame)):
            buffer = self._library.ffi.from_buffer("uint8_t[]", plane)
            kept.append(buffer)
            pcm.data[index], pcm.sizes[index] = buffer, plane.buffer_size

    def _checked(self, result: int) -> int:
        if result < 0:
            raise ValueError(self._library.last_error())
        return result


def _planes(frame: AudioFrame) -> list[Any]:
    """Return the planes. PyAV lists more than there are when there are eight."""
    return list(frame.planes[: len(frame.layout.channels) if frame.format.is_planar else 1])


def _samples(frame: AudioFrame) -> NDArray[Any]:
    """Return a view or copy of the samples as (channels, samples)."""
    kind, channels = np.int16 if frame.format.name.startswith("s16") else np.float32, len(frame.layout.channels)
    if frame.format.is_planar:
        return np.stack([np.frombuffer(plane, kind, frame.samples) for plane in _planes(frame)])
    return np.frombuffer(_planes(frame)[0], kind, frame.samples * channels).reshape(-1, channels).T


def _floats(frame: AudioFrame) -> NDArray[np.float32]:
    """Return the samples as (channels, samples), full scale 1."""
    data = _samples(frame)
    return data.astype(np.float32) / np.float32(FULL_SCALE) if data.dtype == np.int16 else data


def _written(data: NDArray[Any], format: str, layout: str, rate: int) -> AudioFrame:
    """Return a frame of samples, (channels, samples), that have the type which the format says."""
    frame = AudioFrame(format, layout, data.shape[1])
    frame.sample_rate = rate
    rows = data if frame.format.is_planar else [data.T.reshape(-1)]
    for plane, row in zip(_planes(frame), rows, strict=True):
        np.frombuffer(plane, data.dtype, row.size)[:] = row
    return frame
