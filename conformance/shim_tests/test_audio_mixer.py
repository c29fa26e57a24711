"""The mixer: what is added up, at whose pace, and that no input holds up another."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import numpy as np
import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, connect
from conformance.components import samples_of, sound
from conformance.targets import Pair, Peers, Target
from shim import AudioMixer, AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from shim.api.audio_limiter import CEILING, THRESHOLD, Limiter
from shim.spi.errors import InvalidAccessError, InvalidMediaError, InvalidStateError, MediaStreamError

if TYPE_CHECKING:
    from av import AudioFrame
    from numpy.typing import NDArray

PATIENCE: Final = 20.0
BACKENDS: Final = [name for name in ("native", "legacy") if Target(name).absence() is None]

P = ParamSpec("P")
Wave = Callable[["NDArray[np.float64]"], "NDArray[Any]"]


class Clockwork(selectors.DefaultSelector):
    """A selector that never waits for a timer: it says that the time has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.now += timeout
            timeout = 0
        return super().select(timeout)


class ClockworkLoop(asyncio.SelectorEventLoop):
    """An event loop on which sleeping takes no time, and is exact."""

    def __init__(self) -> None:
        self._clockwork = Clockwork()
        super().__init__(self._clockwork)

    def time(self) -> float:
        return self._clockwork.now


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a coroutine test on a loop of clockwork."""

    @wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=ClockworkLoop) as runner:
            runner.run(test(*args, **named))

    return run


def tone(frequency: float, amplitude: float = 0.2) -> Wave:
    return lambda times: amplitude * np.sin(2 * np.pi * frequency * times)


class Voice(MediaStreamTrack):
    """A track that gives a wave at its own pace.

    :param wave: from seconds to samples.
    :param speed: of its clock, 1 for ours.
    """

    kind = "audio"

    def __init__(
        self, wave: Wave, rate: int = 48000, layout: str = "mono", format: str = "s16", ptime: float = 0.02
    ) -> None:
        super().__init__()
        self._wave, self._form, self._samples = wave, (rate, layout, format), round(rate * ptime)
        self._sent, self._began = 0, 0.0
        self.asked = 0

    async def recv(self) -> AudioFrame:
        self.asked += 1
        rate, layout, format = self._form
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        await asyncio.sleep(self._began + self._sent / rate - now)
        data = self._wave((self._sent + np.arange(self._samples)) / rate)
        channels = {"mono": 1, "stereo": 2}[layout]
        self._sent += self._samples
        return sound(np.stack([data] * channels), rate, layout, format)


class Scripted(MediaStreamTrack):
    """A track that does what it is told, step by step, and then waits.

    :param steps: frames to give, and exceptions to raise.
    """

    kind = "audio"

    def __init__(self, *steps: Any) -> None:
        super().__init__()
        self._steps: asyncio.Queue[Any] = asyncio.Queue()
        self.tell(*steps)

    def tell(self, *steps: Any) -> None:
        for step in steps:
            self._steps.put_nowait(step)

    async def recv(self) -> Any:
        step = await self._steps.get()
        if isinstance(step, BaseException):
            raise step
        return step


class Greedy(MediaStreamTrack):
    """A track that never waits."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._given = 0
        self.has_given_much = asyncio.Event()

    async def recv(self) -> AudioFrame:
        self._given += 1
        if self._given > 100:
            self.has_given_much.set()
        return sound(np.zeros(960), 48000)


async def take(mixer: AudioMixer, frames: int) -> NDArray[np.float64]:
    """Return the samples of so many frames of the mix."""
    return samples_of([await mixer.track.recv() for _ in range(frames)])  # type: ignore[misc]


