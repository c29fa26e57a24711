"""How loud sound is: what statistics add up (webrtc-stats, totalAudioEnergy)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from av import AudioFrame

STRIDE: Final = 7
"""Every seventh sample is looked at: all of them would take longer than decoding does."""
FULL_SCALE: Final = 32768


@dataclass(slots=True)
class SoundMeter:
    """Adds up sound.

    :param energy: the sum of duration times squared level, level 1 being the loudest there is.
    :param seconds: how long all of it was.
    """

    energy: float = 0.0
    seconds: float = 0.0

    def note(self, frame: AudioFrame) -> None:
        """Add packed 16-bit samples."""
        seconds = frame.samples / frame.sample_rate
        self.seconds += seconds
        self.energy += seconds * _power_of(frame)


def _power_of(frame: AudioFrame) -> float:
    """Return the mean square of the loudest channel, 0 to 1."""
    channels = frame.layout.nb_channels
    samples = memoryview(frame.planes[0])[: frame.samples * channels * 2].cast("h")
    return max(_mean_square(samples[channel :: STRIDE * channels].tolist()) for channel in range(channels))


def _mean_square(samples: list[int]) -> float:
    return sum([s * s for s in samples]) / max(1, len(samples)) / FULL_SCALE**2
