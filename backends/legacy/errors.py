"""Turns libwebrtc's error codes into the errors of the seam: the same types as the other backends raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shim.spi.errors import (
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    MessageSizeError,
    NotSupportedError,
    OperationError,
    SdpSyntaxError,
    ShimError,
)

if TYPE_CHECKING:
    from backends.legacy.ffi import Library

UNSUPPORTED_OPERATION: Final = -1
UNSUPPORTED_PARAMETER: Final = -2
INVALID_PARAMETER: Final = -3
INVALID_RANGE: Final = -4
SYNTAX_ERROR: Final = -5
INVALID_STATE: Final = -6
INVALID_MODIFICATION: Final = -7
INVALID_HANDLE: Final = -100
INVALID_ARGUMENT: Final = -101
MESSAGE_TOO_LARGE: Final = -102
WOULD_OVERFLOW: Final = -103

_TYPES: Final[dict[int, type[ShimError]]] = {
    UNSUPPORTED_OPERATION: NotSupportedError,
    UNSUPPORTED_PARAMETER: NotSupportedError,
    INVALID_PARAMETER: InvalidAccessError,
    INVALID_STATE: InvalidStateError,
    INVALID_MODIFICATION: InvalidModificationError,
    INVALID_HANDLE: InvalidStateError,
    MESSAGE_TOO_LARGE: MessageSizeError,
}


def error_for(code: int, what: str, detail: str) -> ShimError:
    """Return the error for a negative result.

    :param what: the call that failed, as an application knows it.
    :param detail: libwebrtc's own words.
    """
    if code == INVALID_HANDLE:
        detail = "the connection is closed"
    message = f"{what}: {detail or f'libwebrtc gave error {code}'} (backend legacy)"
    if code == SYNTAX_ERROR:
        return SdpSyntaxError(message, backend="legacy")
    return _TYPES.get(code, OperationError)(message, backend="legacy", component="peer")


def description_error(code: int, what: str, detail: str, offending: str, sdp: str) -> ShimError:
    """Return the error for a description that was refused (webrtc-pc section 4.4.1.5).

    :param offending: the line that could not be parsed, if that was the reason.
    :param sdp: the whole description, to number that line.
    """
    if code == SYNTAX_ERROR:
        return SdpSyntaxError(
            f"{what}: the description cannot be parsed: {detail[:300]} (backend legacy)",
            line=_line_number(offending, sdp),
            backend="legacy",
        )
    if code in {INVALID_STATE, INVALID_HANDLE}:
        return error_for(code, what, detail)
    return InvalidModificationError(
        f"{what}: the description does not fit the session: {detail[:300]} (backend legacy)",
        backend="legacy",
        component="peer",
    )


def candidate_error(code: int, what: str, detail: str) -> ShimError:
    """Return the error for a candidate that was refused: OperationError unless the connection is closed."""
    if code in {INVALID_STATE, INVALID_HANDLE}:
        return error_for(code, what, detail)
    return OperationError(f"{what}: {detail} (backend legacy)", backend="legacy", component="peer")


def check(library: Library, result: int, what: str) -> int:
    """Return `result` if the call succeeded.

    :raises ShimError: of the type that fits the code.
    """
    if result < 0:
        raise error_for(result, what, library.last_error())
    return result


def _line_number(offending: str, sdp: str) -> int | None:
    for number, line in enumerate(sdp.splitlines(), 1):
        if offending and line.strip() == offending.strip():
            return number
    return None
