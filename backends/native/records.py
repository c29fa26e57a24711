"""The state of one session, as values: a snapshot is a few shallow copies, and a rollback puts them back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters
from aiortc.sdp import SessionDescription as SdpDescription

from backends.native.legs import Credentials, Leg
from backends.native.negotiation import sends
from backends.native.parsing import Parsed, Section
from shim.spi.engines import Codec, Direction, Kind, SdpType, SignalingState, TransceiverEngine


class SenderIdentity(Protocol):
    """What descriptions say of a sender."""

    @property
    def ssrc(self) -> int: ...

    @property
    def rtx_ssrc(self) -> int: ...

    @property
    def source_id(self) -> str: ...

    @property
    def stream_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Negotiated:
    """What descriptions have made of a transceiver.

    :param offered: direction that the remote's last offer allows, seen from here.
    :param described: an answer has let it send, so that every later description names its stream.
    :param remote: the remote's section, for its SSRCs.
    """

    mid: str | None = None
    index: int | None = None
    current_direction: Direction | None = None
    offered: Direction | None = None
    codecs: tuple[RTCRtpCodecParameters, ...] = ()
    extensions: tuple[RTCRtpHeaderExtensionParameters, ...] = ()
    receive_track_id: str | None = None
    stream_ids: tuple[str, ...] = ()
    remote: Section | None = None
    stopped: bool = False
    described: bool = False

    def settled(self, direction: Direction) -> Negotiated:
        """Return what an answer with this direction, seen from here, makes of it."""
        return replace(self, current_direction=direction, described=self.described or sends(direction))


@dataclass(eq=False)
class TransceiverRecord:
    """A transceiver as the session sees it.

    :param stopping: `stop()` was called; the next negotiation rejects the section.
    :param pinned: the application uses it, so a rollback keeps it.
    """

    kind: Kind
    direction: Direction
    sender: SenderIdentity
    engine: TransceiverEngine
    preferences: tuple[Codec, ...] = ()
    stopping: bool = False
    pinned: bool = True
    negotiated: Negotiated = field(default_factory=Negotiated)

    @property
    def usable(self) -> bool:
        """Whether it can be offered."""
        return not self.stopping and not self.negotiated.stopped


@dataclass(frozen=True)
class DataSection:
    """The section of the data channels.

    :param legacy: the remote writes ``DTLS/SCTP``.
    :param remote_port: SCTP port of the remote, `None` until it has described one.
    """

    mid: str | None = None
    index: int | None = None
    legacy: bool = False
    remote_port: int | None = None
    remote_max_message_size: int | None = None


@dataclass(frozen=True)
class Slot:
    """One m-line, in the order that both sides keep."""

    kind: str
    mid: str
    protocol: str
    formats: tuple[str, ...]
    rejected: bool = False


@dataclass
class Described:
    """A description that has been applied.

    :param local: what is rendered, for a description of ours.
    :param added: candidates that came later, for one of the remote.
    """

    type: SdpType
    parsed: Parsed
    local: SdpDescription | None = None
    added: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class SessionValues:
    """Everything that a rollback restores. The collections are replaced, never changed in place."""

    signaling: SignalingState
    records: tuple[TransceiverRecord, ...]
    legs: dict[int, Leg]
    leg_of: dict[str, int]
    slots: tuple[Slot, ...] = ()
    data: DataSection | None = None
    current_local: Described | None = None
    pending_local: Described | None = None
    current_remote: Described | None = None
    pending_remote: Described | None = None

    def may_recycle(self, index: int) -> bool:
        """Tell whether a media section was rejected for good: another may replace it (RFC 9429 section 5.2.2)."""
        current = self.current_local, self.current_remote
        sections = [d.parsed.sections[index] for d in current if d is not None and index < len(d.parsed.sections)]
        return any(section.rejected and not section.is_data for section in sections)


@dataclass(frozen=True)
class Snapshot:
    """A session at one moment."""

    values: SessionValues
    negotiated: dict[TransceiverRecord, Negotiated]
    fresh: dict[int, Credentials]


def slot_of(section: Section, rejected: bool) -> Slot:
    """Return the m-line of a section."""
    return Slot(section.kind, section.mid, section.protocol, tuple(section.formats), rejected)
