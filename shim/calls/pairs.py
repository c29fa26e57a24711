"""Which calls to make: one pair of backends, or all that there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from shim._core.dispatch import get_dispatcher
from shim.calls.results import CallSpec
from shim.calls.session import recording_path
from shim.spi.capabilities import Component
from shim.spi.errors import BackendUnavailableError, OperationError


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends that can make calls here.

    :param able: their names, ``native`` first.
    :param missing: of the others, why not and how to get them.
    """

    able: tuple[str, ...]
    missing: dict[str, str]


def find_backends() -> Backends:
    """Look for every backend that is known.

    :raises BackendUnavailableError: none can make a call here.
    """
    able, missing = [], {}
    dispatcher = get_dispatcher()
    for name in sorted(dispatcher.registry.known_names(), key=lambda name: (name != "native", name)):
        error = dispatcher.explain(Component.PEER, backend=name).error
        if error is None:
            able.append(name)
        else:
            missing[name] = str(error)
    if not able:
        raise BackendUnavailableError(f"no backend can make a call here: {'; '.join(missing.values())}")
    return Backends(tuple(able), missing)


def check_backend(name: str) -> None:
    """Raise what a connection with this backend would raise.

    :raises FlagConfigError: nobody knows the name.
    :raises BackendUnavailableError: it cannot serve here; says how to get it.
    """
    error = get_dispatcher().explain(Component.PEER, backend=name).error
    if error is not None:
        raise error


def all_pairs(base: CallSpec, backends: tuple[str, ...]) -> list[CallSpec]:
    """Return a call for every ordered pair; recordings are named after both."""
    return [_between(base, offerer, answerer) for offerer, answerer in product(backends, repeat=2)]


def _between(base: CallSpec, offerer: str, answerer: str) -> CallSpec:
    record = base.record
    if record is not None:
        record = str(recording_path(Path(record), f"{offerer}-{answerer}"))
    return replace(base, offerer=offerer, answerer=answerer, record=record)


def check_recordings(specs: list[CallSpec]) -> None:
    """Refuse to record over the file that is sent.

    :raises OperationError: a recording would have the same path.
    """
    for spec in specs:
        for direction in ("offerer-to-answerer", "answerer-to-offerer"):
            if spec.record and recording_path(Path(spec.record), direction).resolve() == Path(spec.send).resolve():
                raise OperationError(f"{spec.send} would be recorded over. Choose another name for --record.")
