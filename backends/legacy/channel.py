"""A data channel of libwebrtc behind the seam."""

from __future__ import annotations

import json
from typing import Any, Final

from backends.legacy.connection import Connection
from backends.legacy.errors import MESSAGE_TOO_LARGE, WOULD_OVERFLOW, error_for
from backends.legacy.eventqueue import EventStruct
from backends.legacy.runtime import owners
from shim.spi.engines import DataChannelInit, EventSink
from shim.spi.errors import ChannelIdInUseError, MessageSizeError, OperationError
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

HIGHEST_ID: Final = 1023
"""Of libwebrtc's SCTP streams."""

CONNECTING: Final = 0
OPEN: Final = 1
CLOSING: Final = 2
CLOSED: Final = 3
STATES: Final = ("connecting", "open", "closing", "closed")


class LegacyDataChannel:
    """One channel. Counts its own bytes: libwebrtc tells how many it has sent, not how many wait.

    :param channels: where it is kept by owner number until it is closed.
    :param announcement: set if the remote made the channel; posted as soon as it is open.
    """

    def __init__(
        self,
        connection: Connection,
        sink: EventSink,
        channels: Channels,
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
        self._channels = channels
        self._abandoned = False
        self._state = CONNECTING
        self._id: int | None = None
        self._threshold = 0
        self._accepted = 0
        self._sent = 0
        self._error: str | None = None
        connection.queue.subscribe(owner, self)
        channels[owner] = self

    @property
    def id(self) -> int | None:
        """Stream id, once known."""
        if self._id is None and not self._abandoned:
            number = self._connection.lib.rtc_channel_id(self._handle)
            self._id = number if number >= 0 else None
        return self._id

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted by `send` and not yet sent for the first time, wherever libwebrtc keeps them."""
        return self._accepted - self._sent

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
        """Start the closing procedure. What was sent before still arrives."""
        if self._state == CONNECTING and self.id is None:
            self._abandon()
        elif self._state < CLOSING:
            self._connection.lib.rtc_channel_close(self._handle)
            self.enter(CLOSING)

    def _abandon(self) -> None:
        # libwebrtc aborts the process when it gives an id to a channel that is closing. It is closed when it opens.
        self._abandoned = True
        self._sink.post(ChannelClosing(self))
        self._sink.post(ChannelClosed(self))

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
        if state == CLOSED:
            self._release()
        if self._abandoned:
            self._connection.lib.rtc_channel_close(self._handle)
            return
        if before == CONNECTING:
            self._begin(state)
        if state == CLOSING:
            self._sink.post(ChannelClosing(self))
        elif state == CLOSED:
            self._sink.post(ChannelClosed(self, self._error))

    def _begin(self, state: int) -> None:
        """Say that the channel is there. One that the remote closes at once is announced all the same."""
        if self._announcement is not None:
            self._sink.post(ChannelAnnounced(self, self._announcement))
        elif state == OPEN:
            self._sink.post(ChannelOpened(self))

    def _release(self) -> None:
        self._connection.queue.unsubscribe(self._owner)
        self._channels.pop(self._owner, None)
        self._connection.lib.rtc_channel_free(self._handle)

    def _drained(self, sent: int) -> None:
        before = self.buffered_amount
        self._sent = max(self._sent, sent)
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


Channels = dict[int, LegacyDataChannel]


def create_channel(
    connection: Connection, sink: EventSink, channels: Channels, init: DataChannelInit
) -> LegacyDataChannel:
    """Create a channel of ours.

    :raises ChannelIdInUseError: another one has its id.
    """
    if init.negotiated and any(channel.id == init.id for channel in channels.values()):
        raise ChannelIdInUseError(
            f"createDataChannel: id {init.id} is in use by another channel of this connection (backend legacy). "
            "Choose another one.",
            backend="legacy",
        )
    owner = next(owners)
    handle = _native_channel(connection, init, owner)
    return LegacyDataChannel(connection, sink, channels, handle, owner)


def _native_channel(connection: Connection, init: DataChannelInit, owner: int) -> int:
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
    return connection.check(handle, "RTCPeerConnection.createDataChannel")


def keep_data_section(connection: Connection) -> None:
    """Have a data section offered although the application has no channel.

    libwebrtc of this age offers one only if there is a channel: this one is never announced, and not used.
    """
    _native_channel(connection, DataChannelInit("", negotiated=True, id=HIGHEST_ID), next(owners))


def announce_channel(connection: Connection, sink: EventSink, channels: Channels, event: EventStruct) -> None:
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
    channel = LegacyDataChannel(connection, sink, channels, event.object, event.object, init)
    channel.enter(STATES.index(options["state"]))
