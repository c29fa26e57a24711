"""Statistics: names, units, and references that resolve."""

from __future__ import annotations

import time
from array import array

import pytest
from aiortc.rtp import RtcpReceiverInfo, RtpPacket
from av import AudioFrame

from backends.native.loudness import SoundMeter
from backends.native.rtp_stream import RemoteReports, RtpStream
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


def test_sound_is_added_up_as_the_loudest_channel_is() -> None:
    meter, frame = SoundMeter(), AudioFrame(format="s16", layout="stereo", samples=480)
    frame.sample_rate = 48000
    frame.planes[0].update(array("h", [0, 16384] * 480).tobytes())
    for _ in range(3):
        meter.note(frame)
    assert meter.seconds == pytest.approx(0.03)
    assert meter.energy == pytest.approx(0.03 / 4)


@pytest.mark.parametrize(("behind", "lost"), [(0, 0), (2, 0), (2, 3)])
def test_what_the_remote_received_is_worked_out_of_its_report(behind: int, lost: int) -> None:
    async def scenario() -> None:
        sent: list[bytes] = []

        async def send(data: bytes) -> None:
            sent.append(data)

        stream, remote = RtpStream("audio", 1, 2, send), RemoteReports()
        stream.rebase(8000)
        for _ in range(10):
            await stream.send_event(b"sound", 0, 0, marker=False)
        highest = RtpPacket.parse(sent[-1 - behind]).sequence_number + (3 << 16)
        block = RtcpReceiverInfo(
            1, fraction_lost=0, packets_lost=lost, highest_sequence=highest, jitter=80, lsr=0, dlsr=0
        )
        remote.note(block, stream)
        members = remote.members(stream)
        assert members["packetsReceived"] == 10 - behind - lost
        assert members["jitter"] == 0.01
        assert "roundTripTime" not in members

    run(scenario)
