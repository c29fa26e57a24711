"""A mixer of sound: any number of tracks in, one out, whatever backend sends it. See docs/media.md."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from shim.api.audio import channels_of
from shim.api.audio_arrays import frame_of, sound_of
from shim.api.audio_hybrid import HybridResampler
from shim.api.audio_limiter import Limiter
from shim.api.tracks import AUDIO_PTIME, MediaStreamTrack
from shim.spi.errors import InvalidAccessError, InvalidMediaError, InvalidStateError, MediaStreamError

if TYPE_CHECKING:
    from av import AudioFrame

    from shim.api.audio_arrays import Sound

logger = logging.getLogger(__name__)

FRAMES_PER_SECOND: Final = 50
MAX_GAIN: Final = 100.0
_SURPLUS: Final = 0.5
"""Seconds above the latency at which an input's sound is thrown away: nobody takes the mix."""
_BURST: Final = 0.2
"""Seconds of sound that one input may give at once, before the others get their turn."""
_MOST_LATE: Final = 0.2
"""Seconds that the mix may be behind its clock; what is older is left out."""


@dataclass(frozen=True, slots=True)
class MixerInputStats:
    """How one input of a mixer fares.

    :param state: ``"live"``, ``"ended"``, or ``"failed"`` if reading the track raised.
    :param level: root mean square of its last 20 ms in the mix, 1 for full scale.
    :param buffered: seconds of its sound that wait.
    :param drift: how much faster than the mixer's its clock runs, in parts per million.
    :param received: frames that came.
    :param refused: frames that were no sound of ours, or held NaN: they were left out.
    :param concealed: samples of silence in the mix where its sound came too late.
    :param dropped: samples for which there was no room.
    """

    state: Literal["live", "ended", "failed"]
    level: float
    buffered: float
    drift: float
    received: int
    refused: int
    concealed: int
    dropped: int


class AudioMixer:
    """Adds up tracks: any rate, layout, format and length of frames, each on its own clock, in one of 20 ms and s16.

    Reading begins with the first ``recv()`` of :attr:`track`. A track that is silent, late, at its end or broken holds
    up no other. What is added up too loud is turned down by a limiter.

    An input's sound comes out `latency` + 1 ms later, and what its resampler holds back, 1.5 to 3.2 ms, if it has
    another rate. Call everything on the event loop's thread. To send the mix over several connections, fork it with
    :class:`~shim.MediaRelay`.

    :param rate: of the mix, 8000 to 192000 Hz, a multiple of 50.
    :param layout: of the mix, with 1 to 8 channels.
    :param latency: seconds that are kept of each input, 0.01 to 1: a frame of it, and its jitter.
    :raises InvalidMediaError: the form is impossible.
    """

    def __init__(self, rate: int = 48000, layout: str = "stereo", *, latency: float = 0.04) -> None:
        HybridResampler(rate, layout, "fltp", first=None, then=None, after=None, latency=latency)  # checks all three
        if rate % FRAMES_PER_SECOND:
            raise InvalidMediaError(f"AudioMixer: a rate of {rate} Hz is no multiple of {FRAMES_PER_SECOND}")
        self._rate, self._layout, self._latency = rate, layout, latency
        self._samples = rate // FRAMES_PER_SECOND
        self._channels = len(channels_of(layout))
        self._limiter = Limiter(self._channels, rate, self._samples)
        self._inputs: dict[MediaStreamTrack, _Input] = {}
        self._track = MixedTrack(self, Fraction(1, rate), self._samples)
        self._running = False

    @property
    def track(self) -> MediaStreamTrack:
        """The mix. Stopping it ends the mixer; the inputs live on."""
        return self._track

    @property
    def stats(self) -> dict[str, MixerInputStats]:
        """How each input fares, by the id of its track. One that has ended is there until it is removed."""
        return {track.id: each.stats for track, each in self._inputs.items()}

    def add(self, track: MediaStreamTrack, gain: float = 1.0) -> None:
        """Add a track to the mix.

        :param gain: what its samples are multiplied with, 0 to 100.
        :raises InvalidMediaError: it is no audio track, or the gain is impossible.
        :raises InvalidAccessError: it is in the mix already.
        :raises InvalidStateError: the mix has been stopped.
        """
        if getattr(track, "kind", None) != "audio" or track is self._track:
            raise InvalidMediaError(f"AudioMixer.add: {track!r} is no audio track of someone else")
        if track in self._inputs:
            raise InvalidAccessError("AudioMixer.add: the track is in the mix already. Use set_gain() to change it")
        if self._track.readyState != "live":
            raise InvalidStateError("AudioMixer.add: the mix has been stopped. Make another mixer")
        checked = _checked_gain(gain, "AudioMixer.add")
        resampler = HybridResampler(
            self._rate, self._layout, "fltp", first=None, then=None, after=None, latency=self._latency
        )
        self._inputs[track] = added = _Input(track, checked, resampler, self._latency)
        if self._running:
            added.start()

    def remove(self, track: MediaStreamTrack) -> None:
        """Take a track out of the mix; it lives on.

        :raises InvalidAccessError: it is not in the mix.
        """
        self._input(track, "AudioMixer.remove").stop()
        del self._inputs[track]

    def set_gain(self, track: MediaStreamTrack, gain: float) -> None:
        """Make a track louder or softer, smoothly within 20 ms.

        :raises InvalidMediaError: the gain is impossible.
        :raises InvalidAccessError: the track is not in the mix.
        """
        checked = _checked_gain(gain, "AudioMixer.set_gain")
        self._input(track, "AudioMixer.set_gain").gain = checked

    def _input(self, track: MediaStreamTrack, what: str) -> _Input:
        found = self._inputs.get(track)
        if found is None:
            raise InvalidAccessError(f"{what}: the track is not in the mix")
        return found

    def _start(self) -> None:
        if not self._running:
            self._running = True
            for each in self._inputs.values():
                each.start()

    def _stop(self) -> None:
        for each in self._inputs.values():
            each.stop()

    def _mix(self) -> AudioFrame:
        mix = np.zeros((self._channels, self._samples), np.float32)
        for each in self._inputs.values():
            sound = each.take(self._samples)
            if sound is not None:
                mix += sound
        return frame_of(self._limiter.limit(mix), "s16", self._layout, self._rate)


