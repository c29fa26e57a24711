"""Statistics: names, units, and references that resolve."""

from __future__ import annotations

import time

from backends.native.tests.media import Sink, Source
from backends.native.tests.peers import Peer, close, connected_pair, negotiate, run
from shim.spi.events import ChannelMessage, ChannelOpened

REFERENCES = (
    "transportId",
    "codecId",
    "remoteId",
    "localId",
    "selectedCandidatePairId",
    "localCandidateId",
    "remoteCandidateId",
    "localCertificateId",
    "remoteCertificateId",
)


def test_a_data_connection_is_described() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        a.sink.of(ChannelOpened)[0].channel.send("12345")
        await b.sink.first(ChannelMessage)
        report = await b.engine.get_stats()
        by_type = {str(item["type"]): item for item in report.values()}
        assert set(by_type) == {
            "peer-connection",
            "data-channel",
            "transport",
            "candidate-pair",
            "local-candidate",
            "remote-candidate",
            "certificate",
        }
        channel = by_type["data-channel"]
        assert (channel["state"], channel["messagesReceived"], channel["bytesReceived"]) == ("open", 1, 5)
        assert by_type["transport"]["dtlsState"] == "connected"
        assert by_type["transport"]["dtlsRole"] == "client"
        assert abs(float(str(by_type["transport"]["timestamp"])) / 1000 - time.time()) < 60
        assert sum(item.get("nominated") is True for item in report.values()) == 1
        again = await b.engine.get_stats()
        assert set(again) == set(report)
        await close(a, b)

    run(scenario)


def test_every_reference_resolves() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.add_transceiver("audio", "sendonly", Source("audio"))
        a.engine.add_transceiver("video", "sendonly", Source("video"))
        await negotiate(a, b)
        sinks = []
        for transceiver in b.engine.local_state().transceivers:
            sinks.append(Sink())
            transceiver.engine.attach(sinks[-1])
        for sink in sinks:
            await sink.first.wait()
        for peer, kind in ((a, "outbound-rtp"), (b, "inbound-rtp")):
            report = await peer.engine.get_stats()
            assert [item["kind"] for item in report.values() if item["type"] == kind] == ["audio", "video"]
            for id, item in report.items():
                assert item["id"] == id
                assert all(item[name] in report for name in REFERENCES if name in item)
            (first, _) = peer.engine.local_state().transceivers
            part = await peer.engine.get_stats(first.engine)
            assert [item["kind"] for item in part.values() if item["type"] == kind] == ["audio"]
            assert set(part) < set(report)
        await close(a, b)

    run(scenario)
