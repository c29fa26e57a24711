"""The hybrid resampler: no click at the change of backend, and a buffer that follows a drifting clock."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.components import samples_of, sound
from conformance.targets import Target
from shim import HybridResampler
from shim.spi.errors import InvalidMediaError

HAVE_LEGACY = Target("legacy").absence() is None
BACKENDS = [("native", "native"), *([("legacy", "native"), ("native", "legacy")] if HAVE_LEGACY else [])]
FREQUENCY = 440.0


class Stream:
    """A tone whose sender's clock runs faster than ours by some parts per million."""

    def __init__(self, resampler: HybridResampler, rate: int, drift: float = 0.0, pull: float = 0.01) -> None:
        self.resampler, self._rate, self._speed = resampler, rate, 1 + drift * 1e-6
        self._sent, self._now, self._pull = 0, 0.0, pull

    def run(self, seconds: float, rate: int) -> NDArray[np.float64]:
        """Let time pass; return what was pulled."""
        frames = []
        for _ in range(round(seconds / self._pull)):
            self._now += self._pull
            while self._sent / (self._rate * self._speed) < self._now:
                self._send(round(self._rate * min(0.02, self._pull)))
            frames.append(self.resampler.pull(round(rate * self._pull)))
        signal: NDArray[np.float64] = samples_of(frames)[0]
        return signal

    def _send(self, samples: int) -> None:
        times = (self._sent + np.arange(samples)) / self._rate
        self.resampler.push(sound(0.5 * np.sin(2 * np.pi * FREQUENCY * times), self._rate))
        self._sent += samples


def roughness(signal: NDArray[np.float64], rate: int) -> float:
    """Return the largest deviation from the recursion of two terms that a tone obeys: a click is one."""
    step: float = 2 * np.cos(2 * np.pi * FREQUENCY / rate)
    return float(np.abs(signal[2:] - step * signal[1:-1] + signal[:-2]).max())


@pytest.mark.parametrize(("first", "then"), BACKENDS)
@pytest.mark.parametrize("source", [44100, 48000, 16000])
def test_change_of_backend_makes_no_click(first: str, then: str, source: int) -> None:
    resampler = HybridResampler(48000, format="flt", first=first, then=then, after=0.5)
    stream = Stream(resampler, source)
    stream.run(0.3, 48000)
    assert resampler.backendDecision.backend == first
    signal = stream.run(0.7, 48000)
    assert resampler.backendDecision.backend == then
    assert roughness(signal, 48000) < 2e-4
    windows = signal[: len(signal) // 480 * 480].reshape(-1, 480)
    assert np.abs(windows).max(1) == pytest.approx(0.5, abs=0.02)
    assert (resampler.concealed, resampler.dropped) == (0, 0)


def test_change_can_be_asked_for() -> None:
    resampler = HybridResampler(48000, format="flt", first="native", then=BACKENDS[-1][1], after=None)
    stream = Stream(resampler, 44100)
    stream.run(1.2, 48000)
    assert resampler.backendDecision.backend == "native"
    resampler.cross_over()
    assert roughness(stream.run(0.5, 48000), 48000) < 2e-4
    assert resampler.backendDecision.backend == BACKENDS[-1][1]


def test_backend_that_cannot_serve_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_BLOCK_BACKENDS", "legacy")
    resampler = HybridResampler(48000, first="legacy", then="native")
    assert resampler.backendDecision.backend == "native"


@pytest.mark.parametrize("drift", [-500, 0, 500])
def test_buffer_follows_a_drifting_clock(drift: float) -> None:
    resampler = HybridResampler(16000, format="flt", first="native", then="native", after=2, latency=0.05)
    stream = Stream(resampler, 16000, drift, pull=0.005)
    stream.run(30, 16000)
    levels, drifts = [], []
    for _ in range(400):
        stream.run(0.1, 16000)
        levels.append(resampler.level)
        drifts.append(resampler.drift)
    assert (resampler.concealed, resampler.dropped) == (0, 0)
    # Frames arrive in lumps of 5 ms: so much of the level is not known.
    assert np.mean(drifts) == pytest.approx(drift, abs=150)
    assert np.mean(levels) == pytest.approx(0.05, abs=0.012)
    assert max(levels) < 0.1


def test_speed_changes_without_a_click() -> None:
    resampler = HybridResampler(48000, format="flt", first="native", then="native", after=None)
    stream = Stream(resampler, 48000, 500)
    stream.run(1, 48000)
    assert roughness(stream.run(8, 48000), 48000) < 2e-4


def test_buffer_is_bounded() -> None:
    resampler = HybridResampler(48000, format="flt", first="native", then="native", latency=0.04)
    for _ in range(500):
        resampler.push(sound(np.zeros(960), 48000))
        resampler.pull(48)
        assert resampler.level < 0.04 + 0.2 + 0.02
    assert resampler.dropped > 0


def test_gap_is_filled_with_silence_and_counted() -> None:
    resampler = HybridResampler(48000, format="flt", first="native", then="native", latency=0.04)
    Stream(resampler, 48000).run(0.5, 48000)
    signal = samples_of([resampler.pull(4800) for _ in range(3)])[0]
    assert not signal[-4800:].any()
    assert resampler.concealed > 4800
    recovered = Stream(resampler, 48000).run(0.5, 48000)
    assert np.abs(recovered[-4800:]).max() == pytest.approx(0.5, abs=0.01)


def test_frames_count_their_time_and_have_the_form_asked_for() -> None:
    resampler = HybridResampler(48000, "stereo", "s16p", first="native", then="native")
    resampler.push(sound(np.zeros(441), 44100))
    frames = [resampler.pull(480) for _ in range(3)]
    assert [frame.pts for frame in frames] == [0, 480, 960]
    assert {(f.samples, f.format.name, f.layout.name, f.sample_rate) for f in frames} == {
        (480, "s16p", "stereo", 48000)
    }


def test_change_of_the_input_goes_on() -> None:
    resampler = HybridResampler(48000, "mono", "flt", first="native", then="native", after=0.3)
    Stream(resampler, 44100).run(0.5, 48000)
    signal = Stream(resampler, 16000).run(1, 48000)
    assert np.abs(signal[-4800:]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "wish", [{"latency": 0}, {"latency": 2}, {"format": "u8"}, {"rate": 0}, {"layout": "no"}], ids=str
)
def test_impossible_wish_is_refused(wish: dict[str, object]) -> None:
    with pytest.raises(InvalidMediaError):
        HybridResampler(**{"rate": 48000, "first": "native"} | wish)  # type: ignore[arg-type]


@pytest.mark.parametrize("samples", [0, -1, 48001])
def test_impossible_pull_is_refused(samples: int) -> None:
    with pytest.raises(InvalidMediaError):
        HybridResampler(48000, first="native").pull(samples)