class _Input:
    """One track of a mix, and the task that reads it."""

    def __init__(self, track: MediaStreamTrack, gain: float, resampler: HybridResampler, latency: float) -> None:
        self.gain = self._last_gain = gain
        self._track, self._resampler, self._latency = track, resampler, latency
        self._over = False
        self._task: asyncio.Task[None] | None = None
        self._state: Literal["live", "ended", "failed"] = "live"
        self._level = 0.0
        self._received = self._refused = self._dropped = 0

    @property
    def stats(self) -> MixerInputStats:
        resampler = self._resampler
        return MixerInputStats(
            state=self._state,
            level=self._level,
            buffered=resampler.level,
            drift=resampler.drift,
            received=self._received,
            refused=self._refused,
            concealed=resampler.concealed,
            dropped=self._dropped + resampler.dropped,
        )

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._read())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def take(self, samples: int) -> Sound | None:
        """Return so many samples with their gain; `None` for silence after the end."""
        if self._over:
            return None
        sound = sound_of(self._resampler.pull(samples)) * _ramp(self._last_gain, self.gain, samples)
        self._over = self._state != "live" and not sound.any() and self._resampler.level < self._latency
        self._last_gain = self.gain
        self._level = float(np.sqrt(np.mean(sound * sound)))
        return sound

    async def _read(self) -> None:
        loop, given, since = asyncio.get_running_loop(), 0.0, 0.0
        while (frame := await self._next()) is not None:
            now = loop.time()
            if now - since > AUDIO_PTIME:
                given, since = 0.0, now
            given += self._push(frame)
            if given > _BURST:
                # A track that never waits must not keep the loop from the others.
                await asyncio.sleep(AUDIO_PTIME)

    async def _next(self) -> Any:  # noqa: ANN401 - a track may give anything
        try:
            return await self._track.recv()
        except MediaStreamError:
            self._state = "ended"
        except Exception:
            self._state = "failed"
            logger.exception("AudioMixer: reading track %s failed; it is left out from now on", self._track.id)
        return None

    def _push(self, frame: AudioFrame) -> float:
        """Add a frame; return its length in seconds."""
        self._received += 1
        try:
            if self._resampler.level < self._latency + _SURPLUS:
                self._resampler.push(frame)
            else:
                self._dropped += frame.samples
        except InvalidMediaError as exc:
            self._refused += 1
            if self._refused == 1:
                logger.warning("AudioMixer: frames of track %s are left out: %s", self._track.id, exc)
            return AUDIO_PTIME
        return frame.samples / frame.sample_rate


class MixedTrack(MediaStreamTrack):
    """The output of a mixer: 20 ms, s16, each when its time has come."""

    kind = "audio"

    def __init__(self, mixer: AudioMixer, time_base: Fraction, samples: int) -> None:
        super().__init__()
        self._mixer, self._time_base, self._samples = mixer, time_base, samples
        self._number = -1
        self._began = 0.0

    async def recv(self) -> AudioFrame:
        """Return the next frame when its time has come. One reader at a time.

        :raises MediaStreamError: the track has been stopped.
        """
        self._check_live()
        self._mixer._start()
        await self._wait()
        self._check_live()
        frame = self._mixer._mix()
        frame.pts, frame.time_base = self._number * self._samples, self._time_base
        return frame

    def stop(self) -> None:
        """End the mix, and stop reading the inputs, which live on."""
        super().stop()
        self._mixer._stop()

    async def _wait(self) -> None:
        """Wait until the next frame is due. A reader that stayed away for long goes on with the present."""
        now, number = asyncio.get_running_loop().time(), self._number + 1
        if not number:
            self._began = now
        late = now - self._began - number * AUDIO_PTIME
        if late > _MOST_LATE:
            number += int(late / AUDIO_PTIME)
        await asyncio.sleep(max(0.0, -late))
        self._number = number

    def _check_live(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError("AudioMixer.track.recv: the track has been stopped")


def _ramp(before: float, after: float, samples: int) -> Sound | np.float32:
    if before == after:
        return np.float32(after)
    return np.linspace(before, after, samples, dtype=np.float32)


def _checked_gain(gain: float, what: str) -> float:
    if not (isinstance(gain, (int, float)) and isfinite(gain) and 0 <= gain <= MAX_GAIN):
        raise InvalidMediaError(f"{what}: a gain of {gain!r} is not 0 to {MAX_GAIN:g}")
    return float(gain)
