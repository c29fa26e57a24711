"""Names that people type: how they are checked, and what is suggested instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from shim.spi.capabilities import Component
from shim.spi.errors import FlagConfigError


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"``, or nothing when no choice is near."""
    near = difflib.get_close_matches(word.strip().lower(), list(choices), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def listed(choices: Iterable[str]) -> str:
    """Return the choices quoted and sorted, for a message."""
    return ", ".join(repr(choice) for choice in sorted(choices))


def as_component(name: Component | str) -> Component:
    """Return the component of this flag key.

    :raises FlagConfigError: there is none.
    """
    try:
        return Component(name)
    except ValueError:
        raise FlagConfigError(
            f"component {name!r} is not known. Choices: {listed(Component)}.{suggestion(str(name), Component)}"
        ) from None
