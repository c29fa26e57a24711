"""Sound like speech: syllables of voice and hiss with pauses, no two alike, so that any part of it can be found again.

The voice is a sum of the harmonics of a gliding pitch, weighted by the formants of a vowel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

RATE: Final = 48000
_SYLLABLE: Final = 0.22
_PITCHES: Final = (95.0, 190.0)
_VOWELS: Final[tuple[tuple[int, int, int], ...]] = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)
"""Formants in Hz of a, i, u, e, o: Peterson and Barney, 1952."""

Sound = npt.NDArray[np.float64]


def speak(seconds: float, seed: int = 1) -> npt.NDArray[np.int16]:
    """Return mono sound at :data:`RATE`; the same for the same seed, and a longer one starts like a shorter one."""
    random = np.random.default_rng(seed)
    syllables: list[Sound] = []
    length = 0
    while length < seconds * RATE:
        syllables.append(_syllable(random))
        length += len(syllables[-1])
    voice = np.concatenate(syllables)[: int(seconds * RATE)]
    return (voice * 9000).astype(np.int16)


def stereo(mono: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return interleaved stereo of shape (1, 2n), the voice slightly to the left."""
    both = np.empty((1, 2 * len(mono)), np.int16)
    both[0, 0::2] = mono
    both[0, 1::2] = mono * 0.8
    return both


def _syllable(random: np.random.Generator) -> Sound:
    hiss = _hiss(random, int(random.uniform(0.02, 0.07) * RATE))
    voice = _voice(random, int(random.uniform(0.7, 1.3) * _SYLLABLE * RATE))
    pause = np.zeros(int(random.choice([0.0, 0.02, 0.25], p=[0.5, 0.35, 0.15]) * RATE))
    return np.concatenate([hiss, voice, pause])


def _voice(random: np.random.Generator, samples: int) -> Sound:
    time = np.arange(samples) / samples
    start, end = random.uniform(*_PITCHES, size=2)
    pitch = start + (end - start) * time + 4 * np.sin(2 * np.pi * 5.5 * time * samples / RATE)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    first, second = (_VOWELS[index] for index in random.choice(len(_VOWELS), 2, replace=False))
    voice = np.zeros(samples)
    for harmonic in range(1, int(4000 / pitch.max()) + 1):
        frequency = harmonic * pitch
        weight = (1 - time) * _formants(frequency, first) + time * _formants(frequency, second)
        voice += weight * np.sin(harmonic * phase)
    return np.asarray(voice / np.abs(voice).max() * _swell(samples) * random.uniform(0.6, 1.0))


def _formants(frequency: Sound, vowel: tuple[int, ...]) -> Sound:
    weight: Sound = np.full(frequency.shape, 0.01, np.float64)
    for formant, gain in zip(vowel, (1, 0.5, 0.25), strict=True):
        weight += gain / (1 + ((frequency - formant) / 90) ** 2)
    return weight


def _hiss(random: np.random.Generator, samples: int) -> Sound:
    noise = np.diff(random.normal(size=samples + 1))
    return noise * 0.08 * _swell(samples)


def _swell(samples: int) -> Sound:
    """Return an envelope that rises within 15 ms and falls within 40 ms, or less if there is no time for it."""
    time = np.arange(samples) / RATE
    rise, fall = np.clip(time / 0.015, 0, 1), np.clip((samples / RATE - time) / 0.04, 0, 1)
    return np.asarray(np.minimum(rise, fall), np.float64)
