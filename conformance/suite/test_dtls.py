"""DTLS: who is refused, who starts, and what is known of the remote."""

from __future__ import annotations

import hashlib
import re

import pytest

from conformance.asserts import Arrivals, link, local_of, opened, reach
from conformance.reference import Kind
from conformance.requirements import requires, spec
from conformance.scenes import described
from conformance.targets import Pair, Peers
from shim import Capability, RTCSessionDescription

pytestmark = requires(Capability.ICE_HOST)


@spec("RFC 8842 5.1", "RFC 8827 6.5")
@pytest.mark.parametrize("forged", ["offer", "answer"])
async def test_wrong_fingerprint_is_refused(peers: Peers, pair: Pair, forged: Kind) -> None:
    offerer, answerer = peers.open_pair(pair)
    channel = offerer.createDataChannel("chat")
    announced = Arrivals(answerer, "datachannel")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(_told(local_of(offerer), forged))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(_told(local_of(answerer), forged))
    await reach(answerer if forged == "offer" else offerer, "connectionState", "failed")
    assert channel.readyState != "open"
    assert announced.waiting == 0


def _told(description: RTCSessionDescription, forged: Kind) -> RTCSessionDescription:
    """Return what the other side is told: another fingerprint, if this is the description to forge."""
    if description.type != forged:
        return description
    return described(forged, re.sub(r"(a=fingerprint:sha-\d+ )[0-9A-Fa-f:]+", _all_zero, description.sdp))


def _all_zero(match: re.Match[str]) -> str:
    length = {"sha-256": 32, "sha-384": 48, "sha-512": 64}[match[1].removeprefix("a=fingerprint:").strip()]
    return match[1] + ":".join(["00"] * length)


@spec("RFC 8842 5.3")
@pytest.mark.parametrize("role", ["active", "passive"])
async def test_answerer_may_take_either_role(peers: Peers, pair: Pair, role: str) -> None:
    offerer, answerer = peers.open_pair(pair)
    channel = offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    wanted = {"active": "passive", "passive": "active"}[role]
    # An offer with one role leaves the answerer the other.
    sdp = local_of(offerer).sdp.replace("a=setup:actpass", f"a=setup:{wanted}")
    await answerer.setRemoteDescription(described("offer", sdp))
    await answerer.setLocalDescription()
    assert f"a=setup:{role}" in local_of(answerer).sdp
    await offerer.setRemoteDescription(local_of(answerer))
    await opened(channel)


@spec("webrtc-pc 5.5", "RFC 8122 5")
async def test_remote_certificate_has_the_announced_fingerprint(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    sctp, remote = connected.offerer.sctp, connected.offerer.remoteDescription
    assert sctp is not None
    assert remote is not None
    certificates = sctp.transport.getRemoteCertificates()
    assert certificates, "no certificate of the remote is known"
    announced = re.findall(r"a=fingerprint:sha-(256|384|512) (\S+)", remote.sdp)
    assert announced
    for algorithm, value in announced:
        assert hashlib.new(f"sha{algorithm}", certificates[0]).digest() == bytes.fromhex(value.replace(":", ""))


@spec("webrtc-pc 5.5")
async def test_transport_states_follow_the_connection(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    sctp = connected.offerer.sctp
    assert sctp is not None
    assert (sctp.state, sctp.transport.state) == ("connected", "connected")
    await connected.offerer.close()
    assert (sctp.state, sctp.transport.state) == ("closed", "closed")
