"""Which sections share a transport: what each bundle policy offers, and a peer that does not bundle."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest

from conformance.asserts import Arrivals, ChannelArrivals, local_of, opened, reach
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.sdp_model import Description
from conformance.targets import Pair, Peers, Target
from shim import Capability, InvalidStateError, RTCBundlePolicy, RTCConfiguration, RTCIceCandidate, RTCPeerConnection

pytestmark = requires(Capability.ICE_HOST)

SECTIONS = ("audio", "video", "video", "application")


async def _gathered(peers: Peers, target: Target, policy: RTCBundlePolicy) -> Description:
    """Return an offer with candidates, of :data:`SECTIONS`."""
    pc = peers.open(target, RTCConfiguration(bundlePolicy=policy))
    for kind in SECTIONS[:-1]:
        pc.addTransceiver(kind)
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    offer = Description.of(local_of(pc).sdp)
    assert tuple(section.kind for section in offer.sections) == SECTIONS
    return offer


def _sockets(offer: Description) -> list[set[str]]:
    """Return address and port of each section's UDP candidates."""
    found = ([value.split() for value in section.values("candidate")] for section in offer.sections)
    return [{" ".join(words[4:6]) for words in candidates if words[2].lower() == "udp"} for candidates in found]


@spec("RFC 9429 4.1.1", "RFC 9429 5.2.1")
async def test_max_bundle_gathers_for_the_first_section_alone(peers: Peers, target: Target) -> None:
    first, *others = _sockets(await _gathered(peers, target, RTCBundlePolicy.MAX_BUNDLE))
    assert first
    assert all(sockets <= first for sockets in others)


@spec("RFC 9429 5.2.1", "RFC 8843 7.2.1")
async def test_max_bundle_offers_the_other_sections_in_the_bundle_only(peers: Peers, target: Target) -> None:
    first, *others = (await _gathered(peers, target, RTCBundlePolicy.MAX_BUNDLE)).sections
    assert (first.port != 0, first.has("bundle-only")) == (True, False)
    assert {(section.port, section.has("bundle-only")) for section in others} == {(0, True)}


@spec("RFC 9429 4.1.1", "RFC 8843 7.2.1")
async def test_max_compat_gathers_for_every_section(peers: Peers, target: Target) -> None:
    sockets = _sockets(await _gathered(peers, target, RTCBundlePolicy.MAX_COMPAT))
    assert all(sockets)
    assert len(set.union(*sockets)) == sum(map(len, sockets))


@spec("RFC 9429 4.1.1", "RFC 8843 7.2.1")
async def test_balanced_gathers_for_the_first_section_of_each_kind(peers: Peers, target: Target) -> None:
    audio, video, _, data = _sockets(await _gathered(peers, target, RTCBundlePolicy.BALANCED))
    assert audio
    assert video
    assert data
    assert not audio & video | audio & data | video & data


@spec("RFC 9429 4.1.1", "RFC 9429 5.2.1")
async def test_balanced_gathers_for_no_second_section_of_a_kind(peers: Peers, target: Target) -> None:
    _, first, second, _ = _sockets(await _gathered(peers, target, RTCBundlePolicy.BALANCED))
    assert second <= first


@spec("RFC 9429 4.1.1", "RFC 8843 7.3")
@requires(Capability.TRICKLE)
@pytest.mark.parametrize("policy", [RTCBundlePolicy.BALANCED, RTCBundlePolicy.MAX_COMPAT], ids=lambda p: p.value)
async def test_peer_that_does_not_bundle_is_reached(peers: Peers, pair: Pair, policy: RTCBundlePolicy) -> None:
    """Candidates go by the names of their sections alone: whose they are is not clear from an offer of a bundle."""
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(bundlePolicy=policy, trickle=True))
    ours, theirs = Arrivals(offerer, "icecandidate"), Arrivals(answerer, "icecandidate")
    announced, channel = ChannelArrivals(answerer), offerer.createDataChannel("chat")
    offerer.addTransceiver("audio")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(described("offer", _bare(offerer)))
    await answerer.setLocalDescription()
    assert Description.of(local_of(answerer).sdp).bundles == []
    await offerer.setRemoteDescription(described("answer", _bare(answerer)))
    await _forward(offerer, ours, answerer)
    await _forward(answerer, theirs, offerer)
    await asyncio.gather(*(reach(pc, "connectionState", "connected") for pc in (offerer, answerer)))
    await opened(channel)
    channel.send("over a transport of its own")
    far = await announced.next()
    assert await far.inbox.next() == "over a transport of its own"


def _bare(pc: RTCPeerConnection) -> str:
    """Return the local description without a bundle and candidates."""
    return re.sub(r"a=(group:BUNDLE|candidate:|end-of-candidates).*\r\n", "", local_of(pc).sdp)


async def _forward(source: RTCPeerConnection, found: Arrivals, target: RTCPeerConnection) -> None:
    """Hand over the candidates that were found, and each that follows."""

    async def hand_over(candidate: RTCIceCandidate | None) -> None:
        with suppress(InvalidStateError):  # they may come as the connection closes
            if candidate is not None:
                await target.addIceCandidate(candidate)

    source.on("icecandidate", hand_over)
    while found.waiting:
        await hand_over(await found.next())
