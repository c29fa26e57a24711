"""Data channels (webrtc-pc section 6.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from shim.api.emitter import Emitter
from shim.api.guard import EngineGuard
from shim.spi.engines import ChannelState, DataChannelEngine, DataChannelInit
from shim.spi.errors import CapabilityError, InvalidStateError, MessageSizeError, OperationError

if TYPE_CHECKING:
    from shim.api.transports import RTCSctpTransport

MAX_LABEL_BYTES = 65535
MAX_ID = 65534


@dataclass
class RTCDataChannelParameters:
    """Options of a data channel, as aiortc names them.

    :param label: name; need not be unique; at most 65535 bytes of UTF-8.
    :param maxPacketLifeTime: milliseconds during which transmission is attempted, 0 to 65535.
    :param maxRetransmits: how often transmission is attempted again, 0 to 65535.
    :param ordered: deliver in the order of sending.
    :param protocol: name of the subprotocol; at most 65535 bytes of UTF-8.
    :param negotiated: both sides create the channel, with the same `id`.
    :param id: stream id, 0 to 65534.
    """

    label: str = ""
    maxPacketLifeTime: int | None = None
    maxRetransmits: int | None = None
    ordered: bool = True
    protocol: str = ""
    negotiated: bool = False
    id: int | None = None


def channel_init(parameters: RTCDataChannelParameters) -> DataChannelInit:
    """Check options (webrtc-pc section 6.1, "createDataChannel").

    :raises ValueError: an option is out of range, or two exclude each other.
    """
    p = parameters
    if p.maxPacketLifeTime is not None and p.maxRetransmits is not None:
        raise ValueError("Cannot specify both maxPacketLifeTime and maxRetransmits")
    for name, text in (("label", p.label), ("protocol", p.protocol)):
        if not isinstance(text, str):
            raise ValueError(f"createDataChannel: {name} must be a str, not {type(text).__name__}")
        if (size := _utf8_size(name, text)) > MAX_LABEL_BYTES:
            raise ValueError(f"createDataChannel: {name} has {size} bytes of UTF-8, the limit is {MAX_LABEL_BYTES}")
    for name, number in (("maxPacketLifeTime", p.maxPacketLifeTime), ("maxRetransmits", p.maxRetransmits)):
        if number is not None and not 0 <= number <= 65535:
            raise ValueError(f"createDataChannel: {name} {number} is not in 0-65535")
    if p.negotiated and (p.id is None or not 0 <= p.id <= MAX_ID):
        raise ValueError("ID must be in range 0-65534 if data channel is negotiated out-of-band")
    if p.id is not None and not 0 <= p.id <= MAX_ID:
        raise ValueError(f"createDataChannel: id {p.id} is not in 0-{MAX_ID}")
    return DataChannelInit(
        label=p.label,
        protocol=p.protocol,
        ordered=p.ordered,
        max_packet_life_time=p.maxPacketLifeTime,
        max_retransmits=p.maxRetransmits,
        negotiated=p.negotiated,
        id=p.id,
    )


def _utf8_size(name: str, text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as exc:
        raise ValueError(f"createDataChannel: {name} cannot be encoded as UTF-8: {exc.reason}") from exc


class RTCDataChannel(Emitter):
    """A channel for messages between two peers. Created by `RTCPeerConnection.createDataChannel`.

    Events: ``open``, ``message`` (str or bytes), ``bufferedamountlow``, ``closing``, ``close``, ``error`` (exception).
    """

    def __init__(
        self, transport: RTCSctpTransport, parameters: RTCDataChannelParameters, send_open: bool = True
    ) -> None:
        raise CapabilityError(
            "RTCDataChannel: no engine hands out SCTP transports to build on. Use RTCPeerConnection.createDataChannel.",
            component="peer",
        )

    @classmethod
    def _of(cls, init: DataChannelInit, transport: RTCSctpTransport, guard: EngineGuard) -> Self:
        channel = cls.__new__(cls)
        Emitter.__init__(channel)
        channel._init = init
        channel._id = init.id
        channel._transport = transport
        channel._guard = guard
        channel._state = "connecting"
        channel._low_threshold = 0
        return channel

    _init: DataChannelInit
    _id: int | None
    _engine: DataChannelEngine
    _guard: EngineGuard
    _low_threshold: int
    _state: ChannelState
    _transport: RTCSctpTransport

    @property
    def bufferedAmount(self) -> int:
        """Bytes queued by `send` that have not been handed to the network."""
        return self._engine.buffered_amount

    @property
    def bufferedAmountLowThreshold(self) -> int:
        """The buffered amount at which ``bufferedamountlow`` is emitted, 0 to 4294967295 bytes."""
        return self._low_threshold

    @bufferedAmountLowThreshold.setter
    def bufferedAmountLowThreshold(self, value: int) -> None:
        if value < 0 or value > 4294967295:
            raise ValueError("bufferedAmountLowThreshold must be in range 0 - 4294967295")
        self._low_threshold = value
        self._engine.set_buffered_amount_low_threshold(value)

    @property
    def id(self) -> int | None:
        """Stream id; `None` until it is known."""
        return self._id

    @property
    def label(self) -> str:
        """The name given at creation."""
        return self._init.label

    @property
    def maxPacketLifeTime(self) -> int | None:
        """Milliseconds during which transmission is attempted."""
        return self._init.max_packet_life_time

    @property
    def maxRetransmits(self) -> int | None:
        """How often transmission is attempted again."""
        return self._init.max_retransmits

    @property
    def negotiated(self) -> bool:
        """Whether both sides created the channel."""
        return self._init.negotiated

    @property
    def ordered(self) -> bool:
        """Whether messages arrive in the order of sending."""
        return self._init.ordered

    @property
    def protocol(self) -> str:
        """Name of the subprotocol."""
        return self._init.protocol

    @property
    def readyState(self) -> ChannelState:
        """``"connecting"``, ``"open"``, ``"closing"`` or ``"closed"``."""
        return self._state

    @property
    def transport(self) -> RTCSctpTransport:
        """The SCTP transport that carries the channel."""
        return self._transport

    def send(self, data: bytes | str) -> None:
        """Queue one message.

        :param data: text, or anything bytes-like.
        :raises InvalidStateError: the channel is not open.
        :raises MessageSizeError: the message is larger than the remote accepts (RFC 8841 section 6).
        :raises OperationError: the send queue is full; wait for ``bufferedamountlow``.
        :raises ValueError: the type is neither.
        """
        if self._state != "open":
            raise InvalidStateError(
                f"RTCDataChannel.send: channel {self.label[:40]!r} is {self._state!r}, not 'open' "
                f"(backend {self._guard.backend})",
                backend=self._guard.backend,
                component="peer",
            )
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        elif not isinstance(data, (str, bytes)):
            raise ValueError(f"Cannot send unsupported data type: {type(data)}")
        limit = self._transport.maxMessageSize
        if limit and len(data) * 4 > limit:
            self._check_size(data, limit)
        try:
            self._engine.send(data)
        except Exception:  # guarded only now: a context manager for each message would cost more than all else here
            with self._guard.call("RTCDataChannel.send"):
                raise

    def close(self) -> None:
        """Close the channel. Messages queued are still sent (RFC 8831 section 6.7)."""
        if self._state in {"connecting", "open"}:
            self._state = "closing"
            with self._guard.call("RTCDataChannel.close"):
                self._engine.close()

    def __aiter__(self) -> AsyncIterator[bytes | str]:
        """Iterate over messages that arrive from now on, until the channel closes."""
        return self._iterate("message", "close")

    def _check_size(self, data: bytes | str, limit: int) -> None:
        size = len(data.encode()) if isinstance(data, str) else len(data)
        if size > limit:
            raise MessageSizeError(
                f"RTCDataChannel.send: message of {size} bytes is larger than the remote's limit of {limit} "
                f"(backend {self._guard.backend}). Split it or use a smaller one.",
                backend=self._guard.backend,
                component="peer",
            )

    def _opened(self) -> None:
        if self._state == "connecting":
            self._id = self._engine.id
            self._state = "open"
            self.emit("open")

    def _closing(self) -> None:
        if self._state in {"connecting", "open"}:
            self._state = "closing"
            self.emit("closing")

    def _closed(self, error: str | None = None) -> None:
        if self._state == "closed":
            return
        self._state = "closed"
        if error is not None and self.listeners("error"):
            self.emit("error", OperationError(error, backend=self._guard.backend, component="peer"))
        self.emit("close")
        self.remove_all_listeners()

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def on(self, event: Literal["message"]) -> Callable[[MessageHandler], MessageHandler]: ...
        @overload
        def on(self, event: Literal["message"], f: MessageHandler) -> MessageHandler: ...
        @overload
        def on(self, event: Literal["error"]) -> Callable[[ErrorHandler], ErrorHandler]: ...
        @overload
        def on(self, event: Literal["error"], f: ErrorHandler) -> ErrorHandler: ...
        @overload
        def on(self, event: ChannelSignal) -> Callable[[SignalHandler], SignalHandler]: ...
        @overload
        def on(self, event: ChannelSignal, f: SignalHandler) -> SignalHandler: ...
        def on(self, event: str, f: Callable[..., Any] | None = None) -> Any:
            """Register a handler; usable as a decorator."""


if TYPE_CHECKING:
    ChannelSignal = Literal["open", "close", "closing", "bufferedamountlow"]
    MessageHandler = Callable[[bytes | str], Any]
    ErrorHandler = Callable[[Exception], Any]
    SignalHandler = Callable[[], Any]
