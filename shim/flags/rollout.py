"""Gradual rollout: a sticky draw in basis points."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

BASIS_POINTS = 10_000
"""Hundredths of a percent in the whole."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How connections are shared out between backends.

    Backends stand side by side on a ruler of 10000 marks, sorted by name, so that the order in which somebody wrote
    them down means nothing. A key always falls on the same mark. When one share grows and no other one does, its keys
    all stay, and only keys of the others move to it.

    :param shares: backend and basis points, sorted by name; they add up to 10000.
    """

    shares: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, text: str) -> Rollout:
        """Read ``"native=30,legacy=70"`` (percent, up to two decimals).

        :raises ValueError: the text is malformed; says how.
        """
        table: dict[str, str] = {}
        for part in text.split(","):
            name, separator, percent = (piece.strip() for piece in part.partition("="))
            if not (name and separator and percent):
                raise ValueError(f"{part.strip()!r} is not of the form backend=percent")
            if name in table:
                raise ValueError(f"{name!r} has two shares")
            table[name] = percent
        return cls.of(table)

    @classmethod
    def of(cls, table: Mapping[str, object]) -> Rollout:
        """Make a rollout of backend -> percent (up to two decimals).

        :raises ValueError: a share is no such number, or they do not add up to 100.
        """
        shares = tuple(sorted((name, _basis_points(name, percent)) for name, percent in table.items()))
        total = sum(points for _, points in shares)
        if total != BASIS_POINTS:
            raise ValueError(f"the shares add up to {Decimal(total) / 100} %, not 100 %")
        return cls(shares)

    def mark(self, flag: str, key: str) -> int:
        """Return where on the ruler a key falls: 0 to 9999."""
        digest = hashlib.sha256(f"{flag}:{key}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % BASIS_POINTS

    def draw(self, flag: str, key: str) -> str:
        """Return the backend of a key."""
        mark = self.mark(flag, key)
        end = 0
        for name, points in self.shares:
            end += points
            if mark < end:
                return name
        raise AssertionError("the shares of a rollout add up to the whole")

    def __str__(self) -> str:
        return ",".join(f"{name}={Decimal(points) / 100}" for name, points in self.shares)


def _basis_points(name: str, percent: object) -> int:
    if isinstance(percent, bool) or not isinstance(percent, (int, float, str)):
        raise ValueError(f"the share of {name!r} is {percent!r}, not a percentage")
    try:
        points = Decimal(str(percent)) * 100
    except InvalidOperation:
        raise ValueError(f"the share of {name!r} is {percent!r}, not a percentage") from None
    if not (points.is_finite() and 0 <= points <= BASIS_POINTS):
        raise ValueError(f"the share of {name!r} is {percent}, not between 0 and 100")
    if points != int(points):
        raise ValueError(f"the share of {name!r} is {percent}: two decimals are the most")
    return int(points)


def process_key() -> str:
    """Return the targeting key of connections that have none: random, one per process."""
    return _random_key(os.getpid())


@lru_cache(maxsize=1)
def _random_key(pid: int) -> str:
    # By pid, because a forked worker is a process of its own.
    return secrets.token_hex(8)
