"""Processing of speech: echo cancellation, noise suppression, gain control and a high-pass. See docs/media.md."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from av import AudioFrame

from shim.api.audio import AudioResampler, channels_of, check_finite, form_of
from shim.api.audio_arrays import frame_of, sound_of
from shim.api.component import serving
from shim.api.tracks import MediaStreamTrack
from shim.spi.capabilities import Capability, Component
from shim.spi.engines import NoiseSuppression, ProcessorSettings, ProcessorStats, SoundForm
from shim.spi.errors import InvalidMediaError, MediaStreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from shim.spi.engines import AudioProcessor as Engine
    from shim.spi.records import Decision

    Samples = NDArray[np.int16]

RATES: Final = (8000, 16000, 32000, 48000)
MAX_DELAY: Final = 0.5
_LEVELS: Final[tuple[str, ...]] = get_args(NoiseSuppression)
_ANYWHERE: Final = ("off", "high")
"""Levels of noise suppression that every backend has."""


class AudioProcessor:
    """Cleans the sound of a microphone: of what the loudspeaker plays, of noise, and of a level that nobody set.

    Frames of any length go in, and as many samples come out. The work is done on blocks of 10 ms: frames that are whole
    blocks come out with no delay but that of the filters, others `latency` later.

    The sound is processed with 16 bits, whatever its format; floats beyond full scale are clipped.

    One thread at a time.

    :param rate: 8000, 16000, 32000 or 48000 Hz.
    :param layout: ``"mono"`` or ``"stereo"``.
    :param echo_cancellation: take what `process_reverse` heard out of what `process` gets.
    :param noise_suppression: ``"off"``, ``"low"``, ``"moderate"``, ``"high"`` or ``"very_high"``. Backends without the
        capability ``audio.noise_levels`` have ``"off"`` and ``"high"`` alone.
    :param gain_control: bring speech to one level, and keep it from clipping.
    :param high_pass: take out what is lower than speech: hum, and an offset.
    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises InvalidMediaError: a setting is impossible.
    :raises BackendUnavailableError: no backend that processes sound can run here; says what to install.
    :raises CapabilityError: the backend lacks the level of noise suppression.
    """

    def __init__(
        self,
        rate: int = 48000,
        layout: str = "mono",
        *,
        echo_cancellation: bool = True,
        noise_suppression: NoiseSuppression = "high",
        gain_control: bool = True,
        high_pass: bool = True,
        backend: str | None = None,
    ) -> None:
        from shim._core.dispatch import get_dispatcher

        _check(rate, layout, noise_suppression)
        self._form = SoundForm(rate, layout, "s16")
        settings = ProcessorSettings(
            rate, len(channels_of(layout)), echo_cancellation, noise_suppression, gain_control, high_pass
        )
        self._settings = settings
        self._engine: Engine
        self._engine, self._decision = get_dispatcher().create(
            Component.AUDIO_PROCESS,
            lambda hooks: hooks.shim_create_audio_processor(settings=settings),
            backend=backend,
            needs=frozenset() if noise_suppression in _ANYWHERE else frozenset({Capability.AUDIO_NOISE_LEVELS}),
        )
        self._delay = 0.0
        self._near = _Blocks(self._form)
        self._far = _Blocks(self._form)
        self._far_fitter = _Fitter(self._form)
        self._out: Samples = np.zeros((settings.channels, 0), np.int16)
        self._late = 0

    @property
    def backendDecision(self) -> Decision:
        """Which backend processes, and why."""
        return self._decision

    @property
    def settings(self) -> ProcessorSettings:
        """What is done."""
        return self._settings

    @property
    def stats(self) -> ProcessorStats:
        """How it fares, as far as the engine tells: the capability ``audio.echo_stats``."""
        with serving(self._decision, "AudioProcessor.stats"):
            return self._engine.stats()

    @property
    def latency(self) -> float:
        """Seconds by which the output is late because frames are no whole blocks: below 0.01, 0 if they are."""
        return self._late / self._form.rate

    @property
    def delay(self) -> float:
        """Seconds from `process_reverse` of a sound until `process` of its echo. A hint: the canceller searches."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        if not 0 <= seconds <= MAX_DELAY:
            raise InvalidMediaError(f"AudioProcessor.delay: {seconds!r} is not 0 to {MAX_DELAY} seconds")
        with serving(self._decision, "AudioProcessor.delay"):
            self._engine.set_delay(seconds)
        self._delay = seconds

    def process(self, frame: AudioFrame) -> AudioFrame:
        """Return a new frame of the same form and time, with as many samples: those of `latency` seconds ago.

        :param frame: what was recorded, of the processor's rate and layout, any length and sample format.
        :raises InvalidMediaError: its form is another, or a sample is not a finite number.
        """
        self._check_near(frame)
        self._be_late(frame.samples)
        with serving(self._decision, "AudioProcessor.process"):
            for whole in self._near.add(frame):
                self._out = np.concatenate([self._out, _samples(self._engine.process(whole))], 1)
        out, self._out = np.split(self._out, [frame.samples], 1)
        return _like(frame, out)

    def process_reverse(self, frame: AudioFrame) -> None:
        """Listen to what is about to be played.

        :param frame: of any form: it is resampled if it is not the processor's.
        :raises InvalidMediaError: its form is impossible, or a sample is not a finite number.
        """
        for fitting in self._far_fitter.fit(frame, "AudioProcessor.process_reverse"):
            with serving(self._decision, "AudioProcessor.process_reverse"):
                for whole in self._far.add(fitting):
                    self._engine.process_reverse(whole)

    def wrap(self, track: MediaStreamTrack) -> MediaStreamTrack:
        """Return a track with the sound of another, processed: what is recorded.

        Sound of another form is resampled to the processor's. Stopping the new track leaves the source alone.

        :raises InvalidMediaError: it is no track of sound.
        """
        return ProcessedTrack(_checked_track(track), self._fitted_and_processed(_Fitter(self._form)))

    def wrap_reverse(self, track: MediaStreamTrack) -> MediaStreamTrack:
        """Return a track with the sound of another, unchanged, and listen to what goes through it: what is played.

        :raises InvalidMediaError: it is no track of sound.
        """
        return ProcessedTrack(_checked_track(track), self._heard)

    def _heard(self, frame: AudioFrame) -> list[AudioFrame]:
        self.process_reverse(frame)
        return [frame]

    def _fitted_and_processed(self, fitter: _Fitter) -> Callable[[AudioFrame], list[AudioFrame]]:
        return lambda frame: [self.process(fitting) for fitting in fitter.fit(frame, "AudioProcessor.wrap")]

    def _check_near(self, frame: AudioFrame) -> None:
        found, wanted = form_of(frame, "AudioProcessor.process"), self._form
        if (found.rate, found.layout) != (wanted.rate, wanted.layout):
            raise InvalidMediaError(
                f"AudioProcessor.process: a frame of {found.rate} Hz, {found.layout}, does not fit a processor of "
                f"{wanted.rate} Hz, {wanted.layout}. Use shim.AudioResampler, or wrap(), which resamples"
            )
        check_finite(frame, "AudioProcessor.process")

    def _be_late(self, samples: int) -> None:
        """Put as much silence before the output as frames of such lengths can need."""
        missing = self._near.most_left_over(samples) - self._late
        if missing > 0:
            self._late += missing
            self._out = np.pad(self._out, ((0, 0), (missing, 0)))