def strength(signal: NDArray[np.float64], frequency: float, rate: int = 48000) -> float:
    """Return the amplitude of a tone in a signal, whatever its phase, in windows of 100 ms: its clock may drift."""
    times = np.arange(rate // 10) / rate
    waves = np.stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)], 1)
    windows = signal[: len(signal) // len(times) * len(times)].reshape(-1, len(times)).T
    return float(np.hypot(*np.linalg.lstsq(waves, windows, rcond=None)[0]).mean())


@on_loop
async def test_tracks_of_any_form_are_added_up() -> None:
    mixer = AudioMixer(latency=0.1)
    for voice in (
        Voice(tone(400)),
        Voice(tone(700), 8000, "mono", "flt"),
        Voice(tone(1100), 44100, "stereo", "fltp", 0.01),
        Voice(tone(1500), 16000, "stereo", "s16p", 0.06),
    ):
        mixer.add(voice, gain=0.5)
    signal = (await take(mixer, 40))[:, 20 * 960 :]
    mixer.track.stop()
    assert signal.shape == (2, 20 * 960)
    for channel in signal:
        assert [strength(channel, frequency) for frequency in (400, 700, 1100, 1500)] == pytest.approx(
            [0.1] * 4, abs=0.01
        )


@on_loop
async def test_frames_are_20_ms_and_count_their_time() -> None:
    mixer = AudioMixer(44100, "mono")
    frames: list[Any] = [await mixer.track.recv() for _ in range(3)]
    mixer.track.stop()
    assert [frame.pts for frame in frames] == [0, 882, 1764]
    assert {(f.samples, f.sample_rate, f.layout.name, f.format.name, f.time_base) for f in frames} == {
        (882, 44100, "mono", "s16", Fraction(1, 44100))
    }


@on_loop
async def test_pace_is_that_of_the_clock() -> None:
    mixer, loop = AudioMixer(), asyncio.get_running_loop()
    for number in range(26):
        await mixer.track.recv()
        assert loop.time() == pytest.approx(0.02 * number)


@on_loop
async def test_slow_reader_is_given_what_it_missed() -> None:
    mixer, loop = AudioMixer(), asyncio.get_running_loop()
    await mixer.track.recv()
    await asyncio.sleep(0.13)
    frames: list[Any] = [await mixer.track.recv() for _ in range(6)]
    assert loop.time() == pytest.approx(0.13)
    assert frames[-1].pts == 6 * 960


@on_loop
async def test_mix_without_inputs_is_silent() -> None:
    mixer = AudioMixer()
    assert not (await take(mixer, 3)).any()
    mixer.track.stop()


@on_loop
async def test_reader_that_stayed_away_goes_on_with_the_present() -> None:
    mixer = AudioMixer()
    await mixer.track.recv()
    await asyncio.sleep(5)
    frame: Any = await mixer.track.recv()
    assert frame.pts / 48000 == pytest.approx(5, abs=0.03)


@on_loop
async def test_cancelled_reader_loses_nothing() -> None:
    mixer = AudioMixer()
    await mixer.track.recv()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(mixer.track.recv(), 0.005)
    frame: Any = await mixer.track.recv()
    assert frame.pts == 960


@on_loop
async def test_gain_changes_smoothly() -> None:
    mixer, voice = AudioMixer(layout="mono"), Voice(tone(400))
    mixer.add(voice)
    await take(mixer, 15)
    mixer.set_gain(voice, 0.25)
    (signal,) = await take(mixer, 10)
    mixer.track.stop()
    assert strength(signal[-4800:], 400) == pytest.approx(0.05, abs=0.005)
    assert np.abs(np.diff(signal)).max() <= 0.2 * 2 * np.pi * 400 / 48000 * 1.1


@on_loop
async def test_removed_track_is_silent_and_lives_on() -> None:
    mixer, gone, stays = AudioMixer(layout="mono"), Voice(tone(400)), Voice(tone(900))
    mixer.add(gone)
    mixer.add(stays)
    await take(mixer, 15)
    mixer.remove(gone)
    (signal,) = await take(mixer, 10)
    mixer.track.stop()
    assert strength(signal[960:], 400) < 0.005
    assert strength(signal[960:], 900) == pytest.approx(0.2, abs=0.02)
    assert gone.readyState == "live"
    assert list(mixer.stats) == [stays.id]


@on_loop
async def test_track_that_is_added_later_is_heard() -> None:
    mixer, voice = AudioMixer(layout="mono"), Voice(tone(400))
    await take(mixer, 2)
    mixer.add(voice)
    (signal,) = await take(mixer, 20)
    mixer.track.stop()
    assert strength(signal[-9600:], 400) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (Scripted, "live"),
        (lambda: Scripted(MediaStreamError("the end")), "ended"),
        (lambda: Scripted(sound(np.ones(960), 48000), MediaStreamError("the end")), "ended"),
        (lambda: Scripted(ValueError("broken")), "failed"),
        (lambda: Scripted(None, 5, "sound", VideoFrame(16, 16)), "live"),
        (lambda: Scripted(*[sound(np.full(960, np.nan), 48000)] * 3), "live"),
        (Greedy, "live"),
    ],
    ids=["silent", "ended", "ends", "raises", "no-frames", "nan", "greedy"],
)
@on_loop
async def test_input_does_not_hold_up_another(make: Callable[[], MediaStreamTrack], state: str) -> None:
    mixer, voice, bad = AudioMixer(layout="mono"), Voice(tone(400)), make()
    mixer.add(bad)
    mixer.add(voice)
    (signal,) = await take(mixer, 25)
    stats = mixer.stats
    mixer.track.stop()
    assert strength(signal[-9600:], 400) == pytest.approx(0.2, abs=0.02)
    assert stats[bad.id].state == state
    assert stats[voice.id].refused == 0


