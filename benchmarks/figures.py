"""What may be said of measurements on a noisy machine: medians, spreads, paired ratios, intervals. Pure functions."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95
FEWEST: Final = 3
"""Rounds below which nothing is trusted."""
WIDEST: Final = 0.30
"""Spread above which a figure alone is not trusted."""

Verdict = Literal["met", "missed", "untrusted"]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a row of measurements comes to.

    :param low: lower end of the confidence interval of the median.
    :param high: upper end of it.
    :param spread: distance of the quartiles, as a share of the median.
    """

    median: float
    low: float
    high: float
    p95: float
    iqr: float
    spread: float
    count: int

    @property
    def trusted(self) -> bool:
        """Whether there were enough measurements, and close enough to each other."""
        return self.count >= FEWEST and self.spread <= WIDEST


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile, linear between the two nearest values.

    :param values: at least one.
    :param share: 0 to 1.
    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("quantile: there are no values")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values: Sequence[float]) -> float:
    """Return the median of at least one value."""
    return quantile(values, 0.5)


def summarize(values: Sequence[float]) -> Summary | None:
    """Return what some measurements come to, `None` if there are none."""
    return _summarize(tuple(values)) if values else None


# A report asks for the same rows again and again, and resampling takes its time.
@cache
def _summarize(values: tuple[float, ...]) -> Summary:
    middle, iqr = median(values), quantile(values, 0.75) - quantile(values, 0.25)
    low, high = interval(lambda rng: median(rng.choices(values, k=len(values))))
    # Of something that should be nothing, only the distance itself can be told.
    spread = iqr / abs(middle) if middle else (math.inf if iqr else 0.0)
    return Summary(middle, low, high, quantile(values, 0.95), iqr, spread, len(values))


def interval(estimate: Callable[[random.Random], float], seed: int = 1) -> tuple[float, float]:
    """Return the bootstrap interval of an estimate (percentile method), the same for each call.

    :param estimate: returns the estimate from one resample that it draws.
    """
    rng = random.Random(seed)
    estimates = [estimate(rng) for _ in range(RESAMPLES)]
    return quantile(estimates, (1 - CONFIDENCE) / 2), quantile(estimates, (1 + CONFIDENCE) / 2)


def paired_ratio(above: Sequence[float | None], below: Sequence[float | None]) -> Summary | None:
    """Return what the ratios of two things come to that were measured in turn, round by round.

    :param above: by round; `None` where the measurement failed.
    """
    both = zip(above, below, strict=False)
    return summarize([a / b for a, b in both if a is not None and b is not None and b])


def unpaired_ratio(above: Sequence[float], below: Sequence[float]) -> Summary | None:
    """Return the ratio of the medians of two things measured at different times; `None` if there is none."""
    if not above or not below or not median(below):
        return None
    ratio = median(above) / median(below)

    def resample(rng: random.Random) -> float:
        bottom = median(rng.choices(below, k=len(below)))
        return median(rng.choices(above, k=len(above))) / bottom if bottom else ratio

    low, high = interval(resample)
    first, second = summarize(above), summarize(below)
    spread = max(part.spread for part in (first, second) if part is not None)
    return Summary(ratio, low, high, ratio, ratio * spread, spread, min(len(above), len(below)))


def judge(found: Summary, limit: float, *, at_most: bool) -> Verdict:
    """Compare with a limit: the whole confidence interval must lie on one side.

    :param at_most: whether `limit` is the most that is allowed, and not the least.
    """
    if found.count < FEWEST:
        return "untrusted"
    if at_most:
        return "met" if found.high <= limit else "missed" if found.low > limit else "untrusted"
    return "met" if found.low >= limit else "missed" if found.high < limit else "untrusted"
