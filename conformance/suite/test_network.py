"""Bad networks: delay, loss, reordering, blackouts and address changes, through a relay that both peers talk to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.asserts import PATIENCE, Arrivals, ChannelArrivals, closed, first_event, local_of, opened, reach
from conformance.crossing import MESSAGE, first, holds_message, link_through, numbered, numbers_of
from conformance.media import PTIME, code_of, coded_picture, pitch, tone_track, track
from conformance.netsim import Burst, Link, Network, NetworkMaker, Packet, Pipe, Side
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

pytestmark = requires(Capability.ICE_HOST)

ROUGH = Link(delay=0.01, jitter=0.01, overtaking=True, loss=0.05, reordering=0.05, duplication=0.05)
BURSTY = Link(delay=0.02, jitter=0.01, overtaking=True, burst=Burst(enter=0.01, leave=0.3), duplication=0.02)
NARROW = Link(delay=0.02, rate=4e6, queue=30_000)
SHAKY = Link(delay=0.1, jitter=0.05, loss=0.05, overtaking=True)
IMPATIENT = RTCConfiguration(iceDisconnectedTimeout=0.5, iceFailedTimeout=1)
STUBBORN = RTCConfiguration(iceDisconnectedTimeout=0.5, iceFailedTimeout=20)


# --- connecting --------------------------------------------------------------------------------------


@spec("RFC 8445", "RFC 8839 5.1")
@pytest.mark.parametrize("trickle", [False, True], ids=["complete", "trickle"])
async def test_everything_passes_the_network(peers: Peers, pair: Pair, netsim: NetworkMaker, trickle: bool) -> None:
    network = netsim(Link(delay=0.01))
    connected = await link_through(network, peers, pair, RTCConfiguration(trickle=trickle))
    there, back = _large_packets(network.a_to_b), _large_packets(network.b_to_a)
    connected.near.channel.send(bytes(MESSAGE))
    assert await connected.far.inbox.next() == bytes(MESSAGE)
    # A busy machine may bring it twice: SCTP sends again what is not acknowledged in time.
    assert there
    assert not back
    connected.far.channel.send(bytes(MESSAGE))
    assert await connected.near.inbox.next() == bytes(MESSAGE)
    assert back


def _large_packets(pipe: Pipe) -> list[Packet]:
    """Collect the packets that hold a whole message, from now on."""
    found: list[Packet] = []
    pipe.on_packet(lambda packet, _: found.append(packet) if packet.size > MESSAGE else None)
    return found


@spec("SPEC 3")
async def test_setup_over_a_round_trip_of_100_ms(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    network = netsim(Link(delay=0.05))
    started = time.perf_counter()
    offerer, answerer = peers.open_pair(pair)
    near = offerer.createDataChannel("chat")
    announced = asyncio.ensure_future(first_event(answerer, "datachannel"))
    await network.connect(offerer, answerer)
    took = {"connected": time.perf_counter() - started}
    await opened(near)
    took["open"] = time.perf_counter() - started
    await announced
    for what, seconds in took.items():
        evidence.figure(f"setup: {what}", seconds * 1000, "ms")
    print(f"setup {pair}: {', '.join(f'{what} {seconds * 1000:.0f} ms' for what, seconds in took.items())}")


@spec("RFC 8832 6", "webrtc-pc 6.2")
async def test_channel_opens_before_the_remote_answers(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair)
    announced = ChannelArrivals(connected.answerer)
    network.set_links(Link(), Link(loss=1))
    channel = connected.offerer.createDataChannel("quick", ordered=False)
    await opened(channel)
    channel.send("at once")
    network.set_links(Link())
    assert await (await announced.next()).inbox.next() == "at once"


@spec("RFC 6347 4.2.4")
@pytest.mark.parametrize(
    "lossy", [("b_to_a",), pytest.param(("a_to_b", "b_to_a"), marks=pytest.mark.slow)], ids=["one", "each"]
)
async def test_handshake_survives_the_loss_of_a_first_flight(
    peers: Peers, pair: Pair, netsim: NetworkMaker, lossy: tuple[str, ...]
) -> None:
    network = netsim()
    for name in lossy:
        getattr(network, name).link = Link(loss=1, only=_first_dtls())
    connected = await link_through(network, peers, pair)
    connected.near.channel.send("hello")
    assert await connected.far.inbox.next() == "hello"
    assert all(getattr(network, name).counters.dropped["loss"] == 1 for name in lossy)


@pytest.mark.slow
@spec("RFC 6347 4.2.4", "RFC 8445 14.3")
async def test_connecting_survives_heavy_loss(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    connected = await link_through(netsim(Link(delay=0.02, loss=0.15)), peers, pair)
    connected.near.channel.send("hello")
    assert await connected.far.inbox.next() == "hello"


def _first_dtls() -> Callable[[Packet], bool]:
    return first(lambda packet: packet.kind == "dtls")


@spec("RFC 8827 6.5")
@pytest.mark.parametrize("forged", ["offer", "answer"])
async def test_wrong_fingerprint_is_refused(peers: Peers, pair: Pair, netsim: NetworkMaker, forged: str) -> None:
    network = netsim()
    offerer, answerer = peers.open_pair(pair)
    near = offerer.createDataChannel("chat")
    ways: tuple[tuple[RTCPeerConnection, RTCPeerConnection, Side], ...] = (
        (offerer, answerer, "a"),
        (answerer, offerer, "b"),
    )
    for source, target, side in ways:
        await source.setLocalDescription()
        told = network.description(local_of(source), side)
        await target.setRemoteDescription(_forged(told) if told.type == forged else told)
    refusing = answerer if forged == "offer" else offerer
    assert await reach(refusing, "connectionState", "failed", "closed") == "failed"
    assert near.readyState != "open"


def _forged(description: RTCSessionDescription) -> RTCSessionDescription:
    lines = description.sdp.splitlines()
    forged = [f"{line[:-2]}{'00' if line[-2:] != '00' else 'FF'}" if "fingerprint:" in line else line for line in lines]
    return RTCSessionDescription(sdp="\r\n".join([*forged, ""]), type=description.type)


# --- data channels -----------------------------------------------------------------------------------


@spec("RFC 8831 6.6")
@pytest.mark.parametrize(
    ("link", "count", "largest"),
    [
        pytest.param(ROUGH, 100, 2000, id="rough"),
        pytest.param(BURSTY, 100, 20_000, id="bursts", marks=pytest.mark.slow),
        pytest.param(NARROW, 100, 20_000, id="narrow", marks=pytest.mark.slow),
    ],
)
async def test_reliable_channel_delivers_everything_in_order(
    peers: Peers, pair: Pair, netsim: NetworkMaker, link: Link, count: int, largest: int
) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair)
    network.set_links(link)
    sent = [numbered(number, 4 + number * 4001 % largest) for number in range(count)]
    for message in sent:
        connected.near.channel.send(message)
        connected.far.channel.send(message)
    assert await connected.far.inbox.take(len(sent)) == sent
    assert await connected.near.inbox.take(len(sent)) == sent


@spec("RFC 8831 6.6")
async def test_damaged_packets_never_reach_the_application(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair)
    network.set_links(Link(corruption=0.1))
    for number in range(300):
        # One by one, so that each has a packet to be damaged in.
        connected.near.channel.send(numbered(number))
        assert await connected.far.inbox.take(1) == [numbered(number)]
        if network.a_to_b.counters.corrupted >= 2:
            break
    assert network.a_to_b.counters.corrupted > 0


@spec("RFC 6525 5.2.2", "RFC 8831 6.7", "webrtc-pc 6.2")
async def test_channel_closes_though_data_is_lost_before_the_reset(
    peers: Peers, pair: Pair, netsim: NetworkMaker
) -> None:
    """A sender asks for a reset that cannot be done yet, and has to ask again: engines number it anew, or do not."""
    network = netsim(Link(delay=0.01))
    connected = await link_through(network, peers, pair)
    closing = Arrivals(connected.near.channel, "closing")
    for _ in range(200):
        connected.near.channel.send(bytes(5000))
    await connected.far.inbox.next()
    network.a_to_b.link = Link(delay=0.01, loss=0.3)
    connected.far.channel.close()
    await closing.next()
    network.set_links(Link(delay=0.01))
    await closed(connected.far.channel)
    await closed(connected.near.channel)


@spec("RFC 8831 6.6")
async def test_ordered_channel_waits_for_what_was_lost(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    assert await _arrivals_after_loss(peers, pair, netsim()) == list(range(5))


@spec("RFC 8831 6.6")
@requires(Capability.DATA_UNORDERED)
async def test_unordered_channel_does_not_wait_for_what_was_lost(
    peers: Peers, pair: Pair, netsim: NetworkMaker
) -> None:
    numbers = await _arrivals_after_loss(peers, pair, netsim(), ordered=False)
    assert sorted(numbers) == list(range(5))
    assert numbers[0] != 0


async def _arrivals_after_loss(peers: Peers, pair: Pair, network: Network, **options: Any) -> list[int]:
    """Lose the first of five messages once; return the order of arrival."""
    connected = await link_through(network, peers, pair, **options)
    connected.far.channel.send("until this is here, messages are sent in order (RFC 8832 section 6)")
    await connected.near.inbox.next()
    network.a_to_b.link = Link(loss=1, only=first(holds_message))
    for number in range(5):
        connected.near.channel.send(numbered(number))
    received = numbers_of(await connected.far.inbox.take(5))
    assert network.a_to_b.counters.dropped["loss"] == 1
    return received


@spec("RFC 3758 3.5", "RFC 8831 6.6")
@requires(Capability.DATA_MAX_RETRANSMITS)
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
async def test_lost_message_is_not_sent_again_if_it_may_not(
    peers: Peers, pair: Pair, netsim: NetworkMaker, ordered: bool
) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, maxRetransmits=0, ordered=ordered)
    network.a_to_b.link = Link(loss=1, only=first(holds_message))
    for number in range(5):
        connected.near.channel.send(numbered(number))
    assert numbers_of(await connected.far.inbox.take(4)) == [1, 2, 3, 4]
    connected.near.channel.send(numbered(5))
    assert numbers_of(await connected.far.inbox.take(1)) == [5]


@spec("RFC 3758 3.5", "webrtc-pc 6.2")
@requires(Capability.DATA_MAX_LIFETIME)
async def test_message_expires_in_a_blackout(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, maxPacketLifeTime=100)
    lost = asyncio.Event()
    network.a_to_b.on_packet(lambda packet, _: lost.set() if packet.size > MESSAGE else None)
    network.blackout()
    connected.near.channel.send(numbered(0))
    await asyncio.wait_for(lost.wait(), PATIENCE)
    await asyncio.sleep(0.2)  # twice its life
    network.restore()
    connected.near.channel.send(numbered(1))
    assert numbers_of([await connected.far.inbox.next()]) == [1]


# --- media -------------------------------------------------------------------------------------------


@spec("RFC 4585", "RFC 3550 6")
@pytest.mark.parametrize(
    ("seconds", "pictures"), [(0.6, 4), pytest.param(20, 40, marks=pytest.mark.slow)], ids=["short", "long"]
)
async def test_media_keeps_flowing_over_a_bad_network(
    peers: Peers, pair: Pair, netsim: NetworkMaker, seconds: float, pictures: int
) -> None:
    network = netsim(SHAKY)
    offerer, answerer = peers.open_pair(pair)
    offerer.addTrack(tone_track(pair.offerer))
    offerer.addTrack(track(pair.offerer, "video", lambda number: coded_picture(number // 5 % 256), 1 / 25))
    arriving = Arrivals(answerer, "track")
    await network.connect(offerer, answerer)
    tracks = {track.kind: track for track in await arriving.take(2)}
    sound, codes = await asyncio.gather(_hear(tracks["audio"], seconds), _see(tracks["video"], pictures))
    assert sound == pytest.approx(440, abs=5)
    assert codes == sorted(codes)


async def _hear(remote: Any, seconds: float) -> float:
    """Return the pitch of the sound that arrives."""
    for _ in range(10):
        await asyncio.wait_for(remote.recv(), PATIENCE)
    return pitch([await asyncio.wait_for(remote.recv(), PATIENCE) for _ in range(round(seconds / PTIME))])


async def _see(remote: Any, count: int) -> list[int]:
    """Return the first different codes in the pictures that arrive; a code is shown for a fifth of a second."""
    codes: list[int] = []
    # A code is missed when all of its pictures wait for a key frame: by up to a third of them in such a network.
    async with asyncio.timeout(PATIENCE + 2 * count / 5):
        while len(codes) < count:
            code = code_of(await remote.recv())
            if code not in codes:
                codes.append(code)
    return codes


@spec("RFC 4585 6.3.1", "RFC 5104 4.3.1")
async def test_picture_recovers_after_a_blackout(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim(Link(delay=0.01))
    offerer, answerer = peers.open_pair(pair)
    shown = [0b10101010]
    offerer.addTrack(track(pair.offerer, "video", lambda _: coded_picture(shown[0]), 1 / 25))
    arriving = Arrivals(answerer, "track")
    await network.connect(offerer, answerer)
    remote = await arriving.next()
    await _until_seen(remote, shown[0])
    network.blackout()
    shown[0] = 0b01010101
    await asyncio.sleep(1)
    network.restore()
    await _until_seen(remote, shown[0])


async def _until_seen(remote: Any, code: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while code_of(await remote.recv()) != code:
            pass


# --- losing and finding each other -------------------------------------------------------------------


@spec("RFC 7675", "webrtc-pc 4.3.3")
async def test_blackout_disconnects_and_its_end_connects_again(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, STUBBORN)
    network.blackout()
    for pc in (connected.offerer, connected.answerer):
        await reach(pc, "iceConnectionState", "disconnected")
        await reach(pc, "connectionState", "disconnected")
    network.restore()
    for pc in (connected.offerer, connected.answerer):
        await reach(pc, "iceConnectionState", "connected", "completed")
        await reach(pc, "connectionState", "connected")
    connected.near.channel.send("still there?")
    assert await connected.far.inbox.next() == "still there?"


@spec("RFC 7675", "webrtc-pc 4.3.3")
@requires(Capability.ICE_RESTART)
async def test_long_blackout_fails_and_a_restart_connects_again(peers: Peers, pair: Pair, netsim: NetworkMaker) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, IMPATIENT)
    network.blackout()
    for pc in (connected.offerer, connected.answerer):
        await reach(pc, "iceConnectionState", "failed")
        await reach(pc, "connectionState", "failed")
    network.restore()
    connected.offerer.restartIce()
    await network.negotiate(connected.offerer, connected.answerer)
    for pc in (connected.offerer, connected.answerer):
        await reach(pc, "iceConnectionState", "connected", "completed")
        await reach(pc, "connectionState", "connected")
    connected.near.channel.send("hello again")
    assert await connected.far.inbox.next() == "hello again"


@spec("RFC 8445 7.3.1.3")
@pytest.mark.parametrize("host", [None, "127.0.0.2"], ids=["port", "address"])
@pytest.mark.parametrize(
    "side", ["a", pytest.param("b", marks=pytest.mark.slow)], ids=["offerer moves", "answerer moves"]
)
async def test_connection_survives_another_address(
    peers: Peers, pair: Pair, netsim: NetworkMaker, side: Side, host: str | None
) -> None:
    network = netsim()
    connected = await link_through(network, peers, pair, STUBBORN)
    try:
        network.rebind(side, host=host)
    except OSError as exc:
        pytest.skip(f"this machine has no second loopback address: {exc}")
    connected.near.channel.send("are you there?")
    connected.far.channel.send("yes")
    assert await connected.far.inbox.next() == "are you there?"
    assert await connected.near.inbox.next() == "yes"
    for pc in (connected.offerer, connected.answerer):
        await reach(pc, "connectionState", "connected")
