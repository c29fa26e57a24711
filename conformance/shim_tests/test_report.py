"""The report of a conformance run: a small suite with one test for each state, run as anybody would run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conformance.report.schema import State

BACKEND = """
    from shim.spi.capabilities import CORE, Component
    from shim.spi.hookspecs import hookimpl
    from shim.spi.records import BackendInfo, ProbeResult

    @hookimpl
    def shim_backend_info():
        return BackendInfo("tiny", "1.0", "engine of tiny 3.2", frozenset({Component.PEER}), CORE, "pip install tiny")

    @hookimpl
    def shim_probe():
        return ProbeResult(True)

    @hookimpl
    def shim_create_peer_engine(config, sink):
        raise NotImplementedError("tiny makes no connections")
"""
REGISTER = """
    [[divergence]]
    id = "tiny-known"
    component = "peer"
    tests = ["test_tiny.py::test_known_difference"]
    kind = "engine"
    reason = "the engine rounds <down>"
    since = 2020-01-01
    expires = 2999-12-31
"""
CONFTEST = """
    from pathlib import Path
    from conformance import plugin

    plugin.SUITE = Path(__file__).parent

    from conformance.suite.conftest import *
"""
SUITE = """
    import os, signal
    import av, numpy, pytest
    from conformance.asserts import Entry
    from conformance.requirements import requires, spec
    from shim import Capability

    @spec("RFC 9429 5.6", "webrtc-pc 4.4.2")
    def test_good(target):
        pass

    def test_pair(pair):
        pass

    @spec("webrtc-pc 6.2")
    def test_bad(target, evidence):
        evidence.events("near", [Entry("near", "open"), Entry("near", "message", "'hi'")])
        evidence.events("far", [Entry("far", "open"), Entry("far", "close")])
        evidence.sdp_diff("v=0\\r\\na=setup:active\\r\\n", "v=0\\r\\na=setup:passive\\r\\n")
        sent = av.VideoFrame.from_ndarray(numpy.full((48, 64), 99, numpy.uint8), format="gray")
        evidence.frames(sent, sent)
        evidence.series("latency", [1.0, 5.0, 2.5], "ms")
        assert 1 == 2, "the engine said <b>no</b>"

    def test_measured(target, evidence):
        evidence.figure("bitrate", 98.0, "kbit/s", expected=100, tolerance=5)

    @requires(Capability.SIMULCAST)
    def test_optional(target):
        raise AssertionError

    def test_known_difference(target):
        assert False, "as known"

    def test_absent(target):
        pytest.skip("there is no camera")
