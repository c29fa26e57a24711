"""Mirror of ``aiortc.clock``: wall-clock time as NTP counts it (RFC 5905 section 6)."""

from __future__ import annotations

import datetime
from typing import Final

__all__ = [
    "NTP_EPOCH",
    "current_datetime",
    "current_ms",
    "current_ntp_time",
    "datetime_from_ntp",
    "datetime_to_ntp",
]

NTP_EPOCH: Final = datetime.datetime(1900, 1, 1, tzinfo=datetime.UTC)


def current_datetime() -> datetime.datetime:
    """Return the time now, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def current_ms() -> int:
    """Return milliseconds since 1900."""
    return (current_datetime() - NTP_EPOCH) // datetime.timedelta(milliseconds=1)


def current_ntp_time() -> int:
    """Return the time now as 32.32 bits fixed point."""
    return datetime_to_ntp(current_datetime())


def datetime_from_ntp(ntp: int) -> datetime.datetime:
    """Convert 32.32 bits fixed point."""
    return NTP_EPOCH + datetime.timedelta(seconds=ntp >> 32, microseconds=(ntp & 0xFFFFFFFF) * 1_000_000 / (1 << 32))


def datetime_to_ntp(dt: datetime.datetime) -> int:
    """Convert to 32.32 bits fixed point."""
    seconds, rest = divmod(dt - NTP_EPOCH, datetime.timedelta(seconds=1))
    return (seconds << 32) | ((rest.microseconds << 32) // 1_000_000)
