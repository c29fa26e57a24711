"""What the stack adds to media: encoded frame in to encoded frame out, and where the time of a frame goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any, Final, Literal

from benchmarks.figures import median, quantile
from benchmarks.media import Bursts, Pictures
from benchmarks.metric import AnyFrame, Effort, Figure, Metric, Target
from benchmarks.pacing import Source
from benchmarks.stages import STAGES, TracedPace, Tracer, traced
from benchmarks.subjects.base import Subject

_SETTLE: Final = 0.7
_SIZE: Final = (640, 480)
Kind = Literal["audio", "video"]


class Encoded:
    """Packets made beforehand: one per frame of another source.

    :param source: makes what is encoded, once.
    :param count: packets; after the last one it starts again.
    """

    def __init__(self, source: Source, count: int) -> None:
        self.kind, self.interval = source.kind, source.interval
        codec = _opus() if source.kind == "audio" else _vp8()
        self._packets = [bytes(packet) for index in range(count) for packet in codec.encode(source.make(index))]

    def make(self, index: int) -> AnyFrame:
        """Return the packet of this number."""
        from av import Packet

        packet = Packet(self._packets[index % len(self._packets)])
        packet.pts, packet.time_base = round(index * self.interval * 90000), Fraction(1, 90000)
        return packet


def _opus() -> Any:  # noqa: ANN401 - PyAV is imported when it is measured
    from av import AudioCodecContext

    codec = AudioCodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format, codec.time_base = 48000, "stereo", "s16", Fraction(1, 48000)
    return codec


def _vp8() -> Any:  # noqa: ANN401
    from av import VideoCodecContext

    codec = VideoCodecContext.create("libvpx", "w")
    codec.width, codec.height = _SIZE
    codec.pix_fmt, codec.time_base, codec.bit_rate = "yuv420p", Fraction(1, 90000), 1_500_000
    codec.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "g": "3000"}
    return codec


def _source(kind: Kind, *, encoded: bool, count: int) -> Source:
    raw: Source = Bursts() if kind == "audio" else Pictures(*_SIZE)
    return Encoded(raw, count) if encoded else raw


async def _trace(kind: Kind, subject: Subject, effort: Effort, *, encoded: bool) -> Tracer:
    seconds = effort.pick(2.5, 1.0)
    tracer = Tracer()
    source = _source(kind, encoded=encoded, count=round((seconds + _SETTLE) * 50))
    pair, pace = subject.pair(bitrate=1_500_000), TracedPace(source, tracer)
    with traced(tracer):
        try:
            pair.send(pace, "VP8" if kind == "video" else None)
            pair.receive(tracer.delivered)
            await pair.connect()
            await asyncio.sleep(_SETTLE)
            tracer.done.clear()
            await asyncio.sleep(seconds)
        finally:
            await pair.close()
    if not tracer.done:
        raise RuntimeError("no frame was followed from end to end: a seam of the engine must have moved")
    return tracer


async def added(kind: Kind, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send packets, and measure to where the decoder gets them."""
    values = [marks.added * 1000 for marks in (await _trace(kind, subject, effort, encoded=True)).done]
    return {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99)}


async def breakdown(kind: Kind, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Send frames, and measure each stage."""
    stages = [marks.stages() for marks in (await _trace(kind, subject, effort, encoded=False)).done]
    columns = {name: [one[name] * 1000 for one in stages] for name in STAGES}
    columns["whole"] = [1000 * sum(one.values()) for one in stages]
    late = {f"{name}_p99": quantile(column, 0.99) for name, column in columns.items()}
    return {name: median(column) for name, column in columns.items()} | late


def _figures() -> tuple[Figure, ...]:
    typical = tuple(Figure(name, name, "ms") for name in STAGES)
    late = tuple(Figure(f"{name}_p99", f"{name}, p99", "ms", "neither") for name in STAGES)
    whole = (Figure("whole", "one way, p50", "ms", "neither"), Figure("whole_p99", "one way, p99", "ms", "neither"))
    return typical + late + whole


def _metrics(kind: Kind, what: str) -> tuple[Metric, Metric]:
    return (
        Metric(
            name=f"added_{kind}",
            title=f"added by the stack, {kind}",
            group="media",
            about=f"{what} that are encoded already, from the moment at which the sender gets one until the "
            "decoder gets it: "
            "packetising, SRTP, sockets and jitter buffer, without codecs. Inside the native engine.",
            figures=(Figure("p50", "p50", "ms", targets=(Target(2, over=None),)), Figure("p99", "p99", "ms")),
            measure=partial(added, kind),
            subjects=("native",),
            quick_rounds=3 if kind == "video" else 0,
            settles=True,
        ),
        Metric(
            name=f"stages_{kind}",
            title=f"where the time goes, {kind}",
            group="media",
            about=f"{what} one way, medians of each stage, and the time that 99 of 100 frames take at most. "
            "Capture: from when a frame is due until the sender has it. Encode: "
            "with the changes of threads. Packetise: with SRTP, until the system has the last packet. Network: "
            "until SRTP is "
            "taken off that. Reorder: until the decoder has the frame. Decode: with the changes of threads. Delivery: "
            "until the application has it.",
            figures=_figures(),
            measure=partial(breakdown, kind),
            subjects=("native",),
            rounds=3,
            quick_rounds=0,
            settles=True,
            stacked=True,
        ),
    )


METRICS = (*_metrics("audio", "Opus packets of 20 ms"), *_metrics("video", "VP8 640x480 frames, 30 per second,"))
