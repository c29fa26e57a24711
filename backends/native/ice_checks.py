"""Connectivity checks that survive heavy loss: asked again often, and at once when the peer asks (RFC 8445)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message, TransactionError

from backends.native.datagrams import DatagramProtocol
from backends.native.private import OpenConnection

CADENCE: Final = 0.25
"""Seconds between checks of a pair. aioice doubles them from 0.5 s up to 16 s, libwebrtc asks every 50 to 480 ms."""
AT_ONCE: Final = 4
"""Checks of one pair that wait for an answer beside aioice's own."""


class PersistentConnection(OpenConnection):
    """An ICE connection whose checks do not wait long for each other."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._more: dict[CandidatePair, set[asyncio.Task[None]]] = {}

    async def check_start(self, pair: CandidatePair) -> None:
        """Check a pair until it is known to work or not."""
        if pair in self._more:  # aioice starts over after a conflict of roles
            await super().check_start(pair)
            return
        self._more[pair] = set()
        repeating = asyncio.ensure_future(self._repeat(pair))
        try:
            await super().check_start(pair)
        finally:
            repeating.cancel()
            for task in self._more.pop(pair):
                task.cancel()

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Take a check of the peer.

        One of a pair that is being checked triggers another check (RFC 8445 section 7.3.1.4): what was asked before is
        lost more likely than late, and is answered by whichever comes first.
        """
        if isinstance(protocol, DatagramProtocol):
            protocol.figures(addr).checks += 1
        asked = [pair for pair in self._more if pair.protocol is protocol and pair.remote_addr == addr]
        super().check_incoming(message, addr, protocol)
        for pair in asked:
            self._ask(pair)

    async def _repeat(self, pair: CandidatePair) -> None:
        while True:
            await asyncio.sleep(CADENCE)
            self._ask(pair)

    def _ask(self, pair: CandidatePair) -> None:
        asking = self._more.get(pair)
        if asking is not None and len(asking) < AT_ONCE and pair.state is CandidatePair.State.IN_PROGRESS:
            task = asyncio.ensure_future(self._check_once(pair))
            asking.add(task)
            task.add_done_callback(asking.discard)

    async def _check_once(self, pair: CandidatePair) -> None:
        assert self.remote_password is not None
        nominate = self.ice_controlling and not self.remote_is_lite
        request, key = self.build_request(pair, nominate=nominate), self.remote_password.encode()
        try:
            _, addr = await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=0)
        except (TransactionError, OSError):
            return  # aioice's own check decides on failures
        if addr == pair.remote_addr and (nominate or not self.ice_controlling):
            self._succeed(pair)

    def _succeed(self, pair: CandidatePair) -> None:
        """Do what aioice does when its own check is answered (RFC 8445 section 7.2.5.3)."""
        if pair.state is not CandidatePair.State.IN_PROGRESS or pair.task is None:
            return
        pair.task.cancel()
        pair.nominated = self.ice_controlling or pair.remote_nominated
        self.check_state(pair, CandidatePair.State.SUCCEEDED)
        self.check_complete(pair)
