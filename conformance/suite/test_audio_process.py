"""Processing of speech: what is taken out of it, what is left, and when it comes."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import pytest
from av import AudioFrame, VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.components import processor_of, require_processor, samples_of, sound
from conformance.requirements import requires, spec
from conformance.strategies import EXAMPLES
from shim import AudioProcessor, AudioStreamTrack, MediaStreamTrack, ProcessorStats, VideoStreamTrack
from shim.calls.speech import RATE, speak
from shim.spi.capabilities import Capability
from shim.spi.engines import NoiseSuppression
from shim.spi.errors import CapabilityError, InvalidMediaError, MediaStreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from conformance.targets import Target

    Signal = NDArray[np.float64]

PATIENCE: Final = 10.0


@pytest.fixture(autouse=True)
def _processor(target: Target, request: pytest.FixtureRequest) -> None:
    require_processor(target, request.config)


@lru_cache
def speech(seconds: float, rate: int, seed: int) -> Signal:
    """Return sound like speech, full scale 1, below 4 kHz."""
    found: Signal = speak(seconds, seed)[:: RATE // rate].astype(np.float64) / 32768
    return found


def noise(samples: int, level: float) -> Signal:
    return np.random.default_rng(2).normal(0, level, samples)


def delayed(signal: Signal, samples: int) -> Signal:
    return np.concatenate([np.zeros(samples), signal])[: len(signal)]


def decibel(signal: Signal) -> float:
    """Return the mean power, 0 for that of a square of full scale."""
    return float(10 * np.log10(np.mean(signal**2) + 1e-12))


def likeness(one: Signal, other: Signal) -> float:
    """Return how much alike the magnitudes of two spectra are over time, 1 for the same."""

    def spectrum(signal: Signal) -> Signal:
        windows = signal[: len(signal) // 320 * 320].reshape(-1, 320) * np.hanning(320)
        return np.asarray(np.abs(np.fft.rfft(windows)).ravel())

    return float(np.corrcoef(spectrum(one), spectrum(other))[0, 1])


def processed(processor: AudioProcessor, near: Signal, far: Signal | None = None, size: int | None = None) -> Signal:
    """Feed both ends by frames of `size` samples, 10 ms unless told; return the output."""
    rate, out = processor.settings.rate, []
    size = size or rate // 100
    for place in range(0, len(near), size):
        if far is not None:
            processor.process_reverse(sound(far[place : place + size], rate, format="s16"))
        out.append(processor.process(sound(near[place : place + size], rate, format="s16")))
    found: Signal = samples_of(out)[0]
    return found


class Room:
    """A loudspeaker whose sound comes back to the microphone, weaker and later; and perhaps somebody who talks.

    :param talks_from: second at which the talker begins.
    """

    def __init__(self, rate: int, seconds: float, delay: float, talks_from: float | None = None) -> None:
        self.rate = rate
        self.far = speech(seconds, rate, 1)
        self.echo = 0.5 * delayed(self.far, round(delay * rate))
        self.talker = np.zeros_like(self.far)
        if talks_from is not None:
            start = round(talks_from * rate)
            self.talker[start:] = speech(seconds, rate, 5)[start:]
        self.microphone = self.echo + self.talker + noise(len(self.far), 1e-4)

    def part(self, start: float, end: float) -> slice:
        return slice(round(start * self.rate), round(end * self.rate))


@spec("RFC 7874 5")
@pytest.mark.parametrize("delay", [0.01, 0.06, 0.45])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_echo_is_cancelled(target: Target, rate: int, delay: float) -> None:
    room = Room(rate, 6, delay)
    processor = processor_of(target, rate, echo_cancellation=True)
    out = processed(processor, room.microphone, room.far)
    listened = room.part(3, 6)
    enhancement = decibel(room.microphone[listened]) - decibel(out[listened])
    assert enhancement >= 20, f"{enhancement:.1f} dB"


@spec("RFC 7874 5")
def test_echo_is_cancelled_when_the_delay_is_told(target: Target) -> None:
    room = Room(16000, 6, 0.12)
    processor = processor_of(target, echo_cancellation=True)
    processor.delay = 0.12
    out = processed(processor, room.microphone, room.far)
    assert processor.delay == 0.12
    assert decibel(room.microphone[room.part(3, 6)]) - decibel(out[room.part(3, 6)]) >= 20


@spec("RFC 7874 5")
def test_echo_is_cancelled_when_the_far_end_has_another_form(target: Target) -> None:
    room = Room(16000, 6, 0.06)
    processor = processor_of(target, echo_cancellation=True)
    far = speech(6, 48000, 1)
    out = []
    for place in range(0, len(room.far), 320):
        played = far[place * 3 : place * 3 + 960]
        processor.process_reverse(sound(np.stack([played, played]), 48000, "stereo", "flt"))
        out.append(processor.process(sound(room.microphone[place : place + 320], 16000, format="s16")))
    found = samples_of(out)[0]
    assert decibel(room.microphone[room.part(3, 6)]) - decibel(found[room.part(3, 6)]) >= 20


@spec("RFC 7874 5")
def test_talker_survives_echo_cancellation(target: Target) -> None:
    room = Room(16000, 8, 0.06, talks_from=4)
    out = processed(processor_of(target, echo_cancellation=True), room.microphone, room.far)
    both = room.part(5, 8)
    assert decibel(out[both]) - decibel(room.talker[both]) == pytest.approx(0, abs=5)
    heard = max(likeness(delayed(room.talker, lag)[both], out[both]) for lag in range(0, 240, 8))
    assert heard >= 0.8
    assert likeness(room.talker[both], room.echo[both]) < 0.5


@spec("RFC 7874 5")
def test_talker_alone_is_left_as_he_is(target: Target) -> None:
    talker = speech(6, 16000, 5)
    out = processed(processor_of(target, echo_cancellation=True), talker, np.zeros_like(talker))
    inner = slice(3 * 16000, 6 * 16000)
    assert decibel(out[inner]) - decibel(talker[inner]) == pytest.approx(0, abs=1)


@spec("docs/media.md AudioProcessor")
def test_echo_stays_unless_asked(target: Target) -> None:
    room = Room(16000, 3, 0.06)
    out = processed(processor_of(target, noise_suppression="off"), room.microphone, room.far)
    assert np.array_equal(out, np.rint(room.microphone * 32768) / 32768)


@spec("webrtc-stats 6", "docs/media.md AudioProcessor")
@requires(Capability.AUDIO_ECHO_STATS)
def test_statistics_tell_about_the_echo(target: Target) -> None:
    room = Room(16000, 6, 0.12)
    processor = processor_of(target, echo_cancellation=True)
    assert processor.stats == ProcessorStats()
    out = processed(processor, room.microphone, room.far)
    stats = processor.stats
    assert stats.echo_return_loss is not None
    assert stats.echo_return_loss_enhancement is not None
    assert stats.echo_delay == pytest.approx(0.12, abs=0.012)
    # Half the amplitude is 6 dB; the canceller counts per band, and in steps of time.
    assert 3 <= stats.echo_return_loss <= 25
    assert stats.echo_return_loss_enhancement >= 10
    assert decibel(room.echo[-16000:]) - decibel(out[-16000:]) >= 20


@spec("docs/media.md AudioProcessor")
def test_statistics_are_empty_without_echo_cancellation(target: Target) -> None:
    processor = processor_of(target, high_pass=True)
    processed(processor, speech(1, 16000, 1))
    assert processor.stats.echo_return_loss_enhancement is None


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_noise_is_suppressed(target: Target, rate: int) -> None:
    hiss = noise(5 * rate, 0.02)
    out = processed(processor_of(target, rate, noise_suppression="high"), hiss)
    reduction = decibel(hiss[3 * rate :]) - decibel(out[3 * rate :])
    assert reduction >= 10, f"{reduction:.1f} dB"


@spec("docs/media.md AudioProcessor")
def test_speech_in_noise_is_kept(target: Target) -> None:
    hiss, talker = noise(8 * 16000, 0.004), speech(8, 16000, 3).copy()
    talker[: 4 * 16000] = 0
    out = processed(processor_of(target, noise_suppression="high"), hiss + talker)
    before, during = slice(2 * 16000, 4 * 16000), slice(5 * 16000, 8 * 16000)
    assert decibel(hiss[before]) - decibel(out[before]) >= 10
    assert decibel(out[during]) - decibel(talker[during]) == pytest.approx(0, abs=2)


@spec("docs/media.md AudioProcessor")
@requires(Capability.AUDIO_NOISE_LEVELS)
def test_higher_levels_suppress_more_noise(target: Target) -> None:
    hiss = noise(4 * 16000, 0.02)
    reductions = []
    for level in get_args(NoiseSuppression):
        out = processed(processor_of(target, noise_suppression=level), hiss)
        reductions.append(decibel(hiss[32000:]) - decibel(out[32000:]))
    assert reductions[0] == pytest.approx(0, abs=0.01)
    assert min(np.diff(reductions)) >= 1.5, [f"{one:.1f} dB" for one in reductions]


@spec("docs/media.md AudioProcessor")
def test_levels_that_a_backend_lacks_are_refused(target: Target) -> None:
    processor_of(target)
    if Capability.AUDIO_NOISE_LEVELS in target.info.capabilities:
        assert processor_of(target, noise_suppression="low").settings.noise_suppression == "low"
        return
    with pytest.raises(CapabilityError, match=r"audio\.noise_levels"):
        AudioProcessor(noise_suppression="low", backend=target.name)


@spec("RFC 7874 4", "docs/media.md AudioProcessor")
def test_gain_brings_speech_to_one_level(target: Target) -> None:
    levels = []
    for gain in (0.05, 0.3, 1.0):
        out = processed(processor_of(target, gain_control=True), speech(10, 16000, 3) * gain)
        assert np.abs(out).max() <= 1
        levels.append(decibel(out[7 * 16000 :]))
    assert max(levels) - min(levels) <= 7, levels  # 26 dB apart before
    assert np.mean(levels) == pytest.approx(-23, abs=4)


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("rate", [8000, 16000, 32000, 48000])
def test_high_pass_takes_out_offset_and_hum(target: Target, rate: int) -> None:
    times = np.arange(3 * rate) / rate
    for frequency, low, high in ((0, -200, -25), (50, -200, -11), (300, -1, 1), (1000, -1, 1)):
        signal = 0.3 * np.cos(2 * np.pi * frequency * times)
        out = processed(processor_of(target, rate, high_pass=True), signal)
        gain = decibel(out[rate:]) - decibel(signal[rate:])
        assert low <= gain <= high, f"{gain:.1f} dB at {frequency} Hz"


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("rate", [8000, 16000, 32000, 48000])
def test_sound_is_unchanged_when_nothing_is_asked_for(target: Target, rate: int, layout: str) -> None:
    signal = np.stack([speech(0.5, rate, 1), speech(0.5, rate, 2)])[: 1 + (layout == "stereo")]
    processor = processor_of(target, rate, layout)
    frame = sound(signal, rate, layout, "s16")
    assert np.array_equal(samples_of([processor.process(frame)]), samples_of([frame]))
    assert processor.latency == 0


@spec("docs/media.md AudioProcessor")
def test_channels_stay_apart(target: Target) -> None:
    left = speech(4, 16000, 3)
    processor = processor_of(target, 16000, "stereo", noise_suppression="high", high_pass=True)
    signal = np.stack([left, np.zeros_like(left)])
    out = samples_of(
        [processor.process(sound(signal[:, at : at + 160], 16000, "stereo")) for at in range(0, 64000, 160)]
    )
    assert decibel(out[0, 32000:]) - decibel(out[1, 32000:]) > 25


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("format", ["s16", "s16p", "flt", "fltp"])
def test_output_has_the_form_and_time_of_the_input(target: Target, format: str) -> None:
    processor = processor_of(target, 16000, "stereo", high_pass=True)
    frame = sound(np.stack([speech(0.02, 16000, 1)] * 2), 16000, "stereo", format)
    frame.pts, frame.time_base = 12345, Fraction(1, 90000)
    before = samples_of([frame])
    out = processor.process(frame)
    assert (out.format.name, out.layout.name, out.sample_rate) == (format, "stereo", 16000)
    assert (out.pts, out.time_base, out.samples) == (12345, Fraction(1, 90000), 320)
    assert np.array_equal(samples_of([frame]), before)


@spec("docs/media.md AudioProcessor")
def test_frame_without_a_time_is_taken(target: Target) -> None:
    frame = AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), "s16", "mono")
    frame.sample_rate = 16000
    out = processor_of(target, high_pass=True).process(frame)
    assert (out.pts, out.time_base, out.samples) == (None, None, 160)


def fed(processor: AudioProcessor, signal: Signal, sizes: Sequence[int]) -> Signal:
    place, frames = 0, []
    for size in sizes:
        frame = processor.process(sound(signal[place : place + size], 16000, format="s16"))
        assert frame.samples == size
        frames.append(frame)
        place += size
    found: Signal = samples_of(frames)[0]
    return found


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("size", [1, 80, 147, 160, 161, 320, 441, 1024])
def test_frames_of_any_length_come_out_a_little_later(target: Target, size: int) -> None:
    signal = np.rint(speech(0.4, 16000, 1) * 32768) / 32768
    processor = processor_of(target)
    out = fed(processor, signal, [size] * min(400, len(signal) // size))
    late = round(processor.latency * 16000)
    assert late < 160
    assert late == 0 or size % 160
    assert np.array_equal(out[late:], signal[: len(out) - late])
    assert not out[:late].any()


@spec("docs/media.md AudioProcessor")
def test_count_is_exact_however_the_sound_is_cut(target: Target) -> None:
    processor_of(target)  # skips before hypothesis starts

    @settings(EXAMPLES, max_examples=10)
    @given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
    def cut(sizes: list[int]) -> None:
        processor = processor_of(target)
        fed(processor, np.zeros(sum(sizes)), sizes)
        assert processor.latency < 0.01

    cut()


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize(
    "wish",
    [
        {"rate": 0},
        {"rate": -48000},
        {"rate": 44100},
        {"rate": 96000},
        {"rate": None},
        {"layout": "5.1"},
        {"layout": ""},
        {"layout": None},
        {"noise_suppression": "extreme"},
        {"noise_suppression": None},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(target: Target, wish: dict[str, Any]) -> None:
    processor_of(target)
    with pytest.raises(InvalidMediaError, match="AudioProcessor"):
        AudioProcessor(**wish, backend=target.name)


def bad_frames() -> list[Any]:
    """Return what no processor of 16 kHz, mono, takes."""
    spoilt = []
    for value in (np.nan, np.inf, -np.inf):
        samples = np.zeros(160)
        samples[80] = value
        spoilt.append(sound(samples, 16000))
    return [*spoilt, sound(np.zeros((2, 160)), 16000, "stereo"), sound(np.zeros(480), 48000), VideoFrame(16, 16), None]


@spec("docs/media.md AudioProcessor")
def test_bad_frames_are_refused_and_change_nothing(target: Target) -> None:
    signal = speech(0.5, 16000, 1)
    processor, twin = (processor_of(target, echo_cancellation=True, high_pass=True) for _ in range(2))
    half = len(signal) // 2
    found = [processed(processor, signal[:half], signal[:half])]
    for frame in bad_frames():
        with pytest.raises(InvalidMediaError, match=r"AudioProcessor\.process"):
            processor.process(frame)
    found.append(processed(processor, signal[half:], signal[half:]))
    assert np.array_equal(np.concatenate(found), processed(twin, signal, signal))


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("index", [0, 1, 2, 5, 6])
def test_bad_frames_of_the_far_end_are_refused(target: Target, index: int) -> None:
    processor = processor_of(target, echo_cancellation=True)
    with pytest.raises(InvalidMediaError):
        processor.process_reverse(bad_frames()[index])
    processor.process_reverse(sound(np.zeros(160), 16000))


@spec("docs/media.md AudioProcessor")
@pytest.mark.parametrize("delay", [-0.001, 0.6, float("nan"), float("inf")])
def test_impossible_delay_is_refused(target: Target, delay: float) -> None:
    processor = processor_of(target, echo_cancellation=True)
    with pytest.raises(InvalidMediaError, match="delay"):
        processor.delay = delay
    assert processor.delay == 0


@spec("docs/media.md AudioProcessor")
def test_decision_says_who_processes(target: Target) -> None:
    decision = processor_of(target).backendDecision
    assert (decision.backend, decision.component) == (target.name, "audio_process")


class Recording(MediaStreamTrack):
    """A track of frames that are there, and then ends."""

    kind = "audio"

    def __init__(self, frames: Sequence[AudioFrame]) -> None:
        super().__init__()
        self._frames = list(frames)

    async def recv(self) -> AudioFrame:
        if not self._frames:
            raise MediaStreamError("the end")
        return self._frames.pop(0)


async def heard(track: MediaStreamTrack) -> list[Any]:
    async with asyncio.timeout(PATIENCE):
        return [frame async for frame in track]


@spec("docs/media.md AudioProcessor")
async def test_wrapped_track_is_processed(target: Target) -> None:
    signal = 0.3 + 0.3 * speech(1, 16000, 1)
    frames = [sound(signal[at : at + 320], 16000, format="s16") for at in range(0, 16000, 320)]
    source = Recording(frames)
    track = processor_of(target, high_pass=True).wrap(source)
    found = samples_of(await heard(track))[0]
    assert len(found) == len(signal)
    assert abs(found[8000:].mean()) < 0.03
    assert (track.kind, track.readyState, source.readyState) == ("audio", "ended", "live")


@spec("docs/media.md AudioProcessor")
async def test_wrapped_track_of_another_form_is_resampled(target: Target) -> None:
    frames = [sound(np.zeros((2, 882)), 44100, "stereo") for _ in range(25)]
    track = processor_of(target, 48000).wrap(Recording(frames))
    found = await heard(track)
    assert {(frame.sample_rate, frame.layout.name, frame.format.name) for frame in found} == {(48000, "mono", "s16")}
    assert sum(frame.samples for frame in found) == pytest.approx(24000, abs=200)


@spec("docs/media.md AudioProcessor")
async def test_what_is_played_passes_unchanged_and_is_heard(target: Target) -> None:
    room = Room(16000, 5, 0.06)
    cut = [slice(at, at + 320) for at in range(0, len(room.far), 320)]
    frames = [sound(room.far[part], 16000, format="s16") for part in cut]
    processor = processor_of(target, echo_cancellation=True)
    played = processor.wrap_reverse(Recording(frames))
    recorded = processor.wrap(Recording([sound(room.microphone[part], 16000, format="s16") for part in cut]))
    out = []
    for frame in frames:
        assert await played.recv() is frame
        out.append(await recorded.recv())
    found = samples_of(out)[0]  # type: ignore[arg-type]
    assert decibel(room.microphone[room.part(3, 5)]) - decibel(found[room.part(3, 5)]) >= 20


@spec("mediacapture-streams 4.3")
async def test_stopped_track_ends(target: Target) -> None:
    track = processor_of(target).wrap(AudioStreamTrack())
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


@spec("docs/media.md AudioProcessor")
def test_tracks_of_pictures_are_refused(target: Target) -> None:
    processor = processor_of(target)
    for wrap in (processor.wrap, processor.wrap_reverse):
        with pytest.raises(InvalidMediaError):
            wrap(VideoStreamTrack())
