"""How long sound takes from one rate to another, and how clean it is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any, Final

from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.subjects.base import Subject

_RATES: Final = ((48000, 16000), (44100, 48000))
_TONES: Final = (0.041, 0.353, 0.707)
"""Shares of the band of the lower rate."""


def _tone(rate: int, share: float, band: int, frames: int) -> list[Any]:
    import numpy as np
    from av import AudioFrame

    size = rate // 50
    wave = 0.5 * np.sin(2 * np.pi * share * band / 2 * np.arange(size * frames) / rate + 0.3)
    made = []
    for index in range(frames):
        samples = np.rint(wave[index * size : (index + 1) * size] * 32768).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, index * size, Fraction(1, rate)
        made.append(frame)
    return made


class SoxrResampler:
    """A stream of soxr at the quality that competes, with as much of AudioResampler as is measured."""

    def __init__(self, source: int, rate: int) -> None:
        stream = import_module("soxr").ResampleStream
        self._stream = stream(source, rate, 1, dtype="int16", quality="HQ")
        self._rate = rate
        self._held = 0.0

    @property
    def delay(self) -> float:
        """Seconds that it has held back at most."""
        return self._held

    def resample(self, frame: Any) -> list[Any]:  # noqa: ANN401 - of PyAV
        """Feed a frame; return what is ready."""
        from av import AudioFrame

        samples = self._stream.resample_chunk(frame.to_ndarray().reshape(-1))
        self._held = max(self._held, self._stream.delay() / self._rate)
        if not len(samples):
            return []
        out = AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        out.sample_rate = self._rate
        return [out]


def _resampler(subject: Subject, source: int, rate: int) -> Any:  # noqa: ANN401 - either kind
    from shim import AudioResampler

    if subject.name == "soxr":
        return SoxrResampler(source, rate)
    return AudioResampler(rate, "mono", "s16", backend=subject.name)


async def resample(source: int, rate: int, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Feed frames of 20 ms, mono and s16, one after the other."""
    resampler = _resampler(subject, source, rate)
    frames = _tone(source, _TONES[0], min(source, rate), 100)
    rounds = effort.pick(20, 5)
    for frame in frames:
        resampler.resample(frame)
    started = time.process_time()
    for _ in range(rounds):
        for frame in frames:
            resampler.resample(frame)
    taken = (time.process_time() - started) / (rounds * len(frames))
    snr = min(_snr(_resampler(subject, source, rate), source, rate, share) for share in _TONES)
    return {"time": taken * 1e6, "realtime": 0.02 / taken, "snr": snr, "delay": resampler.delay * 1000}


def _snr(resampler: Any, source: int, rate: int, share: float) -> float:  # noqa: ANN401
    import numpy as np

    band = min(source, rate)
    frames = [out for frame in _tone(source, share, band, 20) for out in resampler.resample(frame)]
    signal = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(float)
    inner = slice(rate // 20, -rate // 20)
    turns = 2 * np.pi * share * band / 2 * np.arange(len(signal))[inner] / rate
    waves = np.stack([np.sin(turns), np.cos(turns)], 1)
    fitted = waves @ np.linalg.lstsq(waves, signal[inner], rcond=None)[0]
    return 10 * math.log10(fitted.var() / (signal[inner] - fitted).var())


def _metric(source: int, rate: int) -> Metric:
    return Metric(
        name=f"audio_resample_{source}_{rate}",
        title=f"resampling, {source / 1000:g} to {rate / 1000:g} kHz",
        group="components",
        about="AudioResampler.resample() of frames of 20 ms, mono, 16 bits; processor time, which tells "
        "on a busy machine. SNR: the worst of three tones, up to 0.7 of the band. soxr, quality HQ, as a third: held "
        "back is what its stream says.",
        figures=(
            Figure("time", "CPU per 20 ms frame", "us", targets=(Target(1.0),)),
            Figure("realtime", "times realtime", "x", "higher"),
            Figure("snr", "SNR", "dB", "higher", (Target(0.99, at_most=False),)),
            Figure("delay", "longest held back", "ms"),
        ),
        measure=partial(resample, source, rate),
        subjects=("native", "legacy", "soxr"),
        rounds=9,
        quick_rounds=3,
    )


METRICS = tuple(_metric(*rates) for rates in _RATES)
