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

    from shim.calls.results import CallReport, CallSpec, VideoCodec
    from shim.calls.session import Progress

SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm")
_PREROLL: Final = 2.0
"""Seconds that the clip is longer than a short call."""
_LONGEST_CLIP: Final = 20.0
"""Seconds; in a longer call it starts again."""


def _print_figures(wanted: bool) -> None:
    if wanted:
        from shim.calls.report import FIGURES

        print(FIGURES)
        raise typer.Exit


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
    seconds: Annotated[float, typer.Option(help="How long media flows.", min=1.0, max=600.0)] = 4.0,
    video_codec: Annotated[str, typer.Option(help="VP8 or H264.")] = "VP8",
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Send sound.")] = True,
    video: Annotated[bool, typer.Option("--video/--no-video", help="Send pictures.")] = True,
    data: Annotated[bool, typer.Option("--data/--no-data", help="Measure a data channel.")] = True,
    stamp: Annotated[bool, typer.Option("--stamp/--no-stamp", help="Draw a number into each picture.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    width: Annotated[int, typer.Option(help="Of the clip; even.", min=64, max=7680)] = 640,
    height: Annotated[int, typer.Option(help="Of the clip; even.", min=64, max=4320)] = 480,
    fps: Annotated[int, typer.Option(help="Of the clip.", min=1, max=120)] = 30,
    figures: Annotated[
        bool,
        typer.Option(
            "--figures", help="Tell how each figure is measured, and exit.", callback=_print_figures, is_eager=True
        ),
    ] = False,
) -> None:
    """Make a real call between two peers in one process, record what arrives, and measure it.

    How each figure is measured: :data:`shim.calls.report.FIGURES`, which ``--figures`` prints. Exit status: 0 if
    everything arrived everywhere, 1 if not, 2 if the call cannot be made as asked, 130 after Ctrl-C.

    :raises FlagConfigError: a backend has no such name.
    :raises BackendUnavailableError: a backend that was asked for cannot serve here.
    :raises OperationError: the file cannot be read, or a recording not be written.
    """
    from rich.console import Console

    from shim.calls.clip import ClipFormat, ensure_clip, probe
    from shim.calls.results import CallSpec

    _check(record, video_codec, (audio, video, data), (width, height))
    if all_pairs and (offerer or answerer):
        raise typer.BadParameter("--all-pairs calls between all backends: leave --offerer and --answerer out")
    spec = CallSpec(
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
    specs, missing = _plan(spec, all_pairs)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if send is not None:
        probe(send)
    else:
        with console.status("making the clip"):
            ensure_clip(Path(spec.send), ClipFormat(width, height, fps, min(seconds + _PREROLL, _LONGEST_CLIP)))
    reports = _run(specs, console)
    _print(reports, missing, console)
    if any(direction.recording for report in reports for direction in report.directions):
        console.print(f"recordings: {record.parent / f'{record.stem}-*{record.suffix}'}; sent: {spec.send}")
    if json_file is not None:
        _write_json(json_file, reports, missing)
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


def _plan(spec: CallSpec, wants_all: bool) -> tuple[list[CallSpec], dict[str, str]]:
    """Return the calls to make, and which backends cannot take part, with the reason."""
    from shim.calls.pairs import all_pairs, check_backend, check_recordings, find_backends

    if wants_all:
        backends = find_backends()
        specs, missing = all_pairs(spec, backends.able), backends.missing
    else:
        check_backend(spec.offerer)
        check_backend(spec.answerer)
        specs, missing = [spec], {}
    check_recordings(specs)
    return specs, missing


def _run(specs: list[CallSpec], console: Console) -> list[CallReport]:
    from shim.calls.process import run_in_process

    reports = []
    try:
        for spec in specs:
            with _progress(f"{spec.offerer}* -> {spec.answerer}", console) as progress:
                reports.append(run_in_process(spec, progress))
    except KeyboardInterrupt:
        console.print("interrupted; the call has been closed")
        raise typer.Exit(130) from None
    return reports


@contextmanager
def _progress(name: str, console: Console) -> Iterator[Progress]:
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda stage, part: bar.update(task, description=f"{name}: {stage}", completed=part)


def _print(reports: list[CallReport], missing: dict[str, str], console: Console) -> None:
    from rich.console import Console

    from shim.calls.report import LEGEND, failures, table

    result = table(reports)
    # Figures cut off are worth nothing: a narrow terminal wraps the lines.
    needed = console.measure(result, options=console.options.update(width=1000)).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(result)
    console.print(LEGEND)
    for line in failures(reports):
        console.print(line)
    for name, reason in missing.items():
        console.print(f"not called: {name}: {reason}")


def _write_json(path: Path, reports: list[CallReport], missing: dict[str, str]) -> None:
    from shim.calls.report import as_json
    from shim.spi.errors import OperationError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(as_json(reports, missing), indent=2) + "\n")
    except OSError as exc:
        raise OperationError(f"the figures cannot be written to {path}: {exc}") from exc
