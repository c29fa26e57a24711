"""What a test needs and what it checks: `@requires(Capability.X)` and `@spec("RFC 9429 5.6")`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

import pytest

from conformance.reference import Kind, Side, State
from shim.spi.capabilities import CORE, Capability

if TYPE_CHECKING:
    from conformance.targets import Target

Role = Literal["both", "offerer", "answerer"]
NOT_DECLARED: Final = "does not declare the capability"
"""In the reason of every skip that is the backend's own word, those of tests that find it out themselves included."""
NOT_INSTALLED: Final = "is not installed"
LACKS: Final = "this machine lacks"
"""These two in the reason of every skip for want of something that could be there: the verdict names what it leaves
unproven. Of a machine that can never have it, a skip says something else."""
LACKED: Final = pytest.StashKey[str]()
"""On a test that a backend cannot run: the capability that it does not declare, in words."""


def requires(*capabilities: Capability, of: Role = "both") -> pytest.MarkDecorator:
    """Skip the test where a backend declares that it cannot do this.

    :param of: whose capability it is, in a test of pairs.
    """
    return pytest.mark.requires(*capabilities, of=of)


def negotiating(state: State, side: Side | None = None, kind: Kind | None = None) -> tuple[pytest.MarkDecorator, ...]:
    """Return the mark of a test in a signaling state, or of a description there; none if every backend must do that."""
    needed = []
    if "pranswer" in state or kind == "pranswer":
        needed.append(Capability.PRANSWER)
    if kind == "rollback" or (state, side, kind) == ("have-local-offer", "remote", "offer"):
        needed.append(Capability.ROLLBACK)
    return (requires(*needed),) if needed else ()


def spec(*sections: str) -> pytest.MarkDecorator:
    """Name the sections that the test checks, e.g. ``"RFC 9429 5.6"`` or ``"webrtc-pc 4.4.1.5"``."""
    return pytest.mark.spec(*sections)


def missing_capability(
    marks: Iterable[pytest.Mark], targets: Iterable[Target], role_of: dict[Target, set[str]]
) -> str | None:
    """Return the reason to skip: the first capability that is needed and declared off."""
    wanted = [(capability, mark.kwargs.get("of", "both")) for mark in marks for capability in mark.args]
    for target in targets:
        for capability, role in wanted:
            concerned = role == "both" or role in role_of.get(target, {role})
            if concerned and capability not in target.info.capabilities:
                return f"backend {target} {NOT_DECLARED} {Capability(capability).value}"
    return None


def is_for_want(reason: str) -> bool:
    """Tell whether a test was skipped because a program, a library or a backend is not there."""
    return NOT_INSTALLED in reason or reason.startswith(LACKS)


def leave_out_optional(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the suite's tests of what a backend may declare off."""
    from conformance.plugin import is_of_suite

    optional = {item for item in items if is_of_suite(item) and not wanted_of(item) <= CORE}
    if optional:
        config.hook.pytest_deselected(items=list(optional))
        items[:] = [item for item in items if item not in optional]


def wanted_of(item: pytest.Item) -> set[Capability]:
    """Return what a test needs a backend to do."""
    return {capability for mark in item.iter_markers("requires") for capability in mark.args}
