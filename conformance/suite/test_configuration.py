"""Constructor and configuration: what is accepted, what is refused, what a new connection looks like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.asserts import connect, local_of
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import (
    BitrateBounds,
    Capability,
    FlagConfigError,
    InvalidModificationError,
    InvalidStateError,
    OpusParameters,
    RTCBundlePolicy,
    RTCCertificate,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
)

IMPOSSIBLE = {
    "url": RTCConfiguration(iceServers=[RTCIceServer("http://example.org")]),
    "stun port": RTCConfiguration(iceServers=[RTCIceServer("stun:example.org:0")]),
    "turn without credentials": RTCConfiguration(iceServers=[RTCIceServer("turn:example.org")]),
    "port range upside down": RTCConfiguration(portRange=(2000, 1000)),
    "port range below 1": RTCConfiguration(portRange=(0, 1000)),
    "port range above 65535": RTCConfiguration(portRange=(1000, 65536)),
    "mtu too small": RTCConfiguration(mtu=575),
    "mtu too large": RTCConfiguration(mtu=9001),
    "jitter target": RTCConfiguration(jitterBufferTarget=4.1),
    "bitrate upside down": RTCConfiguration(bitrate=BitrateBounds(min=2, max=1)),
    "opus bitrate": RTCConfiguration(opus=OpusParameters(bitrate=5999)),
    "opus ptime": RTCConfiguration(opus=OpusParameters(ptime=30)),
    "timeout below the interval of checks": RTCConfiguration(iceDisconnectedTimeout=0.4),
    "timeouts upside down": RTCConfiguration(iceDisconnectedTimeout=2, iceFailedTimeout=1),
}
WORDS = {
    "url": ("http://example.org", "stun:HOST"),
    "stun port": ("stun:example.org:0", "1-65535"),
    "turn without credentials": ("turn:example.org", "username"),
    "port range upside down": ("portRange", "2000, 1000"),
    "port range below 1": ("portRange", "1-65535"),
    "port range above 65535": ("portRange", "65536"),
    "mtu too small": ("mtu 575", "576-9000"),
    "mtu too large": ("mtu 9001", "576-9000"),
    "jitter target": ("jitterBufferTarget 4.1", "0-4 s"),
    "bitrate upside down": ("bitrate", "min <= start <= max"),
    "opus bitrate": ("opus.bitrate 5999", "6000-510000"),
    "opus ptime": ("opus.ptime 30", "10, 20, 40 or 60"),
    "timeout below the interval of checks": ("iceDisconnectedTimeout 0.4", "at least 0.5 s"),
    "timeouts upside down": ("iceDisconnectedTimeout 2", "not above iceFailedTimeout"),
}
"""What the message must contain: the setting, its value, what is possible."""


@spec("webrtc-pc 4.4")
async def test_new_connection_is_in_its_first_states(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    assert (pc.signalingState, pc.iceGatheringState) == ("stable", "new")
    assert (pc.iceConnectionState, pc.connectionState) == ("new", "new")


@spec("webrtc-pc 4.4")
async def test_new_connection_has_nothing_in_it(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    assert (pc.localDescription, pc.remoteDescription, pc.sctp) == (None, None, None)
    assert (pc.getTransceivers(), pc.getSenders(), pc.getReceivers()) == ([], [], [])


@spec("docs/flags.md Who is asked, in this order")
async def test_decision_names_the_backend_that_was_asked_for(peers: Peers, target: Target) -> None:
    decision = peers.open(target).backendDecision
    assert (decision.backend, decision.source, decision.fallbackFrom) == (target.name, "explicit", None)


@spec("webrtc-pc 4.2.1")
@pytest.mark.parametrize("name", IMPOSSIBLE)
async def test_impossible_configuration_is_refused(target: Target, name: str) -> None:
    with pytest.raises(ValueError, match=WORDS[name][0].replace(", ", ".*")) as caught:
        RTCPeerConnection(IMPOSSIBLE[name], backend=target.name)
    assert WORDS[name][1] in str(caught.value)


@spec("docs/flags.md Who is asked, in this order")
async def test_unknown_backend_is_refused_with_the_choices(target: Target) -> None:
    with pytest.raises(FlagConfigError, match=target.name):
        RTCPeerConnection(backend="no-such-backend")


@spec("webrtc-pc 4.4.2")
async def test_configuration_can_be_read_back(peers: Peers, target: Target) -> None:
    configuration = RTCConfiguration(iceDisconnectedTimeout=3, iceFailedTimeout=9)
    assert peers.open(target, configuration).getConfiguration() == configuration


@spec("webrtc-pc 4.4.2")
@requires(Capability.SET_CONFIGURATION)
async def test_ice_servers_can_be_replaced(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    wanted = RTCConfiguration(iceServers=[RTCIceServer("stun:127.0.0.1:9")])
    pc.setConfiguration(wanted)
    assert pc.getConfiguration() == wanted


@spec("webrtc-pc 4.4.1.6")
@requires(Capability.SET_CONFIGURATION)
async def test_bundle_policy_cannot_change(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    with pytest.raises(InvalidModificationError):
        pc.setConfiguration(replace(pc.getConfiguration(), bundlePolicy=RTCBundlePolicy.MAX_COMPAT))


@spec("webrtc-pc 4.4.1.6")
@requires(Capability.SET_CONFIGURATION, Capability.CERTIFICATES)
async def test_certificates_cannot_change(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    with pytest.raises(InvalidModificationError):
        pc.setConfiguration(replace(pc.getConfiguration(), certificates=[RTCCertificate.generateCertificate()]))


@spec("webrtc-pc 4.4.1.6")
@requires(Capability.SET_CONFIGURATION)
async def test_impossible_new_configuration_changes_nothing(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    before = pc.getConfiguration()
    with pytest.raises(ValueError, match="uri"):
        pc.setConfiguration(RTCConfiguration(iceServers=[RTCIceServer("nonsense")]))
    assert pc.getConfiguration() == before


@spec("webrtc-pc 4.4.2")
@requires(Capability.SET_CONFIGURATION)
async def test_closed_connection_takes_no_configuration(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    await pc.close()
    with pytest.raises(InvalidStateError):
        pc.setConfiguration(RTCConfiguration())


@spec("webrtc-pc 4.9", "RFC 8122 5")
@requires(Capability.CERTIFICATES)
async def test_configured_certificate_is_announced(peers: Peers, target: Target) -> None:
    certificate = RTCCertificate.generateCertificate()
    pc = peers.open(target, RTCConfiguration(certificates=[certificate]))
    pc.createDataChannel("chat")
    sdp = (await pc.createOffer()).sdp.upper()
    assert certificate.getFingerprints()[0].value in sdp


@spec("webrtc-pc 4.9")
@requires(Capability.CERTIFICATES)
async def test_configured_certificate_carries_a_connection(peers: Peers, pair: Pair) -> None:
    configuration = RTCConfiguration(certificates=[RTCCertificate.generateCertificate()])
    offerer, answerer = peers.open_pair(pair, configuration)
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)


@spec("RFC 9429 4.1.1")
@pytest.mark.parametrize("policy", list(RTCBundlePolicy), ids=lambda policy: policy.value)
async def test_every_bundle_policy_connects(peers: Peers, pair: Pair, policy: RTCBundlePolicy) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(bundlePolicy=policy))
    offerer.createDataChannel("chat")
    offerer.addTransceiver("audio")
    await connect(offerer, answerer)


@spec("RFC 9429 4.1.1")
@requires(Capability.ICE_RELAY)
async def test_relay_policy_gathers_no_host_candidate(peers: Peers, target: Target) -> None:
    pc = peers.open(target, RTCConfiguration(iceTransportPolicy=RTCIceTransportPolicy.RELAY))
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    assert "typ host" not in local_of(pc).sdp


@spec("RFC 8445 5.1.1.1", "webrtc-shim: RTCConfiguration.portRange")
@requires(Capability.PORT_RANGE)
async def test_candidates_keep_to_the_port_range(peers: Peers, target: Target) -> None:
    pc = peers.open(target, RTCConfiguration(portRange=(42000, 42099)))
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    ports = [int(line.split()[5]) for line in local_of(pc).sdp.splitlines() if " typ host" in line and " udp " in line]
    assert ports
    assert all(42000 <= port <= 42099 for port in ports)


@spec("RFC 8445 5.1.1.1", "webrtc-shim: RTCConfiguration.portRange")
@requires(Capability.PORT_RANGE)
async def test_connection_within_a_port_range(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair, RTCConfiguration(portRange=(42100, 42199)))
    offerer.createDataChannel("chat")
    await connect(offerer, answerer)


@spec("webrtc-extensions", "RFC 9429 5.2.1")
async def test_data_section_is_offered_unasked_if_configured(peers: Peers, target: Target) -> None:
    pc = peers.open(target, RTCConfiguration(alwaysNegotiateDataChannels=True))
    assert "m=application" in (await pc.createOffer()).sdp
