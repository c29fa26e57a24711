"""Resampling of sound: rate, channels and sample format. See docs/media.md."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from shim.api.audio_arrays import planes_of
from shim.api.audio_mix import CHANNELS, mix_of
from shim.api.component import serving
from shim.spi.capabilities import Component
from shim.spi.engines import SoundForm
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from av import AudioFrame

    from shim.spi.engines import AudioResampler as Engine
    from shim.spi.records import Decision

SAMPLE_FORMATS: Final = ("s16", "s16p", "flt", "fltp")
LOWEST_RATE: Final = 8000
HIGHEST_RATE: Final = 192000
MAX_CHANNELS: Final = 8
MAX_SAMPLES: Final = 1 << 24


class AudioResampler:
    """Brings sound into one form: rate, channels, sample format.

    It is a stream: frames of any length go in, and the output does not depend on how the input was cut. Sample n of the
    output belongs to the time n / rate, without a shift; n samples of input make ceil(n * rate / input rate) of output
    once it is flushed. Until then at most `delay` seconds are held back. When the form of the input changes, the old
    stream is flushed and a new one begins.

    One thread at a time.

    :param rate: of the output, 8000 to 192000 Hz.
    :param layout: of the output, with 1 to 8 channels, e.g. ``"mono"``, ``"stereo"``, ``"5.1"`` or ``"7.1"``. They
        are mixed by ITU-R BS.775; no sum is louder than full scale.
    :param format: ``"s16"``, ``"s16p"``, ``"flt"`` or ``"fltp"``. What does not fit into s16 is clipped.
    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises InvalidMediaError: the form is impossible.
    :raises BackendUnavailableError: no backend that resamples can run here.
    """

    def __init__(self, rate: int, layout: str = "mono", format: str = "s16", *, backend: str | None = None) -> None:
        from shim._core.dispatch import get_dispatcher

        target = SoundForm(_checked_rate(rate), layout, checked_format(format))
        self._channels = channels_of(layout)
        self._target = target
        self._engine: Engine
        self._engine, self._decision = get_dispatcher().create(
            Component.AUDIO_RESAMPLE, lambda hooks: hooks.shim_create_audio_resampler(target=target), backend=backend
        )
        self._source: SoundForm | None = None
        self._pts = 0

    @property
    def backendDecision(self) -> Decision:
        """Which backend resamples, and why."""
        return self._decision

    @property
    def delay(self) -> float:
        """Seconds of input that may be held back; 0 before the first frame."""
        return self._engine.delay if self._source else 0.0

    def resample(self, frame: AudioFrame | None) -> list[AudioFrame]:
        """Take one frame; returns what is ready, perhaps nothing.

        The output's times count on from that of the first frame; later ones of the input are not looked at.

        :param frame: any length; `None` flushes, and the next frame begins a new stream.
        :raises InvalidMediaError: its form is impossible, or a sample is not a finite number.
        """
        with serving(self._decision, "AudioResampler.resample"):
            if frame is None:
                return self._flush()
            source = form_of(frame)
            check_finite(frame)
            rest = [] if source == self._source else self._flush()
            if self._source is None:
                self._start(source, frame)
            return rest + (self._timed(self._engine.resample(frame)) if frame.samples else [])

    def _start(self, source: SoundForm, frame: AudioFrame) -> None:
        self._engine.start(source, mix_of(channels_of(source.layout), self._channels))
        self._source = source
        if frame.pts is not None and frame.time_base is not None:
            self._pts = round(frame.pts * frame.time_base * self._target.rate)

    def _flush(self) -> list[AudioFrame]:
        if self._source is None:
            return []
        self._source = None
        return self._timed(self._engine.flush())

    def _timed(self, frames: list[AudioFrame]) -> list[AudioFrame]:
        for frame in frames:
            frame.pts = self._pts
            frame.time_base = Fraction(1, self._target.rate)
            self._pts += frame.samples
        return frames


def form_of(frame: AudioFrame, what: str = "AudioResampler") -> SoundForm:
    """Return the form of a frame.

    :param what: who asks, for the messages.

    :raises InvalidMediaError: it is no frame, or its form is impossible.
    """
    if not (hasattr(frame, "samples") and hasattr(frame, "layout")):
        raise InvalidMediaError(f"{what}: {type(frame).__name__} is no av.AudioFrame")
    if frame.samples > MAX_SAMPLES:
        raise InvalidMediaError(f"{what}: {frame.samples} samples are more than {MAX_SAMPLES}. Cut them up")
    channels_of(frame.layout.name, what)
    rate, format = _checked_rate(frame.sample_rate, what), checked_format(frame.format.name, what)
    return SoundForm(rate, frame.layout.name, format)


def channels_of(layout: str, what: str = "AudioResampler") -> tuple[str, ...]:
    """Return the names of the channels of a layout.

    :raises InvalidMediaError: it has none, more than 8, or one that is no loudspeaker we know.
    """
    from av import AudioLayout

    try:
        names = tuple(channel.name for channel in AudioLayout(layout).channels)
    except (ValueError, TypeError) as exc:
        raise InvalidMediaError(f"{what}: {layout!r} is no layout, such as 'mono', 'stereo' or '5.1'") from exc
    if not 1 <= len(names) <= MAX_CHANNELS or not CHANNELS.issuperset(names):
        raise InvalidMediaError(f"{what}: layout {layout!r} does not have 1 to 8 of {', '.join(sorted(CHANNELS))}")
    return names


def check_finite(frame: AudioFrame, what: str = "AudioResampler") -> None:
    """Refuse NaN and infinity: in a filter they would silence all that follows.

    :raises InvalidMediaError: there is one.
    """
    if not frame.format.name.startswith("flt"):
        return
    import numpy as np

    count = frame.samples * (1 if frame.format.is_planar else len(frame.layout.channels))
    for plane in planes_of(frame):
        if not np.isfinite(np.frombuffer(plane, np.float32, count)).all():
            raise InvalidMediaError(f"{what}: a sample is NaN or infinite. Clean the sound before")


def _checked_rate(rate: int, what: str = "AudioResampler") -> int:
    if not (isinstance(rate, int) and LOWEST_RATE <= rate <= HIGHEST_RATE):
        raise InvalidMediaError(f"{what}: a rate of {rate!r} is not {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    return rate


def checked_format(name: str, what: str = "AudioResampler") -> str:
    """Return the name of a sample format.

    :raises InvalidMediaError: it is none of ours.
    """
    if name not in SAMPLE_FORMATS:
        raise InvalidMediaError(f"{what}: sample format {name!r} is not one of {', '.join(SAMPLE_FORMATS)}")
    return name
