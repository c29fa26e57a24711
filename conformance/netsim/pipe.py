"""One direction of a network: what becomes of each packet, and when it arrives, by whatever clock there is."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from conformance.netsim.model import Impairment, Link
from conformance.netsim.packets import DirectionName, DropReason, Packet, Verdict
from conformance.netsim.rewriting import Address

Hook = Callable[[Packet, Verdict], None]


class Timer(Protocol):
    """Something that will happen."""

    def when(self) -> float:
        """Return the moment at which it does."""

    def cancel(self) -> None:
        """Let it not happen."""


class Clock(Protocol):
    """Tells the time and calls at a moment: an event loop, or a clock of a simulation."""

    def time(self) -> float:
        """Return the seconds that it shows."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call at a moment."""


class Exit(Protocol):
    """Where packets leave the network."""

    @property
    def address(self) -> Address:
        """Where they are sent."""

    def send(self, data: bytes, to: Address, /) -> bool:
        """Send from here to another exit's address; tell whether that could be done."""


@dataclass(slots=True)
class Counters:
    """What happened to the packets of one direction.

    :param packets_in: packets that came in.
    :param packets_out: packets that were handed to the receiver, duplicates included.
    :param dropped: packets lost, by reason.
    :param duplicated: packets that arrive twice.
    :param corrupted: packets that arrive damaged.
    """

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)
    duplicated: int = 0
    corrupted: int = 0


class Pipe:
    """One direction of the network.

    :param link: how packets are treated; may be replaced at any time.
    :param clock: the event loop, or another.
    """

    def __init__(self, link: Link, seed: int, name: DirectionName, clock: Clock) -> None:
        self.name: DirectionName = name
        self.counters = Counters()
        self._impairment = Impairment(link, seed, name)
        self._clock = clock
        self._hooks: list[Hook] = []
        self._on_way: list[tuple[float, int, bytes, Exit, Exit]] = []
        self._order = 0
        self._timer: Timer | None = None

    @property
    def link(self) -> Link:
        """How packets that come from now on are treated; those on their way keep their time."""
        return self._impairment.link

    @link.setter
    def link(self, link: Link) -> None:
        self._impairment.link = link

    def blackout(self, seconds: float | None = None) -> None:
        """Lose all packets.

        :param seconds: for how long; `None` until `restore()`.
        """
        if seconds is None:
            self._impairment.cut()
        else:
            self._impairment.cut(self._clock.time() + seconds)

    def restore(self) -> None:
        """End a blackout."""
        self._impairment.restore()

    def on_packet(self, hook: Hook) -> Callable[[], None]:
        """Call `hook` with each packet and what becomes of it; return what removes the hook."""
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    def carry(self, data: bytes, sender: Exit, receiver: Exit, now: float) -> None:
        """Take a packet that `sender` stands for, for the peer behind `receiver`."""
        counters, impairment, size = self.counters, self._impairment, len(data)
        counters.packets_in += 1
        counters.bytes_in += size
        if self._hooks or impairment.link.only is not None:
            packet = Packet(self.name, impairment.count, now, data)
            verdict = impairment.decide(now, size, damaging=impairment.link.damages(packet))
            for hook in list(self._hooks):
                hook(packet, verdict)
        else:
            verdict = impairment.decide(now, size)
        self._obey(verdict, data, sender, receiver, now)

    def _obey(self, verdict: Verdict, data: bytes, sender: Exit, receiver: Exit, now: float) -> None:
        if verdict.dropped is not None:
            self.counters.dropped[verdict.dropped] += 1
            return
        if verdict.corruption is not None:
            self.counters.corrupted += 1
            data = verdict.corruption.apply(data)
        self.counters.duplicated += len(verdict.deliveries) - 1
        for moment in verdict.deliveries:
            if moment <= now and not self._on_way:
                self._hand_over(data, sender, receiver)
            else:
                self._order += 1
                heapq.heappush(self._on_way, (moment, self._order, data, sender, receiver))
        self._schedule()

    def _schedule(self) -> None:
        if not self._on_way:
            return
        moment = self._on_way[0][0]
        if self._timer is not None:
            if self._timer.when() <= moment:
                return
            self._timer.cancel()
        self._timer = self._clock.call_at(moment, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        on_way, now = self._on_way, self._clock.time()
        while on_way and on_way[0][0] <= now:
            _, _, data, sender, receiver = heapq.heappop(on_way)
            self._hand_over(data, sender, receiver)
        self._schedule()

    def _hand_over(self, data: bytes, sender: Exit, receiver: Exit) -> None:
        if sender.send(data, receiver.address):
            self.counters.packets_out += 1
            self.counters.bytes_out += len(data)
        else:
            self.counters.dropped["unreachable"] += 1

    def close(self) -> None:
        """Forget what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._on_way.clear()
