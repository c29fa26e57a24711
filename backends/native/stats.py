"""Statistics by the names and units of webrtc-stats; every id that one object gives of another resolves."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from aioice import Candidate
from aioice.ice import CandidatePair
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import parameters_to_sdp

from backends.native.datagrams import figures_of
from backends.native.private import certificate_der
from backends.native.transceiver import Transceiver
from backends.native.transport import Transport
from shim.spi.engines import TransceiverEngine

if TYPE_CHECKING:
    from backends.native.connection import Connection

Report = dict[str, dict[str, object]]


class StatsCollector:
    """Fills one report."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now = time.time() * 1000
        self.report: Report = {}

    def add(self, id: str, kind: str, members: Mapping[str, object]) -> str:
        """Add an object; members that are `None` are left out."""
        known = {name: value for name, value in members.items() if value is not None}
        self.report[id] = {"id": id, "type": kind, "timestamp": self._now, **known}
        return id

    # --- the connection ---

    def add_connection(self) -> None:
        """Add peer-connection and data-channel objects."""
        association = self._connection.association
        opened, closed = (association.opened, association.closed) if association else (0, 0)
        self.add("peer-connection", "peer-connection", {"dataChannelsOpened": opened, "dataChannelsClosed": closed})
        for channel in association.known_channels() if association else ():
            self.add(
                f"data-channel_{channel.number}",
                "data-channel",
                {
                    "label": channel.init.label,
                    "protocol": channel.init.protocol,
                    "dataChannelIdentifier": channel.id,
                    "state": channel.readyState,
                    "messagesSent": channel.messages_sent,
                    "bytesSent": channel.bytes_sent,
                    "messagesReceived": channel.messages_received,
                    "bytesReceived": channel.bytes_received,
                },
            )

    # --- transports ---

    def add_transport(self, transport: Transport) -> str:
        """Add a transport with its certificates, candidates and pairs."""
        packets_sent, bytes_sent, packets_received, bytes_received = transport.dtls.counters()
        ice = transport.ice
        pairs = self._add_pairs(transport)
        return self.add(
            transport_id(transport),
            "transport",
            {
                "packetsSent": packets_sent,
                "packetsReceived": packets_received,
                "bytesSent": bytes_sent,
                "bytesReceived": bytes_received,
                "iceRole": "unknown" if ice.controlling is None else ice.role,
                "iceLocalUsernameFragment": ice.active.credentials.ufrag,
                "dtlsState": transport.dtls_state,
                "iceState": ice.state,
                "dtlsRole": transport.leg.role if transport.leg.role != "auto" else "unknown",
                "selectedCandidatePairId": pairs.get(ice.active.selected) if ice.active.selected else None,
                "selectedCandidatePairChanges": ice.pair_changes,
                "localCertificateId": self._add_certificate(certificate_der(self._connection.certificate)),
                "remoteCertificateId": self._add_certificate(transport.dtls.peer_certificate()),
                **transport.dtls.session_details(),
            },
        )

    def _add_certificate(self, der: bytes | None) -> str | None:
        if der is None:
            return None
        digest = hashlib.sha256(der).hexdigest().upper()
        fingerprint = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
        members = {
            "fingerprint": fingerprint,
            "fingerprintAlgorithm": "sha-256",
            "base64Certificate": base64.b64encode(der).decode(),
        }
        return self.add(f"certificate_{digest[:32]}", "certificate", members)

    def _add_pairs(self, transport: Transport) -> dict[CandidatePair, str]:
        connection = transport.ice.active
        number, within = transport.leg.id, transport_id(transport)
        for candidate in connection.local_candidates:
            url = connection.servers.get((candidate.host, candidate.port))
            members = {"url": url, "usernameFragment": connection.local_username}
            self._add_candidate(f"local-candidate_{number}", "local-candidate", candidate, within, members)
        for candidate in connection.remote_candidates:
            members = {"usernameFragment": connection.remote_username}
            self._add_candidate(f"remote-candidate_{number}", "remote-candidate", candidate, within, members)
        return {pair: self._add_pair(transport, pair) for pair in connection.pairs()}

    def _add_pair(self, transport: Transport, pair: CandidatePair) -> str:
        connection, number = transport.ice.active, transport.leg.id
        local, remote = _address(pair.local_candidate), _address(pair.remote_candidate)
        figures = figures_of(pair)
        members: dict[str, object] = {
            "transportId": transport_id(transport),
            "localCandidateId": f"local-candidate_{number}_{local}",
            "remoteCandidateId": f"remote-candidate_{number}_{remote}",
            "state": pair.state.name.lower().replace("_", "-"),
            "nominated": pair is connection.selected,
            "packetsSent": figures.packets_sent,
            "bytesSent": figures.bytes_sent,
            "packetsReceived": figures.packets_received,
            "bytesReceived": figures.bytes_received,
            "currentRoundTripTime": figures.round_trip,
            "totalRoundTripTime": figures.total_round_trip,
            "requestsSent": figures.requests,
            "consentRequestsSent": figures.consent_requests,
            "responsesReceived": figures.responses,
            "requestsReceived": figures.checks,
            "responsesSent": figures.checks,
        }
        return self.add(f"candidate-pair_{number}_{local}_{remote}", "candidate-pair", members)

    def _add_candidate(
        self, prefix: str, kind: str, candidate: Candidate, within: str, more: Mapping[str, object]
    ) -> None:
        members = {
            **more,
            "transportId": within,
            "address": candidate.host,
            "port": candidate.port,
            "protocol": candidate.transport.lower(),
            "candidateType": candidate.type,
            "priority": candidate.priority,
            "foundation": candidate.foundation,
            "relatedAddress": candidate.related_address,
            "relatedPort": candidate.related_port,
        }
        self.add(f"{prefix}_{_address(candidate)}", kind, members)

    # --- media ---

    def add_transceiver(self, transceiver: Transceiver) -> None:
        """Add the streams of a transceiver, with their codec and transport."""
        agreed = transceiver.record.negotiated
        if agreed.mid is None:
            return
        within = self.add_transport(transceiver.transport)
        base = {"mid": agreed.mid, "kind": transceiver.record.kind, "transportId": within}
        base["codecId"] = self._add_codec(within, agreed.codecs) or ""
        sent, received = transceiver.sender.media_stats(), transceiver.receiver.media_stats()
        if sent["packetsSent"]:
            remote = transceiver.sender.remote_stats()
            if (source := transceiver.sender.source) is not None:
                told = {"kind": base["kind"], "trackIdentifier": source.id, **transceiver.sender.source_stats()}
                sent["mediaSourceId"] = self.add(f"media-source_{agreed.mid}_{source.id}", "media-source", told)
            self._add_stream("outbound-rtp", "remote-inbound-rtp", {**sent, **base}, remote, base)
        if "ssrc" in received:
            remote = transceiver.receiver.remote_stats()
            received["trackIdentifier"] = agreed.receive_track_id or ""
            self._add_stream("inbound-rtp", "remote-outbound-rtp", {**received, **base}, remote, base)

    def _add_stream(
        self, kind: str, remote_kind: str, own: dict[str, object], remote: dict[str, object], base: dict[str, str]
    ) -> None:
        # With the SSRC: another stream of the same section, as after a hold, has figures of its own.
        own_id, remote_id = (f"{side}_{base['mid']}_{own['ssrc']}" for side in (kind, remote_kind))
        if remote and remote["ssrc"] == own["ssrc"]:
            own["remoteId"] = remote_id
            shared = {name: value for name, value in base.items() if name != "mid"}
            self.add(remote_id, remote_kind, {**remote, **shared, "localId": own_id})
        self.add(own_id, kind, own)

    def _add_codec(self, within: str, codecs: Iterable[RTCRtpCodecParameters]) -> str | None:
        codec = next(iter(codecs), None)
        if codec is None:
            return None
        members = {
            "payloadType": codec.payloadType,
            "transportId": within,
            "mimeType": codec.mimeType,
            "clockRate": codec.clockRate,
            "channels": codec.channels,
            "sdpFmtpLine": parameters_to_sdp(codec.parameters) or None,
        }
        return self.add(f"codec_{within}_{codec.payloadType}", "codec", members)


def transport_id(transport: Transport) -> str:
    """Return the id of a transport in reports."""
    return f"transport_{transport.leg.id}"


def _address(candidate: Candidate) -> str:
    return f"{candidate.host}_{candidate.port}"


async def collect(connection: Connection, transceiver: TransceiverEngine | None) -> Report:
    """Take statistics of everything, or of one transceiver with what it refers to."""
    collector = StatsCollector(connection)
    if isinstance(transceiver, Transceiver):
        collector.add_transceiver(transceiver)
        return collector.report
    collector.add_connection()
    for transport in connection.used:
        collector.add_transport(transport)
    for each in connection.transceivers:
        collector.add_transceiver(each)
    return collector.report
