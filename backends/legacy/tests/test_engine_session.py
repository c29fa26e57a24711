"""Negotiation, ICE and statistics of the legacy engine."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from backends.legacy import plugin
from backends.legacy.tests.engine_world import Media, Pair, Peer, Picture, Tone, echo, runs
from shim.spi.engines import (
    Certificate,
    Codec,
    DataChannelInit,
    EngineConfig,
    IceCandidate,
    IceServer,
    SessionDescription,
)
from shim.spi.errors import InvalidModificationError, InvalidStateError, OperationError, SdpSyntaxError, ShimError
from shim.spi.events import (
    CandidateFailed,
    CandidateFound,
    ChannelClosed,
    ChannelOpened,
    ConnectionChanged,
    IceConnectionChanged,
    SessionChanged,
)


@runs
async def test_states_come_in_order_on_both_sides() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.connect()
        for peer in (pair.offerer, pair.answerer):
            await peer.log.until(IceConnectionChanged, lambda event: event.state == "completed")
            assert [e.state for e in peer.log.all(IceConnectionChanged)] == ["checking", "connected", "completed"]
            assert peer.states() == ["connecting", "connected"]
            assert peer.log.all(CandidateFound)[-1].candidate is None
            assert [s.state.signaling_state for s in peer.log.all(SessionChanged)][-1] == "stable"


@runs
async def test_a_second_negotiation_adds_media_and_a_third_stops_it() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.connect()
        tone = Tone()
        transceiver = pair.offerer.engine.add_transceiver("audio", "sendonly", tone, ["s"])
        await pair.offer()
        state = pair.answerer.session.transceivers[0]
        assert (state.receive_track_id, state.stream_ids) == ("tone", ("s",))
        sink = Media()
        state.engine.attach(sink)
        await pair.answer()
        await sink.count(5)
        transceiver.stop()
        assert tone.stops == 1
        await pair.negotiate()
        for peer in (pair.offerer, pair.answerer):
            assert [t.stopped for t in peer.session.transceivers] == [True]
        await asyncio.wait_for(sink.ended.wait(), 10)
        await echo(pair)


@runs
async def test_direction_can_change_and_both_can_send() -> None:
    async with Pair() as pair:
        ours = pair.offerer.engine.add_transceiver("audio", "sendonly", Tone())
        await pair.connect()
        assert pair.answerer.session.transceivers[0].current_direction == "recvonly"
        theirs = pair.answerer.session.transceivers[0].engine
        theirs.replace_source(Tone(hertz=880))
        theirs.set_direction("sendrecv")
        ours.set_direction("sendrecv")
        await pair.offer()
        await pair.answer()
        state = pair.offerer.session.transceivers[0]
        assert state.engine is ours
        assert state.current_direction == "sendrecv"
        assert state.receive_track_id is not None
        sink = Media()
        ours.attach(sink)
        await sink.count(3)


@pytest.mark.parametrize("local", [True, False])
@runs
async def test_an_offer_can_be_rolled_back(local: bool) -> None:
    async with Pair() as pair:
        pair.offerer.engine.add_transceiver("audio", "sendrecv", None)
        await pair.offer()
        peer = pair.offerer if local else pair.answerer
        apply = peer.engine.set_local_description if local else peer.engine.set_remote_description
        await apply(SessionDescription("rollback", ""))
        assert peer.session.signaling_state == "stable"
        assert peer.session.pending_local is peer.session.pending_remote is None
        assert [t.stopped for t in peer.engine.local_state().transceivers] == ([False] if local else [])


@runs
async def test_a_provisional_answer_is_taken() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.offer()
        answer = await pair.answerer.engine.create_answer()
        await pair.answerer.engine.set_local_description(SessionDescription("pranswer", answer.sdp))
        await pair.offerer.engine.set_remote_description(SessionDescription("pranswer", answer.sdp))
        assert pair.answerer.session.signaling_state == "have-local-pranswer"
        assert pair.offerer.session.signaling_state == "have-remote-pranswer"
        await pair.answer()
        await asyncio.gather(pair.offerer.connected(), pair.answerer.connected())


@runs
async def test_ice_restarts_and_data_goes_on() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.connect()
        await pair.offerer.log.until(ChannelOpened)
        before = pair.offerer.session.current_local
        await pair.offer(ice_restart=True)
        await pair.answer(ice_restart=True)
        after = pair.offerer.session.current_local
        assert before is not None
        assert after is not None
        ufrags = [next(ln for ln in d.sdp.splitlines() if ln.startswith("a=ice-ufrag")) for d in (before, after)]
        assert ufrags[0] != ufrags[1]
        await echo(pair)


@runs
async def test_candidates_trickle_one_by_one() -> None:
    async with Pair() as pair:
        a, b = pair.offerer, pair.answerer
        a.engine.create_data_channel(DataChannelInit("d"))
        await a.engine.set_local_description(await a.engine.create_offer())
        offer = a.session.pending_local
        assert offer is not None
        assert "a=candidate" not in offer.sdp
        await b.engine.set_remote_description(offer)
        await b.engine.set_local_description(await b.engine.create_answer())
        answer = b.session.current_local
        assert answer is not None
        await a.engine.set_remote_description(answer)
        for ours, theirs in ((a, b), (b, a)):
            await ours.log.until(CandidateFound, lambda event: event.candidate is None)
            for event in ours.log.all(CandidateFound):
                await theirs.engine.add_ice_candidate(event.candidate)
        await asyncio.gather(a.connected(), b.connected())


@pytest.mark.parametrize(
    ("sdp", "error"),
    [
        ("garbage", SdpSyntaxError),
        ("", SdpSyntaxError),
        ("v=0\r\n", SdpSyntaxError),
        ("x" * 1_000_000, SdpSyntaxError),
        ("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 X\r\n", SdpSyntaxError),
        (
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n",
            InvalidModificationError,
        ),
    ],
    ids=["garbage", "empty", "truncated", "1 MB", "bad line", "without fingerprint"],
)
@runs
async def test_a_bad_description_is_refused_and_nothing_changes(sdp: str, error: type[ShimError]) -> None:
    async with Pair() as pair:
        for apply in (pair.offerer.engine.set_remote_description, pair.offerer.engine.set_local_description):
            with pytest.raises(error) as caught:
                await apply(SessionDescription("offer", sdp))
            assert "legacy" in str(caught.value)
            assert len(str(caught.value)) < 1000
        assert pair.offerer.engine.local_state().signaling_state == "stable"
        pair.offerer.engine.create_data_channel(DataChannelInit("still works"))
        await pair.connect()


@runs
async def test_an_answer_where_an_offer_belongs_is_refused() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        offer = await pair.offerer.engine.create_offer()
        with pytest.raises((InvalidStateError, InvalidModificationError)):
            await pair.answerer.engine.set_remote_description(SessionDescription("answer", offer.sdp))


@runs
async def test_a_bad_candidate_is_refused() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.connect()
        for candidate in ("candidate:nonsense", "candidate:1 1 udp 1 127.0.0.1 99999999 typ host"):
            with pytest.raises(OperationError, match="addIceCandidate"):
                await pair.offerer.engine.add_ice_candidate(IceCandidate(candidate, "0", 0))
        nowhere = IceCandidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", "nowhere", 7)
        with pytest.raises(OperationError, match="addIceCandidate"):
            await pair.offerer.engine.add_ice_candidate(nowhere)


@runs
async def test_statistics_have_todays_types_and_milliseconds() -> None:
    async with Pair() as pair:
        audio = pair.offerer.engine.add_transceiver("audio", "sendonly", Tone())
        pair.offerer.engine.add_transceiver("video", "sendonly", Picture())
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await asyncio.gather(sinks["audio"].count(5), sinks["video"].count(5))
        report = await pair.offerer.engine.get_stats()
        types = {str(entry["type"]) for entry in report.values()}
        assert {"outbound-rtp", "transport", "candidate-pair", "codec", "certificate", "peer-connection"} <= types
        assert not types & {"track", "stream"}
        assert all(key == entry["id"] for key, entry in report.items())
        assert all(1e12 < float(str(entry["timestamp"])) < 1e13 for entry in report.values())
        outbound = [e for e in (await pair.offerer.engine.get_stats(audio)).values() if e["type"] == "outbound-rtp"]
        assert [entry["kind"] for entry in outbound] == ["audio"]


@runs
async def test_transports_are_described_once_per_bundle() -> None:
    async with Pair() as pair:
        pair.offerer.engine.add_transceiver("audio", "sendrecv", None)
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.connect()
        (transport,) = pair.offerer.engine.transports()
        assert transport.mids == ("0", "1")
        assert (transport.dtls_state, transport.ice_role) == ("connected", "controlling")
        assert transport.remote_certificates[0].startswith(b"\x30")
        assert transport.selected_local is not None
        assert transport.local_candidates


@runs
async def test_codec_preferences_order_the_offer() -> None:
    async with Pair() as pair:
        transceiver = pair.offerer.engine.add_transceiver("video", "sendrecv", None)
        vp9 = [c for c in plugin.shim_rtp_capabilities("video", True).codecs if c.mime_type == "video/VP9"]
        transceiver.set_codec_preferences(vp9[:1])
        assert "VP8" not in (await pair.offerer.engine.create_offer()).sdp
        transceiver.set_codec_preferences(())
        assert "VP8" in (await pair.offerer.engine.create_offer()).sdp
        with pytest.raises(InvalidModificationError):
            transceiver.set_codec_preferences([Codec("video/none", 90000)])


@runs
async def test_ports_policy_and_servers_are_respected() -> None:
    relayed = Peer(EngineConfig(ice_transport_policy="relay"))
    servers = (IceServer(("stun:127.0.0.1:9",)), IceServer(("turn:127.0.0.1:9?transport=udp",), "user", "secret"))
    ranged = Peer(EngineConfig(port_range=(42000, 42099), ice_servers=servers))
    async with Pair(ranged, relayed):
        for peer in (ranged, relayed):
            peer.engine.create_data_channel(DataChannelInit("d"))
            await peer.engine.set_local_description(await peer.engine.create_offer())
        await relayed.log.until(CandidateFound)
        assert [event.candidate for event in relayed.log.all(CandidateFound)] == [None]
        first = await ranged.log.until(CandidateFound)
        assert first.candidate is not None
        assert 42000 <= int(first.candidate.candidate.split()[5]) <= 42099
        failed = await ranged.log.until(CandidateFailed)
        assert failed.error_code


@runs
async def test_configuration_can_change_but_not_the_certificate() -> None:
    certificate = _certificate()
    async with Pair(Peer(EngineConfig(certificates=(certificate,)))) as pair:
        pair.offerer.engine.set_configuration(EngineConfig(certificates=(certificate,), ice_transport_policy="relay"))
        with pytest.raises(ShimError):
            pair.offerer.engine.set_configuration(EngineConfig(certificates=(_certificate(),)))
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.offerer.engine.set_local_description(await pair.offerer.engine.create_offer())
        found = await pair.offerer.log.until(CandidateFound)
        assert found.candidate is None


def _certificate() -> Certificate:
    from backends.legacy.ffi import load

    library = load()
    made = library.take_json(library.lib.rtc_certificate_generate(0, 0))
    return Certificate(made["privateKey"], made["certificate"])


@runs
async def test_a_remote_that_closes_ends_the_connection_here() -> None:
    async with Pair() as pair:
        pair.offerer.engine.add_transceiver("audio", "sendonly", Tone())
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await pair.offerer.log.until(ChannelOpened)
        await sinks["audio"].count(3)
        await pair.offerer.engine.close()
        await pair.answerer.log.until(ConnectionChanged, lambda event: event.state == "closed")
        assert len(pair.answerer.log.all(ChannelClosed)) == 1
        await asyncio.wait_for(sinks["audio"].ended.wait(), 5)


@runs
async def test_a_wrong_fingerprint_fails_the_connection_and_the_process_lives() -> None:
    async with Pair() as pair:
        pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.offer()
        await pair.answerer.engine.set_local_description(await pair.answerer.engine.create_answer())
        sdp = (await pair.answerer.gathered()).sdp
        forged = re.sub(r"(a=fingerprint:sha-256 )[0-9A-F:]+", r"\g<1>" + ":".join(["00"] * 32), sdp)
        await pair.offerer.engine.set_remote_description(SessionDescription("answer", forged))
        await pair.offerer.log.until(ConnectionChanged, lambda event: event.state == "failed")


KILLED_PEER = """
import asyncio, json, os, sys
from backends.legacy.tests.engine_world import Peer
from shim.spi.engines import SessionDescription