@on_loop
async def test_frames_that_are_no_sound_are_counted() -> None:
    mixer = AudioMixer()
    spoilt = Scripted(sound(np.full(960, np.nan), 48000), VideoFrame(16, 16), sound(np.zeros(960), 48000))
    mixer.add(spoilt)
    await take(mixer, 3)
    stats = mixer.stats[spoilt.id]
    mixer.track.stop()
    assert (stats.received, stats.refused, stats.state) == (3, 2, "live")


@on_loop
async def test_late_input_is_concealed_and_comes_back() -> None:
    frames = [sound(0.5 * np.ones(960), 48000) for _ in range(10)]
    voice, mixer = Scripted(*frames), AudioMixer(layout="mono")
    mixer.add(voice)
    (signal,) = await take(mixer, 20)
    assert mixer.stats[voice.id].concealed >= 960
    assert not signal[-960:].any()
    voice.tell(*frames)
    (signal,) = await take(mixer, 6)
    assert signal[-960:] == pytest.approx(0.5, abs=0.01)
    mixer.track.stop()


@on_loop
async def test_latency_is_restored_after_a_gap() -> None:
    voice, mixer = Scripted(), AudioMixer(layout="mono", latency=0.06)
    mixer.add(voice)
    frame = sound(0.5 * np.ones(960), 48000)
    voice.tell(*[frame] * 4)
    await take(mixer, 10)
    concealed = mixer.stats[voice.id].concealed
    for _ in range(10):
        voice.tell(frame)
        await take(mixer, 1)
    # Two frames of silence more, and then none: three are kept, so that one that is late is not missed.
    assert mixer.stats[voice.id].concealed - concealed <= 3 * 960
    assert mixer.stats[voice.id].buffered >= 0.035
    mixer.track.stop()


@pytest.mark.parametrize("rate", [48000, 44100, 16000])
@on_loop
async def test_latency_is_what_is_said(rate: int) -> None:
    mixer = AudioMixer(layout="mono", latency=0.04)
    mixer.add(Voice(lambda times: 0.5 * (times >= 0.5), rate))
    mixer.add(AudioStreamTrack())
    (signal,) = await take(mixer, 60)
    mixer.track.stop()
    heard = int(np.argmax(signal > 0.25)) / 48000
    # A frame is there when its first sample is due: what its other ones wait for is no latency.
    assert 0.5 + 0.01 <= heard <= 0.5 + 0.04 + 0.02 + 0.005


@on_loop
async def test_short_sound_is_forgotten_after_its_end() -> None:
    voice = Scripted(*[sound(0.5 * np.ones(960), 48000) for _ in range(4)], MediaStreamError("the end"))
    mixer = AudioMixer(layout="mono")
    mixer.add(voice)
    (signal,) = await take(mixer, 12)
    stats = mixer.stats[voice.id]
    mixer.track.stop()
    assert (np.abs(signal) > 0.4).sum() == pytest.approx(4 * 960, abs=200)
    assert (stats.state, stats.level) == ("ended", 0)


@on_loop
async def test_level_is_told() -> None:
    mixer, voice = AudioMixer(), Voice(tone(400, 0.4))
    mixer.add(voice, 0.5)
    await take(mixer, 15)
    stats = mixer.stats[voice.id]
    mixer.track.stop()
    assert stats.level == pytest.approx(0.2 / np.sqrt(2), rel=0.05)
    assert 0 < stats.buffered < 0.3


@on_loop
async def test_nobody_reads_before_the_mix_is_read() -> None:
    mixer, voice = AudioMixer(), Voice(tone(400))
    mixer.add(voice)
    await asyncio.sleep(0)
    assert voice.asked == 0
    await take(mixer, 2)
    mixer.track.stop()
    assert voice.asked > 0


@on_loop
async def test_sound_that_nobody_takes_is_dropped() -> None:
    mixer, voice = AudioMixer(), Greedy()
    mixer.add(voice)
    await mixer.track.recv()
    await voice.has_given_much.wait()
    stats = mixer.stats[voice.id]
    mixer.track.stop()
    assert stats.buffered < 1
    assert stats.dropped > 0


@on_loop
async def test_stopped_mix_ends_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    mixer, voice = AudioMixer(), Voice(tone(400))
    mixer.add(voice)
    await take(mixer, 2)
    mixer.track.stop()
    with pytest.raises(MediaStreamError):
        await mixer.track.recv()
    with pytest.raises(InvalidStateError):
        mixer.add(Voice(tone(500)))
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() == before
    assert voice.readyState == "live"


@pytest.mark.parametrize(
    "wish",
    [{"rate": 0}, {"rate": 11025}, {"rate": 200000}, {"layout": "no"}, {"latency": 0}, {"latency": float("nan")}],
    ids=str,
)
def test_impossible_mixer_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidMediaError):
        AudioMixer(**wish)


