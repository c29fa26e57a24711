"""Errors that cross the seam.

W3C names keep their meaning (webrtc-pc, "Errors"); the other names are the shim's own. Where aiortc
raises a built-in type for the same mistake (mostly `ValueError`), our type inherits from it too, so
that an application's `except` clauses keep working.
"""

from __future__ import annotations

import re


class ShimError(Exception):
    """Base of every error raised by the SDK.

    :param message: what failed, on which backend, and what to do about it.
    :param code: short machine-readable reason, e.g. ``"sdp-syntax-error"``.
    :param backend: name of the backend that was in use, if one was.
    :param component: component concerned, e.g. ``"peer"``.
    """

    code: str = "error"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        backend: str | None = None,
        component: str | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.backend = backend
        self.component = component

    def __str__(self) -> str:
        message = super().__str__()
        if self.backend is None or re.search(rf"\b{re.escape(self.backend)}\b", message):
            return message
        return f"{message} (backend {self.backend})"


class InvalidStateError(ShimError):
    """The object is in a state that does not allow the call (W3C InvalidStateError)."""

    code = "invalid-state"


class InvalidAccessError(ShimError):
    """The object does not support the operation or argument (W3C InvalidAccessError)."""

    code = "invalid-access"


class OperationError(ShimError):
    """The operation failed for a reason specific to it (W3C OperationError)."""

    code = "operation-failed"


class NotSupportedError(ShimError):
    """The operation is not supported (W3C NotSupportedError)."""

    code = "not-supported"


class InternalError(ShimError):
    """An argument has no meaning to the SDK, e.g. an unknown media kind (aiortc's InternalError)."""

    code = "internal"


class SdpSyntaxError(OperationError, ValueError):
    """A session description cannot be parsed (W3C RTCError "sdp-syntax-error").

    :param line: the 1-based number of the offending line, where known.
    """

    code = "sdp-syntax-error"

    def __init__(self, message: str = "", *, line: int | None = None, backend: str | None = None) -> None:
        super().__init__(message, backend=backend, component="peer")
        self.line = line


class InvalidModificationError(OperationError, ValueError):
    """A session description contradicts the session it modifies (W3C InvalidModificationError)."""

    code = "invalid-modification"


class ChannelIdInUseError(OperationError, ValueError):
    """A data channel with this id exists already (W3C OperationError)."""

    code = "id-in-use"


class MessageSizeError(ShimError, TypeError, ValueError):
    """A message is larger than the remote accepts (W3C TypeError; aiortc raises ValueError)."""

    code = "message-too-large"


class InvalidMediaError(ShimError, ValueError):
    """A frame, or the form that it is to get, is impossible: a size, a format, a rate, a plane that is too short."""

    code = "invalid-media"


class BackendUnavailableError(ShimError):
    """A backend is not installed, is blocked, or cannot run on this machine. Says how to get it."""

    code = "backend-unavailable"


class CapabilityError(NotSupportedError):
    """The backend in use declares that it cannot do this."""

    code = "capability-missing"


class FlagConfigError(ShimError, ValueError):
    """A flag given explicitly or by context has an impossible value. Names the choices."""

    code = "flag-config"


class BackendContractError(ShimError):
    """A backend broke the contract of :mod:`shim.spi`, e.g. a hook of the wrong shape."""

    code = "backend-contract"


class MediaStreamError(Exception):
    """A track has ended: raised by ``recv()`` (aiortc's name)."""
