"""A resampler that changes its backend while it plays, and follows the clock of whoever sends. See docs/media.md."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING, Final

import numpy as np

from shim.api.audio import AudioResampler, channels_of, check_finite, checked_format, form_of
from shim.api.audio_arrays import frame_of, sound_of
from shim.api.audio_follow import ClockFollower
from shim.spi.errors import BackendUnavailableError, CapabilityError, InvalidMediaError

if TYPE_CHECKING:
    from av import AudioFrame

    from shim.api.audio_arrays import Sound
    from shim.spi.engines import SoundForm
    from shim.spi.records import Decision

FADE: Final = 0.02
"""Seconds that one backend takes to replace another."""
WARM_UP: Final = 0.01


class HybridResampler:
    """Resamples a stream that another clock paces, and moves from one backend to another without a click.

    Frames are pushed as they come, and pulled at the pace of the local clock. The two clocks may differ by 500 ppm for
    good: the sound is read that much faster or slower, so that the buffer stays at `latency`.

    Both backends hear the same sound during a change, and the outputs of both begin with their inputs: so they are
    faded one into the other in place, their gains adding up to 1. (The powers would have to if they were strangers.)

    :param rate: of the output, as for :class:`~shim.AudioResampler`; `layout` and `format` likewise.
    :param first: the backend to begin with; if it cannot serve, `then` does from the start.
    :param then: the backend to change to. `None` leaves it to the flags.
    :param after: seconds of sound until the change; `None` for when `cross_over()` is called.
    :param latency: seconds that are kept in the buffer, 0.01 to 1; at least a frame and the jitter of the sender.
    :raises InvalidMediaError: the form is impossible.
    :raises BackendUnavailableError: no backend that resamples can run here.
    """

    def __init__(
        self,
        rate: int,
        layout: str = "mono",
        format: str = "s16",
        *,
        first: str | None = "legacy",
        then: str | None = "native",
        after: float | None = 1.0,
        latency: float = 0.04,
    ) -> None:
        if not 0.01 <= latency <= 1:
            raise InvalidMediaError(f"HybridResampler: a latency of {latency!r} is not 0.01 to 1 second")
        self._form = (checked_format(format), layout, rate)
        self._stage = Stage(rate, layout, first, then)
        self._after = after
        self._follower = ClockFollower(len(channels_of(layout)), rate, latency)
        self._pts = 0

    @property
    def backendDecision(self) -> Decision:
        """Which backend resamples now, and why."""
        return self._stage.decision

    @property
    def level(self) -> float:
        """Seconds of sound in the buffer."""
        return self._follower.level

    @property
    def drift(self) -> float:
        """How much faster than it was sent the sound is read now, in parts per million."""
        return (self._follower.speed - 1) * 1e6

    @property
    def concealed(self) -> int:
        """Samples of silence that filled gaps since the sound began."""
        return self._follower.concealed

    @property
    def dropped(self) -> int:
        """Samples that were left out because the buffer was full."""
        return self._follower.dropped

    def cross_over(self) -> None:
        """Change to the other backend, with the frames that are pushed next."""
        self._stage.cross_over()

    def push(self, frame: AudioFrame) -> None:
        """Add a frame.

        :raises InvalidMediaError: its form is impossible, or a sample is not a finite number.
        """
        source = form_of(frame)
        check_finite(frame)
        if self._after is not None and self._stage.seconds >= self._after:
            self._after = None
            self.cross_over()
        self._follower.write(self._stage.resample(source, sound_of(frame)))

    def pull(self, samples: int) -> AudioFrame:
        """Return so many samples: silence at first, until `latency` is filled, and where nothing came.

        :raises InvalidMediaError: `samples` is not 1 to a second's.
        """
        format, layout, rate = self._form
        if not 1 <= samples <= rate:
            raise InvalidMediaError(f"HybridResampler.pull: {samples!r} samples are not 1 to {rate}")
        frame = frame_of(self._follower.read(samples), format, layout, rate)
        frame.pts, frame.time_base = self._pts, Fraction(1, rate)
        self._pts += samples
        return frame


class Stage:
    """Resamples with one backend, then with another, to floats of the output's channels."""

    def __init__(self, rate: int, layout: str, first: str | None, then: str | None) -> None:
        self._rate, self._layout, self._then = rate, layout, then
        try:
            self._now = AudioResampler(rate, layout, "fltp", backend=first)
        except (BackendUnavailableError, CapabilityError):
            self._now = AudioResampler(rate, layout, "fltp", backend=then)
        self._source: SoundForm | None = None
        self._taken = 0
        self._origin = self._given = 0  # places in the output: where the stream began, and what has been given out
        self._wanted = False
        self._change: Change | None = None

    @property
    def decision(self) -> Decision:
        """That of the backend of now."""
        return self._now.backendDecision

    @property
    def seconds(self) -> float:
        """How much of the stream has come in."""
        return self._taken / self._source.rate if self._source else 0.0

    def cross_over(self) -> None:
        """Change as soon as both backends can begin a sample at the same time."""
        self._wanted = self._change is None

    def resample(self, source: SoundForm, sound: Sound) -> Sound:
        """Return what is ready."""
        if source != self._source:
            self._restart(source)
        out = self._fed(self._now, source, sound)
        if self._wanted:
            self._begin(source, sound)
        elif self._change is not None:
            self._change.add_new(self._fed(self._change.resampler, source, sound))
        self._taken += sound.shape[1]
        out = out if self._change is None else self._joined(self._change, out)
        self._given += out.shape[1]
        return out

    def _restart(self, source: SoundForm) -> None:
        """Begin a stream. What the resampler still has of the old one comes out before it."""
        if self._source is not None:
            self._origin += -(-self._taken * self._rate // self._source.rate)
        self._source, self._taken, self._change = source, 0, None

    def _begin(self, source: SoundForm, sound: Sound) -> None:
        """Start the other backend where a sample of the output falls on one of the input."""
        step = source.rate // gcd(source.rate, self._rate)
        ahead = -self._taken % step
        if ahead >= sound.shape[1]:
            return
        self._wanted = False
        resampler = AudioResampler(self._rate, self._layout, "fltp", backend=self._then)
        origin = self._origin + (self._taken + ahead) * self._rate // source.rate
        self._change = Change(resampler, self._given, origin, self._rate)
        self._change.add_new(self._fed(resampler, source, sound[:, ahead:]))

    def _joined(self, change: Change, out: Sound) -> Sound:
        change.add_old(out)
        joined = change.take()
        if change.is_over:
            self._now, self._change = change.resampler, None
        return joined

    def _fed(self, resampler: AudioResampler, source: SoundForm, sound: Sound) -> Sound:
        frames = resampler.resample(frame_of(sound, "fltp", source.layout, source.rate))
        silent = np.zeros((len(channels_of(self._layout)), 0), np.float32)
        return np.concatenate([silent, *(sound_of(frame) for frame in frames)], 1)


class Change:
    """The time in which two resamplers work on the same sound. Places count samples of the output.

    :param resampler: the new one.
    :param place: of the next sample of the old one.
    :param origin: of the first sample of the new one.
    """

    def __init__(self, resampler: AudioResampler, place: int, origin: int, rate: int) -> None:
        self.resampler = resampler
        self._place = self._old_place = place
        self._new_place = origin
        self._old: Sound | None = None
        self._new: Sound | None = None
        # The new one's filter knows nothing of what was before.
        self._start = max(place, origin) + round(WARM_UP * rate)
        self._end = self._start + round(FADE * rate)

    @property
    def is_over(self) -> bool:
        """Whether everything that was taken last came from the new one."""
        return self._place >= self._end

    def add_old(self, sound: Sound) -> None:
        """Add output of the old one."""
        self._old = sound if self._old is None else np.concatenate([self._old, sound], 1)

    def add_new(self, sound: Sound) -> None:
        """Add output of the new one."""
        self._new = sound if self._new is None else np.concatenate([self._new, sound], 1)

    def take(self) -> Sound:
        """Return what is certain: the old one, then both, then the new one."""
        if self._old is None or self._new is None:
            raise RuntimeError("Change.take: nothing was added")
        old_end = self._old_place + self._old.shape[1]
        new_end = self._new_place + self._new.shape[1]
        parts = [self._cut(self._old, self._old_place, min(old_end, self._start))]
        if self._place >= self._start:
            parts.append(self._faded(min(old_end, new_end, self._end)))
        if self._place >= self._end:
            parts.append(self._cut(self._new, self._new_place, new_end))
        return np.concatenate(parts, 1)

    def _faded(self, end: int) -> Sound:
        start = self._place
        angle = (np.arange(start, max(start, end)) + 0.5 - self._start) / (self._end - self._start)
        share = (0.5 - 0.5 * np.cos(np.pi * angle)).astype(np.float32)
        new = self._peek(self._new, self._new_place, end)
        return self._cut(self._old, self._old_place, end) * (1 - share) + new * share

    def _cut(self, sound: Sound | None, place: int, end: int) -> Sound:
        part = self._peek(sound, place, end)
        self._place += part.shape[1]
        return part

    def _peek(self, sound: Sound | None, place: int, end: int) -> Sound:
        if sound is None:
            raise RuntimeError("Change.take: nothing was added")
        return sound[:, self._place - place : max(self._place, end) - place]
