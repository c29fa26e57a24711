"""Connectivity checks whose packets are lost."""

from __future__ import annotations

from collections import Counter

import aioice.stun
import pytest
from aioice.ice import StunProtocol
from aioice.stun import Class, Message

from backends.native import ice_checks
from backends.native.tests.peers import close, connected_pair, run
from shim.spi.events import IceConnectionChanged

NEVER = 3600.0


class Loss:
    """Loses the first checks that one side sends over each pair, and lets aioice itself repeat nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int, *, of_offerer: bool) -> None:
        self.lost: Counter[tuple[int, tuple[str, int]]] = Counter()
        send = StunProtocol.send_stun

        def send_or_lose(protocol: StunProtocol, message: Message, addr: tuple[str, int]) -> None:
            is_check = message.message_class == Class.REQUEST
            if is_check and protocol.receiver.ice_controlling == of_offerer and self.lost[protocol.id, addr] < count:
                self.lost[protocol.id, addr] += 1
            else:
                send(protocol, message, addr)

        monkeypatch.setattr(StunProtocol, "send_stun", send_or_lose)
        monkeypatch.setattr(aioice.stun, "RETRY_RTO", NEVER)


@pytest.mark.parametrize("of_offerer", [True, False], ids=["offerer", "answerer"])
def test_checks_are_repeated_at_a_steady_pace(monkeypatch: pytest.MonkeyPatch, of_offerer: bool) -> None:
    loss = Loss(monkeypatch, 3, of_offerer=of_offerer)

    async def scenario() -> None:
        a, b = await connected_pair()
        assert 3 in loss.lost.values()
        assert [event.state for event in a.sink.of(IceConnectionChanged)] == ["checking", "connected", "completed"]
        await close(a, b)

    run(scenario)


def test_check_of_the_peer_triggers_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = Loss(monkeypatch, 1, of_offerer=False)
    monkeypatch.setattr(ice_checks, "CADENCE", NEVER)

    async def scenario() -> None:
        a, b = await connected_pair()
        assert set(loss.lost.values()) == {1}
        await close(a, b)

    run(scenario)
