"""What an encoder hands to an RTP stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EncodedFrame:
    """What is sent of one frame.

    :param timestamp: time in ticks of the RTP clock, not wrapped, starting near 0.
    :param key: true if it can be decoded on its own.
    :param level: audio level in -dBov, 0 to 127 (RFC 6464).
    :param starts: true if it does not follow on the one before (RFC 3551 section 4.1).
    """

    payloads: list[bytes]
    timestamp: int
    key: bool = True
    level: int | None = None
    starts: bool = False
    width: int = 0
    height: int = 0
