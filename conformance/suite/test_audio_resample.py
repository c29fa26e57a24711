"""Resampling of sound: what comes out, how much of it, and when."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from av import AudioFrame, VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.components import resampler_of, samples_of, sound
from conformance.requirements import spec
from conformance.strategies import EXAMPLES
from shim import AudioResampler
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from conformance.targets import Target

RATES: Final = [(48000, 16000), (44100, 48000), (48000, 44100), (8000, 48000), (16000, 48000), (192000, 48000)]
UNEVEN: Final = [(44101, 48000), (11025, 16000), (8000, 192000), (192000, 8000), (47999, 48000), (12900, 48000)]
FORMATS: Final = ("s16", "s16p", "flt", "fltp")
AMPLITUDE: Final = 0.5


def name_of(rates: tuple[int, int]) -> str:
    return f"{rates[0]}-{rates[1]}"


def tone(rate: int, frequency: float, seconds: float = 0.25, amplitude: float = AMPLITUDE) -> NDArray[np.float64]:
    times = np.arange(round(rate * seconds)) / rate
    signal: NDArray[np.float64] = amplitude * np.sin(2 * np.pi * frequency * times + 0.4)
    return signal


def resampled(
    target: Target, signal: NDArray[np.float64], rates: tuple[int, int], format: str = "flt"
) -> NDArray[np.float64]:
    """Return the output for a mono signal that goes in at once."""
    resampler = resampler_of(target, rates[1], format=format)
    frames = resampler.resample(sound(signal, rates[0], format=format))
    out: NDArray[np.float64] = samples_of(frames + resampler.resample(None))[0]
    return out


class Tone:
    """What is left of a tone: its level and place, and everything else.

    :param signal: without its ends, where a filter sees silence.
    """

    def __init__(self, signal: NDArray[np.float64], rate: int, frequency: float) -> None:
        inner = slice(len(signal) // 5, -len(signal) // 5)
        times = np.arange(len(signal))[inner] / rate
        waves = np.stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)], 1)
        weights = np.linalg.lstsq(waves, signal[inner], rcond=None)[0]
        rest = signal[inner] - waves @ weights
        self.gain = 20 * np.log10(np.hypot(*weights) / AMPLITUDE)
        self.snr = 10 * np.log10((waves @ weights).var() / max(rest.var(), 1e-20))
        self.shift = (0.4 - np.arctan2(weights[1], weights[0])) / (2 * np.pi * frequency)


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize(("format", "least"), [("flt", 65), ("fltp", 65), ("s16", 60), ("s16p", 60)])
@pytest.mark.parametrize("rates", RATES, ids=name_of)
def test_tone_comes_out_clean(target: Target, rates: tuple[int, int], format: str, least: float) -> None:
    for share in (0.031, 0.21, 0.47, 0.71):
        frequency = share * min(rates) / 2
        found = Tone(resampled(target, tone(rates[0], frequency), rates, format), rates[1], frequency)
        assert found.snr >= least, f"{found.snr:.0f} dB at {frequency:.0f} Hz"


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", RATES, ids=name_of)
def test_pass_band_is_level(target: Target, rates: tuple[int, int]) -> None:
    levels = []
    for share in (0.05, 0.2, 0.35, 0.5, 0.6, 0.7):
        frequency = share * min(rates) / 2
        levels.append(Tone(resampled(target, tone(rates[0], frequency), rates), rates[1], frequency).gain)
    assert max(map(abs, levels)) <= 0.1, [f"{level:.2f} dB" for level in levels]


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", [rates for rates in RATES if rates[0] > 1.3 * rates[1]], ids=name_of)
def test_what_the_output_cannot_carry_is_kept_out(target: Target, rates: tuple[int, int]) -> None:
    for share in (1.2, 1.5, 1.9):
        signal = resampled(target, tone(rates[0], share * rates[1] / 2), rates)
        inner = signal[len(signal) // 5 : -len(signal) // 5]
        assert 20 * np.log10(inner.std() / (AMPLITUDE / np.sqrt(2)) + 1e-12) <= -60


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", RATES, ids=name_of)
def test_output_is_not_shifted(target: Target, rates: tuple[int, int]) -> None:
    for share in (0.05, 0.3):
        frequency = share * min(rates) / 2
        found = Tone(resampled(target, tone(rates[0], frequency), rates), rates[1], frequency)
        assert abs(found.shift) * rates[1] <= 0.02, f"shifted by {found.shift * rates[1]:.3f} samples"


def fed(target: Target, signal: NDArray[np.float64], rates: tuple[int, int], sizes: Sequence[int]) -> list[AudioFrame]:
    """Return the output for a signal that goes in by pieces; the last one repeats."""
    resampler, place, frames = resampler_of(target, rates[1]), 0, []
    for size in [*sizes, len(signal)]:
        piece = signal[place : place + size]
        frames += resampler.resample(sound(piece, rates[0]))
        place += len(piece)
    return frames + resampler.resample(None)


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", RATES + UNEVEN, ids=name_of)
def test_count_is_exact_and_output_the_same_however_it_is_cut(target: Target, rates: tuple[int, int]) -> None:
    resampler_of(target, 48000)  # skips before hypothesis starts
    signal = np.random.default_rng(3).normal(0, 0.2, 1200)
    whole = samples_of(fed(target, signal, rates, []))

    @settings(EXAMPLES, max_examples=12)
    @given(st.lists(st.integers(0, 700), max_size=12))
    def cut(sizes: list[int]) -> None:
        found = samples_of(fed(target, signal, rates, sizes))
        assert found.shape[1] == -(-len(signal) * rates[1] // rates[0])
        # A float may be rounded another way where vector code ends.
        assert np.abs(found - whole).max() <= 1e-6

    cut()


@settings(EXAMPLES, max_examples=30)
@given(st.integers(8000, 192000), st.integers(8000, 192000), st.integers(1, 3000))
def _check_count(target: Target, source: int, rate: int, samples: int) -> None:
    signal = np.random.default_rng(4).normal(0, 0.2, samples)
    assert samples_of(fed(target, signal, (source, rate), [])).shape[1] == -(-samples * rate // source)


@spec("docs/media.md AudioResampler")
def test_count_is_exact_at_any_two_rates(target: Target) -> None:
    resampler_of(target, 48000)
    _check_count(target)


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", RATES + UNEVEN, ids=name_of)
@pytest.mark.parametrize("size", [1, 160, 441, 1024])
def test_no_more_is_held_back_than_is_said(target: Target, rates: tuple[int, int], size: int) -> None:
    resampler, taken, given_out = resampler_of(target, rates[1]), 0, 0
    rounds = 2000 if size == 1 else 20
    piece = sound(np.zeros(size), rates[0])
    for _ in range(rounds):
        given_out += sum(frame.samples for frame in resampler.resample(piece))
        taken += size
        assert taken / rates[0] - given_out / rates[1] <= resampler.delay + 1e-9
    assert 0 < resampler.delay <= 0.02


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 48000)], ids=name_of)
def test_delay_is_small_where_it_is_heard(target: Target, rates: tuple[int, int]) -> None:
    resampler = resampler_of(target, rates[1])
    resampler.resample(sound(np.zeros(480), rates[0]))
    assert resampler.delay <= 0.0035


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("rates", RATES, ids=name_of)
def test_silence_stays_silent(target: Target, rates: tuple[int, int]) -> None:
    assert not resampled(target, np.zeros(rates[0] // 10), rates).any()
    assert not resampled(target, np.zeros(rates[0] // 10), rates, "s16").any()


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("format", ["s16", "s16p"])
def test_what_is_too_loud_is_clipped_and_does_not_wrap(target: Target, format: str) -> None:
    signal = np.sign(tone(44100, 440.0)) * 1.5
    resampler = resampler_of(target, 48000, format=format)
    frames = resampler.resample(sound(signal, 44100, format="flt")) + resampler.resample(None)
    found = samples_of(frames)[0]
    assert (found.max(), found.min()) == (32767 / 32768, -1)
    assert (np.sign(found) == np.sign(np.sin(2 * np.pi * 440 * np.arange(len(found)) / 48000 + 0.4))).mean() > 0.98


@spec("docs/media.md AudioResampler")
def test_float_is_not_clipped(target: Target) -> None:
    signal = tone(44100, 440.0, amplitude=3.0)
    assert resampled(target, signal, (44100, 48000)).max() == pytest.approx(3, abs=0.05)


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rates", [(48000, 48000), (48000, 16000)], ids=name_of)
def test_sample_formats_are_converted(target: Target, source: str, format: str, rates: tuple[int, int]) -> None:
    signal = np.stack([tone(rates[0], 500.0), tone(rates[0], 900.0)])
    resampler = resampler_of(target, rates[1], "stereo", format)
    frames = resampler.resample(sound(signal, rates[0], "stereo", source)) + resampler.resample(None)
    assert {(f.format.name, f.layout.name, f.sample_rate) for f in frames} == {(format, "stereo", rates[1])}
    for channel, frequency in zip(samples_of(frames), (500.0, 900.0), strict=True):
        assert Tone(channel, rates[1], frequency).snr > 60


def levels(target: Target, source: str, layout: str, rates: tuple[int, int] = (48000, 48000)) -> NDArray[np.float64]:
    """Return how loud each channel of the input is in each channel of the output."""
    channels = len(AudioFrame("s16", source, 1).layout.channels)
    found = []
    for channel in range(channels):
        signal = np.zeros((channels, rates[0] // 10))
        signal[channel] = AMPLITUDE
        resampler = resampler_of(target, rates[1], layout)
        out = samples_of(resampler.resample(sound(signal, rates[0], source)) + resampler.resample(None))
        found.append(out[:, out.shape[1] // 2] / AMPLITUDE)
    return np.stack(found, 1)


@spec("ITU-R BS.775-3 annex 4")
@pytest.mark.parametrize("rates", [(48000, 48000), (48000, 44100)], ids=name_of)
@pytest.mark.parametrize(
    ("source", "layout", "expected"),
    [
        ("mono", "stereo", [[1], [1]]),
        ("stereo", "mono", [[0.5, 0.5]]),
        ("mono", "5.1", [[0], [0], [1], [0], [0], [0]]),
        ("stereo", "quad", [[1, 0], [0, 1], [0, 0], [0, 0]]),
        ("7.1", "7.1", np.eye(8)),
        ("5.1", "stereo", np.array([[1, 0, 0.70711, 0, 0.70711, 0], [0, 1, 0.70711, 0, 0, 0.70711]]) / 2.41421),
    ],
)
def test_channels_are_mixed_by_the_book(
    target: Target, source: str, layout: str, expected: Any, rates: tuple[int, int]
) -> None:
    assert levels(target, source, layout, rates) == pytest.approx(np.array(expected), abs=2e-3)


@spec("ITU-R BS.775-3", "docs/media.md AudioResampler")
@pytest.mark.parametrize("layout", ["mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1"])
def test_channels_stay_apart(target: Target, layout: str) -> None:
    channels = len(AudioFrame("s16", layout, 1).layout.channels)
    signal = np.stack([tone(48000, 300.0 + 100 * channel) for channel in range(channels)])
    for format in FORMATS:
        resampler = resampler_of(target, 44100, layout, format)
        frames = resampler.resample(sound(signal, 48000, layout, format)) + resampler.resample(None)
        for channel, samples in enumerate(samples_of(frames)):
            assert Tone(samples, 44100, 300.0 + 100 * channel).snr > 60


@spec("docs/media.md AudioResampler")
def test_times_count_on_from_the_first_frame(target: Target) -> None:
    resampler = resampler_of(target, 16000)
    frames = []
    for index in range(5):
        frame = sound(np.zeros(960), 48000)
        frame.pts = 48000 + 960 * index
        frames += resampler.resample(frame)
    frames += resampler.resample(None)
    place = 16000
    for frame in frames:
        assert (frame.pts, frame.time_base) == (place, Fraction(1, 16000))
        place += frame.samples
    assert place == 16000 + 1600


@spec("docs/media.md AudioResampler")
def test_flush_ends_a_stream_and_the_next_frame_begins_one(target: Target) -> None:
    resampler, first = resampler_of(target, 16000), tone(48000, 700.0, 0.05)
    once = samples_of(resampler.resample(sound(first, 48000)) + resampler.resample(None))
    assert resampler.resample(None) == []
    again = samples_of(resampler.resample(sound(first, 48000)) + resampler.resample(None))
    assert np.array_equal(once, again)


@spec("docs/media.md AudioResampler")
def test_change_of_form_flushes_what_came_before(target: Target) -> None:
    resampler = resampler_of(target, 16000)
    frames = resampler.resample(sound(tone(48000, 700.0, 0.02), 48000))
    frames += resampler.resample(sound(np.zeros((2, 882)), 44100, "stereo", "s16p"))
    frames += resampler.resample(sound(np.zeros(160), 16000))
    frames += resampler.resample(None)
    assert sum(frame.samples for frame in frames) == 320 + 320 + 160
    assert {(frame.sample_rate, frame.layout.name, frame.format.name) for frame in frames} == {(16000, "mono", "flt")}


@spec("docs/media.md AudioResampler")
def test_input_is_left_alone(target: Target) -> None:
    frame = sound(tone(48000, 700.0, 0.02), 48000)
    frame.pts = 77
    before = bytes(frame.planes[0])
    resampler_of(target, 16000).resample(frame)
    assert (bytes(frame.planes[0]), frame.pts, frame.sample_rate) == (before, 77, 48000)


@spec("docs/media.md AudioResampler")
def test_frame_without_samples_gives_nothing(target: Target) -> None:
    resampler = resampler_of(target, 16000)
    frame = AudioFrame("flt", "mono", 0)
    frame.sample_rate = 48000
    assert resampler.resample(frame) == []
    assert resampler.resample(None) == []


def _bad(value: float) -> AudioFrame:
    signal = np.zeros(480)
    signal[100] = value
    return sound(signal, 48000)


def _at(rate: int) -> AudioFrame:
    frame = AudioFrame("s16", "mono", 480)
    frame.sample_rate = rate
    return frame


BAD_FRAMES: Final[dict[str, Any]] = {
    "not a frame": object(),
    "a picture": VideoFrame(16, 16),
    "rate 0": _at(0),
    "negative rate": _at(-48000),
    "rate too low": _at(7999),
    "rate too high": _at(192001),
    "NaN": _bad(np.nan),
    "infinity": _bad(np.inf),
    "unsupported format": AudioFrame("s32", "mono", 480),
    "too many channels": AudioFrame("s16", "22.2", 480),
}


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize("name", BAD_FRAMES)
def test_impossible_frame_is_refused_alike_everywhere(target: Target, name: str) -> None:
    frame = BAD_FRAMES[name]
    if name in {"unsupported format", "too many channels"}:
        frame.sample_rate = 48000
    resampler = resampler_of(target, 16000)
    with pytest.raises(InvalidMediaError) as caught:
        resampler.resample(frame)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.backend, caught.value.component) == (target.name, "audio_resample")


@spec("docs/media.md AudioResampler")
def test_refused_frame_does_not_harm_the_stream(target: Target) -> None:
    signal = tone(48000, 700.0, 0.1)
    resampler = resampler_of(target, 16000)
    frames = resampler.resample(sound(signal, 48000))
    with pytest.raises(InvalidMediaError):
        resampler.resample(_bad(np.nan))
    frames += resampler.resample(None)
    assert np.array_equal(samples_of(frames)[0], resampled(target, signal, (48000, 16000)))


@spec("docs/media.md AudioResampler")
@pytest.mark.parametrize(
    "wish",
    [
        {"rate": 0},
        {"rate": -1},
        {"rate": 192001},
        {"rate": 44100.5},
        {"rate": 48000, "layout": "sensurround"},
        {"rate": 48000, "layout": "22.2"},
        {"rate": 48000, "layout": None},
        {"rate": 48000, "format": "u8"},
        {"rate": 48000, "format": None},
    ],
    ids=str,
)
def test_impossible_output_is_refused(target: Target, wish: dict[str, Any]) -> None:
    resampler_of(target, 48000)
    with pytest.raises(InvalidMediaError):
        AudioResampler(**wish, backend=target.name)


@spec("docs/media.md AudioResampler")
def test_decision_says_who_resamples(target: Target) -> None:
    decision = resampler_of(target, 48000).backendDecision
    assert (decision.backend, decision.component) == (target.name, "audio_resample")
