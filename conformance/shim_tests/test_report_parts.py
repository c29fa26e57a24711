"""The parts of the report: verdict, matrix, links, timelines, plots."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.report.document import make_document
from conformance.report.evidence import Recorder
from conformance.report.judging import make_record, unknown
from conformance.report.page import diff_lines, render, timeline
from conformance.report.plots import line_plot, percentile
from conformance.report.schema import Column, Excuse, Facts, Figure, ReportDocument, Result, Run, State
from conformance.report.sections import link_of
from conformance.report.verdict import judge
from shim import RTCConfiguration, RTCPeerConnection

FACTS = Facts(
    id="test_x.py::test_y[native]",
    file="test_x.py",
    capabilities=[],
    spec=[],
    column=Column(key="native", kind="backend", offerer="native", answerer="native"),
    command="python -m pytest",
    of_suite=True,
)
RUN = Run(
    started="2026-01-01T00:00:00+00:00", duration=1.0, seed=1, pairs="all", tier="full", workers=1, command="pytest",
    platform="Linux", python="3.11", packages={}, collected=1, exit_status=0, limits=[],
)  # fmt: skip


TURN = "coturn is not installed: apt-get install coturn"


def record(state: State, name: str = "test_y", column: str = "native", *, capability: str = "") -> Result:
    facts = Facts(**FACTS)
    facts["id"], facts["capabilities"] = f"test_x.py::{name}[{column}]", [capability] if capability else []
    facts["column"] = Column(key=column, kind="backend", offerer=column, answerer=column)
    if state == "divergence":
        facts["excuse"] = Excuse(
            backend=column, id=name, kind="spec", reason="so", since="2026-01-01", expires="2027-01-15"
        )
    return make_record(facts, state)


def verdict_of(*tests: Result, **run: Any) -> str:
    columns = [
        Column(key=key, kind="backend", offerer=key, answerer=key) for key in sorted({t["column"] for t in tests})
    ]
    whole = Run(**RUN)
    whole.update(run)  # type: ignore[typeddict-item]
    return judge(tests, columns, whole)["line"]


def test_verdict_allows_to_replace_legacy() -> None:
    tests = (record("same"), record("same", column="legacy"), record("divergence", capability="rtp.dtmf"))
    assert verdict_of(*tests) == (
        "native can replace legacy: CORE 2/2 same; optional 0/1 same; "
        "1 registered divergence, next expiry 2027-01-15; 0 unsupported"
    )


def test_verdict_speaks_of_what_ran() -> None:
    assert verdict_of(record("same"), record("not-run", column="legacy")).startswith("native conforms: CORE 1/1 same")
    others = record("same", column="mine"), record("same")
    assert verdict_of(*others).startswith("mine and native conform and work with each other: ")
    assert verdict_of(record("same"), tier="core").startswith("native conforms for CORE: ")
    assert "(no CORE test ran)" in verdict_of(record("same", capability="rtp.dtmf"))


@pytest.mark.parametrize(
    ("reason", "topics", "limit"),
    [
        (TURN, ["relay", "relay"], f"2 tests of relay not proven: {TURN}"),
        (TURN, ["relay", "ice"], f"2 tests of ice and relay not proven: {TURN}"),
        (
            "this machine lacks backend x: no.",
            list("abcde"),
            "5 tests of 5 topics not proven: this machine lacks backend x: no.",
        ),
    ],
)
def test_what_could_be_installed_is_a_limit_of_the_verdict(reason: str, topics: list[str], limit: str) -> None:
    lost = [not_run(reason, topic) for topic in topics]
    document = make_document([record("same"), *lost], [FACTS["column"]], Run(**RUN), [])
    assert document["run"]["limits"] == [limit]
    assert document["verdict"]["status"] == "incomplete"
    assert document["verdict"]["line"].startswith(f"NOT PROVEN: nothing failed, but not everything ran ({limit})")
    assert RUN["limits"] == []


@pytest.mark.parametrize("reason", ["there is no camera", "backend x does not declare the capability rtp.dtmf"])
def test_what_cannot_be_had_is_no_limit(reason: str) -> None:
    document = make_document([record("same"), not_run(reason, "media")], [FACTS["column"]], Run(**RUN), [])
    assert (document["run"]["limits"], document["verdict"]["status"]) == ([], "ready")


def not_run(reason: str, topic: str) -> Result:
    facts = Facts(**FACTS)
    facts["file"] = f"test_{topic}.py"
    return make_record(facts, "not-run", reason)


def test_verdict_names_no_more_failures_than_fit() -> None:
    line = verdict_of(*(record("failed", f"test_{number}") for number in range(5)))
    assert "NOT ready: 5 CORE failures: test_x.py::test_0[native]" in line
    assert "test_2[native] and 2 more;" in line


def test_a_cell_shows_its_worst_state() -> None:
    tests = [record("same"), record("unsupported", "test_z"), record("failed", "test_a"), record("same", "test_b")]
    document = make_document(tests, [FACTS["column"]], Run(**RUN), [])
    assert [(cell["state"], cell["counts"]["same"]) for cell in document["cells"]] == [("failed", 2)]
    assert ">1/4</a>" in render(document)


def test_an_empty_run_has_a_page() -> None:
    document: ReportDocument = make_document([], [], Run(**RUN), [])
    assert "NOT PROVEN: nothing failed, but not everything ran (no CORE test ran)" in render(document)


@pytest.mark.parametrize(
    ("section", "address"),
    [
        ("RFC 9429 4.1.10.2", "https://www.rfc-editor.org/rfc/rfc9429#section-4.1.10.2"),
        ("RFC 8445", "https://www.rfc-editor.org/rfc/rfc8445"),
        ("RFC 3550 A.8", "https://www.rfc-editor.org/rfc/rfc3550#appendix-A.8"),
        ("webrtc-pc 4.4.1.5", "https://www.w3.org/TR/webrtc/"),
        ("something else", None),
    ],
)
def test_sections_lead_to_the_specification(section: str, address: str | None) -> None:
    assert link_of(section) == address


def test_events_stand_in_the_order_in_which_they_happened() -> None:
    near = {"label": "near", "entries": [{"at": 10.0, "text": "near.open()"}, {"at": 10.02, "text": "near.close()"}]}
    far = {"label": "far", "entries": [{"at": 10.01, "text": "far.open()"}]}
    assert timeline([near, far]) == [  # type: ignore[list-item]
        ("0 ms", ["open()", ""]),
        ("10 ms", ["", "open()"]),
        ("20 ms", ["close()", ""]),
    ]


def test_diff_of_equal_descriptions_is_empty() -> None:
    assert diff_lines({"labels": ["a", "b"], "a": "v=0\r\n", "b": "v=0\n"}) == []


def test_plots_leave_out_what_cannot_be_drawn() -> None:
    assert "nan" not in line_plot("x", "ms", [1.0, float("nan"), float("inf")])
    assert line_plot("<x>", "ms", []) == "<p>&lt;x&gt;: no values</p>"
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([1.0], 95) == 1.0


def test_a_figure_as_expected_is_no_deviation() -> None:
    figure = Figure(name="x", unit="", value=5.0, expected=5.0, tolerance=1.0)
    assert unknown("a/test_x.py::test_y")["id"] == "test_x.py::test_y"
    assert figure["value"] == figure["expected"]


async def _descriptions_shown(same_role: bool) -> list[str]:
    recorder = Recorder()
    a, b = (RTCPeerConnection(RTCConfiguration(trickle=True), backend="native") for _ in range(2))
    try:
        for name, pc in (("1 a", a), ("2 b", b)):
            recorder.connection(name, pc)
            pc.createDataChannel("chat")
        await a.setLocalDescription()
        if not same_role:
            assert a.localDescription is not None
            await b.setRemoteDescription(a.localDescription)
        await b.setLocalDescription()
        (shown,) = recorder.data(is_wanted_whole=True)["descriptions"]
    finally:
        await a.close()
        await b.close()
    return shown["labels"]


@pytest.mark.parametrize("same_role", [True, False])
def test_a_failure_shows_descriptions_of_one_role_side_by_side(same_role: bool) -> None:
    """Two offers if both offered; offer and answer otherwise."""
    labels = asyncio.run(_descriptions_shown(same_role))
    assert labels == ["1 a: offer", "2 b: offer" if same_role else "2 b: answer"]
