"""One place where engines are called: errors get a backend and a component, strangers a clear name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shim.spi.capabilities import Capability
from shim.spi.errors import BackendContractError, CapabilityError, ShimError


@dataclass(frozen=True, slots=True)
class EngineGuard:
    """Guards calls into the engine of one connection.

    :param backend: name of the backend that serves it.
    :param capabilities: what that backend declares.
    """

    backend: str
    capabilities: frozenset[Capability]

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Complete the errors of a call; anything that is not ours breaks the contract and says so."""
        try:
            with self.naming():
                yield
        except ShimError:
            raise
        except Exception as exc:
            raise BackendContractError(
                f"{what}: backend {self.backend} raised {type(exc).__name__}: {exc}. This is a bug of the backend.",
                backend=self.backend,
                component="peer",
            ) from exc

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let errors of ours say which backend was in use."""
        try:
            yield
        except ShimError as exc:
            exc.backend = exc.backend or self.backend
            exc.component = exc.component or "peer"
            raise

    def require(self, capability: Capability, what: str) -> None:
        """Raise CapabilityError unless the backend declares `capability`."""
        if capability not in self.capabilities:
            raise CapabilityError(
                f"{what}: backend {self.backend} does not have the capability {capability.value!r}. "
                "Compare backends with `shim doctor`.",
                backend=self.backend,
                component="peer",
            )
