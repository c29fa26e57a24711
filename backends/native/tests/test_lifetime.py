"""The life of messages: it begins as they are sent, and what outlives it is given up whole."""

from __future__ import annotations

import asyncio
import time

import pytest

from backends.native.channels import Channel
from backends.native.tests.peers import Peer, close, connected_pair, run
from backends.native.tests.test_transfer import watch
from shim.spi.engines import DataChannelInit
from shim.spi.events import ChannelMessage, ChannelOpened


async def timed_channel(a: Peer, milliseconds: int, *, ordered: bool = True) -> Channel:
    init = DataChannelInit("timed", max_packet_life_time=milliseconds, ordered=ordered)
    channel = a.engine.create_data_channel(init)
    await a.sink.first(ChannelOpened, lambda event: event.channel is channel)
    assert isinstance(channel, Channel)
    return channel


def work(seconds: float) -> None:
    """Keep the loop from turning."""
    time.sleep(seconds)


async def send_until_heard(channel: Channel, far: Peer) -> None:
    """Send until something arrives: what is sent while the window is full may expire too."""
    heard = asyncio.ensure_future(far.sink.first(ChannelMessage, lambda event: event.data == "afterwards"))
    while not heard.done():
        channel.send("afterwards")
        await asyncio.wait([heard], timeout=0.02)
    await heard


def test_a_busy_loop_takes_nothing_from_a_life() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = await timed_channel(a, 0)
        for number in range(3):
            channel.send(str(number))
            work(0.01)
        await b.sink.wait(lambda: len(b.sink.of(ChannelMessage)) == 3)
        await close(a, b)

    run(scenario)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("size", [1, 900, 200_000], ids=lambda size: f"{size} bytes")
@pytest.mark.parametrize("passing", [0, 2], ids=["nothing passes", "the beginning passes"])
def test_what_outlives_its_wait_is_given_up_whole(size: int, ordered: bool, passing: int) -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        channel = await timed_channel(a, 50, ordered=ordered)
        left = passing

        def passes(_: bytes) -> bool:
            nonlocal left
            left -= 1
            return left >= 0

        watch(a, passes)
        for _ in range(1 + 20_000 // size):
            channel.send(b"o" * size)
        await asyncio.sleep(0.1)
        left = 1 << 30
        await send_until_heard(channel, b)
        arrived = [event.data for event in b.sink.of(ChannelMessage) if event.data != "afterwards"]
        assert set(arrived) <= {b"o" * size}
        assert len(arrived) * size <= passing * 1200
        await close(a, b)

    run(scenario)
