"""Bad input: the same type of error on every backend, with a message that says on which and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from conformance.asserts import link, local_of
from conformance.requirements import spec
from conformance.scenes import described, trickling
from conformance.targets import Pair, Peers, Target
from shim import (
    BackendUnavailableError,
    FlagConfigError,
    InvalidModificationError,
    InvalidStateError,
    MessageSizeError,
    OperationError,
    RTCIceCandidate,
    RTCPeerConnection,
    SdpSyntaxError,
    ShimError,
)


@dataclass(frozen=True)
class Mistake:
    """Something that an application may do wrong.

    :param make: does it.
    :param error: what every backend raises.
    :param words: what the message must contain.
    """

    make: Callable[[Peers, Target], Awaitable[object]]
    error: type[ShimError]
    words: tuple[str, ...] = ()


async def _garbage(peers: Peers, target: Target) -> None:
    await peers.open(target).setRemoteDescription(described("offer", "garbage"))


async def _truncated(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.createDataChannel("chat")
    sdp = (await pc.createOffer()).sdp
    await peers.open(target).setRemoteDescription(described("offer", sdp[: sdp.index("a=fingerprint")]))


async def _megabyte(peers: Peers, target: Target) -> None:
    await peers.open(target).setRemoteDescription(described("offer", "v=0\r\n" + "a" * 1_000_000))


async def _unexpected_answer(peers: Peers, target: Target) -> None:
    await peers.open(target).setRemoteDescription(described("answer", "v=0\r\n"))


async def _answer_to_nothing(peers: Peers, target: Target) -> None:
    await peers.open(target).createAnswer()


async def _foreign_answer(peers: Peers, target: Target) -> None:
    offerer, other, answerer = (trickling(peers, target) for _ in range(3))
    offerer.createDataChannel("chat")
    other.addTransceiver("audio")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(await other.createOffer())
    await offerer.setRemoteDescription(await answerer.createAnswer())


async def _unknown_mid(peers: Peers, target: Target) -> None:
    offerer, answerer = trickling(peers, target), trickling(peers, target)
    offerer.createDataChannel("chat")
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.addIceCandidate(RTCIceCandidate(1, "1", "127.0.0.1", 9, 1, "udp", "host", sdpMid="nine"))


async def _unopened(peers: Peers, target: Target) -> None:
    peers.open(target).createDataChannel("chat").send("too early")


async def _closed(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    await pc.close()
    await pc.createOffer()


async def _id_in_use(peers: Peers, target: Target) -> None:
    pc = peers.open(target)
    for label in ("first", "second"):
        pc.createDataChannel(label, negotiated=True, id=7)


async def _too_large(peers: Peers, target: Target) -> None:
    connected = await link(peers, Pair(target, target))
    sctp = connected.offerer.sctp
    if sctp is None or not sctp.maxMessageSize:
        pytest.skip("the remote accepts messages of any size")
    connected.near.channel.send(bytes(sctp.maxMessageSize + 1))


MISTAKES = {
    "garbage SDP": Mistake(_garbage, SdpSyntaxError, ("line 1",)),
    "truncated SDP": Mistake(_truncated, SdpSyntaxError),
    "1 MB SDP": Mistake(_megabyte, SdpSyntaxError),
    "answer where an offer belongs": Mistake(_unexpected_answer, InvalidStateError, ("answer", "stable")),
    "answer to nothing": Mistake(_answer_to_nothing, InvalidStateError, ("answer", "stable")),
    "answer to another offer": Mistake(_foreign_answer, InvalidModificationError, ("audio", "application")),
    "candidate for an unknown mid": Mistake(_unknown_mid, OperationError, ("nine",)),
    "send before open": Mistake(_unopened, InvalidStateError, ("chat", "connecting")),
    "closed connection": Mistake(_closed, InvalidStateError, ("closed",)),
    "id in use": Mistake(_id_in_use, OperationError, ("7",)),
    "message over the limit": Mistake(_too_large, MessageSizeError),
}


@spec("webrtc-pc 11")
@pytest.mark.parametrize("name", MISTAKES)
async def test_mistake_raises_the_same_type_everywhere(peers: Peers, target: Target, name: str) -> None:
    with pytest.raises(ShimError) as caught:
        await MISTAKES[name].make(peers, target)
    assert isinstance(caught.value, MISTAKES[name].error), repr(caught.value)


@pytest.mark.parametrize("name", MISTAKES)
async def test_message_says_what_is_wrong(peers: Peers, target: Target, name: str) -> None:
    with pytest.raises(ShimError) as caught:
        await MISTAKES[name].make(peers, target)
    missing = [word for word in MISTAKES[name].words if word not in str(caught.value)]
    assert not missing, f"{missing} not in {caught.value}"


@pytest.mark.parametrize("name", MISTAKES)
async def test_error_names_the_backend(peers: Peers, target: Target, name: str) -> None:
    with pytest.raises(ShimError) as caught:
        await MISTAKES[name].make(peers, target)
    assert (caught.value.backend, caught.value.component) == (target.name, "peer")
    assert target.name in str(caught.value)


@pytest.mark.parametrize("name", MISTAKES)
async def test_error_message_is_short_enough_to_read(peers: Peers, target: Target, name: str) -> None:
    with pytest.raises(ShimError) as caught:
        await MISTAKES[name].make(peers, target)
    assert len(str(caught.value)) < 500


def test_unknown_backend_names_the_choices(target: Target) -> None:
    with pytest.raises(FlagConfigError, match=target.name):
        RTCPeerConnection(backend="nonesuch")


def test_blocked_backend_says_how_to_unblock(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_BLOCK_BACKENDS", target.name)
    with pytest.raises(BackendUnavailableError, match="SHIM_BLOCK_BACKENDS"):
        RTCPeerConnection(backend=target.name)
