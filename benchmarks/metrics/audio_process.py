"""What cleaning and mixing sound costs, and what the cleaning achieves."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from benchmarks.metric import Effort, Figure, Metric
from benchmarks.subjects.base import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from shim import AudioMixer, AudioProcessor

    Signal = NDArray[np.int16]

RATE: Final = 48000
_BLOCK: Final = RATE // 100
_ECHO: Final = 0.06
"""Seconds until the echo, which has half the amplitude."""


async def process(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Take the echo out of speech, all at once; then the same with everything switched on."""
    from shim import AudioProcessor
    from shim.calls.speech import speak

    far = speak(effort.pick(8, 5), 1)
    microphone = _echo_of(far)
    canceller = _only(AudioProcessor, subject.name, echo_cancellation=True)
    cleaned, _ = _run(canceller, microphone, far)
    half = slice(len(far) // 2, None)
    noise = _noise(len(far))
    quiet, _ = _run(_only(AudioProcessor, subject.name, noise_suppression="high"), noise, None)
    _, taken = _run(AudioProcessor(RATE, backend=subject.name), microphone, far)
    return {
        "cpu": taken / (len(far) / RATE) * 1000,
        "enhancement": _level(microphone[half]) - _level(cleaned[half]),
        "reduction": _level(noise[half]) - _level(quiet[half]),
        "hum": _taken_out(_only(AudioProcessor, subject.name, high_pass=True), 50),
        "offset": _taken_out(_only(AudioProcessor, subject.name, high_pass=True), 0),
        "gain": _quiet_speech(_only(AudioProcessor, subject.name, gain_control=True), far),
        "delay": _delay(_only(AudioProcessor, subject.name, echo_cancellation=True, noise_suppression="high"), far),
    }


def _taken_out(processor: AudioProcessor, frequency: float) -> float:
    """Return by how many dB a tone is weaker after its first second."""
    import numpy as np

    tone = (9000 * np.cos(2 * np.pi * frequency * np.arange(2 * RATE) / RATE)).astype(np.int16)
    return _level(tone[RATE:]) - _level(_run(processor, tone, None)[0][RATE:])


def _quiet_speech(processor: AudioProcessor, speech: Signal) -> float:
    """Return the level in dB of full scale to which speech is brought that comes 20 dB weaker."""
    out, _ = _run(processor, speech // 10, None)
    return _level(out[len(out) // 2 :]) - 20 * math.log10(32768)


def _delay(processor: AudioProcessor, speech: Signal) -> float:
    """Return the milliseconds that sound is late in the output."""
    import numpy as np

    out, _ = _run(processor, speech, None)
    place, length = len(out) // 2, RATE
    sent = speech[place : place + length].astype(float)
    alike = [float(sent @ out[place + late : place + late + length]) for late in range(RATE // 50)]
    return int(np.argmax(alike)) / RATE * 1000


def _only(make: Callable[..., AudioProcessor], backend: str, **wish: Any) -> AudioProcessor:  # noqa: ANN401
    nothing = {"echo_cancellation": False, "noise_suppression": "off", "gain_control": False, "high_pass": False}
    return make(RATE, backend=backend, **(nothing | wish))


def _echo_of(far: Signal) -> Signal:
    import numpy as np

    echo = np.zeros_like(far)
    late = round(_ECHO * RATE)
    echo[late:] = far[:-late] // 2
    return echo


def _noise(samples: int) -> Signal:
    import numpy as np

    return np.random.default_rng(1).normal(0, 600, samples).astype(np.int16)


def _run(processor: AudioProcessor, near: Signal, far: Signal | None) -> tuple[Signal, float]:
    """Return the output and the processor time."""
    import numpy as np

    places = range(0, len(near) // _BLOCK * _BLOCK, _BLOCK)
    frames = [_frame(near[place : place + _BLOCK]) for place in places]
    played = [] if far is None else [_frame(far[place : place + _BLOCK]) for place in places]
    out, started = [], time.process_time()
    for index, frame in enumerate(frames):
        if played:
            processor.process_reverse(played[index])
        out.append(processor.process(frame))
    taken = time.process_time() - started
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in out]), taken


def _frame(samples: Signal) -> Any:  # noqa: ANN401 - a frame of PyAV
    from av import AudioFrame

    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
    frame.sample_rate = RATE
    return frame


def _level(samples: Signal) -> float:
    """Return the power in dB."""
    return 10 * math.log10(float((samples.astype(float) ** 2).mean()) + 1e-2)


async def mix(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Mix in real time: what it costs with 8 tracks, and when a step that one of them makes is heard."""
    import asyncio

    from shim import AudioMixer

    mixer = AudioMixer(RATE, "stereo")
    loop = asyncio.get_running_loop()
    step_at = loop.time() + 1
    mixer.add(_step_track(step_at))
    for _ in range(7):
        mixer.add(_step_track(math.inf))
    latency = await _when_heard(mixer, step_at)
    started, frames = time.process_time(), effort.pick(100, 50)
    for _ in range(frames):
        await mixer.track.recv()
    cpu = (time.process_time() - started) / (frames * 0.02)
    mixer.track.stop()
    return {"cpu": cpu / 8 * 1000, "latency": latency * 1000}


def _step_track(step_at: float) -> Any:  # noqa: ANN401 - its class needs shim, which is imported late
    import asyncio

    import numpy as np

    from shim import MediaStreamTrack

    class Step(MediaStreamTrack):
        """Frames of 20 ms, given when their last sample is over, as a microphone does."""

        kind = "audio"
        sent, began = 0, 0.0

        async def recv(self) -> Any:  # noqa: ANN401
            loop = asyncio.get_running_loop()
            self.began = self.began or loop.time()
            first = self.began + self.sent / RATE
            self.sent += 2 * _BLOCK
            await asyncio.sleep(self.began + self.sent / RATE - loop.time())
            times = first + np.arange(2 * _BLOCK) / RATE
            return _frame(np.where(times >= step_at, 16000, 0).astype(np.int16))

    return Step()


async def _when_heard(mixer: AudioMixer, step_at: float) -> float:
    """Return the seconds from the step to the moment at which a sender gets the frame with it, at its place in it."""
    import asyncio

    import numpy as np

    loop = asyncio.get_running_loop()
    while True:
        frame: Any = await mixer.track.recv()
        loud = np.flatnonzero(frame.to_ndarray().reshape(-1)[::2] > 8000)
        if loud.size:
            return loop.time() - step_at + float(loud[0]) / RATE


METRICS = (
    Metric(
        name="audio_process",
        title="processing of speech, 48 kHz",
        group="components",
        about="AudioProcessor, mono, frames of 10 ms. CPU: echo cancellation, noise suppression, gain control and "
        "high-pass together, both ends. Echo: 60 ms late, half the amplitude, the second half of the speech. "
        "Noise: white, second half. Weak: 20 dB below what is spoken otherwise.",
        figures=(
            Figure("cpu", "CPU per second of sound", "ms"),
            Figure("enhancement", "echo taken out", "dB", "higher"),
            Figure("reduction", "noise taken out", "dB", "higher"),
            Figure("hum", "50 Hz taken out", "dB", "higher"),
            Figure("offset", "offset taken out", "dB", "higher"),
            Figure("gain", "level that weak speech is brought to", "dB", "neither"),
            Figure("delay", "delay of the filters for echo and noise", "ms"),
        ),
        measure=process,
        subjects=("native", "legacy"),
        rounds=3,
        quick_rounds=2,
    ),
    Metric(
        name="audio_mix",
        title="mixer, 8 tracks",
        group="components",
        about="AudioMixer, stereo, 48 kHz, in real time, tracks of 20 ms and mono. Latency: from the moment a step is "
        "recorded to the moment its place in the mix is due, with frames of 20 ms in and out: 20 ms are the frame's "
        "own.",
        figures=(
            Figure("cpu", "CPU per track and second", "ms"),
            Figure("latency", "latency", "ms"),
        ),
        measure=mix,
        subjects=("native",),
        rounds=5,
        quick_rounds=2,
    ),
)
