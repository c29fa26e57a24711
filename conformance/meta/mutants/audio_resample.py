"""Resamplers of sound that are late, short, dirty or dependent on how the sound is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conformance.components import samples_of, sound
from conformance.meta.catalogue import Topic
from conformance.meta.components import CreateResampler, ResamplerProxy
from shim.spi.engines import Mix, SoundForm

if TYPE_CHECKING:
    from av import AudioFrame

    Array = np.ndarray[Any, np.dtype[Any]]

TOPIC: Final = Topic("sound", "test_audio_resample.py")


class _Changing(ResamplerProxy):
    """Changes the samples that come out."""

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        return [self._changed(ready) for ready in super().resample(frame)]

    def flush(self) -> list[AudioFrame]:
        return [self._changed(ready) for ready in super().flush()]

    def changed(self, samples: Array) -> Array:
        return samples

    def _changed(self, frame: AudioFrame) -> AudioFrame:
        form = self.target
        return sound(self.changed(samples_of([frame])), form.rate, form.layout, form.format)


@TOPIC.proxy
class OneSampleLate(_Changing):
    """Give every sample one place later."""

    _carry: Array

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        super().start(source, mix)
        self._carry = np.zeros((1, 1))

    def changed(self, samples: Array) -> Array:
        first = np.broadcast_to(self._carry, (len(samples), 1))
        self._carry = samples[:, -1:]
        return np.concatenate([first, samples[:, :-1]], 1)


@TOPIC.proxy
class OneSampleTooFew(ResamplerProxy):
    """Lose the last sample of a stream."""

    def flush(self) -> list[AudioFrame]:
        rest, form = super().flush(), self.target
        shorter = [sound(samples_of([last])[:, :-1], form.rate, form.layout, form.format) for last in rest[-1:]]
        return rest[:-1] + shorter


@TOPIC.proxy
class FlushForgotten(ResamplerProxy):
    """Keep the end of a stream for itself."""

    def flush(self) -> list[AudioFrame]:
        super().flush()
        return []


@TOPIC.proxy
class ResampledChannelsSwapped(_Changing):
    """Give the channels in the opposite order."""

    def changed(self, samples: Array) -> Array:
        return samples[::-1]


@TOPIC.proxy
class QuieterThanItWas(_Changing):
    """Give sound a little quieter."""

    def changed(self, samples: Array) -> Array:
        return samples * 0.944


@TOPIC.proxy
class FloatClipped(_Changing):
    """Clip floats to full scale, although they need not be."""

    def changed(self, samples: Array) -> Array:
        return np.clip(samples, -1, 1)


@TOPIC.proxy
class EightBitsInside(_Changing):
    """Round to eight bits on the way."""

    def changed(self, samples: Array) -> Array:
        rounded: Array = np.rint(samples * 128) / 128
        return rounded


@TOPIC.proxy
class Alias(_Changing):
    """Fold what the output cannot carry back into it: leave samples out without a filter."""

    _step = 0
    _place = 0

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        super().start(source, mix)
        ratio, rest = divmod(source.rate, self.target.rate)
        self._step, self._place = 0 if rest or mix else ratio, 0

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        if not self._step:
            return super().resample(frame)
        samples = samples_of([frame])
        chosen = samples[:, -self._place % self._step :: self._step]
        self._place += samples.shape[1]
        form = self.target
        return [sound(chosen, form.rate, form.layout, form.format)] if chosen.size else []

    def flush(self) -> list[AudioFrame]:
        rest = super().flush()
        return [] if self._step else rest


@TOPIC.proxy
class ClippingWraps(ResamplerProxy):
    """Let what is too loud for 16 bits wrap round."""

    def __init__(self, create: CreateResampler, target: SoundForm) -> None:
        super().__init__(create, replace(target, format=target.format.replace("s16", "flt")))
        self._told = target

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        return [self._wrapped(ready) for ready in super().resample(frame)]

    def flush(self) -> list[AudioFrame]:
        return [self._wrapped(ready) for ready in super().flush()]

    def _wrapped(self, frame: AudioFrame) -> AudioFrame:
        if not self._told.format.startswith("s16"):
            return frame
        whole = np.rint(samples_of([frame]) * 32768).astype(np.int64).astype(np.int16)
        return sound(whole / 32768, self._told.rate, self._told.layout, self._told.format)


@TOPIC.proxy
class DependsOnTheCut(ResamplerProxy):
    """Treat every frame as a stream of its own."""

    _form: tuple[SoundForm, Mix | None]

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        super().start(source, mix)
        self._form = source, mix

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        ready = super().resample(frame) + super().flush()
        super().start(*self._form)
        return ready


@TOPIC.proxy
class StreamsRunTogether(ResamplerProxy):
    """Go on with the old stream when a new one begins in the same form."""

    _running: tuple[SoundForm, Mix | None] | None = None

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        if self._running != (source, mix):
            super().start(source, mix)
        self._running = source, mix

    def flush(self) -> list[AudioFrame]:
        return []


@TOPIC.proxy
class DelayLies(ResamplerProxy):
    """Say that half as much is held back as is."""

    @property
    def delay(self) -> float:
        return self.inner.delay / 2


@TOPIC.proxy
class HoldsBackTooMuch(ResamplerProxy):
    """Hold back ten milliseconds more than needed, and say so."""

    def __init__(self, create: CreateResampler, target: SoundForm) -> None:
        super().__init__(create, target)
        self._held: list[AudioFrame] = []

    @property
    def delay(self) -> float:
        return self.inner.delay + 0.01

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        ready, self._held = self._held, super().resample(frame)
        return ready

    def flush(self) -> list[AudioFrame]:
        ready, self._held = self._held, []
        return ready + super().flush()


@TOPIC.proxy
class MixAddsUp(ResamplerProxy):
    """Add channels up instead of weighing them."""

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        super().start(source, mix and tuple(tuple(float(weight > 0) for weight in row) for row in mix))


@TOPIC.proxy
class InputChanged(ResamplerProxy):
    """Silence the frames that were put in."""

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        ready = super().resample(frame)
        for plane in frame.planes[:1]:
            plane.update(bytes(plane.buffer_size))
        return ready


TOPIC.on("legacy", "one-sample-late", "resampled-channels-swapped")
