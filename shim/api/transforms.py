"""What encoded frames pass through between codec and network (webrtc-encoded-transform)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, runtime_checkable

from shim.spi.engines import EncodedFrameInfo, FrameTransform
from shim.spi.errors import NotSupportedError

logger = logging.getLogger(__name__)

OPAQUE: Final = frozenset({"video/av1"})
"""Codecs whose RTP payload format reads all of a frame: what a transform makes of it would not survive."""

SIGNALS: Final = frozenset({"audio/telephone-event", "audio/cn"})
"""What comes in an audio stream and is no encoded sound: it passes as it is."""


@runtime_checkable
class FrameCipher(Protocol):
    """Something that encrypts what a sender sends, and decrypts what a receiver receives."""

    def encryptFrame(self, data: bytes, info: EncodedFrameInfo) -> bytes: ...

    def decryptFrame(self, data: bytes, info: EncodedFrameInfo) -> bytes: ...


RTCRtpTransform = Callable[[bytes, EncodedFrameInfo], bytes | None] | FrameCipher


@dataclass(frozen=True, slots=True)
class RTCTransformCounts:
    """What became of frames since the sender or receiver exists.

    :param frames: that went on.
    :param dropped: for which the transform returned `None`, or no bytes.
    :param failed: for which it raised, or returned what is no bytes.
    """

    frames: int = 0
    dropped: int = 0
    failed: int = 0


class TransformSlot:
    """The transform of one sender or receiver, with its counts. `run` is called by engines, one call at a time.

    :param what: the attribute that sets it.
    :param method: of a :class:`FrameCipher` in this place.
    """

    def __init__(self, what: str, method: Literal["encryptFrame", "decryptFrame"]) -> None:
        self.what = what
        self._method = method
        self._call: FrameTransform | None = None
        self._warned = False
        self.transform: RTCRtpTransform | None = None
        self.counts = RTCTransformCounts()

    def use(self, transform: RTCRtpTransform | None) -> FrameTransform | None:
        """Take another transform; returns what to give to the engine.

        :raises TypeError: it is none.
        """
        call = getattr(transform, self._method) if isinstance(transform, FrameCipher) else transform
        if call is not None and not callable(call):
            raise TypeError(f"{self.what}: a callable, an SFrame or None is wanted, not {type(transform).__name__}")
        self._call, self.transform, self._warned = call, transform, False
        return None if call is None else self.run

    def run(self, data: bytes, info: EncodedFrameInfo) -> bytes | None:
        """Transform a frame; `None` drops it."""
        call = self._call
        if call is None or not data or info.mime_type.lower() in SIGNALS:
            return data
        try:
            result = self._checked(call, data, info)
        except Exception as exc:
            self.counts = replace(self.counts, failed=self.counts.failed + 1)
            if not self._warned:
                # As text: with an error, a log that is kept would keep the whole connection.
                told = f"{type(exc).__name__}: {exc}"
                logger.warning("%s: a frame of %s is dropped: %s; further ones are counted", self.what, info.kind, told)
            self._warned = True
            return None
        name = "frames" if result is not None else "dropped"
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + 1})
        return result

    def _checked(self, call: FrameTransform, data: bytes, info: EncodedFrameInfo) -> bytes | None:
        if info.mime_type.lower() in OPAQUE:
            raise NotSupportedError(
                f"{self.what}: {info.mime_type} frames cannot be transformed, as RTP reads all of them. Negotiate "
                "VP8, VP9 or H264 with setCodecPreferences."
            )
        result = call(data, info)
        if result is not None and not isinstance(result, bytes | bytearray | memoryview):
            raise TypeError(f"the transform returned {type(result).__name__}, not bytes or None")
        return bytes(result) if result is not None and len(result) else None
