"""The name of the backend of which the suite is told, whichever good one is inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shim.spi.errors import ShimError

NAME: Final = "mutant"
"""The backend's name, whichever mutant it is."""


@contextmanager
def in_our_name() -> Iterator[None]:
    """Let errors of the good backend name this one, as a backend of its own would."""
    try:
        yield
    except ShimError as exc:
        if exc.backend is not None:
            exc.args = tuple(str(arg).replace(f"backend {exc.backend}", f"backend {NAME}") for arg in exc.args)
            exc.backend = NAME
        raise
