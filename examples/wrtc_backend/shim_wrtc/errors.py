"""Turns wrtc's errors into those of the seam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import webrtc

from shim.spi.errors import (
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    NotSupportedError,
    OperationError,
    SdpSyntaxError,
    ShimError,
)

Mapped = Mapping[type[Exception], type[ShimError]]
"""By wrtc's class, more special ones first."""

W3C: Final[Mapped] = {
    webrtc.InvalidStateError: InvalidStateError,
    webrtc.InvalidModificationError: InvalidModificationError,
    webrtc.NotSupportedError: NotSupportedError,
    webrtc.InvalidAccessError: InvalidAccessError,
    webrtc.RTCException: OperationError,
    TypeError: OperationError,
    ValueError: OperationError,
}
DESCRIPTION: Final[Mapped] = {
    webrtc.InvalidStateError: InvalidStateError,
    webrtc.RTCException: InvalidModificationError,
}
REQUEST: Final[Mapped] = {webrtc.InvalidStateError: InvalidStateError, webrtc.RTCException: OperationError}


@contextmanager
def translated(what: str, mapped: Mapped = W3C) -> Iterator[None]:
    """Raise the seam's errors for those of wrtc.

    :param what: the call, as an application knows it.
    """
    try:
        yield
    except tuple(mapped) as exc:
        message = f"{what}: {exc} (backend wrtc)"
        if isinstance(exc, webrtc.RTCError) and exc.error_detail == "sdp-syntax-error":
            raise SdpSyntaxError(message, line=exc.sdp_line_number, backend="wrtc") from exc
        kind = next(ours for theirs, ours in mapped.items() if isinstance(exc, theirs))
        raise kind(message, backend="wrtc", component="peer") from exc
