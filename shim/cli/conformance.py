"""``shim conformance``: run the conformance suite, and read its report."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

SUITE: Final = "conformance.suite"
NEEDED: Final = ("conformance", "pytest", "pytest_timeout", "hypothesis", "jinja2")
MARKS: Final = {"same": "✓", "tolerance": "≈", "divergence": "◆", "unsupported": "―", "failed": "✗", "not-run": "○"}
STYLES: Final = {"same": "green", "tolerance": "cyan", "divergence": "yellow", "failed": "bold red"}
_PULSE: Final = 0.2
"""Seconds between two looks at the journal."""
_READY, _NOT_READY, _CANNOT, _INTERRUPTED = 0, 1, 2, 130

conformance = typer.Typer(no_args_is_help=True)


@conformance.command(help="Run the suite, print the verdict, and write report.html, report.json and junit.xml.")
def run(
    pytest_arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed on to pytest, after --, e.g. -- -k relay", metavar="ARGS")
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="Test this backend (repeatable). [default: all that run here]")
    ] = None,
    pairs: Annotated[str, typer.Option(help="Ordered pairs of backends: all, same or cross.")] = "all",
    require_backend: Annotated[
        list[str] | None, typer.Option(help="Test this backend, and fail if this machine lacks it (repeatable).")
    ] = None,
    html: Annotated[Path, typer.Option(help="Folder of the report.", file_okay=False)] = Path("out/conformance"),
    tier: Annotated[str, typer.Option(help="core: what every backend must do. full: everything.")] = "full",
    workers: Annotated[
        int, typer.Option("-n", "--workers", help="Processes; 1 gives the least noise.", min=1, max=64)
    ] = 1,
    seed: Annotated[int | None, typer.Option(help="Seed of all random choices. [default: 1]", min=0)] = None,
) -> None:
    """Run the conformance suite, print the verdict, and write report.html, report.json and junit.xml.

    Exit status: 0 if nothing failed, 1 if something did or the run came to no end, 2 if it cannot be run as asked,
    130 after Ctrl-C. A part of the suite (-k, --pairs) can pass, but its verdict is NOT PROVEN.

    :raises NotSupportedError: the suite's own dependencies are not installed.
    :raises BackendUnavailableError: this machine lacks a backend that is required.
    """
    from rich.console import Console

    _check_choice("--pairs", pairs, ("all", "same", "cross"))
    _check_choice("--tier", tier, ("core", "full"))
    _check_present(require_backend or ())
    options = [f"--backend={name}" for name in backend or ()]
    options += [f"--require-backend={name}" for name in require_backend or ()]
    options += [f"--pairs={pairs}", f"--conformance-tier={tier}", f"--conformance-report={html}"]
    options += ["-m", "slow or not slow"] if tier == "full" else []
    options += ["-n", str(workers)] if workers > 1 else []
    options += [f"--conformance-seed={seed}"] if seed is not None else []
    command = _command([*options, *(pytest_arguments or ())], workers)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(_run(command, html, console))


@conformance.command(help="Print the verdict, the matrix and what failed, from a report.")
def show(
    report: Annotated[Path, typer.Argument(help="report.json, or the folder with it.", exists=True)],
) -> None:
    """Print the verdict, the matrix, and what failed, from a report.

    Exit status: 0 if nothing failed, 1 if something did, 2 if it is no report.

    :raises OperationError: the file is no report of this version.
    """
    from rich.console import Console

    document = _load(report / "report.json" if report.is_dir() else report)
    console = Console(highlight=False, markup=False)
    table = _matrix(document)
    # Figures cut off are worth nothing: a narrow terminal wraps the lines.
    needed = console.measure(table, options=console.options.update(width=1000)).maximum
    Console(highlight=False, markup=False, width=max(console.width, needed)).print(table)
    console.print("  ".join(f"{mark} {state}" for state, mark in MARKS.items()), soft_wrap=True)
    _print_findings(document, Console(highlight=False, markup=False, soft_wrap=True))
    raise typer.Exit(_status_of(document))


# --- running -----------------------------------------------------------------------------------------


def _command(options: list[str], workers: int) -> list[str]:
    """Return what runs pytest; the suite is named, never imported: the SDK does not depend on its tests."""
    from importlib.util import find_spec

    from shim.spi.errors import NotSupportedError

    needed = (*NEEDED, "xdist") if workers > 1 else NEEDED
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise NotSupportedError(
            f"the conformance suite needs {', '.join(missing)}. Install it with: pip install 'webrtc-shim[conformance]'"
        )
    settings = Path(str(getattr(find_spec("conformance"), "origin", ""))).with_name("suite.ini")
    # Our settings, and not those of a project that happens to be here.
    fixed = ["-c", str(settings), "--rootdir", str(Path.cwd()), "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", *fixed, *options, "--pyargs", SUITE]


def _run(command: list[str], folder: Path, console: Console) -> int:
    """Run pytest beside a progress bar; return the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in ("journal.jsonl", "report.json", "report.html", "junit.xml"):
        (folder / left_over).unlink(missing_ok=True)
    log = folder / "pytest.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        was_interrupted = _follow(process, folder / "journal.jsonl", console)
    if not (folder / "report.json").exists():
        _report_death(process.returncode, folder)
    if not (folder / "report.json").exists():
        console.print(log.read_text(errors="replace").strip())
        console.print(f"pytest ended with exit status {process.returncode} before any test ran")
        return _CANNOT
    document = _load(folder / "report.json")
    _print_findings(document, console)
    console.print(f"report: {folder / 'report.html'}; output of pytest: {log}")
    if was_interrupted:
        return _INTERRUPTED
    return _status_of(document) or _status_of_process(process.returncode, document)


