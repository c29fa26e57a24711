"""``shim call``: a real call with audio, video and data, recorded and measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from shim.calls.clip import ClipFormat
    from shim.calls.pairs import Backends
    from shim.calls.results import CallReport, CallSpec, VideoCodec
    from shim.calls.session import Progress

SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm")
_PREROLL: Final = 2.0
"""Seconds that the clip is longer than the call."""


def call(
    send: Annotated[
        Path | None, typer.Option(help="Media file to send. [default: a clip made for it]", exists=True, dir_okay=False)
    ] = None,
    record: Annotated[
        Path, typer.Option(help="Recordings: OUT.mp4 gives OUT-offerer-to-answerer.mp4 and the reverse.")
    ] = Path("out/call.mp4"),
    offerer: Annotated[str | None, typer.Option(help="Backend that makes the offer. [default: native]")] = None,
    answerer: Annotated[str | None, typer.Option(help="Backend that answers. [default: native]")] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Call between all ordered pairs of backends.")] = False,
    seconds: Annotated[float, typer.Option(help="How long media flows.", min=1.0, max=86400.0)] = 4.0,
    video_codec: Annotated[str, typer.Option(help="VP8 or H264.")] = "VP8",
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Send sound.")] = True,
    video: Annotated[bool, typer.Option("--video/--no-video", help="Send pictures.")] = True,
    data: Annotated[bool, typer.Option("--data/--no-data", help="Measure a data channel.")] = True,
    stamp: Annotated[bool, typer.Option("--stamp/--no-stamp", help="Draw a number into each picture.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    width: Annotated[int, typer.Option(help="Of the clip; even.", min=64, max=7680)] = 640,
    height: Annotated[int, typer.Option(help="Of the clip; even.", min=64, max=4320)] = 480,
    fps: Annotated[int, typer.Option(help="Of the clip.", min=1, max=120)] = 30,
) -> None:
    """Make a real call between two peers in one process, record what arrives, and measure it.

    Both sides send the same file; media flows both ways at once, after the data channel was measured. Each call has a
    process of its own. Times are taken on one monotonic clock, on the event loop.

    SETUP: from createOffer until the receiving side's connectionState is connected, gathering included.

    FIRST FRAME: from the first frame handed to the sender to the first sent one that comes out of the receiver.

    ROUND TRIP: 100 messages of 64 bytes, one after the other, sent back by the other side. DATA: messages of 16 KiB for
    4 MB or 1.5 s, from the first send to the last arrival, before media flows.

    DELAY: from the sender's recv() returning a frame to the receiver's recv() returning the same one. A picture is
    known by a number in black and white cells along its upper edge, drawn on a copy; with --no-stamp there is no
    number and no delay. Sound is known by correlation in windows of 0.4 s; the 20 ms of a frame are not counted, the
    codec's own delay is. p50/p95 are the median and the 95th percentile.

    ARRIVED: frames handed over and found on the other side; the others were dropped, or came too late.

    PSNR: luma, median, every third picture, without the strip. LIKENESS: normalised correlation of the sound, median.

    CPU: processor seconds per second, of both sides and of reading the file; measuring and recording are left out.
    RSS: memory of the process while media flows, some 30 MiB of measuring included.

    Exit status: 0 if everything arrived everywhere, 1 if not, 2 if the call cannot be made as asked.
    """
    from rich.console import Console

    from shim.calls.clip import ClipFormat, probe
    from shim.calls.results import CallSpec

    _check(record, video_codec, (audio, video, data), (width, height))
    if all_pairs and (offerer or answerer):
        raise typer.BadParameter("--all-pairs calls between all backends: leave --offerer and --answerer out")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    clip = ClipFormat(width, height, fps, seconds + _PREROLL)
    base = CallSpec(
        send=str(send or record.with_name("demo.mp4")),
        record=str(record),
        offerer=offerer or "native",
        answerer=answerer or "native",
        seconds=seconds,
        video_codec=cast("VideoCodec", video_codec.upper()),
        audio=audio,
        video=video,
        data=data,
        stamp=stamp,
    )
    specs, backends = _plan(base, all_pairs)
    if send is None:
        _make_clip(Path(base.send), clip, console)
    else:
        probe(send)
    try:
        reports = _run(specs, console)
    except KeyboardInterrupt:
        console.print("interrupted; the call has been closed")
        raise typer.Exit(130) from None
    _print(reports, backends, console)
    if any(direction.recording for report in reports for direction in report.directions):
        console.print(f"recordings: {record.parent / f'{record.stem}-*{record.suffix}'}; sent: {base.send}")
    if json_file is not None:
        _write_json(json_file, reports, backends)
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _check(record: Path, video_codec: str, wanted: tuple[bool, bool, bool], size: tuple[int, int]) -> None:
    if record.suffix not in SUFFIXES:
        raise typer.BadParameter(f"--record needs a name that ends with {', '.join(SUFFIXES)} (got {record.name!r})")
    if video_codec.upper() not in {"VP8", "H264"}:
        raise typer.BadParameter(f"--video-codec is VP8 or H264 (got {video_codec!r})")
    if not any(wanted):
        raise typer.BadParameter("nothing is left to send: allow audio, video or data")
    if any(length % 2 for length in size):
        raise typer.BadParameter(f"--width and --height must be even (got {size[0]}x{size[1]})")


def _plan(base: CallSpec, wants_all: bool) -> tuple[list[CallSpec], Backends]:
    from shim.calls.pairs import Backends, all_pairs, check_backend, check_recordings, find_backends

    if wants_all:
        backends = find_backends()
        specs = all_pairs(base, backends.able)
    else:
        check_backend(base.offerer)
        check_backend(base.answerer)
        backends = Backends((base.offerer, base.answerer), {})
        specs = [base]
    check_recordings(specs)
    return specs, backends


def _make_clip(path: Path, clip: ClipFormat, console: Console) -> None:
    from shim.calls.clip import ensure_clip

    with console.status("making the clip"):
        ensure_clip(path, clip)


def _run(specs: list[CallSpec], console: Console) -> list[CallReport]:
    from shim.calls.process import run_in_process

    reports = []
    for spec in specs:
        with _progress(f"{spec.offerer}* -> {spec.answerer}", console) as progress:
            reports.append(run_in_process(spec, progress))
    return reports


@contextmanager
def _progress(name: str, console: Console) -> Iterator[Progress]:
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda stage, part: bar.update(task, description=f"{name}: {stage}", completed=part)


def _print(reports: list[CallReport], backends: Backends, console: Console) -> None:
    from rich.console import Console

    from shim.calls.report import LEGEND, failures, table

    result = table(reports)
    # Figures cut off are worth nothing: a narrow terminal wraps the lines.
    needed = console.measure(result, options=console.options.update(width=1000)).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(result)
    console.print(LEGEND)
    for line in failures(reports):
        console.print(line)
    for name, reason in backends.missing.items():
        console.print(f"not called: {name}: {reason}")


def _write_json(path: Path, reports: list[CallReport], backends: Backends) -> None:
    from shim.calls.report import as_json
    from shim.spi.errors import OperationError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(as_json(reports, backends.missing), indent=2) + "\n")
    except OSError as exc:
        raise OperationError(f"the figures cannot be written to {path}: {exc}") from exc
