"""What ``report.json`` contains, version 1. A field is only added within a version, never changed or taken away."""

from __future__ import annotations

from typing import Final, Literal, NotRequired, TypedDict

FORMAT: Final = "webrtc-conformance-report"
VERSION: Final = 1

State = Literal["same", "tolerance", "divergence", "unsupported", "failed", "not-run"]
"""What came of a test: as specified; measured within a stated tolerance; differs, and is registered; the backend
declares that it cannot; differs or broke; did not run on this machine."""
Status = Literal["ready", "incomplete", "not-ready"]
"""Of a run: the whole tier passed; nothing failed, but not all was run; something failed."""


class Column(TypedDict):
    """Who was tested.

    ``kind`` is ``backend`` (alone or with itself), ``pair`` (of backends), ``foreign`` (one backend and a peer that is
    none) or ``none``.
    """

    key: str
    kind: Literal["backend", "pair", "foreign", "none"]
    offerer: str
    answerer: str


class Row(TypedDict):
    """What was tested: ``core/<topic>`` for what every backend must do, or an optional capability."""

    key: str
    group: Literal["core", "optional"]
    label: str


class Cell(TypedDict):
    """A row of one column: the worst state of its tests, and how many are in each state."""

    row: str
    column: str
    state: State
    counts: dict[State, int]


class Excuse(TypedDict):
    """The register entry that covers a test. Dates are ISO 8601."""

    backend: str
    id: str
    kind: str
    reason: str
    since: str
    expires: str


class Moment(TypedDict):
    """One event; ``at`` is in seconds on a clock of the test's process, or null."""

    at: float | None
    text: str


class Events(TypedDict):
    """The events of one object, in order."""

    label: str
    entries: list[Moment]


class Descriptions(TypedDict):
    """Two session descriptions to compare."""

    labels: list[str]
    a: str
    b: str


class FramePair(TypedDict):
    """A picture that was sent and one that arrived, as PNG in base64; ``psnr`` in dB, null where sizes differ."""

    sent: str
    received: str
    sizes: list[str]
    psnr: float | None


class Series(TypedDict):
    """Measured values, in the order in which they were measured."""

    name: str
    unit: str
    values: list[float]


class Figure(TypedDict):
    """One measured value; what was expected and how far off it may be, both null if nothing was."""

    name: str
    unit: str
    value: float
    expected: float | None
    tolerance: float | None


class EvidenceData(TypedDict):
    """What a test put on record."""

    events: list[Events]
    descriptions: list[Descriptions]
    frames: list[FramePair]
    series: list[Series]
    figures: list[Figure]


class Facts(TypedDict):
    """What is known of a test before it runs."""

    id: str
    file: str
    capabilities: list[str]
    spec: list[str]
    column: Column
    command: str
    of_suite: bool
    excuse: NotRequired[Excuse]
    unsupported: NotRequired[str]


class Result(TypedDict):
    """One test: ``reason`` says why it was skipped or excused, ``summary`` is the failure's first line."""

    id: str
    file: str
    rows: list[str]
    column: str
    capabilities: list[str]
    spec: list[str]
    core: bool
    of_suite: bool
    state: State
    duration: float
    reason: str
    summary: str
    failure: str
    command: str
    excuse: Excuse | None
    evidence: EvidenceData | None


class BackendRecord(TypedDict):
    """One backend: ``absence`` says why it cannot run here."""

    name: str
    version: str
    engine: str
    asked_for: bool
    absence: str | None
    capabilities: list[str]


class Run(TypedDict):
    """How the tests were run: times in seconds, ``started`` in ISO 8601, ``limits`` says what was left out."""

    started: str
    duration: float
    seed: int
    pairs: str
    tier: str
    workers: int
    command: str
    platform: str
    python: str
    packages: dict[str, str]
    collected: int
    exit_status: int
    limits: list[str]


class Verdict(TypedDict):
    """What a release manager needs; ``core_same`` of ``core_total`` executed CORE tests are as specified."""

    status: Status
    line: str
    core_same: int
    core_total: int
    counts: dict[State, int]
    next_expiry: str | None


class ReportDocument(TypedDict):
    """The whole."""

    format: str
    version: int
    run: Run
    verdict: Verdict
    backends: list[BackendRecord]
    rows: list[Row]
    columns: list[Column]
    cells: list[Cell]
    tests: list[Result]
