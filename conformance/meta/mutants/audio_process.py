"""Processors of speech that leave in what is to go, take out what is to stay, or are late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conformance.components import samples_of, sound
from conformance.meta.catalogue import Topic
from conformance.meta.components import ProcessorProxy
from shim.spi.engines import ProcessorSettings, ProcessorStats

if TYPE_CHECKING:
    from av import AudioFrame

    Array = np.ndarray[Any, np.dtype[Any]]

TOPIC: Final = Topic("speech", "test_audio_process.py")


class _Changing(ProcessorProxy):
    """Changes the samples that come out."""

    def process(self, frame: AudioFrame) -> AudioFrame:
        done = super().process(frame)
        return sound(self.changed(samples_of([done])), done.sample_rate, done.layout.name, "s16")

    def changed(self, samples: Array) -> Array:
        return samples


@TOPIC.proxy
class EchoStays(ProcessorProxy):
    """Do not listen to what is played."""

    def process_reverse(self, frame: AudioFrame) -> None:
        pass


@TOPIC.proxy
class EchoMuted(_Changing):
    """Mute the microphone for as long as something is played, instead of taking that out."""

    _loud = 0

    def process_reverse(self, frame: AudioFrame) -> None:
        self._loud = 30 if np.abs(samples_of([frame])).max() > 0.01 else max(0, self._loud - 1)
        super().process_reverse(frame)

    def changed(self, samples: Array) -> Array:
        return samples * (not self._loud)


@TOPIC.proxy
class NoiseStays(ProcessorProxy):
    """Suppress no noise."""

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        return replace(settings, noise_suppression="off")


@TOPIC.proxy
class NoiseGated(_Changing):
    """Turn everything down by 12 dB where noise is to be suppressed, speech too."""

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        self._down = 1.0 if settings.noise_suppression == "off" else 0.25
        return replace(settings, noise_suppression="off")

    def changed(self, samples: Array) -> Array:
        return samples * self._down


@TOPIC.proxy
class GainLeftAlone(ProcessorProxy):
    """Control no gain."""

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        return replace(settings, gain_control=False)


@TOPIC.proxy
class HumStays(ProcessorProxy):
    """Let everything low pass."""

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        return replace(settings, high_pass=False)


@TOPIC.proxy
class DoesWhatNobodyAskedFor(ProcessorProxy):
    """Have the high-pass always on."""

    def configured(self, settings: ProcessorSettings) -> ProcessorSettings:
        return replace(settings, high_pass=True)


@TOPIC.proxy
class OneBlockLate(_Changing):
    """Give every frame in place of the next."""

    _before: Array | None = None

    def changed(self, samples: Array) -> Array:
        before, self._before = self._before, samples
        return np.zeros_like(samples) if before is None or before.shape != samples.shape else before


@TOPIC.proxy
class ChannelsBecomeOne(_Changing):
    """Give the middle of both channels on both."""

    def changed(self, samples: Array) -> Array:
        return np.broadcast_to(samples.mean(0), samples.shape)


@TOPIC.proxy
class SpeechInEightBits(_Changing):
    """Round to eight bits on the way."""

    def changed(self, samples: Array) -> Array:
        rounded: Array = np.rint(samples * 128) / 128
        return rounded


@TOPIC.proxy
class StatisticsInvented(ProcessorProxy):
    """Tell of an echo that was cancelled, whatever happens."""

    def stats(self) -> ProcessorStats:
        return ProcessorStats(echo_return_loss=6.0, echo_return_loss_enhancement=30.0, echo_delay=0.1)


TOPIC.on("legacy", "echo-stays", "one-block-late")
