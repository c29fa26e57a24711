"""Where encoded frames pass through a transform of the application: between codec and RTP."""

from __future__ import annotations

from typing import Final

from backends.native.jitter import MediaFrame
from shim.spi.engines import EncodedFrameInfo, FrameTransform, Kind

ASK_INTERVAL: Final = 1.0
"""Seconds between two requests for a key frame: with a wrong key, no key frame will help."""


class SenderTransform:
    """Transforms what a sender has encoded.

    :param ssrc: of its RTP stream.
    """

    def __init__(self, kind: Kind, ssrc: int) -> None:
        self._kind: Kind = kind
        self._ssrc = ssrc
        self._dropped = False
        self.transform: FrameTransform | None = None

    def apply(self, data: bytes, mime: str, timestamp: int, *, key: bool) -> bytes:
        """Return what is to be sent of a frame; nothing drops it. Any thread, one at a time.

        :param timestamp: RTP timestamp.
        """
        if self.transform is None or not data:
            return data
        result = self.transform(data, EncodedFrameInfo(self._kind, mime, key, timestamp & 0xFFFFFFFF, self._ssrc))
        self._dropped = self._dropped or result is None
        return b"" if result is None else result

    def take_dropped(self) -> bool:
        """Tell whether something was dropped since the last call: what follows of a video refers to it."""
        dropped, self._dropped = self._dropped, False
        return dropped


class ReceiverTransform:
    """Transforms what a receiver is to decode."""

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._transform: FrameTransform | None = None
        self._broken = False
        self._asked_at = float("-inf")

    def use(self, transform: FrameTransform | None) -> None:
        """Use another transform from the next frame on."""
        self._transform = transform

    def apply(self, frame: MediaFrame, mime: str, ssrc: int) -> bool:
        """Transform a frame in place; tell whether it is to be decoded.

        After a frame of video was dropped, nothing is decoded before the next key frame.
        """
        if self._transform is not None and frame.data:
            result = self._transform(frame.data, EncodedFrameInfo(self._kind, mime, frame.key, frame.timestamp, ssrc))
            frame.data = result or b""
        lost = not frame.data
        self._broken = self._kind == "video" and (lost or (self._broken and not frame.key))
        return not lost and not self._broken

    def asks_for_key_frame(self, now: float) -> bool:
        """Tell, after a frame was not decoded, whether it is time to ask for a key frame."""
        if self._kind == "audio" or now - self._asked_at < ASK_INTERVAL:
            return False
        self._asked_at = now
        return True
