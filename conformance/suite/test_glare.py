"""Perfect negotiation (webrtc-pc 10.7): both sides want something at once, one gives way, and all of it comes about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

import pytest

from conformance.asserts import Arrivals, ChannelArrivals, local_of, opened, reach, until
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability, RTCPeerConnection, RTCSessionDescription

pytestmark = requires(Capability.ROLLBACK)


class Note(Enum):
    """What an inbox may hold besides descriptions."""

    NEEDED = "a negotiation is needed"
    END = "nothing more is to be negotiated"


class Negotiator:
    """One side: offers when that is needed, answers, and gives way if it is the polite one."""

    def __init__(self, pc: RTCPeerConnection, *, polite: bool) -> None:
        self.pc = pc
        self.glares = 0
        self._polite = polite
        self.inbox: asyncio.Queue[RTCSessionDescription | Note] = asyncio.Queue()
        pc.on("negotiationneeded", lambda: self.inbox.put_nowait(Note.NEEDED))

    async def talk_to(self, other: Negotiator) -> None:
        """Negotiate until told to end."""
        while (found := await self.inbox.get()) is not Note.END:
            if found is Note.NEEDED:
                await self._offer(other)
            else:
                await self._take(found, other)

    async def _offer(self, other: Negotiator) -> None:
        if self.pc.signalingState == "stable":
            await self._say(other)

    async def _take(self, description: RTCSessionDescription, other: Negotiator) -> None:
        if description.type == "offer" and self.pc.signalingState != "stable":
            self.glares += 1
            if not self._polite:
                return
        await self.pc.setRemoteDescription(description)
        if description.type == "offer":
            await self._say(other)

    async def _say(self, other: Negotiator) -> None:
        await self.pc.setLocalDescription()
        other.inbox.put_nowait(local_of(self.pc))


@asynccontextmanager
async def talking(impolite: Negotiator, polite: Negotiator) -> AsyncIterator[None]:
    """Let both negotiate meanwhile."""
    tasks = [asyncio.ensure_future(one.talk_to(two)) for one, two in ((impolite, polite), (polite, impolite))]
    try:
        yield
    finally:
        for side in (impolite, polite):
            side.inbox.put_nowait(Note.END)
        await asyncio.gather(*tasks)


WISHES = {
    "the same": (["data"], ["data"]),
    "data in other sections": (["data"], ["audio", "data"]),
    "data of one side": (["audio"], ["data"]),
    "everything": (["video", "data"], ["data", "audio"]),
}
"""What the impolite and the polite side want, in order."""


@spec("webrtc-pc 10.7", "RFC 9429 4.1.10.2")
@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
async def test_both_get_what_they_want(peers: Peers, pair: Pair, wishes: tuple[list[str], list[str]]) -> None:
    impolite, polite = _negotiators(peers, pair)
    sides = ((impolite, polite, wishes[0]), (polite, impolite, wishes[1]))
    announced = {side.pc: ChannelArrivals(side.pc) for side in (impolite, polite)}
    async with talking(impolite, polite):
        for side, _, wanted in sides:
            _want(side.pc, wanted)
        for _, other, wanted in sides:
            if "data" in wanted:
                arrived = await announced[other.pc].next()
                await opened(arrived.channel)
        for side, _, _ in sides:
            await until(side.pc, ["signalingstatechange"], lambda pc=side.pc: _is_settled(pc), "a mid for each")  # type: ignore[misc]
            await reach(side.pc, "connectionState", "connected")
    assert polite.glares == 1


@spec("webrtc-pc 10.7", "RFC 8831 6.6")
async def test_channels_made_before_a_glare_carry_messages_after_it(peers: Peers, pair: Pair) -> None:
    impolite, polite = _negotiators(peers, pair)
    announced = ChannelArrivals(impolite.pc)
    polite.pc.addTransceiver("audio")
    impolite.pc.createDataChannel("impolite")
    unordered = polite.pc.createDataChannel("polite", ordered=False, maxRetransmits=5, protocol="json")
    agreed = [side.pc.createDataChannel("agreed", negotiated=True, id=12) for side in (impolite, polite)]
    heard = Arrivals(agreed[0], "message")
    async with talking(impolite, polite):
        far = await announced.next()
        for channel in (unordered, *agreed):
            await opened(channel)
        unordered.send("after the glare")
        agreed[1].send(b"agreed")
        assert (await far.inbox.next(), await heard.next()) == ("after the glare", b"agreed")
    options = far.channel.label, far.channel.protocol, far.channel.ordered, far.channel.maxRetransmits
    assert options == ("polite", "json", False, 5)


def _negotiators(peers: Peers, pair: Pair) -> tuple[Negotiator, Negotiator]:
    impolite, polite = peers.open_pair(pair)
    return Negotiator(impolite, polite=False), Negotiator(polite, polite=True)


def _want(pc: RTCPeerConnection, wishes: list[str]) -> None:
    for wish in wishes:
        if wish == "data":
            pc.createDataChannel("chat")
        else:
            pc.addTransceiver(wish)


def _is_settled(pc: RTCPeerConnection) -> bool:
    return pc.signalingState == "stable" and all(found.mid is not None for found in pc.getTransceivers())
