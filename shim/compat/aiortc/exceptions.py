"""Mirror of ``aiortc.exceptions``."""

from shim.spi.errors import InternalError, InvalidAccessError, InvalidStateError, OperationError

__all__ = [
    "InternalError",
    "InvalidAccessError",
    "InvalidStateError",
    "OperationError",
]
