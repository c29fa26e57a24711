"""Statistics that are late, in other units, incomplete or made up."""

from __future__ import annotations

from typing import Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, Report
from shim.spi.engines import TransceiverEngine

TOPIC: Final = Topic("statistics", "test_stats.py", "test_figures.py")


def _scaled(report: Report, factor: float, *names: str) -> Report:
    return {
        key: {name: _times(value, factor) if name in names else value for name, value in entry.items()}
        for key, entry in report.items()
    }


def _times(value: Any, factor: float) -> Any:
    return type(value)(value * factor)


def _without_type(report: Report, kind: str) -> Report:
    return {key: entry for key, entry in report.items() if entry["type"] != kind}


@TOPIC.proxy
class TransportMissing(EngineProxy):
    """Report no transport."""

    def reported(self, report: Report) -> Report:
        return _without_type(report, "transport")


@TOPIC.proxy
class DataChannelsMissing(EngineProxy):
    """Report no data channel."""

    def reported(self, report: Report) -> Report:
        return _without_type(report, "data-channel")


@TOPIC.proxy
class SourceMissing(EngineProxy):
    """Report no source of what is sent."""

    def reported(self, report: Report) -> Report:
        return _without_type(report, "media-source")


@TOPIC.proxy
class InboundMissing(EngineProxy):
    """Report nothing that is received."""

    def reported(self, report: Report) -> Report:
        return _without_type(report, "inbound-rtp")


@TOPIC.proxy
class MemberMissing(EngineProxy):
    """Leave out how long all checks of a candidate pair took."""

    def reported(self, report: Report) -> Report:
        return {
            key: {name: value for name, value in entry.items() if name != "totalRoundTripTime"}
            for key, entry in report.items()
        }


@TOPIC.proxy
class ReferenceDangling(EngineProxy):
    """Refer to codecs that are not in the report."""

    def reported(self, report: Report) -> Report:
        return _without_type(report, "codec")


@TOPIC.proxy
class IdsInconsistent(EngineProxy):
    """List entries under something else than their id."""

    def reported(self, report: Report) -> Report:
        return {f"{key}x": entry for key, entry in report.items()}


@TOPIC.proxy
class TimestampsInSeconds(EngineProxy):
    """Report the time in seconds instead of milliseconds."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 0.001, "timestamp")


@TOPIC.proxy
class BytesAsBits(EngineProxy):
    """Count bits where bytes are meant, in what is received."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 8, "bytesReceived")


@TOPIC.proxy
class HeadersForgotten(EngineProxy):
    """Leave half of the headers out of what is received."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 0.5, "headerBytesReceived")


@TOPIC.proxy
class PicturesCountedTwice(EngineProxy):
    """Count each picture that is decoded twice."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 2, "framesDecoded")


@TOPIC.proxy
class LossesHidden(EngineProxy):
    """Say that nothing was lost."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 0, "packetsLost")


@TOPIC.proxy
class RoundTripInMilliseconds(EngineProxy):
    """Report the round trip in milliseconds instead of seconds."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 1000, "currentRoundTripTime")


@TOPIC.proxy
class PacketsAsText(EngineProxy):
    """Report the number of packets as text."""

    def reported(self, report: Report) -> Report:
        return {
            key: {name: str(value) if name == "packetsSent" else value for name, value in entry.items()}
            for key, entry in report.items()
        }


@TOPIC.proxy
class StatisticsLag(EngineProxy):
    """Report what was true when somebody asked first."""

    _first: Report | None = None

    def reported(self, report: Report) -> Report:
        self._first = self._first or report
        return self._first


@TOPIC.proxy
class CountersFall(EngineProxy):
    """Start to count again each time somebody asks."""

    _asked = 0

    def reported(self, report: Report) -> Report:
        self._asked += 1
        return _scaled(report, 1 / self._asked, "bytesSent", "bytesReceived")


@TOPIC.proxy
class CountersZero(EngineProxy):
    """Count nothing that is received."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 0, "packetsReceived", "bytesReceived")


@TOPIC.proxy
class MessagesNotCounted(EngineProxy):
    """Count no messages."""

    def reported(self, report: Report) -> Report:
        return _scaled(report, 0, "messagesSent", "messagesReceived")


@TOPIC.proxy
class SsrcInvented(EngineProxy):
    """Report other SSRCs than those on the wire."""

    def reported(self, report: Report) -> Report:
        return {
            key: {**entry, "ssrc": hash(key) & 0xFFFF} if "ssrc" in entry else entry for key, entry in report.items()
        }


@TOPIC.proxy
class SelectorIgnored(EngineProxy):
    """Report on the whole connection when asked about one track."""

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Report:
        return await super().get_stats()


TOPIC.on("legacy", "statistics-lag")
