"""Connections that nobody closes, on loops that end."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from backends.native.tests.media import Source
from backends.native.tests.peers import Peer, connected_pair, negotiate
from shim.spi.engines import DataChannelInit


def ends_clean(caplog: pytest.LogCaptureFixture) -> None:
    """Check that asyncio has nothing to complain about; an unclosed socket is a warning, which fails the test."""
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_connected_engines_end_with_their_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def connect() -> None:
        a, b = await connected_pair()
        a.engine.add_transceiver("video", "sendonly", Source("video"))
        await negotiate(a, b)

    asyncio.run(connect())
    ends_clean(caplog)


@pytest.mark.parametrize("turns", range(0, 16, 3))
def test_a_loop_that_ends_during_the_handshake_ends_clean(caplog: pytest.LogCaptureFixture, turns: int) -> None:
    async def begin() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("chat"))
        await negotiate(a, b)
        for _ in range(turns):
            await asyncio.sleep(0)

    asyncio.run(begin())
    ends_clean(caplog)


@pytest.mark.parametrize("turns", range(0, 16, 3))
def test_an_engine_can_be_closed_at_any_moment_of_the_handshake(caplog: pytest.LogCaptureFixture, turns: int) -> None:
    async def begin() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        a.engine.create_data_channel(DataChannelInit("chat"))
        await negotiate(a, b)
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(a.engine.close(), b.engine.close()), 5)

    asyncio.run(begin())
    ends_clean(caplog)


def test_an_engine_without_negotiation_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def forget() -> None:
        peer = Peer()
        await peer.engine.start()
        peer.engine.create_data_channel(DataChannelInit("chat"))
        peer.engine.add_transceiver("audio", "sendrecv", None)
        del peer
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(forget())
    ends_clean(caplog)
