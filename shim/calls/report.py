"""The figures of calls as a table, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from shim.calls.measure import Spread
from shim.calls.results import CallReport, DirectionReport, MediaReport

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    "",
    "ok",
    "setup\nms",
    "first\nsound/\npict. ms",
    "trip ms\np50/p95",
    "data\nMB/s",
    "sound\ndelay\np50/p95",
    "picture\ndelay\np50/p95",
    "sound\nsent/\narrived",
    "picture\nsent/\narrived",
    "PSNR\ndB",
    "like-\nness",
    "CPU\ns/s",
    "RSS\nMiB",
)
LEGEND = (
    "* makes the offer. Delays in ms, the 20 ms of a frame of sound not counted. CPU and RSS: both sides together. "
    "How each figure is measured: shim call --figures"
)
FIGURES = """\
Both sides are in one process, and each call has a process of its own. Times are taken on one monotonic clock, on the
event loop. Both sides send the same file, from the start again if it is over. The data channel is measured first, then
media flows both ways at once. p50/p95 are the median and the 95th percentile.

setup      from createOffer until the receiving side's connectionState is connected, gathering included
first      from the first frame handed to the sender to the first sent one that comes out of the receiver
trip       100 messages of 64 bytes, one after the other, each sent back by the other side
data       messages of 16 KiB for 4 MB or 1.5 s, from the first send to the last arrival
delay      from the sender's recv() returning a frame to the receiver's recv() returning the same one.
           A picture is known by a number in black and white cells along its upper edge, drawn on a copy; with
           --no-stamp there is none and no delay, and a picture is taken for the most similar one of the last 60.
           Sound is known by correlation, in windows of 0.4 s: the delay is that of each frame's first sample, as if
           samples were handed over one by one. So the 20 ms of a frame are not counted, and the codec's own delay is.
sent       frames handed over while media flowed; sound in frames of 20 ms
arrived    how many of them were found on the other side within 0.6 s after the end; the others were dropped
PSNR       luma, median, every third picture, without the strip of cells
likeness   normalised correlation of the sound once aligned, median of the windows; 1 is the same sound
CPU        processor seconds per second, of both sides and of reading the file; measuring and recording have threads
           of their own and are left out
RSS        memory of the process at the end, some 30 MiB of measuring at 640x480 included; --json tells also what it
           was before the call
"""
"""How each figure is measured."""


def table(reports: list[CallReport]) -> Table:
    """Return a table with a row for each direction of each call."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    result = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    for number, heading in enumerate(_COLUMNS):
        result.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True, vertical="bottom")
    for report in reports:
        if not report.directions:
            result.add_row(f"{report.offerer}* -> {report.answerer}", "no")
        for number, direction in enumerate(report.directions):
            last = number == len(report.directions) - 1
            result.add_row(*_cells(report, direction, first=number == 0), end_section=last)
    return result


def failures(reports: list[CallReport]) -> list[str]:
    """Return a line for everything that did not work, or was not recorded whole."""
    lines = []
    for report in reports:
        if report.error:
            lines.append(f"{report.offerer}* -> {report.answerer}: {report.error}")
        lines += [f"{report.offerer}* -> {report.answerer}: {note}" for note in report.notes]
        for direction in report.directions:
            if direction.missing:
                lines.append(f"{_arrow(report, direction)}: no {', '.join(direction.missing)} arrived")
            if direction.unrecorded:
                lines.append(
                    f"{_arrow(report, direction)}: the recording lacks {direction.unrecorded} pictures: "
                    "this machine is too slow to write them down"
                )
    return lines


def as_json(reports: list[CallReport], missing: dict[str, str]) -> dict[str, Any]:
    """Return everything, for ``json.dump``."""
    return {"calls": [_call_as_json(report) for report in reports], "missing": missing}


def _call_as_json(report: CallReport) -> dict[str, Any]:
    facts = asdict(report) | {"ok": report.ok}
    for direction, found in zip(facts["directions"], report.directions, strict=True):
        direction["ok"] = found.ok
        for kind, media in (("audio", found.audio), ("video", found.video)):
            if media is not None:
                direction[kind]["dropped"] = media.dropped
    return facts


def _arrow(report: CallReport, direction: DirectionReport) -> str:
    if direction.name == "offerer-to-answerer":
        return f"{report.offerer}* -> {report.answerer}"
    return f"{report.answerer} -> {report.offerer}*"


def _cells(report: CallReport, direction: DirectionReport, *, first: bool) -> list[str]:
    audio, video, data = direction.audio, direction.video, direction.data
    return [
        _arrow(report, direction),
        "yes" if direction.ok else "no",
        f"{direction.setup_ms:.0f}",
        f"{_number(audio.first_ms if audio else None, 0)}/{_number(video.first_ms if video else None, 0)}",
        _both(data.round_trip_ms if data else None, 2),
        _number(data.throughput if data else None, 1),
        _both(audio.latency_ms if audio else None, 1),
        _both(video.latency_ms if video else None, 1),
        _counts(audio),
        _counts(video),
        _number(video.quality if video else None, 1),
        _number(audio.quality if audio else None, 3),
        _number(report.cpu_per_second, 2) if first else "",
        _number(report.rss_mib, 0) if first else "",
    ]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _both(values: Spread | None, digits: int) -> str:
    return "-" if values is None else f"{values.p50:.{digits}f}/{values.p95:.{digits}f}"


def _counts(media: MediaReport | None) -> str:
    return "-" if media is None else f"{media.sent}/{media.received}"
