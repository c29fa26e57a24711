"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final

from benchmarks import plots, words
from benchmarks.compare import Change
from benchmarks.results import FigureResult, MetricResult, Run
from benchmarks.subjects import TITLES
from benchmarks.table import missing

_STYLE: Final = """
:root{color-scheme:light}
body{font:16px/1.45 system-ui,sans-serif;color:#222;background:#fff;margin:0 auto;max-width:76rem;padding:1rem}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:2px solid #222;text-transform:capitalize}
h3{font-size:1rem;margin:0 0 .2rem}
h4{font-size:.85rem;font-weight:600;margin:.8rem 0 .1rem}
p{margin:.3rem 0}
.about,.facts{color:#4a4a4a;font-size:.82rem}
.headline{font-size:1.05rem;font-weight:600}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1rem}
.card{border:1px solid #bbb;border-radius:6px;padding:.8rem;break-inside:avoid}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.82rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #ddd;vertical-align:top;white-space:nowrap}
td:first-child{white-space:normal;min-width:9rem}
tr.missed td:last-child{font-weight:700}
svg{display:block;width:100%;max-width:30rem;height:auto;overflow:visible}
svg text{font-family:system-ui,sans-serif;font-size:12px;paint-order:stroke;stroke:#fff;stroke-width:3px}
svg text[fill="#fff"],svg text[fill="#000"]{stroke:none}
svg text.small{font-size:10px;fill:#555}
svg text.value{font-size:11px}
svg line.grid{stroke:#ddd;stroke-width:1}
svg line.limit{stroke:#222;stroke-width:1.2;stroke-dasharray:4 3}
details{margin:.4rem 0;font-size:.82rem}
.pair{display:grid;gap:1.5rem;align-items:start}
@media(min-width:64rem){.pair{grid-template-columns:27rem minmax(0,1fr)}}
@media(max-width:40rem){th,td{white-space:normal}}
@media print{body{font-size:11px;max-width:none;padding:0}.grid{grid-template-columns:1fr 1fr}a{color:inherit}}
"""


def write(run: Run, changes: list[Change] | None, path: Path) -> None:
    """Write the page.

    :param changes: since an earlier run; `None` if there is none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(run, changes), encoding="utf-8")


def render(run: Run, changes: list[Change] | None = None) -> str:
    """Return the page."""
    body = "".join([*_head(run), *_targets(run), *_changes(changes), *_groups(run), *_missing(run)])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>webrtc-shim benchmarks</title><style>{_STYLE}</style><body>{body}</body></html>\n"
    )


def _head(run: Run) -> Iterator[str]:
    yield "<h1>webrtc-shim benchmarks</h1>"
    yield f'<p class="headline">{escape(words.headline(run))}</p>'
    facts = {"started": run.started, **run.machine}
    yield f'<p class="facts">{escape(" · ".join(f"{key} {value}" for key, value in facts.items()))}</p>'
    versions = " · ".join(f"{TITLES.get(key, key)}: {value}" for key, value in run.versions.items())
    yield f'<p class="facts">{escape(versions)}</p><p class="about">{escape(words.LEGEND)}</p>'


def _targets(run: Run) -> Iterator[str]:
    judged = [(metric, result, one) for metric, result in run.figures() for one in result.judged()]
    if not judged:
        return
    rows = "".join(
        f'<tr class="{one.verdict}"><td>{escape(metric.title)}, {escape(result.figure.title)}</td>'
        f"<td>{escape(words.target(one.target, result.figure))}</td><td>{escape(words.ratio(one.found))}</td>"
        f"<td>{escape(words.verdict(one))}</td></tr>"
        for metric, result, one in judged
    )
    yield "<h2>Targets</h2>"
    yield '<div class="pair"><div class="card">'
    yield plots.targets([(f"{metric.title}, {result.figure.title}", one) for metric, result, one in judged])
    yield '</div><div class="wide"><table><tr><th>figure</th><th>target</th><th>found [95 %]</th><th>verdict</th></tr>'
    yield f"{rows}</table></div></div>"


def _changes(changes: list[Change] | None) -> Iterator[str]:
    if changes is None:
        return
    yield "<h2>Changed since the earlier run</h2>"
    if not changes:
        yield "<p>Nothing beyond noise.</p>"
    for relative, lines in groupby(changes, key=lambda change: change.relative):
        title = "Against another in the same run" if relative else "By itself: the machine may be another, or busier"
        yield f"<h3>{title}</h3><ul>{''.join(f'<li>{escape(str(one))}</li>' for one in lines)}</ul>"


def _groups(run: Run) -> Iterator[str]:
    for group, metrics in groupby(run.metrics, key=lambda metric: metric.group):
        cards = "".join(_card(metric) for metric in metrics if metric.subjects)
        if cards:
            yield f'<h2>{escape(group)}</h2><div class="grid">{cards}</div>'


def _card(metric: MetricResult) -> str:
    results = [result for result in metric.figures if any(result.known(name) for name in result.values)]
    drawings = plots.stack(metric) if metric.stacked else "".join(_drawing(result) for result in results)
    rows = "".join(_row(result, name) for result in results for name in metric.subjects)
    head = "<tr><th>figure</th><th>subject</th><th>median</th><th>p95</th><th>IQR</th><th>rounds</th></tr>"
    return (
        f'<section class="card"><h3>{escape(metric.title)}</h3>{drawings}<p class="about">{escape(metric.about)}</p>'
        f'<details><summary>numbers</summary><div class="wide"><table>{head}{rows}</table></div></details></section>'
    )


def _drawing(result: FigureResult) -> str:
    better = {"lower": "less is better", "higher": "more is better", "neither": ""}[result.figure.better]
    title = ", ".join(filter(None, (result.figure.title, result.figure.unit, better)))
    return f"<h4>{escape(title)}</h4>{plots.strips(result)}"


def _row(result: FigureResult, name: str) -> str:
    found = result.summary(name)
    if found is None:
        return ""
    numbers = (words.number(value) for value in (found.median, found.p95, found.iqr))
    title = f"{result.figure.title}, {result.figure.unit}"
    cells = (escape(title), escape(TITLES.get(name, name)), *numbers, str(found.count))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _missing(run: Run) -> Iterator[str]:
    lines = list(missing(run))
    if lines:
        yield f"<h2>Not measured</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
