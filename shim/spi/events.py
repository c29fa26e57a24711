"""What an engine tells the SDK. One frozen type per event; posted to the :class:`~shim.spi.engines.EventSink`."""

from __future__ import annotations

from dataclasses import dataclass

from shim.spi.engines import (
    ConnectionState,
    DataChannelEngine,
    DataChannelInit,
    IceCandidate,
    IceConnectionState,
    IceGatheringState,
    SctpState,
    SessionState,
    TransceiverEngine,
)


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A description was applied or rolled back."""

    state: SessionState


@dataclass(frozen=True, slots=True)
class IceGatheringChanged:
    """W3C icegatheringstatechange. Posted after the candidates that it covers."""

    state: IceGatheringState


@dataclass(frozen=True, slots=True)
class IceConnectionChanged:
    """W3C iceconnectionstatechange."""

    state: IceConnectionState


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """W3C connectionstatechange."""

    state: ConnectionState


@dataclass(frozen=True, slots=True)
class SctpChanged:
    """The SCTP association changed state.

    :param max_message_size: largest message that the remote takes, bytes; 0 means any size.
    :param max_channels: how many channels can be used, once known.
    """

    state: SctpState
    max_message_size: int | None = None
    max_channels: int | None = None


@dataclass(frozen=True, slots=True)
class CandidateFound:
    """A local candidate; `None` after the last one of a gathering."""

    candidate: IceCandidate | None


@dataclass(frozen=True, slots=True)
class CandidateFailed:
    """A STUN or TURN server gave an error or did not answer (W3C icecandidateerror)."""

    url: str
    error_code: int
    error_text: str
    address: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class TransportsChanged:
    """Some DTLS or ICE transport changed: `PeerEngine.transports()` has news."""


@dataclass(frozen=True, slots=True)
class ToneChanged:
    """A DTMF tone starts; the empty string when the buffer is empty."""

    transceiver: TransceiverEngine
    tone: str


@dataclass(frozen=True, slots=True)
class ChannelAnnounced:
    """The remote opened a data channel. Its further events follow; it is open."""

    channel: DataChannelEngine
    init: DataChannelInit


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """A channel of ours can be used; its `id` is known."""

    channel: DataChannelEngine


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """A message: `str` if it was sent as text."""

    channel: DataChannelEngine
    data: bytes | str


@dataclass(frozen=True, slots=True)
class ChannelBufferedAmountLow:
    """The buffered amount fell to the threshold."""

    channel: DataChannelEngine


@dataclass(frozen=True, slots=True)
class ChannelClosing:
    """The closing procedure runs, started by either side."""

    channel: DataChannelEngine


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The last event of a channel.

    :param error: what went wrong, if something did.
    """

    channel: DataChannelEngine
    error: str | None = None


Event = (
    SessionChanged
    | IceGatheringChanged
    | IceConnectionChanged
    | ConnectionChanged
    | SctpChanged
    | CandidateFound
    | CandidateFailed
    | TransportsChanged
    | ToneChanged
    | ChannelAnnounced
    | ChannelOpened
    | ChannelMessage
    | ChannelBufferedAmountLow
    | ChannelClosing
    | ChannelClosed
)
