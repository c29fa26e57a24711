"""Statistics (webrtc-stats): aiortc's classes and names, with everything else an engine reports as attributes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Final

from shim.spi.errors import BackendContractError


@dataclass
class RTCStats:
    """One object of a report.

    A member of the W3C dictionary that the class does not declare is an attribute all the same, e.g.
    ``stats.framesDecoded``; `extra` has them all.

    :param timestamp: when it was measured.
    :param type: W3C type, e.g. ``"inbound-rtp"``.
    :param id: key in the report.
    :param extra: members without a field of their own, by W3C name.
    """

    timestamp: datetime.datetime
    type: str
    id: str
    _: KW_ONLY
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - members are as various as the W3C has them
        # Reached only for what is no field. Copying and unpickling ask before `extra` exists.
        try:
            return self.__dict__["extra"][name]
        except KeyError:
            message = f"{type(self).__name__} of type {self.__dict__.get('type')!r} has no member {name!r}"
            raise AttributeError(message, name=name, obj=self) from None


@dataclass
class RTCRtpStreamStats(RTCStats):
    """What all RTP streams have. `None` where the engine does not tell."""

    ssrc: int | None = None
    kind: str | None = None
    transportId: str | None = None


@dataclass
class RTCReceivedRtpStreamStats(RTCRtpStreamStats):
    """What all received RTP streams have.

    :param jitter: in seconds, as W3C has it (aiortc counts RTP clock units).
    """

    packetsReceived: int | None = None
    packetsLost: int | None = None
    jitter: float | None = None


@dataclass
class RTCSentRtpStreamStats(RTCRtpStreamStats):
    """What all sent RTP streams have. Bytes are those of the payload."""

    packetsSent: int | None = None
    bytesSent: int | None = None


@dataclass
class RTCInboundRtpStreamStats(RTCReceivedRtpStreamStats):
    """A stream that is received here (webrtc-stats section 8.3)."""


@dataclass
class RTCRemoteInboundRtpStreamStats(RTCReceivedRtpStreamStats):
    """A stream of ours, as the remote receives it.

    :param roundTripTime: in seconds.
    :param fractionLost: 0.0 to 1.0.
    """

    roundTripTime: float | None = None
    fractionLost: float | None = None


@dataclass
class RTCOutboundRtpStreamStats(RTCSentRtpStreamStats):
    """A stream that is sent from here.

    :param trackId: id of the track that is sent.
    """

    trackId: str | None = None


@dataclass
class RTCRemoteOutboundRtpStreamStats(RTCSentRtpStreamStats):
    """A stream that we receive, as the remote sends it.

    :param remoteTimestamp: when the remote measured.
    """

    remoteTimestamp: datetime.datetime | None = None


@dataclass
class RTCTransportStats(RTCStats):
    """A transport. Packets and bytes count everything that crosses it."""

    packetsSent: int | None = None
    packetsReceived: int | None = None
    bytesSent: int | None = None
    bytesReceived: int | None = None
    iceRole: str | None = None
    dtlsState: str | None = None


class RTCStatsReport(dict[str, RTCStats]):
    """All statistics of a moment, by id. Types without a class of their own are plain :class:`RTCStats`."""

    def add(self, stats: RTCStats) -> None:
        """Add one object under its id."""
        self[stats.id] = stats


_CLASSES: Final[Mapping[str, type[RTCStats]]] = {
    "inbound-rtp": RTCInboundRtpStreamStats,
    "outbound-rtp": RTCOutboundRtpStreamStats,
    "remote-inbound-rtp": RTCRemoteInboundRtpStreamStats,
    "remote-outbound-rtp": RTCRemoteOutboundRtpStreamStats,
    "transport": RTCTransportStats,
}


def report_from(raw: Mapping[str, Mapping[str, object]]) -> RTCStatsReport:
    """Turn an engine's W3C dictionaries into a report.

    :param raw: id -> dictionary; `timestamp` and `remoteTimestamp` in milliseconds since the epoch.
    :raises BackendContractError: a dictionary has no `type`, or no `timestamp`.
    """
    report = RTCStatsReport()
    for id, members in raw.items():
        report.add(_stats_from(id, members, raw))
    return report


def _stats_from(id: str, members: Mapping[str, object], raw: Mapping[str, Mapping[str, object]]) -> RTCStats:
    type_ = members.get("type")
    if not isinstance(type_, str) or not isinstance(members.get("timestamp"), int | float):
        raise BackendContractError(f"getStats: the engine's statistics {id!r} need a type and a timestamp")
    values: dict[str, Any] = {**members, "id": id}
    for name in ("timestamp", "remoteTimestamp"):
        if isinstance(values.get(name), int | float):
            values[name] = datetime.datetime.fromtimestamp(values[name] / 1000, datetime.UTC)
    if type_ == "outbound-rtp":
        values.setdefault("trackId", raw.get(str(members.get("mediaSourceId")), {}).get("trackIdentifier"))
    create: Callable[..., RTCStats] = _CLASSES.get(type_, RTCStats)
    names = {each.name for each in fields(_CLASSES.get(type_, RTCStats))} - {"extra"}
    known = {name: values.pop(name) for name in names & values.keys()}
    return create(**known, extra=values)
