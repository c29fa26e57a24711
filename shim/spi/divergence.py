"""The register of known divergences: `divergences.toml` beside each backend.

An entry says what differs, why, since when, and until when that is accepted::

    [[divergence]]
    id = "native-no-rtx-stats"
    component = "peer"
    tests = ["test_stats.py::test_retransmissions_are_counted"]
    kind = "engine"
    reason = "aiortc does not count retransmissions"
    since = 2025-01-31
    expires = 2025-12-31
    shows = "assert 0 == [0-9]+"    # if given: a test that fails with anything else has failed
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from shim.spi.capabilities import Component
from shim.spi.errors import BackendContractError

FILE_NAME: Final = "divergences.toml"
KINDS: Final = ("spec", "aiortc-ism", "engine")
_FIELDS: Final = ("id", "component", "tests", "kind", "reason", "since", "expires")
_OPTIONAL: Final = ("shows",)


@dataclass(frozen=True, slots=True)
class Divergence:
    """One registered difference.

    :param id: names it for good; unique within a backend.
    :param tests: patterns of node ids (``*`` and ``?`` are wild), e.g. ``"test_ice.py::test_restart*"``. One without
        a ``[`` covers every parameter.
    :param kind: the specification leaves it open, aiortc does it its own way, or the engine cannot do better.
    :param reason: why it is accepted.
    :param since: the day from which it is known.
    :param expires: the last day on which it is accepted.
    :param shows: a regular expression that is found in what such a test fails with: the lines of the test that led
        there, and the exception's type and message. `None` if any failure will do.
    """

    id: str
    component: Component
    tests: tuple[str, ...]
    kind: Literal["spec", "aiortc-ism", "engine"]
    reason: str
    since: datetime.date
    expires: datetime.date
    shows: str | None = None

    def is_expired(self, today: datetime.date) -> bool:
        """Tell whether it is no longer accepted."""
        return today > self.expires


def load_divergences(path: Path) -> tuple[Divergence, ...]:
    """Read a register. One that does not exist is empty.

    :raises BackendContractError: it does not parse, lacks a field, or uses an id twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    try:
        entries = tomllib.loads(text).get("divergence", [])
    except tomllib.TOMLDecodeError as exc:
        raise BackendContractError(f"{path}: {exc}") from exc
    found = tuple(_divergence(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, 1))
    _check_unique(found, path)
    return found


def _divergence(entry: Mapping[str, object], place: str) -> Divergence:
    if not set(_FIELDS) <= set(entry) <= {*_FIELDS, *_OPTIONAL}:
        wanted = f"{sorted(_FIELDS)}, and perhaps {', '.join(_OPTIONAL)}"
        raise BackendContractError(f"{place}: has the fields {sorted(entry)}, not {wanted}")
    tests, since, expires = entry["tests"], entry["since"], entry["expires"]
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise BackendContractError(f"{place}: tests must be a list of node id patterns")
    if type(since) is not datetime.date or type(expires) is not datetime.date or expires < since:
        raise BackendContractError(f"{place}: since and expires must be dates (2025-12-31), in this order")
    if entry["kind"] not in KINDS or entry["component"] not in set(Component):
        raise BackendContractError(f"{place}: kind must be one of {', '.join(KINDS)}, component a component")
    return Divergence(
        id=_text(entry["id"], place),
        component=Component(cast("str", entry["component"])),
        tests=tuple(tests),
        kind=entry["kind"],
        reason=_text(entry["reason"], place),
        since=since,
        expires=expires,
        shows=_pattern(entry["shows"], place) if "shows" in entry else None,
    )


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BackendContractError(f"{place}: id, reason and shows must say something")
    return value


def _pattern(value: object, place: str) -> str:
    try:
        re.compile(text := _text(value, place))
    except re.error as exc:
        raise BackendContractError(f"{place}: shows must be a regular expression: {exc}") from exc
    return text


def _check_unique(entries: tuple[Divergence, ...], path: Path) -> None:
    ids = [entry.id for entry in entries]
    if twice := {id for id in ids if ids.count(id) > 1}:
        raise BackendContractError(f"{path}: used twice: {', '.join(sorted(twice))}")
