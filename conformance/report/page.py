"""``report.html``: one file that needs nothing else, for a screen, a phone, paper and a screen reader."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from conformance.report.document import WORST_FIRST, worst
from conformance.report.plots import line_plot
from conformance.report.schema import Column, Descriptions, Events, Excuse, ReportDocument, Result, Row, State
from conformance.report.sections import link_of

if TYPE_CHECKING:
    from jinja2 import Environment

GLYPHS: Final[dict[State, str]] = {
    "same": "✓",
    "tolerance": "≈",
    "divergence": "◆",
    "unsupported": "―",
    "failed": "✗",
    "not-run": "○",
}
"""Told by shape, then by colour."""
NAMES: Final[dict[State, str]] = {
    "same": "same",
    "tolerance": "within tolerance",
    "divergence": "registered divergence",
    "unsupported": "unsupported",
    "failed": "failed",
    "not-run": "not run here",
}
MEANINGS: Final[dict[State, str]] = {
    "same": "as the specification says",
    "tolerance": "measured, and as near as the test asks",
    "divergence": "differs; accepted with a reason until a date",
    "unsupported": "the backend declares that it cannot",
    "failed": "differs or broke, and nobody has accepted that",
    "not-run": "this machine or build lacks what it takes",
}
_KINDS: Final = {"backend": "alone", "pair": "offerer → answerer", "foreign": "with a peer of others", "none": "other"}


@dataclass(frozen=True, slots=True)
class Square:
    """One cell of the matrix, with the tests behind it."""

    anchor: str
    row: Row
    column: Column
    tests: list[Result] = field(default_factory=list)

    @property
    def state(self) -> State:
        """The worst."""
        return worst(test["state"] for test in self.tests)

    @property
    def text(self) -> str:
        """How many of the tests are in that state, as the reader sees it."""
        count = sum(test["state"] == self.state for test in self.tests)
        return f"{count}" if count == len(self.tests) else f"{count}/{len(self.tests)}"

    @property
    def words(self) -> str:
        """The same for a screen reader."""
        counts = Counter(test["state"] for test in self.tests)
        told = ", ".join(f"{counts[state]} {NAMES[state]}" for state in WORST_FIRST if counts[state])
        return f"{self.row['label']}, {label_of(self.column)}: {told}"


def render(document: ReportDocument) -> str:
    """Return the page."""
    squares = _squares(document)
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            document=document,
            run=document["run"],
            verdict=document["verdict"],
            squares=squares,
            groups=_groups(document["columns"]),
            states=WORST_FIRST,
            failures=[test for test in document["tests"] if test["state"] == "failed"],
            divergences=_divergences(document["tests"]),
            unsupported=_by_reason(document["tests"], "unsupported"),
            not_run=_by_reason(document["tests"], "not-run"),
            anchors={test["id"]: f"t{number}" for number, test in enumerate(document["tests"])},
        )
    )


def environment() -> Environment:
    """Return what turns the template into a page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(glyphs=GLYPHS, names=NAMES, meanings=MEANINGS, kinds=_KINDS, label_of=label_of, link_of=link_of)
    made.globals.update(
        breakable=breakable, plot=line_plot, diff=diff_lines, timeline=timeline, seconds=seconds, rank=WORST_FIRST.index
    )
    return made


def label_of(column: Column) -> str:
    """Return e.g. ``"native → legacy"``."""
    if column["kind"] == "none":
        return "no backend"
    return column["offerer"] if column["kind"] == "backend" else f"{column['offerer']} → {column['answerer']}"


def breakable(name: str) -> Markup:
    """Return a dotted name that a narrow page may break where a reader would."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=[._])", name))


def seconds(value: float) -> str:
    """Return a duration that is easy to read."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 90 else f"{int(value // 60)} min {value % 60:.0f} s"


def diff_lines(descriptions: Descriptions) -> list[tuple[str, str]]:
    """Return the lines of a unified diff as (sign, text): ``"+"``, ``"-"``, ``"@"`` or ``" "``."""
    a, b = (text.splitlines() for text in (descriptions["a"], descriptions["b"]))
    lines = list(difflib.unified_diff(a, b, n=2, lineterm=""))[2:]
    return [(line[0], line[1:] if line[0] != "@" else line) for line in lines]


def timeline(events: Sequence[Events]) -> list[tuple[str, list[str]]]:
    """Lay events of several objects side by side: (time, text per object), in the order in which they happened."""
    moments = [(index, moment) for index, one in enumerate(events) for moment in one["entries"]]
    timed = [moment["at"] for _, moment in moments if moment["at"] is not None]
    start = min(timed, default=0.0)
    if len(timed) == len(moments):
        moments.sort(key=lambda pair: pair[1]["at"] or 0.0)
    rows = []
    for index, moment in moments:
        texts = [""] * len(events)
        texts[index] = moment["text"].removeprefix(f"{events[index]['label']}.")
        rows.append(("" if moment["at"] is None else f"{(moment['at'] - start) * 1000:.0f} ms", texts))
    return rows


def _squares(document: ReportDocument) -> dict[tuple[str, str], Square]:
    rows = {row["key"]: (number, row) for number, row in enumerate(document["rows"])}
    columns = {column["key"]: (number, column) for number, column in enumerate(document["columns"])}
    squares: dict[tuple[str, str], Square] = {}
    for test in sorted(document["tests"], key=lambda test: WORST_FIRST.index(test["state"])):
        for key in test["rows"]:
            (y, row), (x, column) = rows[key], columns[test["column"]]
            square = squares.setdefault((key, test["column"]), Square(f"c{y}-{x}", row, column))
            square.tests.append(test)
    return squares


def _groups(columns: Iterable[Column]) -> list[tuple[str, int]]:
    counts = Counter(column["kind"] for column in columns)
    return [(label, counts[kind]) for kind, label in _KINDS.items() if counts[kind]]  # type: ignore[index]


def _divergences(tests: Iterable[Result]) -> list[tuple[Excuse, list[Result]]]:
    """Return the entries that excuse a test, the next to expire first."""
    found: dict[tuple[str, str], tuple[Excuse, list[Result]]] = {}
    for test in tests:
        if test["state"] == "divergence" and (excuse := test["excuse"]) is not None:
            found.setdefault((excuse["backend"], excuse["id"]), (excuse, []))[1].append(test)
    return sorted(found.values(), key=lambda pair: pair[0]["expires"])


def _by_reason(tests: Iterable[Result], state: State) -> list[tuple[str, list[Result]]]:
    found: dict[str, list[Result]] = {}
    for test in tests:
        if test["state"] == state:
            found.setdefault(test["reason"], []).append(test)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))
