"""What a metric is: what the files in :mod:`benchmarks.metrics` declare."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from benchmarks.subjects.base import Subject

T = TypeVar("T")
PEERS = ("native", "legacy", "aiortc", "wrtc")
GROUPS = ("connection", "data", "media", "resources", "components", "own cost")
"""The order of the report; a group that is not named here comes last."""


class UnsupportedError(Exception):
    """A subject cannot do what a metric measures. The message says why; it is not an error."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a measurement may take.

    :param quick: as little as gives a figure.
    :param warm_up: what it gives is thrown away.
    """

    quick: bool = False
    warm_up: bool = False

    def pick(self, full: T, quick: T) -> T:
        """Return what fits."""
        return quick if self.quick or self.warm_up else full


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be.

    :param limit: of the ratio `subject` / `over`, or, if `over` is `None`, of the figure of `subject` itself, which
        says little on a machine other than the one it was set for.
    :param at_most: whether `limit` is the most that is allowed, and not the least.
    """

    limit: float
    over: str | None = "legacy"
    subject: str = "native"
    at_most: bool = True

    def __str__(self) -> str:
        name = f"{self.subject}/{self.over}" if self.over else self.subject
        return f"{name} {'<=' if self.at_most else '>='} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a round of a metric gives.

    :param better: ``"neither"`` for one that explains the others.
    """

    key: str
    title: str
    unit: str
    better: Literal["lower", "higher", "neither"] = "lower"
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured of several subjects in turn.

    :param about: how, in a sentence or two: what is printed below its figures.
    :param measure: does one round; returns a value for each figure key, and may leave some out.
    :param rounds: of a full run.
    :param quick_rounds: of a quick one; 0 leaves the metric out.
    :param settles: a round begins with a warm-up of its own: there is none before the first.
    :param isolated: a new process for each round: for what differs the first time, and for memory.
    :param timeout: seconds, of one round.
    :param stacked: the figures, but for those that explain others, are parts of a whole and are drawn so.
    """

    name: str
    title: str
    group: str
    about: str
    figures: tuple[Figure, ...]
    measure: Callable[[Subject, Effort], Awaitable[Mapping[str, float]]]
    subjects: tuple[str, ...] = PEERS
    rounds: int = 5
    quick_rounds: int = 3
    settles: bool = False
    isolated: bool = False
    timeout: float = 60.0
    stacked: bool = False

    @property
    def all_figures(self) -> tuple[Figure, ...]:
        """Its figures; and of a call's rounds, which last alike for all, what they cost."""
        return self.figures + (ROUND if self.group in ("connection", "media") and not self.stacked else ())

    def rounds_for(self, effort: Effort) -> int:
        """Return how many rounds a run has."""
        return self.quick_rounds if effort.quick else self.rounds


ROUND = (
    Figure("round_cpu", "CPU of a round", "s", "neither"),
    Figure("round_rss", "memory after it", "MB", "neither"),
)
"""What every round tells besides its own figures."""

AnyFrame = Any
"""A frame or packet of PyAV, whose import the suite leaves to what it measures."""