class _Blocks:
    """Cuts sound into whole blocks of 10 ms."""

    def __init__(self, form: SoundForm) -> None:
        self._form, self._size = form, form.rate // 100
        self._common = self._size
        self._rest: Samples | None = None

    def most_left_over(self, samples: int) -> int:
        """Return how many samples can be left over, if frames of this length come too."""
        self._common = gcd(self._common, samples)
        return self._size - self._common

    def add(self, frame: AudioFrame) -> Iterable[AudioFrame]:
        """Return what is whole: one frame, or none."""
        samples = _samples(frame)
        if self._rest is not None:
            samples = np.concatenate([self._rest, samples], 1)
        whole, self._rest = np.split(samples, [samples.shape[1] // self._size * self._size], 1)
        return [_frame(whole, self._form)] if whole.size else []


class _Fitter:
    """Resamples frames that have not the form."""

    def __init__(self, form: SoundForm) -> None:
        self._form = form
        self._resampler: AudioResampler | None = None

    def fit(self, frame: AudioFrame, what: str) -> list[AudioFrame]:
        """Return frames of the form, perhaps none.

        :param what: who asks, for the messages.
        """
        if self._resampler is None:
            if form_of(frame, what) == self._form:
                return [frame]
            self._resampler = AudioResampler(self._form.rate, self._form.layout, self._form.format)
        return self._resampler.resample(frame)


class ProcessedTrack(MediaStreamTrack):
    """A track whose frames are made of those of another.

    :param process: takes a frame, returns any number of them.
    """

    kind = "audio"

    def __init__(self, source: MediaStreamTrack, process: Callable[[AudioFrame], list[AudioFrame]]) -> None:
        super().__init__()
        self._source, self._process = source, process
        self._ready: list[AudioFrame] = []

    async def recv(self) -> AudioFrame:
        """Return the next frame.

        :raises MediaStreamError: the track, or its source, has ended.
        """
        while not self._ready:
            if self.readyState != "live":
                raise MediaStreamError("ProcessedTrack.recv: the track has ended")
            try:
                frame = await self._source.recv()
            except MediaStreamError:
                self.stop()
                raise
            self._ready = self._process(frame)  # type: ignore[arg-type]
        return self._ready.pop(0)


def _check(rate: int, layout: str, noise_suppression: str) -> None:
    if rate not in RATES:
        raise InvalidMediaError(f"AudioProcessor: a rate of {rate!r} is not one of {', '.join(map(str, RATES))} Hz")
    if layout not in {"mono", "stereo"}:
        raise InvalidMediaError(f"AudioProcessor: layout {layout!r} is not 'mono' or 'stereo'")
    if noise_suppression not in _LEVELS:
        raise InvalidMediaError(
            f"AudioProcessor: noise_suppression {noise_suppression!r} is not one of {', '.join(_LEVELS)}"
        )


def _checked_track(track: MediaStreamTrack) -> MediaStreamTrack:
    if getattr(track, "kind", None) != "audio":
        raise InvalidMediaError(f"AudioProcessor: {track!r} is no audio track")
    return track


def _samples(frame: AudioFrame) -> Samples:
    """Return the samples as (channels, samples) of 16 bits."""
    if frame.format.name == "s16" and frame.samples:
        plane: Any = frame.planes[0]
        return np.frombuffer(plane, np.int16, frame.samples * len(frame.layout.channels)).reshape(frame.samples, -1).T
    return np.clip(np.rint(sound_of(frame) * 32768), -32768, 32767).astype(np.int16)


def _frame(samples: Samples, form: SoundForm) -> AudioFrame:
    """Return a frame of samples of 16 bits."""
    frame = AudioFrame(form.format, form.layout, samples.shape[1])
    frame.sample_rate = form.rate
    plane: Any = frame.planes[0]
    np.frombuffer(plane, np.int16, samples.size)[:] = samples.T.reshape(-1)
    return frame


def _like(frame: AudioFrame, samples: Samples) -> AudioFrame:
    """Return samples in the form, and at the time, of a frame."""
    rate, layout, format = frame.sample_rate, frame.layout.name, frame.format.name
    if format == "s16" and frame.samples:
        made = _frame(samples, SoundForm(rate, layout, format))
    else:
        made = frame_of(samples.astype(np.float32) / np.float32(32768), format, layout, rate)
    made.pts = frame.pts
    if frame.time_base is not None:
        made.time_base = frame.time_base
    return made
