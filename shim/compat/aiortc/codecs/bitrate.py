"""Modules whose bit rate constants have an effect when an application assigns to them."""

from __future__ import annotations

import types

from shim.api.defaults import BITRATE, CodecBitrate

_AIORTC = {
    "vpx": CodecBitrate(default=500_000, min=250_000, max=1_500_000),
    "h264": CodecBitrate(default=1_000_000, min=500_000, max=3_000_000),
}


def _constant(member: str) -> property:
    def name(module: CodecModule) -> str:
        return module.__name__.rpartition(".")[2]

    def read(module: CodecModule) -> int:
        value: int | None = getattr(getattr(BITRATE, name(module)), member)
        initial: int = getattr(_AIORTC[name(module)], member)
        return initial if value is None else value

    def write(module: CodecModule, value: int) -> None:
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{module.__name__}: a bit rate is a whole number of bits per second (got {value!r})")
        setattr(getattr(BITRATE, name(module)), member, value)

    def reset(module: CodecModule) -> None:
        setattr(getattr(BITRATE, name(module)), member, None)

    return property(read, write, reset, "Bits per second; holds for connections created afterwards.")


class CodecModule(types.ModuleType):
    """A codec's module: ``vpx.MAX_BITRATE = 4_000_000`` holds for every connection created afterwards.

    As long as nothing is assigned, engines keep their own bounds, and the constants read as aiortc's.
    """

    DEFAULT_BITRATE = _constant("default")
    MIN_BITRATE = _constant("min")
    MAX_BITRATE = _constant("max")
