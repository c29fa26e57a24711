"""Each backend, as offerer and as answerer, in a call with Chromium."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, ChannelArrivals, Endpoint, local_of, opened, reach
from conformance.browser.chromium import PATIENCE
from conformance.browser.page import Call, Offerer, calling
from conformance.media import PTIME, pitch, tone_frame, tone_track, track
from conformance.requirements import spec
from conformance.targets import Peers, Target
from shim import RTCConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable

    from shim import MediaStreamTrack, RTCPeerConnection
    from shim.spi.engines import Direction

pytestmark = pytest.mark.browser
both_roles = pytest.mark.parametrize("offerer", ["backend", "browser"])

OURS, THEIRS, OTHER = 600, 900, 1500
"""Hertz."""
RED, GREEN, BLUE = (210, 40, 40), (30, 160, 60), (40, 60, 200)
Sign = tuple[float, tuple[int, int, int]]
"""A tone and a colour."""
TRICKLE = RTCConfiguration(trickle=True)


def colour_track(target: Target, colour: tuple[int, int, int]) -> Any:
    """Return a track that shows one colour."""
    return changing_colour_track(target, lambda: colour)


def changing_colour_track(target: Target, colour: Callable[[], tuple[int, int, int]]) -> Any:
    """Return a track that shows the colour of the moment."""

    def frame_at(_: int) -> VideoFrame:
        return VideoFrame.from_ndarray(np.full((240, 320, 3), colour(), np.uint8), format="rgb24")

    return track(target, "video", frame_at, 1 / 30)


def colour_of(frame: VideoFrame) -> tuple[int, ...]:
    """Return the colour in the middle of a picture."""
    pixels = frame.to_ndarray(format="rgb24")
    height, width = pixels.shape[:2]
    return tuple(int(value) for value in pixels[height // 2, width // 2])


def are_close(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(one, other, strict=True))


async def hear(received: MediaStreamTrack, hertz: float) -> None:
    """Wait until a tone arrives."""
    while True:
        frames = [await received.recv() for _ in range(10)]
        if abs(pitch(frames) - hertz) < 0.03 * hertz:  # type: ignore[arg-type]
            return


async def see(received: MediaStreamTrack, colour: tuple[int, int, int]) -> None:
    """Wait until a colour arrives."""
    while not are_close(colour_of(await received.recv()), colour):  # type: ignore[arg-type]
        pass


async def open_channel(call: Call, offerer: Offerer) -> Endpoint:
    """Create a channel at the offerer, negotiate, and wait until both ends can use it."""
    if offerer == "backend":
        near = Endpoint.of(call.pc.createDataChannel("chat"))
        await call.negotiate(offerer)
        await opened(near.channel)
    else:
        arrivals = ChannelArrivals(call.pc)
        await call.page.call("createChannel", "chat", {})
        await call.negotiate(offerer)
        near = await arrivals.next()
    assert await call.page.told("open") == "chat"
    return near


async def echo(call: Call, near: Endpoint, text: str) -> None:
    """Send a message each way."""
    near.channel.send(text)
    assert await call.page.told("message") == text
    await call.page.call("send", text)
    assert await near.inbox.next() == text


# --- media -------------------------------------------------------------------------------------------


@both_roles
@spec("RFC 7874 3")
async def test_sound_is_heard_by_both(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    arriving = Arrivals(pc, "track")
    pc.addTrack(tone_track(target, OURS))
    async with calling(pc) as call:
        await call.page.call("sendTone", THEIRS)
        await call.negotiate(offerer)
        await asyncio.wait_for(hear(await arriving.next(), THEIRS), PATIENCE)
        await call.page.call("hear", OURS)


@both_roles
@spec("RFC 7742 5")
async def test_pictures_are_seen_by_both(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    arriving = Arrivals(pc, "track")
    pc.addTrack(colour_track(target, RED))
    async with calling(pc) as call:
        await call.page.call("sendColour", f"rgb{BLUE}")
        await call.negotiate(offerer)
        await asyncio.wait_for(see(await arriving.next(), BLUE), PATIENCE)
        await call.page.call("see", RED)


@both_roles
@spec("RFC 8843 7")
async def test_sound_pictures_and_data_share_a_transport(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    arriving = Arrivals(pc, "track")
    pc.addTrack(tone_track(target, OURS))
    pc.addTrack(colour_track(target, RED))
    async with calling(pc) as call:
        await call.page.call("sendTone", THEIRS)
        await call.page.call("sendColour", f"rgb{BLUE}")
        near = await open_channel(call, offerer)
        sound, pictures = sorted(await arriving.take(2), key=lambda received: str(received.kind))
        await asyncio.wait_for(hear(sound, THEIRS), PATIENCE)
        await asyncio.wait_for(see(pictures, BLUE), PATIENCE)
        await call.page.call("hear", OURS)
        await call.page.call("see", RED)
        await echo(call, near, "beside media")


@both_roles
@spec("RFC 3264 8.4", "webrtc-pc 5.4")
async def test_sound_and_pictures_come_back_after_hold(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    arriving, tone, colour = Arrivals(pc, "track"), OURS, RED
    pc.addTrack(track(target, "audio", lambda index: tone_frame(index, tone), PTIME))
    pc.addTrack(changing_colour_track(target, lambda: colour))
    async with calling(pc) as call:
        await call.page.call("sendTone", THEIRS)
        await call.page.call("sendColour", f"rgb{BLUE}")
        await call.negotiate(offerer)
        sound, pictures = sorted(await arriving.take(2), key=lambda received: str(received.kind))
        await perceive(call, sound, pictures, (THEIRS, BLUE), (OURS, RED))
        await turn(call, offerer, "inactive")
        assert {transceiver.currentDirection for transceiver in pc.getTransceivers()} == {"inactive"}
        tone, colour = OTHER, GREEN
        await call.page.call("retune", OTHER)
        await call.page.call("repaint", f"rgb{GREEN}")
        await turn(call, offerer, "sendrecv")
        await perceive(call, sound, pictures, (OTHER, GREEN), (OTHER, GREEN))


async def turn(call: Call, offerer: Offerer, direction: Direction) -> None:
    """Offer every section with another direction."""
    if offerer == "browser":
        await call.page.call("turn", direction)
    else:
        for transceiver in call.pc.getTransceivers():
            transceiver.direction = direction
    await call.negotiate(offerer)


async def perceive(call: Call, sound: Any, pictures: Any, theirs: Sign, ours: Sign) -> None:
    """Wait until both sides hear and see the other."""
    await asyncio.wait_for(hear(sound, theirs[0]), PATIENCE)
    await asyncio.wait_for(see(pictures, theirs[1]), PATIENCE)
    await call.page.call("hear", ours[0])
    await call.page.call("see", ours[1])


# --- data --------------------------------------------------------------------------------------------


@both_roles
@spec("RFC 8831 6.6")
async def test_messages_of_every_kind_arrive_at_both(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    async with calling(pc) as call:
        near = await open_channel(call, offerer)
        for text in ("plain", "ünïcode ☃", "", "long " * 20_000):
            await echo(call, near, text)
        for data in (b"\x00\xff", b"", bytes(range(256)) * 100):
            near.channel.send(data)
            assert bytes(await call.page.told("message")) == data
            await call.page.call("sendBytes", list(data))
            assert await near.inbox.next() == data


# --- the connection ----------------------------------------------------------------------------------


@both_roles
@spec("RFC 8838 4", "RFC 9429 4.1.1")
async def test_hidden_addresses_do_not_keep_a_call_from_connecting(
    peers: Peers, target: Target, offerer: Offerer
) -> None:
    pc = peers.open(target, TRICKLE)
    async with calling(pc, hidden=True) as call:
        near = await open_channel(call, offerer)
        await echo(call, near, "found")
        assert any(address.endswith(".local") for address in call.addresses)


@both_roles
@pytest.mark.parametrize("restarter", ["same", "other"])
@spec("RFC 8445 9", "RFC 9429 3.5.1")
async def test_ice_restarts(peers: Peers, target: Target, offerer: Offerer, restarter: str) -> None:
    pc = peers.open(target, TRICKLE)
    async with calling(pc) as call:
        near = await open_channel(call, offerer)
        before = fragments(pc)
        other: Offerer = "browser" if offerer == "backend" else "backend"
        await call.negotiate(offerer if restarter == "same" else other, restart=True)
        assert fragments(pc).isdisjoint(before)
        await echo(call, near, "after the restart")
        await reach(pc, "iceConnectionState", "connected", "completed")
        await echo(call, near, "and later")
        assert pc.connectionState == "connected"


def fragments(pc: RTCPeerConnection) -> set[str]:
    return set(re.findall(r"a=ice-ufrag:(\S+)", local_of(pc).sdp))


@both_roles
@spec("RFC 8831 6.7")
async def test_closing_a_channel_is_noticed_by_the_other(peers: Peers, target: Target, offerer: Offerer) -> None:
    pc = peers.open(target, TRICKLE)
    async with calling(pc) as call:
        near = await open_channel(call, offerer)
        near.channel.close()
        assert await call.page.told("close") == "chat"
        await Arrivals(near.channel, "close").next() if near.channel.readyState != "closed" else None


@both_roles
@pytest.mark.parametrize("closer", ["backend", "browser"])
@spec("aiortc")
async def test_closing_the_connection_is_noticed_by_the_other(
    peers: Peers, target: Target, offerer: Offerer, closer: str
) -> None:
    pc = peers.open(target, TRICKLE)
    async with calling(pc) as call:
        near = await open_channel(call, offerer)
        if closer == "backend":
            await pc.close()
            assert await call.page.told("close") == "chat"
        else:
            ended = Arrivals(near.channel, "close")
            await call.page.call("close")
            await ended.next()
            await reach(pc, "connectionState", "closed", "disconnected", "failed")
