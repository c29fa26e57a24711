"""What a test puts on record, so that a reader of the report can see for himself. Free when no report is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

from conformance.report.schema import Descriptions, EvidenceData, Moment

if TYPE_CHECKING:
    from av import VideoFrame

    from conformance.asserts import Trace
    from shim import RTCPeerConnection

MOST_MOMENTS: Final = 400
"""Events kept of one object."""
MOST_VALUES: Final = 2000
"""Values kept of one series."""
_RECORDERS: Final = pytest.StashKey["Recorder"]()


class Evidence:
    """Takes what tests have to show. This one drops it: it serves where no report is asked for."""

    def events(self, label: str, trace: Trace | Iterable[object]) -> None:
        """Show events of one object beside those of the others.

        :param trace: a trace, read when the test has ended, or anything whose items read well as text.
        """

    def sdp_diff(self, a: object, b: object, labels: tuple[str, str] = ("a", "b")) -> None:
        """Show how two session descriptions differ.

        :param a: a description, or its SDP.
        """

    def frames(self, sent: VideoFrame, received: VideoFrame) -> None:
        """Show a picture that was sent beside what arrived."""

    def series(self, name: str, values: Sequence[float], unit: str) -> None:
        """Plot values in the order in which they were measured, e.g. latencies in ``"ms"``."""

    def figure(
        self, name: str, value: float, unit: str = "", *, expected: float | None = None, tolerance: float | None = None
    ) -> None:
        """Show one measured value. A test that passes with one that is not as expected is "within tolerance"."""

    def connection(self, name: str, pc: RTCPeerConnection) -> None:
        """Follow a connection; shown if the test fails."""


class Recorder(Evidence):
    """Keeps it for the report."""

    def __init__(self) -> None:
        self._data = EvidenceData(events=[], descriptions=[], frames=[], series=[], figures=[])
        self._traces: list[tuple[str, Trace | Iterable[object]]] = []
        self._connections: list[tuple[str, Trace]] = []
        self._descriptions: list[tuple[str, str]] = []

    def events(self, label: str, trace: Trace | Iterable[object]) -> None:
        self._traces.append((label, trace))

    def sdp_diff(self, a: object, b: object, labels: tuple[str, str] = ("a", "b")) -> None:
        self._data["descriptions"].append(
            Descriptions(labels=list(labels), a=str(getattr(a, "sdp", a)), b=str(getattr(b, "sdp", b)))
        )

    def frames(self, sent: VideoFrame, received: VideoFrame) -> None:
        from conformance.report.pictures import frame_pair

        self._data["frames"].append(frame_pair(sent, received))

    def series(self, name: str, values: Sequence[float], unit: str) -> None:
        step = len(values) // MOST_VALUES + 1
        kept = [float(value) for value in values[::step]]
        self._data["series"].append({"name": name, "unit": unit, "values": kept})

    def figure(
        self, name: str, value: float, unit: str = "", *, expected: float | None = None, tolerance: float | None = None
    ) -> None:
        self._data["figures"].append(
            {"name": name, "unit": unit, "value": float(value), "expected": expected, "tolerance": tolerance}
        )

    def connection(self, name: str, pc: RTCPeerConnection) -> None:
        from conformance.asserts import Trace

        trace = Trace()
        trace.watch_connection(name, pc)
        self._connections.append((name, trace))
        pc.on("signalingstatechange", lambda: self._keep_description(name, pc))

    def data(self, is_wanted_whole: bool) -> EvidenceData:
        """Return what there is to show.

        :param is_wanted_whole: with what was followed, too; for tests that did not pass.
        """
        followed = self._connections if is_wanted_whole else []
        for label, trace in [*self._traces, *followed]:
            if moments := _moments(trace):
                self._data["events"].append({"label": label, "entries": moments})
        if is_wanted_whole and len(self._descriptions) > 1:
            (first, a), (second, b) = _opposite(self._descriptions)
            self._data["descriptions"].append(Descriptions(labels=[first, second], a=a, b=b))
        return self._data

    def _keep_description(self, name: str, pc: RTCPeerConnection) -> None:
        description = pc.localDescription
        if description is not None and (name, description.sdp) != self._last_of(name):
            self._descriptions.append((f"{name}: {description.type}", description.sdp))

    def _last_of(self, name: str) -> tuple[str, str] | None:
        kept = ((name, sdp) for label, sdp in reversed(self._descriptions) if label.startswith(f"{name}: "))
        return next(kept, None)


NO_EVIDENCE: Final = Evidence()


def evidence_of(item: Any) -> Evidence:
    """Return what takes the evidence of a test: a recorder if a report is wanted."""
    if item.config.option.conformance_report is None:
        return NO_EVIDENCE
    return recorder_of(item)


def recorder_of(item: pytest.Item) -> Recorder:
    """Return the recorder of a test."""
    return item.stash.setdefault(_RECORDERS, Recorder())


def _opposite(descriptions: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the last description and the last of another connection in the same role, else the last two."""
    who, _, role = descriptions[-1][0].rpartition(": ")
    for label, sdp in reversed(descriptions):
        other, _, kind = label.rpartition(": ")
        if other != who and kind == role:
            return (label, sdp), descriptions[-1]
    return descriptions[-2], descriptions[-1]


def _moments(trace: Trace | Iterable[object]) -> list[Moment]:
    source: Any = trace
    entries = list(getattr(source, "entries", source))
    kept = [Moment(at=getattr(entry, "at", None), text=str(entry)[:160]) for entry in entries[:MOST_MOMENTS]]
    if len(entries) > MOST_MOMENTS:
        kept.append(Moment(at=kept[-1]["at"], text=f"... and {len(entries) - MOST_MOMENTS} more"))
    return kept
