"""Measuring a data channel between two ends in one process."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from shim.api.datachannel import RTCDataChannel
from shim.calls.measure import spread
from shim.calls.results import DataReport

PINGS: Final = 100
PING_BYTES: Final = 64
BULK_BYTES: Final = 4_000_000
MESSAGE_BYTES: Final = 16384
BULK_SECONDS: Final = 1.5
"""Sending ends after this time, or after `BULK_BYTES`."""
_FULL: Final = 1 << 19
"""Bytes that may be queued before the sender waits."""


async def opened(channel: RTCDataChannel) -> None:
    """Wait until a channel is open."""
    if channel.readyState != "open":
        is_open = asyncio.Event()
        channel.once("open", is_open.set)
        await is_open.wait()


async def measure_channel(near: RTCDataChannel, far: RTCDataChannel) -> DataReport:
    """Measure from `near` to `far`: round trips one after the other, then as fast as it goes for a moment."""
    round_trips = await _ping(near, far)
    found = spread(round_trips)
    assert found is not None
    return DataReport(found, await _flood(near, far))


async def _ping(near: RTCDataChannel, far: RTCDataChannel) -> list[float]:
    """Return the round trips in milliseconds of messages that `far` sends back."""
    answers: asyncio.Queue[bytes | str] = asyncio.Queue()
    near.add_listener("message", answers.put_nowait)
    far.add_listener("message", far.send)
    try:
        round_trips = []
        for number in range(PINGS):
            message = number.to_bytes(4, "big").ljust(PING_BYTES, b"\0")
            sent_at = time.monotonic()
            near.send(message)
            while await answers.get() != message:
                pass
            round_trips.append((time.monotonic() - sent_at) * 1000)
        return round_trips
    finally:
        near.remove_listener("message", answers.put_nowait)
        far.remove_listener("message", far.send)


async def _flood(near: RTCDataChannel, far: RTCDataChannel) -> float:
    """Return the throughput in millions of bytes per second, from the first send to the last arrival."""
    arrivals: asyncio.Queue[bytes | str] = asyncio.Queue()
    drained = asyncio.Event()
    near.bufferedAmountLowThreshold = _FULL // 2
    near.add_listener("bufferedamountlow", drained.set)
    far.add_listener("message", arrivals.put_nowait)
    try:
        start = time.monotonic()
        messages = await _send_for_a_while(near, drained, start + BULK_SECONDS)
        for _ in range(messages):
            await arrivals.get()
        return messages * MESSAGE_BYTES / (time.monotonic() - start) / 1e6
    finally:
        near.remove_listener("bufferedamountlow", drained.set)
        far.remove_listener("message", arrivals.put_nowait)


async def _send_for_a_while(channel: RTCDataChannel, drained: asyncio.Event, until: float) -> int:
    """Return how many messages were sent."""
    message = bytes(MESSAGE_BYTES)
    for number in range(BULK_BYTES // MESSAGE_BYTES):
        if channel.bufferedAmount > _FULL:
            drained.clear()
            await drained.wait()
        if time.monotonic() > until:
            return number
        channel.send(message)
    return BULK_BYTES // MESSAGE_BYTES