"""


class Small:
    """A small suite of a small backend, installed in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = folder / "out" / "report"
        site, suite = folder / "site", folder / "suite"
        info = site / "tiny-1.0.dist-info"
        for made in (info, suite):
            made.mkdir(parents=True)
        files = {
            info / "METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
            info / "entry_points.txt": "[shim.backends]\ntiny = tiny_backend\n",
            site / "tiny_backend.py": BACKEND,
            site / "divergences.toml": REGISTER,
            suite / "conftest.py": CONFTEST,
            suite / "test_tiny.py": SUITE,
        }
        for path, text in files.items():
            path.write_text(textwrap.dedent(text))

    def add(self, text: str) -> None:
        """Add a test to the suite."""
        with (self.folder / "suite" / "test_tiny.py").open("a") as file:
            file.write(textwrap.dedent(text))

    def run(self, *arguments: str, status: int = 1, seed: int | None = 7) -> str:
        """Run it with a report; return what pytest printed."""
        options = ["--rootdir=.", "--backend=tiny", f"--conformance-report={self.report}", "suite", *arguments]
        options += [f"--conformance-seed={seed}"] if seed is not None else []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHIM_", "PYTEST_"))}
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(self.folder / "site")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == status, result.stdout + result.stderr
        return result.stdout

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        found: dict[str, Any] = json.loads((self.report / "report.json").read_text())
        return found

    @property
    def page(self) -> str:
        """The report as HTML."""
        return (self.report / "report.html").read_text()


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small suite after a run."""
    small = Small(tmp_path_factory.mktemp("small"))
    small.run()
    return small


def states_of(document: dict[str, Any]) -> dict[str, State]:
    return {re.sub(r".*::test_|\[.*", "", test["id"]): test["state"] for test in document["tests"]}


STATES: dict[str, State] = {
    "good": "same",
    "pair": "same",
    "bad": "failed",
    "measured": "tolerance",
    "optional": "unsupported",
    "known_difference": "divergence",
    "absent": "not-run",
}


# --- JSON ----------------------------------------------------------------------------------------------


def test_every_outcome_has_a_state_of_its_own(ran: Small) -> None:
    assert states_of(ran.document) == STATES


def test_workers_report_the_same(ran: Small, small: Small) -> None:
    pytest.importorskip("xdist")
    small.run("-n2", seed=None)
    assert states_of(small.document) == STATES
    assert small.document["verdict"] == ran.document["verdict"]
    assert small.document["run"]["workers"] == 2
    drawn = f"--conformance-seed={small.document['run']['seed']} "
    assert all(drawn in test["command"] for test in small.document["tests"])
    bad = next(test for test in small.document["tests"] if test["state"] == "failed")
    assert bad["evidence"]["frames"][0]["psnr"] == 100


def test_document_says_what_ran(ran: Small) -> None:
    document = ran.document
    assert (document["format"], document["version"]) == ("webrtc-conformance-report", 1)
    assert document["run"]["seed"] == 7
    assert document["run"]["command"].startswith("python -m pytest --backend=tiny --pairs=all --conformance-tier=full ")
    assert " --conformance-seed=7 " in document["run"]["command"]
    assert document["backends"][0] | {"capabilities": []} == {
        "name": "tiny", "version": "1.0", "engine": "engine of tiny 3.2", "asked_for": True, "absence": None,
        "capabilities": [],
    }  # fmt: skip
    assert {column["key"] for column in document["columns"]} == {"tiny", "tiny>tiny"}
    assert [row["key"] for row in document["rows"]] == ["core/tiny", "rtp.simulcast"]


def test_every_test_says_what_it_is_about(ran: Small) -> None:
    tests = {test["id"]: test for test in ran.document["tests"]}
    good = tests["test_tiny.py::test_good[tiny]"]
    assert good["spec"] == ["RFC 9429 5.6", "webrtc-pc 4.4.2"]
    assert good["command"].endswith("test_tiny::test_good[tiny]'")
    assert good["core"] is True
    assert tests["test_tiny.py::test_optional[tiny]"]["core"] is False
    assert "rtp.simulcast" in tests["test_tiny.py::test_optional[tiny]"]["reason"]
    known = tests["test_tiny.py::test_known_difference[tiny]"]
    assert known["reason"] == "the engine rounds <down>"
    assert known["excuse"]["expires"] == "2999-12-31"
    bad = tests["test_tiny.py::test_bad[tiny]"]
    assert "the engine said <b>no</b>" in bad["summary"]
    assert "left behind" not in bad["failure"], "what takes the evidence leaks"
    assert bad["evidence"]["series"] == [{"name": "latency", "unit": "ms", "values": [1.0, 5.0, 2.5]}]


def test_verdict_names_the_failure_and_counts_the_rest(ran: Small) -> None:
    assert ran.document["verdict"]["line"] == (
        "NOT ready: 1 CORE failure: test_tiny.py::test_bad[tiny]; CORE 3/5 same; 1 of them within tolerance; "
        "1 registered divergence, next expiry 2999-12-31; 1 unsupported; 1 not run here"
    )


def test_a_run_without_failures_is_ready(small: Small) -> None:
    printed = small.run("--deselect=suite/test_tiny.py::test_bad", status=0)
    assert small.document["verdict"]["status"] == "ready"
    line = "tiny conforms: CORE 3/4 same; 1 of them within tolerance; 1 registered divergence, next expiry 2999-12-31;"
    assert line in printed
    assert str(small.report / "report.html") in printed


def test_an_expected_failure_that_nobody_registered_fails_the_run(small: Small) -> None:
    small.add("""
        @pytest.mark.xfail(reason="we know")
        def test_excused(target):
            assert False
    """)
    small.run("-k", "excused or good", status=1)
    assert states_of(small.document)["excused"] == "failed"
    assert "expected to fail (we know), but registered in no divergences.toml" in small.page


def test_a_divergence_that_is_gone_fails_the_run(small: Small) -> None:
    register = small.folder / "site" / "divergences.toml"
    register.write_text(register.read_text().replace("test_known_difference", "test_good"))
    small.run("-k", "good")
    assert "tiny-known" in next(test["failure"] for test in small.document["tests"])


def test_a_part_of_the_suite_proves_nothing(small: Small) -> None:
    small.run("-k", "good", "--pairs=same", status=0)
    verdict = small.document["verdict"]
    assert verdict["status"] == "incomplete"
    assert "(-k good; same pairs only): CORE 1/1 same" in verdict["line"]


def test_a_run_that_stops_early_says_so(small: Small) -> None:
    small.run("-x", "-k", "bad or measured")
    assert small.document["run"]["limits"] == ["-k bad or measured", "stopped after 1 of 2 tests"]


def test_core_tier_leaves_out_the_optional(small: Small) -> None:
    small.run("--conformance-tier=core")
    assert "optional" not in states_of(small.document)


def test_a_file_that_cannot_be_collected_is_a_failure(small: Small) -> None:
    (small.folder / "suite" / "test_broken.py").write_text("import nothing_of_this_name\n")
    small.run("--continue-on-collection-errors")
    broken = next(test for test in small.document["tests"] if test["file"] == "test_broken.py")
    assert (broken["state"], broken["summary"]) == ("failed", "the tests of this file cannot be collected")
    assert "nothing_of_this_name" in broken["failure"]


def test_a_process_that_dies_leaves_a_report(small: Small) -> None:
    small.add("""
        def test_death(target):
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    small.run("-k", "good or death", status=-9)
    command = [sys.executable, "-m", "conformance.report", str(small.report), "--death", "pytest"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert states_of(small.document) == {"good": "same", "death": "failed"}
    assert "NOT ready: 1 CORE failure: test_tiny.py::test_death[tiny]" in small.document["verdict"]["line"]
    assert small.document["run"]["limits"] == ["pytest ended after 2 of 2 tests"]


def test_no_journal_is_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance.report", str(tmp_path)]
    result = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)


