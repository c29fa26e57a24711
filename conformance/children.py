"""What child processes of a test do."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Final

from conformance.asserts import link
from conformance.targets import Pair, Peers, Target
from shim.spi.errors import BackendUnavailableError

REFUSED: Final = 3
"""Exit status of a child that was told why it cannot make calls."""


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


def try_call(backend: str) -> None:
    """Do the same, or end with :data:`REFUSED` if the SDK says clearly why it cannot."""
    try:
        short_call(backend)
    except BackendUnavailableError as exc:
        sys.exit(REFUSED if backend in str(exc) and "fork" in str(exc) else str(exc))
