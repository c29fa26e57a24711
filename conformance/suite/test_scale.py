"""Many of everything: slow, therefore out of the default run."""

from __future__ import annotations

import asyncio

import pytest

from conformance.asserts import Arrivals, ChannelArrivals, connect
from conformance.requirements import spec
from conformance.targets import Pair, Peers

CHANNELS = 1000
PATIENCE = 25.0
"""Seconds until all must be open: a bound for what hangs."""


@pytest.mark.slow
@spec("RFC 8831 6.2")
async def test_a_thousand_channels_work_side_by_side(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    arriving = {offerer: ChannelArrivals(offerer), answerer: ChannelArrivals(answerer)}
    # Half of them from each side: an engine may have as few as 1024 streams, of which each side has every other one.
    channels = [pc.createDataChannel(f"channel {n}") for pc in (offerer, answerer) for n in range(CHANNELS // 2)]
    opens = [Arrivals(channel, "open") for channel in channels]
    await connect(offerer, answerer)
    async with asyncio.timeout(PATIENCE):
        for opening in opens:
            await opening.next(PATIENCE)
    for channel in channels:
        channel.send(channel.label)
    remotes = [remote for found in arriving.values() for remote in await found.take(CHANNELS // 2)]
    assert [await remote.inbox.next() for remote in remotes] == [remote.channel.label for remote in remotes]
    assert len({channel.id for channel in channels}) == CHANNELS
