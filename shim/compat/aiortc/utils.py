"""Mirror of ``aiortc.utils``: random numbers, and serial number arithmetic (RFC 1982)."""

from __future__ import annotations

import secrets

__all__ = [
    "random16",
    "random32",
    "uint16_add",
    "uint16_gt",
    "uint16_gte",
    "uint32_add",
    "uint32_gt",
    "uint32_gte",
]


def random16() -> int:
    """Return 16 random bits."""
    return secrets.randbits(16)


def random32() -> int:
    """Return 32 random bits."""
    return secrets.randbits(32)


def uint16_add(a: int, b: int) -> int:
    """Return a + b modulo 2**16."""
    return (a + b) & 0xFFFF


def uint16_gt(a: int, b: int) -> bool:
    """Tell whether a comes after b."""
    return _after(a, b, 0x8000)


def uint16_gte(a: int, b: int) -> bool:
    """Tell whether a is b or comes after it."""
    return a == b or uint16_gt(a, b)


def uint32_add(a: int, b: int) -> int:
    """Return a + b modulo 2**32."""
    return (a + b) & 0xFFFFFFFF


def uint32_gt(a: int, b: int) -> bool:
    """Tell whether a comes after b."""
    return _after(a, b, 0x80000000)


def uint32_gte(a: int, b: int) -> bool:
    """Tell whether a is b or comes after it."""
    return a == b or uint32_gt(a, b)


def _after(a: int, b: int, half: int) -> bool:
    # Numbers half a circle apart have no order: neither comes after the other.
    return 0 < (a - b) % (2 * half) < half
