"""Names that people type: how they are checked, and what is suggested instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from shim.spi.capabilities import Component
from shim.spi.errors import FlagConfigError


def suggestion(word: str, choices: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return ``" Did you mean 'x'?"``, or nothing when no choice is near.

    :param cutoff: how alike they must be, 0 to 1.
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(word.strip().casefold(), by_folded, n=1, cutoff=cutoff)
    return f" Did you mean {str(by_folded[near[0]])!r}?" if near else ""


def listed(choices: Iterable[str]) -> str:
    """Return the choices quoted and sorted, for a message."""
    return ", ".join(repr(str(choice)) for choice in sorted(choices))


def as_component(name: Component | str) -> Component:
    """Return the component of this flag key.

    :raises FlagConfigError: there is none.
    """
    try:
        return Component(name)
    except ValueError:
        raise FlagConfigError(
            f"component {str(name)!r} is not known. Choices: {listed(Component)}.{suggestion(str(name), Component)}"
        ) from None
