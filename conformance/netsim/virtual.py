"""A direction of a network in virtual time: what the relay does, as fast as it can be computed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import NamedTuple

from conformance.netsim.model import Link
from conformance.netsim.packets import DirectionName
from conformance.netsim.pipe import Pipe
from conformance.netsim.rewriting import Address


class VirtualTimer:
    """What happens at a moment of a virtual clock, unless it is cancelled."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self._when = when
        self._callback: Callable[[], None] | None = callback

    def when(self) -> float:
        """Return the moment."""
        return self._when

    def cancel(self) -> None:
        """Let it not happen."""
        self._callback = None

    def fire(self) -> None:
        """Let it happen."""
        if self._callback is not None:
            self._callback()


class VirtualClock:
    """Time that passes when it is told to.

    :param start: seconds that it shows at first.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._order = 0

    def time(self) -> float:
        """Return the seconds that it shows."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None], /) -> VirtualTimer:
        """Call at a moment, or at once if that is past, when time passes next."""
        timer = VirtualTimer(when, callback)
        self._order += 1
        heapq.heappush(self._timers, (when, self._order, timer))
        return timer

    def run_until(self, moment: float) -> None:
        """Let time pass; whatever happens on the way sees its own moment.

        :raises ValueError: the moment is past.
        """
        if moment < self._now:
            raise ValueError(f"VirtualClock.run_until: {moment} s is before {self._now} s, and time does not go back")
        while self._timers and self._timers[0][0] <= moment:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.fire()
        self._now = moment


class Arrival(NamedTuple):
    """A packet that came out of a pipe.

    :param time: when, in seconds of the pipe's clock.
    :param data: what it holds, damaged if it was.
    """

    time: float
    data: bytes


class VirtualPipe(Pipe):
    """One direction of a network with a clock of its own, no sockets and no event loop.

    Of the same packets at the same moments it makes what the direction of a `Network` makes with this seed.

    :param link: how packets are treated; a perfect wire by default.
    :param seed: of the network.
    :param name: which of its directions this is.
    :param clock: one that several pipes share; its own by default.
    """

    def __init__(
        self,
        link: Link | None = None,
        seed: int = 0,
        name: DirectionName = "a_to_b",
        *,
        clock: VirtualClock | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        super().__init__(link or Link(), seed, name, self.clock)
        self._end = _End(self.clock)

    def send(self, now: float, data: bytes) -> None:
        """Put a packet in; time passes until then.

        :param now: seconds of the clock; not before the moment of the last call.
        :raises ValueError: it is.
        """
        self.clock.run_until(now)
        self.carry(data, self._end, self._end, now)

    def run_until(self, now: float) -> list[Arrival]:
        """Let time pass; return what has come out since the last call, in order.

        :raises ValueError: the moment is past.
        """
        self.clock.run_until(now)
        arrived, self._end.arrived = self._end.arrived, []
        return arrived


class _End:
    """Keeps what comes out."""

    address: Address = ("", 0)

    def __init__(self, clock: VirtualClock) -> None:
        self.arrived: list[Arrival] = []
        self._clock = clock

    def send(self, data: bytes, _: Address, /) -> bool:
        self.arrived.append(Arrival(self._clock.time(), data))
        return True