async def main():
    peer = Peer()
    await peer.engine.start()
    await peer.engine.set_remote_description(SessionDescription("offer", json.loads(sys.stdin.readline())))
    await peer.engine.set_local_description(await peer.engine.create_answer())
    print(json.dumps((await peer.gathered()).sdp), flush=True)
    await peer.connected()
    print("connected", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@runs
async def test_a_killed_remote_is_noticed_as_disconnected_and_then_failed() -> None:
    import json

    peer = Peer(EngineConfig(ice_disconnected_after=1.0, ice_failed_after=3.0))
    await peer.engine.start()
    peer.engine.create_data_channel(DataChannelInit("d"))
    await peer.engine.set_local_description(await peer.engine.create_offer())
    remote = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_PEER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert remote.stdin is not None
    assert remote.stdout is not None
    remote.stdin.write(json.dumps((await peer.gathered()).sdp).encode() + b"\n")
    answer = json.loads(await remote.stdout.readline())
    await peer.engine.set_remote_description(SessionDescription("answer", answer))
    await peer.connected()
    await remote.stdout.readline()
    remote.kill()
    await remote.wait()
    await peer.log.until(ConnectionChanged, lambda event: event.state == "failed")
    assert peer.states() == ["connecting", "connected", "disconnected", "failed"]
    await peer.engine.close()