@pytest.mark.parametrize("gain", [-1, float("nan"), float("inf"), 1000, None, "1"])
@on_loop
async def test_impossible_gain_is_refused(gain: Any) -> None:
    mixer, voice = AudioMixer(), AudioStreamTrack()
    with pytest.raises(InvalidMediaError):
        mixer.add(voice, gain)
    mixer.add(voice)
    with pytest.raises(InvalidMediaError):
        mixer.set_gain(voice, gain)


@on_loop
async def test_wrong_tracks_are_refused() -> None:
    mixer, voice = AudioMixer(), AudioStreamTrack()
    for wrong in (VideoStreamTrack(), mixer.track, None):
        with pytest.raises(InvalidMediaError):
            mixer.add(wrong)  # type: ignore[arg-type]
    mixer.add(voice)
    with pytest.raises(InvalidAccessError):
        mixer.add(voice)
    with pytest.raises(InvalidAccessError):
        mixer.remove(AudioStreamTrack())


def limited(signal: NDArray[Any], rate: int = 48000) -> NDArray[np.float64]:
    """Return a signal of one channel, limited in frames of 20 ms, without the delay."""
    size = rate // 50
    limiter = Limiter(1, rate, size)
    padded = np.pad(signal, (0, size)).astype(np.float32)
    out = np.concatenate([limiter.limit(padded[None, at : at + size])[0] for at in range(0, len(signal) + 1, size)])
    found: NDArray[np.float64] = out[limiter.delay :][: len(signal)].astype(np.float64)
    return found


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_limiter_changes_nothing_that_fits(rate: int) -> None:
    signal = THRESHOLD * np.sin(np.arange(rate // 2) / 20).astype(np.float32)
    assert np.array_equal(limited(signal, rate), signal)


@pytest.mark.parametrize("peak", [0.9, 1.0, 1.5, 4.0, 50.0])
def test_limiter_keeps_below_full_scale(peak: float) -> None:
    rng = np.random.default_rng(1)
    bursts = rng.normal(0, 1, 48000) * (rng.random(50) > 0.6).repeat(960)
    found = limited(bursts / np.abs(bursts).max() * peak)
    assert np.abs(found).max() <= CEILING + 1e-6
    assert np.abs(found).max() > 0.75


def test_limiter_distorts_a_loud_tone_little() -> None:
    signal = 2 * np.sin(2 * np.pi * 400 * np.arange(48000) / 48000)
    found = limited(signal)[24000:]
    times = np.arange(24000) / 48000
    waves = np.stack([np.sin(2 * np.pi * 400 * times), np.cos(2 * np.pi * 400 * times)], 1)
    rest = found - waves @ np.linalg.lstsq(waves, found, rcond=None)[0]
    assert 10 * np.log10(found.var() / rest.var()) > 40  # cutting off gives 14 dB, wrapping around 0


def test_limiter_lets_go() -> None:
    quiet = 0.5 * np.sin(np.arange(48000) / 20)
    loud = quiet.copy()
    loud[:9600] *= 10
    assert np.abs(limited(loud)[-9600:] - quiet[-9600:]).max() < 0.01


@on_loop
async def test_loud_sum_is_limited_and_does_not_wrap() -> None:
    mixer = AudioMixer(layout="mono")
    for _ in range(4):
        mixer.add(Voice(tone(400, 0.6)))
    (signal,) = (await take(mixer, 25))[:, -9600:]
    mixer.track.stop()
    assert np.abs(signal).max() <= CEILING + 1e-6
    assert np.abs(np.diff(signal)).max() < 0.1  # one that wraps around jumps by 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_mix_is_sent_by_any_backend(backend: str) -> None:
    asyncio.run(asyncio.wait_for(_call(Target(backend)), PATIENCE))


async def _call(target: Target) -> None:
    peers, mixer = Peers(), AudioMixer(latency=0.2)
    mixer.add(Voice(tone(400)))
    mixer.add(Voice(tone(1300), 16000))
    offerer, answerer = peers.open_pair(Pair(target, target))
    arriving = Arrivals(answerer, "track")
    try:
        offerer.addTrack(mixer.track)
        await connect(offerer, answerer)
        (track,) = await arriving.take(1)
        while not _has_both(await _listen(track, 10)):
            pass
    finally:
        mixer.track.stop()
        await peers.close()


async def _listen(track: MediaStreamTrack, frames: int) -> list[Any]:
    return [await track.recv() for _ in range(frames)]


def _has_both(frames: list[Any]) -> bool:
    signal, rate = samples_of(frames)[0], frames[0].sample_rate
    return all(abs(strength(signal, frequency, rate) - 0.2) < 0.05 for frequency in (400, 1300))
