"""Calls into the engine of a component: every error says which backend and component, strangers get a clear name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shim.spi.errors import BackendContractError, ShimError

if TYPE_CHECKING:
    from shim.spi.capabilities import Component
    from shim.spi.records import Decision


@contextmanager
def asking_for(component: Component) -> Iterator[None]:
    """Complete the errors of arguments, which are checked before there is a backend."""
    try:
        yield
    except ShimError as exc:
        exc.component = exc.component or component
        raise


@contextmanager
def serving(decision: Decision, what: str) -> Iterator[None]:
    """Complete the errors of a call; anything that is not ours breaks the contract and says so.

    :param what: the call, as an application knows it.
    """
    try:
        yield
    except ShimError as exc:
        exc.backend = exc.backend or decision.backend
        exc.component = exc.component or decision.component
        raise
    except Exception as exc:
        raise BackendContractError(
            f"{what}: backend {decision.backend} raised {type(exc).__name__}: {exc}. This is a bug of the backend.",
            backend=decision.backend,
            component=decision.component,
        ) from exc