def _follow(process: subprocess.Popen[bytes], journal: Path, console: Console) -> bool:
    """Show how far the run is until it ends; tell whether Ctrl-C ended it."""
    was_interrupted = False
    reader = _Reader(journal)
    with _progress(console) as bar:
        task = bar.add_task("starting", total=None)
        while True:
            try:
                process.wait(_PULSE)
            except subprocess.TimeoutExpired:
                _advance(bar, task, reader)
                continue
            except KeyboardInterrupt:
                was_interrupted = True  # pytest has had it too, and writes what it has
                continue
            _advance(bar, task, reader)
            return was_interrupted


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class _Reader:
    """Reads a journal while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.total: int | None = None
        self.states: Counter[str] = Counter()

    def read(self) -> None:
        """Take in what is new."""
        for line in self._new_lines():
            entry = json.loads(line)
            if entry["kind"] == "collected":
                self.total = entry["count"]
            elif entry["kind"] == "result":
                self.states[entry["record"]["state"]] += 1

    def _new_lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield line


def _advance(bar: Progress, task: TaskID, reader: _Reader) -> None:
    reader.read()
    told = "  ".join(f"{mark} {reader.states[state]}" for state, mark in MARKS.items() if reader.states[state])
    bar.update(task, total=reader.total, completed=reader.states.total(), description=told or "starting")


def _report_death(status: int, folder: Path) -> None:
    """Have the report written of what was journalled; there may be nothing."""
    death = f"pytest (signal {-status})" if status < 0 else f"pytest (exit status {status})"
    command = [sys.executable, "-m", "conformance.report", str(folder), "--death", death]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# --- reading -----------------------------------------------------------------------------------------


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise typer.BadParameter(f"{option} is one of {', '.join(choices)} (got {value!r})")


def _check_present(required: Iterable[str]) -> None:
    """Refuse to start without a backend that is required: thousands of tests would say the same."""
    from shim._core.registry import get_registry
    from shim.spi.errors import BackendUnavailableError, FlagConfigError

    for name in required:
        try:
            probe = get_registry().probe(name)
            why = None if probe.available else f"{probe.reason} {get_registry().how_to_get(name)}".strip()
        except (BackendUnavailableError, FlagConfigError) as exc:
            why = str(exc)
        if why is not None:
            raise BackendUnavailableError(
                f"backend {name} is required, but this machine lacks it: {why}. Without --require-backend={name} "
                "the others are tested",
                backend=name,
            )


def _load(path: Path) -> dict[str, Any]:
    from shim.spi.errors import OperationError

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known = document["format"] == "webrtc-conformance-report" and document["version"] == 1
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise OperationError(f"{path} is no report of a conformance run: {exc}") from exc
    if not known:
        raise OperationError(f"{path} is no report of a version that this command reads (1)")
    found: dict[str, Any] = document
    return found


def _status_of(document: Mapping[str, Any]) -> int:
    return _NOT_READY if document["verdict"]["status"] == "not-ready" else _READY


def _status_of_process(returncode: int, document: Mapping[str, Any]) -> int:
    """Nothing failed: then pytest has ended well, unless it selected nothing or broke."""
    if returncode == 5 and not document["tests"]:
        return _CANNOT
    return _READY if returncode == 0 else _NOT_READY


def _matrix(document: Mapping[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    cells = {(cell["row"], cell["column"]): cell for cell in document["cells"]}
    table = Table("capability", *(column["key"].replace(">", "\n→ ") for column in document["columns"]))
    for row in document["rows"]:
        found = [cells.get((row["key"], column["key"])) for column in document["columns"]]
        table.add_row(row["key"], *(Text(*_cell(cell)) if cell else "" for cell in found))
    return table


def _cell(cell: Mapping[str, Any]) -> tuple[str, str]:
    state, total = cell["state"], sum(cell["counts"].values())
    count = cell["counts"][state]
    return f"{MARKS[state]} {count}" + ("" if count == total else f"/{total}"), STYLES.get(state, "")


def _print_findings(document: Mapping[str, Any], console: Console) -> None:
    """Print what failed, what is excused, and the verdict, which comes last: it is what stays on the screen."""
    for test in document["tests"]:
        if test["state"] == "failed":
            console.print(f"✗ {test['id']}: {test['summary']}\n  repeat it with: {test['command']}")
    excuses = {
        (excuse["backend"], excuse["id"]): excuse
        for test in document["tests"]
        if test["state"] == "divergence" and (excuse := test["excuse"])
    }
    for excuse in excuses.values():
        console.print(f"◆ {excuse['backend']}: {excuse['id']}, until {excuse['expires']}: {excuse['reason']}")
    console.print(document["verdict"]["line"])
