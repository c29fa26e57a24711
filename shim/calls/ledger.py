"""Who sent what and when, and what came out: the books of one direction.

Frames are identified by content. A picture carries a number (:mod:`shim.calls.barcode`), or, where none may be drawn,
is taken for the most similar one of those sent shortly before. Sound is found by correlation (:mod:`shim.calls.sound`).
Times are taken on the event loop; looking at frames happens on a worker, which does not disturb the call.
"""

from __future__ import annotations

from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from shim.calls import barcode, measure, sound
from shim.calls.results import MediaReport
from shim.calls.worker import Worker

COMPARED: Final = 3
"""Every third picture is kept to be compared with what arrives."""
_KEPT: Final = 30
"""Pictures kept at most: three seconds of them."""
_REMEMBERED: Final = 60
"""Pictures among which an unnumbered one is looked for."""


class VideoLedger:
    """The pictures of one direction.

    :param worker: looks at pictures that arrived.
    :param stamped: numbers are drawn into what is sent.
    """

    def __init__(self, worker: Worker, *, stamped: bool) -> None:
        self._worker = worker
        self._stamped = stamped
        self._sent_at: list[float] = []
        self._arrived_at: dict[int, float] = {}
        self._kept: dict[int, npt.NDArray[np.uint8]] = {}
        self._thumbnails: dict[int, npt.NDArray[np.float32]] = {}
        self._psnr: list[float] = []
        self._size = ""
        # Not the one inside a frame, which is not for two threads: the recording looks at the frames too.
        self._converter = VideoReformatter()

    @property
    def count(self) -> int:
        """How many were sent."""
        return len(self._sent_at)

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return what to send in place of the next frame: a numbered copy, or the frame itself."""
        number = self.count
        if self._stamped:
            frame = _copy(frame)
            barcode.stamp(frame, number)
        if self._stamped and number % COMPARED:
            return frame
        luma = barcode.luma_of(frame if self._stamped else frame.reformat(format="yuv420p"))
        if number % COMPARED == 0:
            self._kept[number] = luma.copy()
            self._kept.pop(number - COMPARED * _KEPT, None)
        if not self._stamped:
            self._thumbnails[number] = measure.thumbnail(luma)
            self._thumbnails.pop(number - _REMEMBERED, None)
        return frame

    def sent(self, now: float) -> None:
        """Note that the prepared frame is handed over."""
        self._sent_at.append(now)

    def received(self, frame: av.VideoFrame, now: float) -> None:
        """Note a frame that came out."""
        self._worker.put(lambda: self._look(frame, now))

    def report(self, count: int) -> MediaReport:
        """Return what became of the first `count` frames. Latencies need numbers."""
        arrived = {number: at for number, at in self._arrived_at.items() if number < count}
        latencies = [(at - self._sent_at[number]) * 1000 for number, at in arrived.items()]
        first = min(arrived.values()) if arrived else None
        return MediaReport(
            sent=count,
            received=len(arrived),
            first_ms=None if first is None else (first - self._sent_at[0]) * 1000,
            latency_ms=measure.spread(latencies) if self._stamped else None,
            quality=float(np.median(self._psnr)) if self._psnr else None,
            size=self._size,
            found=bool(arrived),
        )

    def _look(self, frame: av.VideoFrame, now: float) -> None:
        picture = frame if "yuv" in frame.format.name else self._converter.reformat(frame, format="yuv420p")
        self._size = f"{frame.width}x{frame.height}"
        luma = barcode.luma_of(picture)
        number = barcode.read(luma) if self._stamped else self._most_similar(luma)
        if number is None or number >= self.count:
            return
        self._arrived_at.setdefault(number, now)
        reference = self._kept.get(number)
        if reference is not None:
            self._psnr.append(self._likeness(reference, picture))

    def _most_similar(self, luma: npt.NDArray[np.uint8]) -> int | None:
        seen, thumbnails = measure.thumbnail(luma), dict(self._thumbnails)
        if not thumbnails:
            return None
        return min(thumbnails, key=lambda number: float(np.square(thumbnails[number] - seen).sum()))

    def _likeness(self, reference: npt.NDArray[np.uint8], picture: av.VideoFrame) -> float:
        height, width = reference.shape
        if (picture.height, picture.width) != reference.shape:
            picture = self._converter.reformat(picture, width, height, "yuv420p")
        # The strip is not the user's picture.
        top = barcode.strip_height(height) if self._stamped else 0
        return measure.psnr(reference[top:], barcode.luma_of(picture)[top:])


class AudioLedger:
    """The sound of one direction.

    :param worker: converts what passes.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._sent = sound.Take()
        self._received = sound.Take()
        self.count = 0

    def sent(self, frame: av.AudioFrame, now: float) -> None:
        """Note a frame that is handed over."""
        self.count += 1
        self._worker.put(lambda: self._sent.add(frame, now))

    def received(self, frame: av.AudioFrame, now: float) -> None:
        """Note a frame that came out."""
        self._worker.put(lambda: self._received.add(frame, now))

    def report(self, count: int) -> MediaReport:
        """Return what became of the first `count` frames."""
        found = sound.compare(self._sent, self._received)
        first = found.first_at
        return MediaReport(
            sent=count,
            received=round(sum(found.arrived[:count])),
            first_ms=None if first is None else (first - self._sent.came_at(0)) * 1000,
            latency_ms=measure.spread([latency * 1000 for latency in found.latencies]),
            quality=found.likeness if first is not None else None,
            size="",
            found=first is not None,
        )


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a ``yuv420p`` copy of a frame: the original may be a decoder's reference picture."""
    picture = frame.reformat(format="yuv420p")
    if picture is frame:
        picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
        for target, plane in zip(picture.planes, frame.planes, strict=True):
            source = barcode.pixels(plane)
            width = min(source.shape[1], target.line_size)
            barcode.pixels(target)[: plane.height, :width] = source[: plane.height, :width]
    picture.pts, picture.time_base = frame.pts, frame.time_base
    return picture