# --- HTML and JUnit --------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What the page links to, loads, and labels."""

    VOID = frozenset({"meta", "wbr", "input", "img", "path", "polyline"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: set[str] = set()
        self.loaded: list[str] = []
        self.captions = self.tables = 0
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.targets |= {found["href"] or ""} if tag == "a" and (found["href"] or "").startswith("#") else set()
        self.loaded += [found["src"] or ""] if "src" in found else []
        self.loaded += [found["href"] or ""] if tag == "link" else []
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag


def test_page_is_whole_and_needs_no_network(ran: Small) -> None:
    outline = Outline(ran.page)
    assert all(source.startswith("data:image/png;base64,") for source in outline.loaded)
    assert len(outline.ids) == len(set(outline.ids))
    assert {target.removeprefix("#") for target in outline.targets} <= set(outline.ids)
    assert outline.captions == outline.tables > 3
    assert "url(" not in ran.page


def test_page_shows_the_evidence(ran: Small) -> None:
    page = ran.page
    assert "the engine said &lt;b&gt;no&lt;/b&gt;" in page
    assert "<del>- a=setup:active</del>" in page
    assert "<ins>+ a=setup:passive</ins>" in page
    assert "latency: 3 values, median 2.5 ms, p95 5 ms" in page
    assert "PSNR 100.0 dB" in page
    assert "https://www.rfc-editor.org/rfc/rfc9429#section-5.6" in page
    assert "the engine rounds &lt;down&gt;" in page
    assert "2999-12-31" in page


def test_page_tells_states_in_words(ran: Small) -> None:
    told = "tiny, tiny: 1 failed, 1 registered divergence, 1 within tolerance, 1 same, 1 not run here"
    assert f'aria-label="{told}"' in ran.page


def test_junit_is_written_beside_it(ran: Small) -> None:
    junit = (ran.report / "junit.xml").read_text()
    assert 'failures="1"' in junit
    assert "base64" not in junit
