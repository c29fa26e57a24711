"""A data channel of libwebrtc behind the seam."""

from __future__ import annotations

import json
from typing import Any, Final

from backends.legacy.connection import Connection
from backends.legacy.errors import MESSAGE_TOO_LARGE, WOULD_OVERFLOW, error_for
from backends.legacy.eventqueue import EventStruct
from shim.spi.engines import DataChannelInit, EventSink
from shim.spi.errors import MessageSizeError, OperationError
from shim.spi.events import (
    ChannelAnnounced,
    ChannelBufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelMessage,
    ChannelOpened,
)

STATE: Final = 40
MESSAGE: Final = 41
BUFFERED: Final = 42
FAILURE: Final = 43
BINARY: Final = 1

USER_INITIATED_ABORT: Final = 12
"""SCTP cause (RFC 9260 section 3.3.10.12) by which libwebrtc closes a connection: not a failure."""

OPEN: Final = 1
CLOSING: Final = 2
CLOSED: Final = 3


class LegacyDataChannel:
    """One channel. Counts its own bytes: libwebrtc tells how many it handed on, not how many wait.

    :param announcement: set if the remote made the channel; posted as soon as it is open.
    """

    def __init__(
        self,
        connection: Connection,
        sink: EventSink,
        handle: int,
        owner: int,
        announcement: DataChannelInit | None = None,
    ) -> None:
        self._connection = connection
        self._ffi = connection.ffi
        self._send = connection.lib.rtc_channel_send
        self._sink = sink
        self._handle = handle
        self._owner = owner
        self._announcement = announcement
        self._state = 0
        self._id: int | None = None
        self._threshold = 0
        self._accepted = 0
        self._handed_on = 0
        self._error: str | None = None
        connection.queue.subscribe(owner, self)

    @property
    def id(self) -> int | None:
        """Stream id, once known."""
        if self._id is None and self._state != CLOSED:
            number = self._connection.lib.rtc_channel_id(self._handle)
            self._id = number if number >= 0 else None
        return self._id

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted by `send` and not yet handed to SCTP."""
        return self._accepted - self._handed_on

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        """Post a ChannelBufferedAmountLow whenever the amount falls from above to this or below."""
        self._threshold = threshold

    def send(self, data: bytes | str) -> None:
        """Queue one message."""
        binary = not isinstance(data, str)
        payload = data.encode() if isinstance(data, str) else data
        size = len(payload)
        result = self._send(self._handle, self._ffi.from_buffer(payload), size, binary)
        if result < 0:
            raise self._refusal(result, size)
        self._accepted += size

    def close(self) -> None:
        """Start the closing procedure."""
        self._connection.lib.rtc_channel_close(self._handle)

    def on_event(self, event: EventStruct) -> None:
        """Handle an event of this channel."""
        kind = event.type
        if kind == MESSAGE:
            data = self._ffi.buffer(event.data, event.len)[:]
            self._sink.post(ChannelMessage(self, data if event.flags & BINARY else data.decode("utf-8", "replace")))
        elif kind == BUFFERED:
            self._drained(event.i1)
        elif kind == STATE:
            self.enter(event.i0)
        elif kind == FAILURE and event.i1 != USER_INITIATED_ABORT:
            self._error = self._connection.library.text(event.data, event.len)

    def enter(self, state: int) -> None:
        """Go on to a later state, and post what that means."""
        if state <= self._state:
            return
        before, self._state = self._state, state
        if state == OPEN:
            self._opened()
        elif before == 0 and self._announcement is not None:
            self._connection.queue.unsubscribe(self._owner)  # never announced, so there is nothing to take back
        elif state == CLOSING:
            self._sink.post(ChannelClosing(self))
        else:
            self._connection.queue.unsubscribe(self._owner)
            self._sink.post(ChannelClosed(self, self._error))

    def _opened(self) -> None:
        if self._announcement is None:
            self._sink.post(ChannelOpened(self))
        else:
            self._sink.post(ChannelAnnounced(self, self._announcement))

    def _drained(self, handed_on: int) -> None:
        before = self.buffered_amount
        self._handed_on = handed_on
        if before > self._threshold >= self.buffered_amount:
            self._sink.post(ChannelBufferedAmountLow(self))

    def _refusal(self, code: int, size: int) -> Exception:
        if code == MESSAGE_TOO_LARGE:
            limit = self._connection.lib.rtc_channel_max_message_size(self._handle)
            return MessageSizeError(
                f"RTCDataChannel.send: message of {size} bytes is larger than the remote's limit of {limit} "
                "(backend legacy). Split it or use a smaller one.",
                backend="legacy",
            )
        if code == WOULD_OVERFLOW:
            return OperationError(
                f"RTCDataChannel.send: {self.buffered_amount} bytes are queued and {size} more do not fit "
                "(backend legacy). Wait for bufferedAmountLow.",
                backend="legacy",
            )
        return error_for(code, "RTCDataChannel.send", self._connection.library.last_error())


def create_channel(connection: Connection, sink: EventSink, init: DataChannelInit, owner: int) -> LegacyDataChannel:
    """Create a channel of ours."""
    label = init.label.encode()
    protocol = connection.ffi.from_buffer("char[]", init.protocol.encode() or b"\0")
    options = connection.ffi.new("rtc_channel_options *")
    options.ordered = init.ordered
    options.max_retransmits = -1 if init.max_retransmits is None else init.max_retransmits
    options.max_packet_life_time = -1 if init.max_packet_life_time is None else init.max_packet_life_time
    options.negotiated = init.negotiated
    options.id = init.id if init.negotiated and init.id is not None else -1
    options.priority = 1
    options.protocol = protocol
    options.protocol_len = len(init.protocol.encode())
    handle = connection.lib.rtc_pc_create_channel(connection.handle, label, len(label), options, owner)
    connection.check(handle, "RTCPeerConnection.createDataChannel")
    return LegacyDataChannel(connection, sink, handle, owner)


def announced_channel(connection: Connection, sink: EventSink, event: EventStruct) -> LegacyDataChannel:
    """Take over a channel that the remote made. Its events carry its handle as owner."""
    options: dict[str, Any] = json.loads(connection.library.text(event.data2, event.len2))
    init = DataChannelInit(
        label=connection.library.text(event.data, event.len),
        protocol=options["protocol"],
        ordered=options["ordered"],
        max_packet_life_time=options["maxPacketLifeTime"],
        max_retransmits=options["maxRetransmits"],
        negotiated=options["negotiated"],
        id=options["id"] if options["id"] is not None and options["id"] >= 0 else None,
    )
    channel = LegacyDataChannel(connection, sink, event.object, event.object, init)
    if options["state"] == "open":
        channel.enter(OPEN)
    return channel
