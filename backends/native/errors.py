"""Turns what aiortc, aioice and OpenSSL raise into errors of the seam."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shim.spi.errors import InvalidModificationError, OperationError, SdpSyntaxError, ShimError

BACKEND = "native"


def modification(message: str) -> InvalidModificationError:
    """Make the error for a description that contradicts the session."""
    return InvalidModificationError(message, backend=BACKEND, component="peer")


def operation(message: str) -> OperationError:
    """Make the error for an operation that failed."""
    return OperationError(message, backend=BACKEND, component="peer")


@contextmanager
def sdp_errors() -> Iterator[None]:
    """Report whatever aiortc's parser raises as SdpSyntaxError."""
    try:
        yield
    except ShimError:
        raise
    except Exception as exc:  # aiortc's parser fails with whatever its expressions raise
        detail = f"{type(exc).__name__}: {exc}".rstrip(": ")
        message = f"the session description cannot be parsed ({detail}). Check that it is complete and unmodified."
        raise SdpSyntaxError(message, backend=BACKEND) from exc


@contextmanager
def candidate_errors(candidate: str) -> Iterator[None]:
    """Report whatever makes a candidate unusable as OperationError."""
    try:
        yield
    except ShimError:
        raise
    except Exception as exc:
        raise operation(f"the ICE candidate {candidate[:200]!r} cannot be used: {exc}") from exc
