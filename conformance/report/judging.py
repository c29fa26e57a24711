"""What came of a test, from the reports of its phases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from conformance.report.schema import Column, EvidenceData, Excuse, Facts, Result, State
from conformance.report.witness import ATTRIBUTE
from conformance.requirements import NOT_DECLARED
from shim.spi.capabilities import CORE

LONGEST: Final = 12000
"""Characters kept of a failure; its end says most."""
NOBODY: Final = Column(key="-", kind="none", offerer="", answerer="")
REPEAT: Final = "repeat it with"
"""Title of the section with the command; the report has a place of its own for it."""


def facts_in(reports: Sequence[Any]) -> Facts:
    """Return what is known of a test; a process that died may have told nothing but the name."""
    told = [json.loads(getattr(report, ATTRIBUTE))["facts"] for report in reports if hasattr(report, ATTRIBUTE)]
    return told[-1] if told else unknown(reports[-1].nodeid)


def unknown(nodeid: str) -> Facts:
    """Return the facts of a test of which only the name is known."""
    path, colons, test = nodeid.partition("::")
    file = path.rpartition("/")[2]
    return Facts(
        id=f"{file}{colons}{test}",
        file=file,
        capabilities=[],
        spec=[],
        column=NOBODY,
        command=f"python -m pytest {nodeid!r}",
        of_suite=False,
    )


def record_of(reports: Sequence[Any]) -> Result:
    """Judge one test.

    :param reports: of its phases, in order, at least one.
    """
    facts, evidence = facts_in(reports), _evidence_in(reports)
    state, reason = _state_of(reports, facts, evidence)
    failed = [report for report in reports if report.failed]
    summary, failure = (_summary(failed[0]), "\n\n".join(map(_text_of, failed))) if failed else ("", "")
    if state == "failed" and not failed:
        summary = reason
    return make_record(
        facts,
        state,
        reason,
        duration=sum(r.duration for r in reports),
        summary=summary,
        failure=failure,
        evidence=evidence,
    )


def make_record(
    facts: Facts,
    state: State,
    reason: str = "",
    *,
    duration: float = 0.0,
    summary: str = "",
    failure: str = "",
    evidence: EvidenceData | None = None,
) -> Result:
    """Put a record together."""
    optional = [capability for capability in facts["capabilities"] if capability not in CORE]
    excuse: Excuse | None = facts.get("excuse")
    return Result(
        id=facts["id"],
        file=facts["file"],
        rows=optional or [f"core/{facts['file'].removeprefix('test_').removesuffix('.py')}"],
        column=facts["column"]["key"],
        capabilities=facts["capabilities"],
        spec=facts["spec"],
        core=not optional,
        of_suite=facts["of_suite"],
        state=state,
        duration=round(duration, 4),
        reason=reason,
        summary=summary,
        failure=failure,
        command=facts["command"],
        excuse=excuse,
        evidence=evidence,
    )


def _state_of(reports: Sequence[Any], facts: Facts, evidence: EvidenceData | None) -> tuple[State, str]:
    if any(report.failed for report in reports):
        return "failed", ""
    skipped = next((report for report in reports if report.skipped), None)
    if skipped is None:
        return ("tolerance" if evidence and _is_off(evidence) else "same"), ""
    if hasattr(skipped, "wasxfail"):
        return _expected(facts, str(skipped.wasxfail))
    if "unsupported" in facts:
        return "unsupported", facts["unsupported"]
    reason = _skip_reason(skipped)
    return ("unsupported" if NOT_DECLARED in reason else "not-run"), reason


def _expected(facts: Facts, told: str) -> tuple[State, str]:
    """An expected failure counts only if it is registered: that gives it a reason and an end."""
    excuse = facts.get("excuse")
    if excuse is None:
        return "failed", f"expected to fail ({told.removeprefix('reason: ')}), but registered in no divergences.toml"
    return "divergence", excuse["reason"]


def _is_off(evidence: EvidenceData) -> bool:
    return any(
        figure["expected"] is not None and figure["value"] != figure["expected"] for figure in evidence["figures"]
    )


def _evidence_in(reports: Sequence[Any]) -> EvidenceData | None:
    told = (json.loads(getattr(report, ATTRIBUTE))["evidence"] for report in reports if hasattr(report, ATTRIBUTE))
    return next((evidence for evidence in told if evidence), None)


def _skip_reason(report: Any) -> str:
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple | list) and len(longrepr) == 3 else str(longrepr)
    return str(reason).removeprefix("Skipped: ")


def _summary(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    where = "" if report.when == "call" else f"in its {report.when}: " if report.when != "???" else ""
    return f"{where}{lines[0][:300]}" if lines else f"{where}failed without a word"


def _text_of(report: Any) -> str:
    sections = [f"--- {title} ---\n{text}" for title, text in report.sections if title != REPEAT]
    text = "\n".join([str(report.longreprtext), *sections])
    return text if len(text) <= LONGEST else f"... {len(text) - LONGEST} characters left out ...\n{text[-LONGEST:]}"
