"""What child processes of a test do."""

from __future__ import annotations

import asyncio
import gc

from conformance.asserts import link
from conformance.targets import Pair, Peers, Target


def collect() -> None:
    """Let go of everything that was inherited, as a forked child does sooner or later."""
    gc.collect()


def short_call(backend: str) -> None:
    """Connect a pair of this process's own, and send one message."""
    asyncio.run(_short_call(Target(backend)))


async def _short_call(target: Target) -> None:
    peers = Peers()
    try:
        connected = await link(peers, Pair(target, target))
        connected.near.channel.send("hello")
        assert await connected.far.inbox.next() == "hello"
    finally:
        await peers.close()
