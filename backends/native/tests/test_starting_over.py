"""A connection that has nothing left, and is used again."""

from __future__ import annotations

import asyncio

from backends.native.tests.media import Sink, Source
from backends.native.tests.peers import TIMEOUT, Peer, close, negotiate, run
from shim.spi.engines import Kind
from shim.spi.events import ConnectionChanged


async def show(a: Peer, b: Peer, kind: Kind) -> None:
    """Send something from one to the other, until it arrives."""
    a.engine.add_transceiver(kind, "sendonly", Source(kind))
    sink = Sink()
    await negotiate(a, b)
    b.engine.local_state().transceivers[-1].engine.attach(sink)
    await asyncio.wait_for(sink.first.wait(), TIMEOUT)


async def reject_all(a: Peer, b: Peer) -> None:
    """Negotiate with nothing to gather candidates for."""
    offer = await a.engine.create_offer()
    await a.engine.set_local_description(offer)
    await b.engine.set_remote_description(offer)
    answer = await b.engine.create_answer()
    await b.engine.set_local_description(answer)
    await a.engine.set_remote_description(answer)


def test_media_flows_again_over_a_new_transport_after_all_was_stopped() -> None:
    async def scenario() -> None:
        a, b = Peer(), Peer()
        await a.engine.start()
        await b.engine.start()
        await show(a, b, "audio")
        a.engine.local_state().transceivers[0].engine.stop()
        await reject_all(a, b)
        assert (a.engine.transports(), b.engine.transports()) == ((), ())
        await show(a, b, "video")
        assert a.engine.transports()[0].dtls_state == "connected"
        assert "closed" not in [event.state for event in b.sink.of(ConnectionChanged)]
        await close(a, b)

    run(scenario)
