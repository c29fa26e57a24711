"""Statistics: types, fields and references as webrtc-stats has them, and figures that agree with what was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from conformance.asserts import PATIENCE, Arrivals, connect, link, within
from conformance.mandatory_stats import lacking
from conformance.media import media_track, picture_track, tone_track
from conformance.reference import OF_A_RECEIVER, OF_A_SENDER, OF_BOTH_ENDS, STATISTICS
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import Capability, InvalidAccessError, RTCPeerConnection

pytestmark = requires(Capability.STATS)
Report = dict[str, Any]


async def _media_reports(peers: Peers, pair: Pair) -> tuple[Report, Report]:
    """Send sound and pictures until both have arrived; return the statistics of both ends."""
    offerer, answerer = await _sending(peers, pair)
    return dict(await offerer.getStats()), dict(await answerer.getStats())


async def _sending(peers: Peers, pair: Pair) -> tuple[RTCPeerConnection, RTCPeerConnection]:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(tone_track(pair.offerer))
    offerer.addTrack(picture_track(pair.offerer))
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)
    for received in await arriving.take(2):
        for _ in range(3):
            await asyncio.wait_for(received.recv(), 8)
    return offerer, answerer


def _of_type(report: Report, kind: str) -> list[Any]:
    return [entry for entry in report.values() if entry.type == kind]


def _value(entry: Any, name: str) -> Any:
    return getattr(entry, name, None)


def _has(entry: Any, name: str) -> bool:
    return _value(entry, name) is not None


@spec("webrtc-stats 6")
async def test_entries_have_the_fields_of_their_type(peers: Peers, pair: Pair) -> None:
    for report in await _media_reports(peers, pair):
        for entry in report.values():
            for name, kind in STATISTICS[entry.type].fields.items() if entry.type in STATISTICS else ():
                assert isinstance(_value(entry, name), kind), f"{entry.type}.{name} is {_value(entry, name)!r}"


@spec("webrtc-stats 2.1")
async def test_references_lead_to_entries(peers: Peers, pair: Pair) -> None:
    for report in await _media_reports(peers, pair):
        for entry in report.values():
            for name in STATISTICS[entry.type].references if entry.type in STATISTICS else ():
                target = _value(entry, name)
                assert target is None or target in report, f"{entry.type}.{name} leads to {target!r}"


@spec("webrtc-stats 2.1")
async def test_entries_are_listed_under_their_id(peers: Peers, pair: Pair) -> None:
    for report in await _media_reports(peers, pair):
        assert report
        assert all(entry.id == key for key, entry in report.items())


@spec("webrtc-stats 2.1")
async def test_entries_are_of_now(peers: Peers, target: Target) -> None:
    before = time.time()
    reports = await _media_reports(peers, Pair(target, target))
    after = time.time()
    # Remote figures carry the remote's clock; the others were taken while we asked.
    stamps = [entry.timestamp.timestamp() for entry in reports[0].values() if not entry.type.startswith("remote-")]
    assert all(before - 5 <= stamp <= after + 5 for stamp in stamps)


@spec("webrtc-stats 6")
@pytest.mark.parametrize(("end", "kind"), [(0, "outbound-rtp"), (1, "inbound-rtp"), (0, "transport"), (1, "transport")])
async def test_core_types_are_reported(peers: Peers, pair: Pair, end: int, kind: str) -> None:
    reports = await _media_reports(peers, pair)
    assert _of_type(reports[end], kind), f"only {sorted({entry.type for entry in reports[end].values()})}"


@spec("webrtc-pc 8.6")
async def test_every_type_that_must_be_there_is(peers: Peers, pair: Pair) -> None:
    offerer, answerer = await _sending(peers, pair)
    await _told_by(offerer, OF_BOTH_ENDS + OF_A_SENDER)
    await _told_by(answerer, OF_BOTH_ENDS + OF_A_RECEIVER)


@spec("webrtc-pc 8.6")
async def test_every_member_that_must_be_there_is(peers: Peers, pair: Pair) -> None:
    offerer, answerer = await _sending(peers, pair)
    sent = await _asked(offerer, lambda report: _is_used(report) and _is_sent(report))
    reported = {entry.ssrc for entry in _of_type(sent, "remote-inbound-rtp") if _has(entry, "roundTripTime")}
    # A round trip is known from a report about a report: the other end has had that one by now.
    received = await _asked(answerer, _is_used)
    found = {"offerer": lacking(sent, reported), "answerer": lacking(received, reported)}
    assert not any(found.values()), "; ".join(f"{end} lacks {', '.join(of)}" for end, of in found.items() if of)


def _is_used(report: Report) -> bool:
    """Tell whether all is there that a connection of either end only has with time."""
    channels, transports = _of_type(report, "data-channel"), _of_type(report, "transport")
    used = [report.get(_value(entry, "selectedCandidatePairId")) for entry in transports]
    is_open = bool(channels) and all(entry.state == "open" for entry in channels)
    return is_open and bool(used) and all(_has(pair, "currentRoundTripTime") for pair in used)


def _is_sent(report: Report) -> bool:
    """Tell whether all is there that a sender only has with time.

    Of pictures: libwebrtc reports on sound only every few seconds.
    """
    needed = {"media-source": "framesPerSecond", "remote-inbound-rtp": "roundTripTime"}
    return all(
        any(_has(entry, name) for entry in _of_type(report, kind) if entry.kind == "video")
        for kind, name in needed.items()
    )


async def _asked(pc: RTCPeerConnection, is_enough: Callable[[Report], bool]) -> Report:
    """Ask until there is enough in the report."""
    report = dict(await pc.getStats())
    async with within(PATIENCE, "enough of the statistics"):
        while not is_enough(report):
            await asyncio.sleep(0.05)
            report = dict(await pc.getStats())
    return report


@spec("webrtc-stats 6.3", "webrtc-stats 6.6")
async def test_remote_figures_have_the_units_of_the_specification(peers: Peers, pair: Pair) -> None:
    before = time.time()
    offerer, _ = await _sending(peers, pair)
    report = await _told_by(offerer, ("remote-inbound-rtp",))
    for entry in _of_type(report, "remote-inbound-rtp"):
        assert 0 <= entry.jitter < 1, "seconds, not units of the clock"
        assert 0 <= (_value(entry, "roundTripTime") or 0.0) < 5, "seconds, not milliseconds"
        assert _has(entry, "roundTripTime") == (entry.roundTripTimeMeasurements > 0), "none before it is measured"
        assert 0 <= (_value(entry, "fractionLost") or 0.0) <= 1
        assert before - 5 <= entry.timestamp.timestamp() <= time.time() + 5


@spec("webrtc-stats 6.8", "webrtc-stats 6.4")
async def test_source_of_a_stream_is_its_track(peers: Peers, pair: Pair) -> None:
    offerer, _ = await _sending(peers, pair)
    report = await _told_by(offerer, ("media-source", "outbound-rtp"))
    tracks = {sender.track.id for sender in offerer.getSenders() if sender.track is not None}
    streams = _of_type(report, "outbound-rtp")
    assert {report[stream.mediaSourceId].trackIdentifier for stream in streams} == tracks
    assert all(report[stream.mediaSourceId].kind == stream.kind for stream in streams)


async def _told_by(pc: RTCPeerConnection, kinds: Iterable[str]) -> Report:
    """Ask until statistics of these types are there: those of the remote come with its reports, every few seconds."""
    report: Report = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while missing := set(kinds) - {entry.type for entry in report.values()}:
                await asyncio.sleep(0.05 if report else 0)
                report = dict(await pc.getStats())
    except TimeoutError:
        raise AssertionError(f"no {', '.join(sorted(missing))} within {PATIENCE} s") from None
    return report


@spec("webrtc-stats 6.4", "webrtc-stats 6.2")
async def test_both_ends_agree_on_the_streams(peers: Peers, pair: Pair) -> None:
    sent, received = await _media_reports(peers, pair)
    outbound = {entry.kind: entry.ssrc for entry in _of_type(sent, "outbound-rtp")}
    inbound = {entry.kind: entry.ssrc for entry in _of_type(received, "inbound-rtp")}
    assert outbound == inbound
    assert set(outbound) == {"audio", "video"}


@spec("webrtc-stats 6.4", "webrtc-stats 6.2")
async def test_no_more_is_received_than_sent(peers: Peers, pair: Pair) -> None:
    offerer, answerer = await _sending(peers, pair)
    received, sent = dict(await answerer.getStats()), dict(await offerer.getStats())
    for kind in ("audio", "video"):
        (out,) = (entry for entry in _of_type(sent, "outbound-rtp") if entry.kind == kind)
        (into,) = (entry for entry in _of_type(received, "inbound-rtp") if entry.kind == kind)
        assert 0 < into.packetsReceived <= out.packetsSent
        assert 0 < into.bytesReceived <= out.bytesSent


@spec("webrtc-stats 6.7")
async def test_messages_are_counted(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    for message in (b"12345", "1234567", b""):
        connected.near.channel.send(message)
    await connected.far.inbox.take(3)
    sent = _of_type(dict(await connected.offerer.getStats()), "data-channel")
    received = _of_type(dict(await connected.answerer.getStats()), "data-channel")
    assert sent, "the sender reports no data channel"
    assert received, "the receiver reports no data channel"
    assert (sent[0].messagesSent, sent[0].bytesSent) == (3, 12)
    assert (received[0].messagesReceived, received[0].bytesReceived) == (3, 12)


@spec("webrtc-stats 6.6")
async def test_counters_never_fall(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    before = _of_type(dict(await connected.offerer.getStats()), "transport")[0]
    connected.near.channel.send(bytes(10_000))
    await connected.far.inbox.next()
    after = _of_type(dict(await connected.offerer.getStats()), "transport")[0]
    assert after.bytesSent >= before.bytesSent + 10_000
    assert after.bytesReceived >= before.bytesReceived


@spec("webrtc-pc 5.2", "webrtc-pc 5.3")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_sender_and_receiver_report_their_own_streams(peers: Peers, pair: Pair, kind: Any) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    sender = offerer.addTrack(media_track(pair.offerer, kind))
    await connect(offerer, answerer)
    received = await arriving.next()
    await asyncio.wait_for(received.recv(), 8)
    sent = {entry.type for entry in (await sender.getStats()).values()}
    heard = {entry.type for entry in (await answerer.getReceivers()[0].getStats()).values()}
    assert ("outbound-rtp" in sent, "inbound-rtp" in sent) == (True, False)
    assert ("outbound-rtp" in heard, "inbound-rtp" in heard) == (False, True)


@spec("webrtc-pc 8.2")
async def test_track_selects_its_statistics(peers: Peers, pair: Pair) -> None:
    offerer, _ = await _sending(peers, pair)
    track = offerer.getSenders()[0].track
    found = _of_type(dict(await offerer.getStats(track)), "outbound-rtp")
    assert {entry.kind for entry in found} == {"audio"}


@spec("webrtc-pc 8.2")
async def test_unknown_track_is_refused(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    with pytest.raises(InvalidAccessError):
        await pc.getStats(tone_track(target))


@spec("webrtc-pc 8.2")
async def test_new_connection_has_statistics(peers: Peers, target: Target) -> None:
    assert isinstance(dict(await peers.open(target).getStats()), dict)
