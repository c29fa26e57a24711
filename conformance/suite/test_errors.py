"""Bad input: the same type of error on every backend, with a message that says on which and what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from conformance.asserts import link, local_of
from conformance.media import media_track
from conformance.requirements import requires, spec
from conformance.scenes import described, trickling
from conformance.targets import Pair, Peers, Target
from shim import (
    BackendUnavailableError,
    Capability,
    FlagConfigError,
    InternalError,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    MessageSizeError,
    OperationError,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    SdpSyntaxError,
    ShimError,
)


@dataclass(frozen=True)
class Mistake:
    """Something that an application may do wrong.

    :param make: does it.
    :param error: what every backend raises.
    :param words: what the message must contain: the number, the name of the option, what to do.
    :param needs: what a backend may declare off.
    """

    make: Callable[[Peers, Target], Awaitable[object]]
    error: type[Exception]
    words: tuple[str, ...]
    needs: tuple[Capability, ...] = ()


async def _garbage(peers: Peers, target: Target) -> None:
    await peers.open(target).setRemoteDescription(described("offer", "garbage"))


async def _truncated(peers: Peers, target: Target) -> None:
    pc = trickling(peers, target)
    pc.createDataChannel("chat")
    sdp = (await pc.createOffer()).sdp
    await peers.open(target).setRemoteDescription(described("offer", sdp[: sdp.index("c=IN", sdp.index("m="))]))


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


def _sender(peers: Peers, target: Target) -> RTCRtpSender:
    return peers.open(target).addTrack(media_track(target, "audio"))


async def _unknown_kind(peers: Peers, target: Target) -> None:
    peers.open(target).addTransceiver("smell")


async def _unknown_direction(peers: Peers, target: Target) -> None:
    peers.open(target).addTransceiver("audio").direction = cast("Any", "sideways")


async def _sent_twice(peers: Peers, target: Target) -> None:
    pc, track = peers.open(target), media_track(target, "audio")
    for _ in range(2):
        pc.addTrack(track)


async def _foreign_sender(peers: Peers, target: Target) -> None:
    peers.open(target).removeTrack(_sender(peers, target))


async def _other_kind(peers: Peers, target: Target) -> None:
    _sender(peers, target).replaceTrack(media_track(target, "video"))


async def _stopped(peers: Peers, target: Target) -> None:
    transceiver = peers.open(target).addTransceiver("audio")
    transceiver.stop()
    transceiver.sender.replaceTrack(None)


async def _unknown_tone(peers: Peers, target: Target) -> None:
    dtmf = _sender(peers, target).dtmf
    assert dtmf is not None
    dtmf.insertDTMF("12x")


async def _tones_too_early(peers: Peers, target: Target) -> None:
    dtmf = _sender(peers, target).dtmf
    assert dtmf is not None
    dtmf.insertDTMF("12")


async def _parameters_set_twice(peers: Peers, target: Target) -> None:
    sender = _sender(peers, target)
    parameters = sender.getParameters()
    for _ in range(2):
        sender.setParameters(parameters)


async def _layer_added(peers: Peers, target: Target) -> None:
    sender = _sender(peers, target)
    parameters = sender.getParameters()
    parameters.encodings.append(RTCRtpEncodingParameters())
    sender.setParameters(parameters)


async def _enlarged(peers: Peers, target: Target) -> None:
    sender = _sender(peers, target)
    parameters = sender.getParameters()
    parameters.encodings[0].scaleResolutionDownBy = 0.5
    sender.setParameters(parameters)


MISTAKES = {
    "garbage SDP": Mistake(_garbage, SdpSyntaxError, ("line 1",)),
    "truncated SDP": Mistake(_truncated, SdpSyntaxError, ("BUNDLE", "mid '0'", "no m= section")),
    "1 MB SDP": Mistake(_megabyte, SdpSyntaxError, ("line 2", "'o='")),
    "answer where an offer belongs": Mistake(_unexpected_answer, InvalidStateError, ("answer", "stable")),
    "answer to nothing": Mistake(_answer_to_nothing, InvalidStateError, ("answer", "stable")),
    "answer to another offer": Mistake(_foreign_answer, InvalidModificationError, ("audio", "application")),
    "candidate for an unknown mid": Mistake(_unknown_mid, OperationError, ("nine",)),
    "send before open": Mistake(_unopened, InvalidStateError, ("chat", "connecting")),
    "closed connection": Mistake(_closed, InvalidStateError, ("closed",)),
    "id in use": Mistake(_id_in_use, OperationError, ("7",)),
    "message over the limit": Mistake(_too_large, MessageSizeError, ("bytes", "the remote's limit of", "Split it")),
    "foreign sender": Mistake(_foreign_sender, InvalidAccessError, ("removeTrack", "not a sender of this connection")),
    "stopped transceiver": Mistake(
        _stopped, InvalidStateError, ("replaceTrack", "stopped", "add another"), (Capability.TRANSCEIVER_STOP,)
    ),
    "tones too early": Mistake(
        _tones_too_early, InvalidStateError, ("insertDTMF", "no audio is being sent"), (Capability.DTMF,)
    ),
    "parameters set twice": Mistake(
        _parameters_set_twice, InvalidStateError, ("setParameters", "getParameters"), (Capability.SEND_PARAMETERS,)
    ),
    "layer added": Mistake(
        _layer_added, InvalidModificationError, ("setParameters", "added"), (Capability.SEND_PARAMETERS,)
    ),
}
ARGUMENTS = {
    "unknown kind": Mistake(_unknown_kind, InternalError, ("track kind", "smell")),
    "unknown direction": Mistake(_unknown_direction, ValueError, ("direction", "sideways", "sendrecv")),
    "track sent twice": Mistake(_sent_twice, InvalidAccessError, ("already has a sender",)),
    "track of another kind": Mistake(_other_kind, TypeError, ("replaceTrack", "video", "audio")),
    "unknown tone": Mistake(_unknown_tone, ValueError, ("insertDTMF", "X", "0-9 A-D # *"), (Capability.DTMF,)),
    "picture enlarged": Mistake(
        _enlarged, ValueError, ("scaleResolutionDownBy", "0.5", "below 1"), (Capability.SEND_PARAMETERS,)
    ),
}
"""Mistakes that no engine has to see, as aiortc refuses them: the message names no backend."""


def _each(mistakes: dict[str, Mistake]) -> list[Any]:
    return [pytest.param(name, marks=requires(*mistake.needs), id=name) for name, mistake in mistakes.items()]


async def _raised(peers: Peers, target: Target, mistake: Mistake) -> Exception:
    with pytest.raises(mistake.error) as caught:
        await mistake.make(peers, target)
    return caught.value


@spec("webrtc-pc 11")
@pytest.mark.parametrize("name", _each(MISTAKES | ARGUMENTS))
async def test_mistake_raises_the_same_type_everywhere(peers: Peers, target: Target, name: str) -> None:
    error = await _raised(peers, target, (MISTAKES | ARGUMENTS)[name])
    assert isinstance(error, ShimError) or name in ARGUMENTS


@spec("docs/backends.md The contract in words")
@pytest.mark.parametrize("name", _each(MISTAKES | ARGUMENTS))
async def test_message_says_what_is_wrong(peers: Peers, target: Target, name: str) -> None:
    mistake = (MISTAKES | ARGUMENTS)[name]
    message = str(await _raised(peers, target, mistake))
    missing = [word for word in mistake.words if word not in message]
    assert not missing, f"{missing} not in {message}"


@spec("docs/backends.md The contract in words")
@pytest.mark.parametrize("name", _each(MISTAKES))
async def test_error_names_the_backend(peers: Peers, target: Target, name: str) -> None:
    error = await _raised(peers, target, MISTAKES[name])
    assert isinstance(error, ShimError)
    assert (error.backend, error.component) == (target.name, "peer")
    assert target.name in str(error)


@spec("docs/backends.md The contract in words")
@pytest.mark.parametrize("name", _each(MISTAKES | ARGUMENTS))
async def test_error_message_is_short_enough_to_read(peers: Peers, target: Target, name: str) -> None:
    assert len(str(await _raised(peers, target, (MISTAKES | ARGUMENTS)[name]))) < 500


@spec("webrtc-pc 6.2")
async def test_message_over_the_limit_is_told_with_both_sizes(peers: Peers, target: Target) -> None:
    connected = await link(peers, Pair(target, target))
    sctp = connected.offerer.sctp
    limit = sctp.maxMessageSize if sctp is not None else None
    if not limit:
        pytest.skip("the remote accepts messages of any size")
    with pytest.raises(MessageSizeError, match=rf"{limit + 1} bytes .* {limit}\b"):
        connected.near.channel.send(bytes(limit + 1))


@spec("docs/flags.md Who is asked, in this order")
def test_unknown_backend_names_the_choices(target: Target) -> None:
    with pytest.raises(FlagConfigError, match=target.name):
        RTCPeerConnection(backend="nonesuch")


@spec("docs/flags.md Kill switch")
def test_blocked_backend_says_how_to_unblock(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_BLOCK_BACKENDS", target.name)
    with pytest.raises(BackendUnavailableError, match="SHIM_BLOCK_BACKENDS"):
        RTCPeerConnection(backend=target.name)
