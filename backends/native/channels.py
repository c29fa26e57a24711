"""Data channels over aiortc's SCTP: the channel protocol (RFC 8832) and the life of each channel."""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from backends.native.errors import BACKEND, operation
from backends.native.private import ChannelHooks, OpenSctpTransport
from backends.native.private_dtls import QuickDtlsTransport
from shim.spi.engines import ChannelState, DataChannelInit
from shim.spi.errors import ChannelIdInUseError
from shim.spi.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
    Event,
)

logger = logging.getLogger(__name__)

DCEP, TEXT, BINARY, TEXT_EMPTY, BINARY_EMPTY = 50, 51, 53, 56, 57
"""Payload protocol identifiers (RFC 8831 section 8)."""

ACK: Final = b"\x02"
OPEN: Final = 3
OPEN_HEADER: Final = struct.Struct("!BBHLHH")
UNORDERED: Final = 0x80
MAX_STREAM_ID: Final = 65534
QUEUE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes that a channel queues: what libwebrtc takes too."""

Post = Callable[[Event], None]


class Channel(ChannelHooks):
    """One data channel: implements DataChannelEngine, and what the association asks of a channel."""

    __slots__ = (
        "_amount",
        "_ends",
        "_post",
        "_state",
        "_threshold",
        "association",
        "bytes_received",
        "bytes_sent",
        "confirmed",
        "id",
        "init",
        "messages_received",
        "messages_sent",
        "number",
    )

    _numbers = itertools.count()

    def __init__(self, association: Association | None, post: Post, init: DataChannelInit, state: ChannelState) -> None:
        self.init = init
        self.id = init.id
        self.number = next(self._numbers)
        self.association = association
        self._post = post
        self._state: ChannelState = state
        self._amount = 0
        self._ends: deque[float] = deque()
        self._threshold = 0
        # Until the remote is known to know the channel, nothing may overtake its opening (RFC 8832 section 6).
        self.confirmed = init.negotiated or state == "open"
        self.messages_sent = self.messages_received = 0
        self.bytes_sent = self.bytes_received = 0

    # --- DataChannelEngine ---

    @property
    def buffered_amount(self) -> int:
        """Bytes queued that have not been handed to the network."""
        return self._amount

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        """Post a ChannelBufferedAmountLow whenever the amount falls from above to this or below."""
        self._threshold = threshold

    def send(self, data: bytes | str) -> None:
        """Queue one message.

        :raises OperationError: the queue is full; nothing has changed.
        """
        if isinstance(data, str):
            payload, protocol = data.encode(), TEXT
        else:
            payload, protocol = bytes(data), BINARY
        size = len(payload)
        if self._amount + size > QUEUE_LIMIT:
            raise operation(
                f"RTCDataChannel.send: {self._amount} bytes are queued, and {size} more would exceed the limit of "
                f"{QUEUE_LIMIT}. Wait for bufferedamountlow."
            )
        self._amount += size
        self.messages_sent += 1
        self.bytes_sent += size
        if not size:
            # SCTP cannot carry an empty message (RFC 8831 section 6.6).
            payload, protocol = b"\x00", TEXT_EMPTY if protocol == TEXT else BINARY_EMPTY
        if self.association is not None:
            self.association.enqueue(self, protocol, payload)
            if self.init.max_packet_life_time is not None:
                self._ends.append(time.time() + self.init.max_packet_life_time / 1000)

    def next_end(self) -> float | None:
        """Return when the life of the oldest queued message ends, which began as it was sent; None is never."""
        return self._ends.popleft() if self._ends else None

    def close(self) -> None:
        """Start the closing procedure. Posts closing and closed."""
        if self.association is not None:
            self.association.close_channel(self)
        elif self._state == "connecting":
            self.sctp_state_changed("closing")
            self.finish(None)

    # --- what the association asks ---

    @property
    def readyState(self) -> ChannelState:
        """W3C RTCDataChannel.readyState."""
        return self._state

    @property
    def negotiated(self) -> bool:
        """Whether both sides create the channel themselves."""
        return self.init.negotiated

    def sctp_state_changed(self, state: str) -> None:
        if self._state in (state, "closed"):
            return
        if state == "open":
            self._state = "open"
            self._post(ChannelOpened(self))
        elif state == "closing":
            self._state = "closing"
            self._post(ChannelClosing(self))
        elif state == "closed":
            self.finish(None)

    def sctp_assigned(self, id: int) -> None:
        self.id = id

    def sctp_buffered(self, amount: int) -> None:
        before = self._amount
        self._amount = max(0, before + amount)
        if self._amount <= self._threshold < before:
            self._post(ChannelBufferedAmountLow(self))

    def finish(self, error: str | None) -> None:
        """Post the last event."""
        if self._state != "closed":
            self._state = "closed"
            if self.association is not None:
                self.association.forget(self)
            self._post(ChannelClosed(self, error))

    def receive(self, data: bytes | str) -> None:
        """Post a message, unless the channel has been closed."""
        self.confirmed = True
        if self._state in {"open", "closing"}:
            self.messages_received += 1
            self.bytes_received += len(data)
            self._post(ChannelMessage(self, data))


class Association(OpenSctpTransport):
    """The SCTP association of a connection, with its data channels.

    :param post: where the channels post.
    """

    def __init__(
        self,
        transport: QuickDtlsTransport,
        post: Post,
        *,
        mtu: int | None,
    ) -> None:
        super().__init__(transport, mtu=mtu)
        self._post = post
        self._next_id = 0
        self._flush_due: float | None = None
        self.is_lost = False
        self.open_channels: set[Channel] = set()
        self.opened = self.closed = 0

    # --- channels of ours ---

    def create_channel(self, init: DataChannelInit) -> Channel:
        """Create a channel that opens with the association.

        :raises ChannelIdInUseError: the id is taken.
        """
        self.check_id(init, self.channels, self.maxChannels)
        channel = Channel(self, self._post, init, "connecting")
        self.adopt(channel)
        return channel

    def adopt(self, channel: Channel) -> None:
        """Take over a channel that was created before there was an association."""
        channel.association = self
        self.open_channels.add(channel)
        init = channel.init
        self.opened += 1
        if self.is_lost:
            asyncio.get_running_loop().call_soon(channel.finish, "the association has ended")
            return
        if init.id is not None:
            self.channels[init.id] = channel
        if not init.negotiated:
            self.enqueue(channel, DCEP, encode_open(init))
        elif self.established:
            asyncio.get_running_loop().call_soon(channel.sctp_state_changed, "open")

    @staticmethod
    def check_id(init: DataChannelInit, taken: Collection[int], limit: int | None) -> None:
        """Raise ChannelIdInUseError if a channel cannot have the id that it asks for."""
        if init.id is None:
            return
        if init.id in taken:
            message = f"createDataChannel: a channel with id {init.id} exists already. Choose another id."
            raise ChannelIdInUseError(message, backend=BACKEND, component="peer")
        if init.id > MAX_STREAM_ID or (limit is not None and init.id >= limit):
            message = f"createDataChannel: id {init.id} is above the highest one of this association."
            raise ChannelIdInUseError(message, code="id-too-high", backend=BACKEND, component="peer")

    def known_channels(self) -> list[Channel]:
        """List the channels that are not closed, oldest first."""
        return sorted(self.open_channels, key=lambda channel: channel.number)

    def close_channel(self, channel: Channel) -> None:
        """Run the closing procedure (RFC 8831 section 6.7)."""
        if channel.readyState in {"connecting", "open"}:
            self.reset(channel)

    def forget(self, channel: Channel) -> None:
        """Drop what is kept of a closed channel."""
        self.open_channels.discard(channel)
        self.closed += 1
        if channel.id is not None and self.channels.get(channel.id) is channel:
            del self.channels[channel.id]

    def lose(self, error: str | None) -> None:
        """Close every channel at once: the association is gone."""
        self.is_lost = self.is_lost or self.started
        for channel in list(self.open_channels):
            channel.finish(error)

    # --- sending ---

    def enqueue(self, channel: Channel, protocol: int, data: bytes) -> None:
        """Queue one message, and hand it over on the next turn of the loop."""
        self.queue.append((channel, protocol, data))
        if self.established and self._flush_due is None:
            self._flush_due = time.time()
            asyncio.get_running_loop().call_soon(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        try:
            self.flush_now()
        finally:
            self._flush_due = None

    async def flush(self) -> None:
        if not self.established:
            return
        while self.queue and not self.busy:
            room = self.hold()
            try:
                while self.queue and room > 0:
                    channel, protocol, data = self.queue.popleft()
                    room -= len(data)
                    if channel.id is not None or self._assign_id(channel):
                        await self._hand_over(channel, protocol, data)
            finally:
                await self.release_held()
        await self.continue_resets()

    async def _hand_over(self, channel: Channel, protocol: int, data: bytes) -> None:
        assert channel.id is not None
        if protocol == DCEP:
            await self.send_message(channel.id, protocol, data, None, None, True)
            # Data may follow the opening at once: there is nothing to wait for.
            if channel.readyState == "connecting":
                channel.sctp_state_changed("open")
            return
        init, end = channel.init, channel.next_end()
        if end is None or not self._is_over(end):
            ordered = init.ordered or not channel.confirmed
            await self.send_message(channel.id, protocol, data, end, init.max_retransmits, ordered)
        if protocol not in {TEXT_EMPTY, BINARY_EMPTY}:
            channel.sctp_buffered(-len(data))

    def _is_over(self, end: float) -> bool:
        # A turn of the loop is no wait for the network: what has come since the flush was asked for may go out once.
        return end < (time.time() if self._flush_due is None else self._flush_due)

    def _assign_id(self, channel: Channel) -> bool:
        limit = self.maxChannels or MAX_STREAM_ID + 1
        start = max(self._next_id, self.first_id)
        for stream_id in itertools.chain(range(start, limit, 2), range(self.first_id, min(start, limit), 2)):
            if stream_id not in self.channels:
                channel.sctp_assigned(stream_id)
                self.channels[stream_id] = channel
                self._next_id = stream_id + 2
                return True
        channel.finish(f"no stream id is free: the association has {limit} streams")
        return False

    # --- receiving ---

    async def receive(self, stream_id: int, protocol: int, data: bytes) -> None:
        channel = self.channels.get(stream_id)
        if protocol == DCEP:
            self._receive_control(stream_id, channel, data)
        elif channel is None:
            logger.debug("dropped a message for stream %d, which has no channel", stream_id)
        elif protocol == BINARY:
            channel.receive(data)
        elif protocol == TEXT:
            self._receive_text(channel, data)
        elif protocol in {TEXT_EMPTY, BINARY_EMPTY}:
            channel.receive("" if protocol == TEXT_EMPTY else b"")

    def _receive_text(self, channel: Channel, data: bytes) -> None:
        try:
            channel.receive(data.decode())
        except UnicodeDecodeError:
            logger.warning("closed channel %s: the remote sent text that is not UTF-8", channel.id)
            self.close_channel(channel)

    def _receive_control(self, stream_id: int, channel: Channel | None, data: bytes) -> None:
        if data[:1] == ACK:
            if channel is not None:
                channel.confirmed = True
        elif channel is not None:
            logger.warning("ignored a second opening of stream %d", stream_id)
        else:
            self._announce(stream_id, data)

    def _announce(self, stream_id: int, data: bytes) -> None:
        try:
            init = decode_open(stream_id, data)
        except (ValueError, struct.error):
            logger.warning("ignored a malformed opening of stream %d", stream_id)
            return
        channel = Channel(self, self._post, init, "open")
        self.channels[stream_id] = channel
        self.open_channels.add(channel)
        self.enqueue(channel, DCEP, ACK)
        self.opened += 1
        self._post(ChannelAnnounced(channel, init))


def encode_open(init: DataChannelInit) -> bytes:
    """Write a DATA_CHANNEL_OPEN (RFC 8832 section 5.1); lengths count bytes of UTF-8."""
    kind, reliability = 0, 0
    if init.max_retransmits is not None:
        kind, reliability = 1, init.max_retransmits
    elif init.max_packet_life_time is not None:
        kind, reliability = 2, init.max_packet_life_time
    label, protocol = init.label.encode(), init.protocol.encode()
    kind |= 0 if init.ordered else UNORDERED
    return OPEN_HEADER.pack(OPEN, kind, 0, reliability, len(label), len(protocol)) + label + protocol


def decode_open(stream_id: int, data: bytes) -> DataChannelInit:
    """Read a DATA_CHANNEL_OPEN.

    :raises ValueError: it is malformed.
    :raises struct.error: it is too short.
    """
    message, kind, _, reliability, label_length, protocol_length = OPEN_HEADER.unpack_from(data)
    body = data[OPEN_HEADER.size :]
    if message != OPEN or len(body) < label_length + protocol_length:
        raise ValueError("not a complete DATA_CHANNEL_OPEN")
    return DataChannelInit(
        label=body[:label_length].decode(),
        protocol=body[label_length : label_length + protocol_length].decode(),
        ordered=not kind & UNORDERED,
        max_retransmits=reliability if kind & 3 == 1 else None,
        max_packet_life_time=reliability if kind & 3 == 2 else None,
        id=stream_id,
    )
