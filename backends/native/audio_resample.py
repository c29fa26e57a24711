"""Resamples sound with FFmpeg's filters: swresample, and panning."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from av import AudioFrame
from av.error import BlockingIOError as NothingReady
from av.error import EOFError as Ended
from av.filter import Graph

if TYPE_CHECKING:
    from av.filter.context import FilterContext
    from numpy.typing import NDArray

    from shim.spi.engines import Mix, SoundForm

FILTER_UP: Final = 64
FILTER_DOWN: Final = 48
"""Length of the filter, in samples at the lower one of the two rates: it is level and free of images and aliases up to
0.9 of the band. It begins once it has that many; later it holds back half of them. swresample's default of 32 has
images 27 dB below a tone at 0.9 of the band, and aliases 43 dB below one at 1.1; it takes 0.8 of the time."""


class NativeAudioResampler:
    """The resampler of :mod:`shim.spi.engines`. A graph of filters, without the cost of PyAV's own resampler around it.

    :param target: the output.
    """

    def __init__(self, target: SoundForm) -> None:
        self._target = target
        self._source = target
        self._taken = self._given = 0
        self._entry: FilterContext | None = None
        self._exit: FilterContext | None = None
        self._graph: Graph | None = None

    @property
    def _filter(self) -> int:
        return FILTER_UP if self._source.rate < self._target.rate else FILTER_DOWN

    @property
    def delay(self) -> float:
        """See :attr:`shim.spi.engines.AudioResampler.delay`."""
        source, target = self._source.rate, self._target.rate
        # The filter is rounded up to whole samples, and the count of the output down.
        return 0.0 if source == target else self._filter / min(source, target) + 2 / source + 2 / target

    def start(self, source: SoundForm, mix: Mix | None) -> None:
        """See :meth:`shim.spi.engines.AudioResampler.start`."""
        self._source, self._taken, self._given = source, 0, 0
        graph = Graph()
        graph.threads = 1
        self._entry = last = graph.add_abuffer(
            sample_rate=source.rate, format=source.format, layout=source.layout, time_base=Fraction(1, source.rate)
        )
        for name, arguments in self._filters(mix):
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        self._exit = graph.add("abuffersink")
        last.link_to(self._exit)
        graph.configure(auto_buffer=False)
        self._graph = graph

    def resample(self, frame: AudioFrame) -> list[AudioFrame]:
        """See :meth:`shim.spi.engines.AudioResampler.resample`."""
        if self._entry is None or self._exit is None:
            return []
        self._taken += frame.samples
        self._entry.push(frame)
        try:
            ready = cast("AudioFrame", self._exit.pull())
        except NothingReady:
            return []
        self._given += ready.samples
        return [ready]

    def flush(self) -> list[AudioFrame]:
        """See :meth:`shim.spi.engines.AudioResampler.flush`."""
        rest = self._rest()
        self._entry = self._exit = self._graph = None
        due = -(-self._taken * self._target.rate // self._source.rate) - self._given
        return self._fitted(rest, due)

    def _filters(self, mix: Mix | None) -> list[tuple[str, str]]:
        target = self._target
        resampling = ("aresample", f"{target.rate}:osf={target.format}:filter_size={self._filter}")
        if mix is None:
            return [resampling]
        panning = ("pan", "|".join([target.layout, *(_row(index, row) for index, row in enumerate(mix))]))
        # With the fewest channels to resample.
        return [panning, resampling] if len(mix) <= len(mix[0]) else [resampling, panning, ("aformat", target.format)]

    def _rest(self) -> list[AudioFrame]:
        if self._entry is None or self._exit is None:
            return []
        frames = []
        try:
            self._entry.push(None)
            while True:
                frames.append(cast("AudioFrame", self._exit.pull()))
        except (Ended, NothingReady):
            return frames

    def _fitted(self, frames: list[AudioFrame], due: int) -> list[AudioFrame]:
        """Return as many samples as are due: swresample's own count is off by some."""
        if sum(frame.samples for frame in frames) == due:
            return frames
        if due <= 0:
            return []
        result = AudioFrame(self._target.format, self._target.layout, due)
        result.sample_rate = self._target.rate
        for index, plane in enumerate(_samples(result)):
            parts = [_samples(frame)[index] for frame in frames]
            found = np.concatenate([*parts, np.zeros_like(plane)])
            plane[:] = found[: len(plane)]
        return [result]


def _samples(frame: AudioFrame) -> list[NDArray[Any]]:
    """Return views of the planes. PyAV lists more than there are when there are eight."""
    channels = len(frame.layout.channels)
    kind, planar = np.int16 if frame.format.name.startswith("s16") else np.float32, frame.format.is_planar
    planes: list[Any] = list(frame.planes[: channels if planar else 1])
    return [np.frombuffer(plane, kind, frame.samples * (1 if planar else channels)) for plane in planes]


def _row(index: int, weights: tuple[float, ...]) -> str:
    used = "+".join(f"{weight:.9f}*c{channel}" for channel, weight in enumerate(weights) if weight)
    return f"c{index}={used or '0*c0'}"
