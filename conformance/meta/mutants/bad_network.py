"""Data channels over a bad network that are more reliable than they may be, or less than they must, or misreport."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import ChannelProxy, EngineProxy
from shim.spi.engines import DataChannelEngine, DataChannelInit

TOPIC: Final = Topic("data over a bad network", "test_network.py", "test_reliability.py", "test_buffered_amount.py")
_TRANSPORT_BUFFER: Final = 2_000_000
"""Bytes that libwebrtc's SCTP keeps for itself."""


@TOPIC.proxy
class ResendsAfterMaxRetransmits(EngineProxy):
    """Send a message again however often, although a maximum was set."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, max_retransmits=None))


@TOPIC.proxy
class LifetimeIgnored(EngineProxy):
    """Send a message again however late, although a lifetime was set."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, max_packet_life_time=None))


@TOPIC.proxy
class RetransmitsTreatedAsNone(EngineProxy):
    """Send no message again where a maximum was set, however high."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        limit = None if init.max_retransmits is None else 0
        return super().create_data_channel(replace(init, max_retransmits=limit))


@TOPIC.proxy
class OneRetransmitTooMany(EngineProxy):
    """Send a message once more often than it may be."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        limit = init.max_retransmits and init.max_retransmits + 1
        return super().create_data_channel(replace(init, max_retransmits=limit))


@TOPIC.proxy
class LifetimeTreatedAsNone(EngineProxy):
    """Send no message again where a lifetime was set, however long."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        life = None if init.max_packet_life_time is None else 0
        return super().create_data_channel(replace(init, max_packet_life_time=life))


@TOPIC.proxy
class UnorderedWaits(EngineProxy):
    """Let messages of an unordered channel wait for each other."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, ordered=True))


@TOPIC.proxy
class OrderedOvertakes(EngineProxy):
    """Let messages of an ordered channel overtake each other."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, ordered=False))


@TOPIC.proxy
class ReliableGivesUp(EngineProxy):
    """Send nothing again on a reliable channel."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        limit = 0 if init.max_packet_life_time is None else None
        return super().create_data_channel(replace(init, max_retransmits=limit))


@TOPIC.proxy
class LifeBeginsWithRoom(ChannelProxy):
    """Let the life of a message begin when there is room for it, not when it is sent."""

    def __init__(self, inner: DataChannelEngine, init: DataChannelInit) -> None:
        super().__init__(inner, init)
        self._waiting: deque[bytes | str] = deque()
        self._handle: asyncio.Handle | None = None

    @property
    def buffered_amount(self) -> int:
        return self.inner.buffered_amount + sum(map(len, self._waiting))

    def send(self, data: bytes | str) -> None:
        self._waiting.append(data)
        if self._handle is None:
            self._hand_over()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        super().close()

    def _hand_over(self) -> None:
        self._handle = None
        while self._waiting and self.inner.buffered_amount == 0:
            super().send(self._waiting.popleft())
        if self._waiting:
            self._handle = asyncio.get_running_loop().call_later(0.01, self._hand_over)


@TOPIC.proxy
class TransportBufferNotCounted(ChannelProxy):
    """Count of what waits only what the transport has no room for."""

    @property
    def buffered_amount(self) -> int:
        return max(0, self.inner.buffered_amount - _TRANSPORT_BUFFER)
