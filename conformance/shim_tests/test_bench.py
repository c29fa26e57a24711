"""The benchmark suite: its arithmetic, its runner, its files, and one real measurement."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import claims, command, markdown, page, results
from benchmarks.compare import compare
from benchmarks.figures import Summary, judge, paired_ratio, quantile, summarize, unpaired_ratio
from benchmarks.media import Bursts, Ear, Eye, Pictures, read_number
from benchmarks.metric import Effort, Figure, Metric, Target, UnsupportedError
from benchmarks.pacing import Pace
from benchmarks.processes import Worker, WorkerError
from benchmarks.registry import UnknownMetricError, all_metrics, chosen
from benchmarks.results import FigureResult, MetricResult, Run, SchemaError
from benchmarks.runner import Runner
from benchmarks.subjects import TITLES
from benchmarks.subjects.base import Subject

# --- arithmetic --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.25, 1.75), (0.5, 2.5), (0.95, 3.85), (1, 4)])
def test_a_quantile_lies_between_the_two_nearest_values(share: float, expected: float) -> None:
    assert quantile([4, 1, 3, 2], share) == pytest.approx(expected)


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_a_summary_holds_median_quartile_distance_and_p95() -> None:
    found = summarize([10, 12, 14, 16, 18])
    assert found is not None
    assert (found.median, found.iqr, found.count) == (14, 4, 5)
    assert found.spread == pytest.approx(4 / 14)
    assert found.p95 == pytest.approx(17.6)
    assert found.low <= 14 <= found.high


def test_an_interval_narrows_with_more_rounds_and_is_the_same_each_time() -> None:
    few, many = summarize([9, 10, 11] * 2), summarize([9, 10, 11] * 60)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low
    assert summarize([9, 10, 11] * 2) == few


@pytest.mark.parametrize(("values", "trusted"), [([10, 10, 10], True), ([10, 10], False), ([5, 10, 20, 40], False)])
def test_wide_spread_or_too_few_rounds_are_not_trusted(values: list[float], trusted: bool) -> None:
    found = summarize(values)
    assert found is not None
    assert found.trusted is trusted


def test_a_paired_ratio_removes_what_both_suffer_from() -> None:
    busy = [1.0, 3.0, 9.0, 2.0, 5.0]
    found = paired_ratio([2 * value for value in busy], busy)
    assert found is not None
    assert (found.median, found.spread, found.low, found.high) == (2, 0, 2, 2)


def test_a_paired_ratio_leaves_out_rounds_that_failed_on_either_side() -> None:
    found = paired_ratio([4, None, 9, 16], [2, 5, None, 4])
    assert found is not None
    assert found.count == 2
    assert found.median == pytest.approx(3)
    assert paired_ratio([1, 2], [0, 0]) is None


def test_an_unpaired_ratio_compares_medians() -> None:
    found = unpaired_ratio([20, 21, 22], [10, 10.5, 11])
    assert found is not None
    assert found.median == pytest.approx(2)
    assert found.low < 2 < found.high


def _summary(low: float, median: float, high: float, count: int = 5) -> Summary:
    return Summary(median, low, high, high, high - low, (high - low) / median, count)


@pytest.mark.parametrize(
    ("found", "at_most", "expected"),
    [
        (_summary(0.5, 0.6, 0.66), True, "met"),
        (_summary(0.5, 0.6, 0.7), True, "untrusted"),
        (_summary(0.68, 0.9, 1.2), True, "missed"),
        (_summary(0.68, 0.9, 1.2), False, "met"),
        (_summary(0.5, 0.6, 0.7), False, "untrusted"),
        (_summary(0.5, 0.6, 0.66), False, "missed"),
        (_summary(0.5, 0.5, 0.5, count=2), True, "untrusted"),
    ],
)
def test_a_target_is_judged_by_the_whole_interval(found: Summary, at_most: bool, expected: str) -> None:
    assert judge(found, 0.67, at_most=at_most) == expected


# --- the runner --------------------------------------------------------------------------------------

VALUES = {"native": 2.0, "legacy": 4.0, "aiortc": 5.0}


async def _unused(subject: Subject, effort: Effort) -> Mapping[str, float]:
    raise AssertionError


TOY = Metric(
    name="toy",
    title="toy metric",
    group="connection",
    about="Nothing.",
    figures=(Figure("time", "time", "ms", targets=(Target(0.67), Target(3, over=None))), Figure("rest", "rest", "ms")),
    measure=_unused,
    subjects=("native", "legacy", "aiortc"),
    rounds=4,
)


class FakeWorker:
    """Answers from a table, and keeps a log."""

    log: list[tuple[str, bool]]
    started: list[str]
    failing: dict[str, Exception]
    deadly = False

    def __init__(self, subject: str) -> None:
        if isinstance(self.failing.get(f"load {subject}"), Exception):
            raise self.failing[f"load {subject}"]
        self.subject, self.version, self.alive, self.closed = subject, f"{subject} 1", True, False
        self.started.append(subject)

    def measure(self, module: str, metric: Metric, effort: Effort) -> Mapping[str, float]:
        self.log.append((self.subject, effort.warm_up))
        if self.subject in self.failing:
            self.alive = not self.deadly
            raise self.failing[self.subject]
        return {"time": VALUES[self.subject] + len(self.log) / 1000}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def worker() -> type[FakeWorker]:
    return type("Worker", (FakeWorker,), {"log": [], "started": [], "failing": {}})


def _run(worker: type[FakeWorker], metric: Metric = TOY, *, quick: bool = False) -> Run:
    runner = Runner(("native", "legacy", "aiortc"), Effort(quick=quick), lambda what, part: None, worker)
    return runner.run({metric.name: ("toys", metric)})


def test_subjects_take_turns_after_a_warm_up_that_is_thrown_away(worker: type[FakeWorker]) -> None:
    run = _run(worker)
    warm, rounds = worker.log[:3], worker.log[3:]
    assert warm == [("native", True), ("legacy", True), ("aiortc", True)]
    names = [name for name, _ in rounds]
    assert names == ["native", "legacy", "aiortc", "aiortc", "legacy", "native"] * 2
    assert worker.started == ["native", "legacy", "aiortc"]
    assert len(run.metrics[0].figures[0].known("native")) == 4


def test_an_isolated_metric_gets_a_new_process_for_each_round_and_no_warm_up(worker: type[FakeWorker]) -> None:
    _run(worker, replace(TOY, isolated=True))
    assert len(worker.started) == len(worker.log) == 12
    assert not any(warm_up for _, warm_up in worker.log)


def test_a_subject_that_is_not_there_is_named_and_others_go_on(worker: type[FakeWorker]) -> None:
    worker.failing["load legacy"] = UnsupportedError("get it with: pip install it")
    run = _run(worker)
    assert run.metrics[0].missing == {"legacy": "get it with: pip install it"}
    assert run.metrics[0].subjects == ["native", "aiortc"]
    assert run.metrics[0].figures[0].judged()[0].remark == "not measured"


def test_a_subject_that_fails_twice_is_given_up_with_the_reason(worker: type[FakeWorker]) -> None:
    worker.failing["legacy"] = WorkerError("it went wrong")
    run = _run(worker)
    assert [name for name, _ in worker.log].count("legacy") == 2
    assert run.metrics[0].missing == {"legacy": "2 rounds failed: it went wrong"}


def test_a_process_that_died_is_replaced(worker: type[FakeWorker]) -> None:
    worker.failing["legacy"], worker.deadly = WorkerError("it died"), True
    _run(worker)
    assert worker.started.count("legacy") == 2


def test_a_quick_run_leaves_out_what_has_no_quick_rounds(worker: type[FakeWorker]) -> None:
    assert not _run(worker, replace(TOY, quick_rounds=0), quick=True).metrics
    assert not worker.log


# --- files -------------------------------------------------------------------------------------------


def _made(native: list[float], legacy: list[float]) -> Run:
    values = {"native": tuple(native), "legacy": tuple(legacy)}
    metric = MetricResult("toy", "toy", "connection", "", False, (FigureResult(TOY.figures[0], values),))
    return Run("2026-01-01T00:00:00+00:00", 1.0, False, {"cores": "2"}, {"native": "1"}, (metric,))


def test_what_is_written_is_read_back(worker: type[FakeWorker], tmp_path: Path) -> None:
    run = _run(worker)
    results.write(run, tmp_path / "new" / "run.json")
    assert results.read(tmp_path / "new" / "run.json") == run


def test_the_file_tells_other_readers_what_the_rounds_come_to(worker: type[FakeWorker]) -> None:
    found = results.as_json(_run(worker))
    assert (found["schema"], found["version"]) == ("webrtc-shim-benchmarks", 1)
    figure = found["metrics"][0]["figures"][0]
    assert set(figure["values"]) == set(figure["summary"]) == {"native", "legacy", "aiortc"}
    assert [one["verdict"] for one in figure["verdicts"]] == ["met", "met"]
    assert figure["verdicts"][0]["target"] == "native/legacy <= 0.67"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "holds no benchmark results"),
        ('{"schema": "other"}', "holds no benchmark results"),
        ('{"schema": "webrtc-shim-benchmarks", "version": 99}', "version 99"),
        ('{"schema": "webrtc-shim-benchmarks", "version": 1, "metrics": [{}]}', "damaged"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(SchemaError, match=message):
        results.read(path)


def test_noise_is_no_change() -> None:
    assert compare(_made([10, 11, 12, 13], [20, 22, 24, 26]), _made([11, 10, 13, 12], [22, 20, 26, 24])) == []


def test_a_slower_machine_changes_figures_but_not_the_ratio() -> None:
    old, new = _made([10, 10.1, 10.2], [20, 20.2, 20.4]), _made([20, 20.2, 20.4], [40, 40.4, 40.8])
    assert [(one.what, one.kind, one.relative) for one in compare(old, new)] == [
        ("native", "worse", False),
        ("legacy", "worse", False),
    ]


def test_an_engine_that_got_faster_shows_in_the_ratio_first() -> None:
    changes = compare(_made([10, 10.1, 10.2], [20, 20.1, 20.2]), _made([5, 5.1, 5.2], [20, 20.1, 20.2]))
    assert [(one.what, one.kind) for one in changes] == [("native/legacy", "better"), ("native", "better")]
    assert "better by 50%" in str(changes[1])


def test_a_higher_throughput_is_better() -> None:
    figure = Figure("rate", "rate", "MB/s", "higher")

    def run(native: tuple[float, ...]) -> Run:
        metric = MetricResult("toy", "toy", "data", "", False, (FigureResult(figure, {"native": native}),))
        return replace(_made([1], [1]), metrics=(metric,))

    assert [one.kind for one in compare(run((10, 10, 10)), run((20, 20, 20)))] == ["better"]


def test_the_page_stands_alone_and_escapes(worker: type[FakeWorker]) -> None:
    run = _run(worker, replace(TOY, title="<b>toy</b>", stacked=True))
    text = page.render(run, compare(run, run))
    assert "<b>toy" not in text
    assert "&lt;b&gt;toy" in text
    assert text.count("<svg") == text.count("</svg>") > 1
    assert not re.search(r'(src|href)="|url\(|@import', text)
    assert "Nothing beyond noise" in text


@pytest.mark.parametrize("values", [(-24.3, -24.1, -23.9), (0.0, 0.0, 0.0), (-1.0, 0.0, 2.0), (0.1, 5.0, 900.0)])
def test_the_page_draws_values_of_any_sign(values: tuple[float, ...]) -> None:
    figure = FigureResult(Figure("level", "level", "dB"), {"native": values, "legacy": values})
    metric = MetricResult("toy", "toy", "data", "", False, (figure,))
    text = page.render(replace(_made([1], [1]), metrics=(metric,)), None)
    drawn = [float(place) for place in re.findall(r'cx="([-\d.]+)"', text)]
    assert drawn
    assert all(0 <= place <= 1000 for place in drawn)


def test_the_targets_are_a_table_in_markdown(worker: type[FakeWorker]) -> None:
    lines = markdown.targets(_run(worker, TOY)).splitlines()
    assert len({line.count("|") for line in lines[:-2]}) == 1
    assert len(lines) - 4 == sum(len(figure.targets) for figure in TOY.figures)
    assert lines[-1].startswith("targets: ")


# --- what is measured --------------------------------------------------------------------------------


def test_metrics_and_subjects_are_named_once_and_fit_together() -> None:
    metrics = all_metrics()
    assert all(name == metric.name for name, (_, metric) in metrics.items())
    for _, metric in metrics.values():
        assert set(metric.subjects) <= set(TITLES)
        named = {one for figure in metric.figures for target in figure.targets for one in (target.subject, target.over)}
        assert named - {None} <= set(metric.subjects)


def test_metrics_are_chosen_by_name_beginning_or_group() -> None:
    assert set(chosen(["setup"])) == {"setup", "setup_100ms"}
    assert {metric.group for _, metric in chosen(["data"]).values()} == {"data"}
    with pytest.raises(UnknownMetricError, match="no metric or group is called 'nothing'"):
        chosen(["nothing"])


def test_a_picture_tells_its_number() -> None:
    source = Pictures(320, 240)
    assert [read_number(source.make(index)) for index in (0, 1, 682, 1023)] == [0, 1, 682, 1023]


def test_a_picture_without_a_number_is_not_taken_for_one() -> None:
    from av import VideoFrame

    frame = VideoFrame(320, 240, "yuv420p")
    for plane in frame.planes:
        plane.update(b"\x80" * plane.buffer_size)
    assert read_number(frame) is None


def test_pictures_and_sounds_are_timed_by_content() -> None:
    pictures, sounds = Pace(Pictures(320, 240)), Pace(Bursts())
    eye, ear = Eye(pictures), Ear(sounds)
    for index in range(40):
        pictures.sent_at[index] = sounds.sent_at[index] = index * 0.02
        eye.take(pictures.source.make(index), index * 0.02 + 0.007)
        ear.take(sounds.source.make(index), index * 0.02 + 0.045)
    assert eye.latencies == pytest.approx([0.007] * 40)
    assert ear.latencies == pytest.approx([0.045] * 10)
    assert eye.quality() == {"psnr": 99.0, "size": 1.0}


def test_a_late_reader_finds_frames_lost_and_not_piled_up() -> None:
    async def read() -> list[int]:
        pace = Pace(Bursts())
        await pace.next()
        await asyncio.sleep(0.1)
        await pace.next()
        return sorted(pace.sent_at)

    first, second = asyncio.run(read())
    assert first == 0
    assert second >= 5


# --- the real thing ----------------------------------------------------------------------------------


def test_a_worker_says_what_went_wrong() -> None:
    worker = Worker("native")
    try:
        with pytest.raises(WorkerError, match="has no metric 'toy'"):
            worker.measure("benchmarks.metrics.data", TOY, Effort())
        assert worker.alive
    finally:
        worker.close()
    with pytest.raises(WorkerError, match="no subject is called 'nobody'"):
        Worker("nobody")


def test_a_quick_run_of_one_metric_measures_and_writes(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    arguments = ["--quick", "--only", "round_trip", "--subjects", "native,aiortc", "--json", str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "shim", "bench", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "data round trip, 64 B" in done.stdout
    figure = json.loads(path.read_text())["metrics"][0]["figures"][0]
    assert all(0 < value < 1000 for values in figure["values"].values() for value in values)
    assert {name: len(values) for name, values in figure["values"].items()} == {"native": 3, "aiortc": 3}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "nothing"],
        ["--subjects", "nobody"],
        ["--compare", "missing.json"],
        ["--quick", "--only", "unordered"],
    ],
)
def test_what_cannot_be_done_ends_with_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith("shim bench: ")


def test_an_earlier_run_is_reported_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    results.write(_made([10, 10.1, 10.2], [20, 20.1, 20.2]), old)
    results.write(_made([5, 5.1, 5.2], [20, 20.1, 20.2]), new)
    html = tmp_path / "page.html"
    assert command.main(["--from", str(new), "--compare", str(old), "--html", str(html)]) == 0
    shown = capsys.readouterr().out
    assert "native/legacy <= 0.67" in shown
    assert "better by 50%" in shown
    assert "Changed since the earlier run" in html.read_text()


# --- figures of the guides ----------------------------------------------------------------------


def test_each_command_of_the_guides_prints_figures() -> None:
    guides = [Path(__file__).parents[2] / "docs" / name for name in ("media.md", "benchmarks.md")]
    text = "".join(guide.read_text(encoding="utf-8") for guide in guides)
    named = set(re.findall(r"python -m benchmarks\.claims (\w+)", text))
    assert named == set(claims.PARTS)
    assert len(list(claims.sframe())) == 4
