"""The model of one direction of a network: seeded, with no I/O and no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist
from struct import Struct
from typing import Final, Literal

from conformance.netsim.packets import Corruption, DropReason, Packet, PacketKind, Verdict

Distribution = Literal["uniform", "normal"]

_STANDARD: Final = NormalDist()
_TAIL: Final = 3.0
"""Standard deviations at which normal jitter is cut off."""
_UNPACK: Final = Struct("<8Q").unpack
_SCALE: Final = 2.0**-53
_LOSS, _TURN, _BURST, _REORDER, _JITTER, _DUPLICATE, _CORRUPT, _PLACE = range(8)
"""Which of a packet's eight random numbers decides what."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Losses that come together: the Gilbert-Elliott model.

    The share of lost packets is ``loss * enter / (enter + leave)``, plus `residual` outside of bursts; a burst lasts
    ``1 / leave`` packets on average.

    :param enter: probability, per packet, that a burst begins.
    :param leave: probability, per packet, that it ends.
    :param loss: probability that a packet is lost during a burst.
    :param residual: probability that a packet is lost otherwise.
    :raises ValueError: one is not in 0 to 1.
    """

    enter: float
    leave: float
    loss: float = 1.0
    residual: float = 0.0

    def __post_init__(self) -> None:
        for name in ("enter", "leave", "loss", "residual"):
            _check_share("Burst", name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Link:
    """How one direction treats packets. The default is a perfect wire.

    :param delay: seconds from one end to the other.
    :param jitter: seconds by which the delay varies: at most, if uniform; standard deviation, if normal (cut off at
        three). No delay is below 0.
    :param distribution: of the jitter, ``"uniform"`` or ``"normal"``.
    :param overtaking: whether jitter lets a packet overtake another. Otherwise it waits for those before it.
    :param loss: probability that a packet is lost.
    :param burst: losses that come together, in addition to `loss`.
    :param reordering: probability that a packet is held back, so that those behind overtake it.
    :param held_back: seconds by which it is held back.
    :param duplication: probability that a packet arrives twice.
    :param corruption: probability that one byte of a packet changes.
    :param rate: bits of UDP payload per second; `None` is unlimited.
    :param bucket: bytes that may pass at once after a pause, before `rate` holds: the depth of the token bucket.
    :param queue: bytes that may wait because of `rate`; more are dropped at the tail.
    :param only: which packets are damaged (lost, reordered, duplicated, corrupted): kinds such as ``{"rtp", "rtcp"}``,
        or a function of the packet. Delay, jitter, rate and blackouts are for all.
    :raises ValueError: a number is out of range.
    """

    delay: float = 0.0
    jitter: float = 0.0
    distribution: Distribution = "uniform"
    overtaking: bool = False
    loss: float = 0.0
    burst: Burst | None = None
    reordering: float = 0.0
    held_back: float = 0.02
    duplication: float = 0.0
    corruption: float = 0.0
    rate: float | None = None
    bucket: int = 0
    queue: int = 65536
    only: Collection[PacketKind] | Callable[[Packet], bool] | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "reordering", "duplication", "corruption"):
            _check_share("Link", name, getattr(self, name))
        for name in ("delay", "jitter", "held_back", "bucket", "queue"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"Link: {name} {value} is negative or not finite")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ValueError(f"Link: rate {self.rate} is not a positive number of bits per second")
        if self.distribution not in {"uniform", "normal"}:
            raise ValueError(f"Link: distribution {self.distribution!r} is neither 'uniform' nor 'normal'")

    @property
    def is_random(self) -> bool:
        """Whether anything depends on chance."""
        chances = (self.jitter, self.loss, self.reordering, self.duplication, self.corruption)
        return self.burst is not None or any(chances)

    def damages(self, packet: Packet) -> bool:
        """Tell whether this packet is one of those that may be damaged."""
        if self.only is None:
            return True
        return self.only(packet) if callable(self.only) else packet.kind in self.only


class Impairment:
    """Decides what becomes of each packet of one direction.

    The random numbers of packet `n` depend on the seed, the direction and `n`, and on nothing else: a change of the
    link does not shift them, and two runs draw the same.

    :param link: how packets are treated; may be replaced at any time, for packets that come afterwards.
    :param seed: any number.
    :param direction: a name, so that the two directions of a network differ.
    """

    def __init__(self, link: Link, seed: int, direction: str) -> None:
        self._link = link
        self._is_random = link.is_random
        self.count = 0
        """Packets seen: the index of the next one."""
        self._key = blake2b(f"{seed}:{direction}".encode(), digest_size=32).digest()
        self._in_burst = False
        self._cut_until = -math.inf
        self._idle_from = -math.inf
        self._latest = -math.inf

    @property
    def link(self) -> Link:
        """How packets are treated from now on."""
        return self._link

    @link.setter
    def link(self, link: Link) -> None:
        self._link = link
        self._is_random = link.is_random

    def cut(self, until: float = math.inf) -> None:
        """Lose every packet that comes before this moment; those on their way still arrive."""
        self._cut_until = until

    def restore(self) -> None:
        """End a blackout."""
        self._cut_until = -math.inf

    def decide(self, now: float, size: int, *, damaging: bool = True) -> Verdict:
        """Decide about the next packet.

        :param now: seconds of any clock that does not go back.
        :param size: bytes.
        :param damaging: whether this packet may be lost, reordered, duplicated or corrupted at random.
        """
        link = self._link
        draws = self._draw() if self._is_random else ()
        self.count += 1
        reason = self._lost(draws, damaging) if draws else None
        if now < self._cut_until:
            return Verdict(dropped="blackout")
        if reason is not None:
            return Verdict(dropped=reason)
        sent = now if link.rate is None else self._queue(now, size, link.rate)
        if sent is None:
            return Verdict(dropped="queue")
        if not draws:
            return Verdict((self._arrival(sent + link.delay),))
        return self._deliver(sent, size, draws, damaging)

    def _draw(self) -> tuple[float, ...]:
        digest = blake2b(self.count.to_bytes(8, "little"), key=self._key).digest()
        return tuple([(number >> 11) * _SCALE for number in _UNPACK(digest)])

    def _lost(self, draws: tuple[float, ...], damaging: bool) -> DropReason | None:
        burst = self._link.burst
        lost: DropReason | None = "loss" if draws[_LOSS] < self._link.loss else None
        if burst is not None:
            if draws[_BURST] < (burst.loss if self._in_burst else burst.residual):
                lost = "burst"
            if draws[_TURN] < (burst.leave if self._in_burst else burst.enter):
                self._in_burst = not self._in_burst
        return lost if damaging else None

    def _queue(self, now: float, size: int, rate: float) -> float | None:
        """Return when the last bit leaves the bottleneck; `None` if the queue has no room."""
        start = max(self._idle_from, now - self._link.bucket * 8 / rate)
        if (start - now) * rate / 8 + size > max(self._link.queue, size):
            return None
        self._idle_from = start + size * 8 / rate
        return max(now, self._idle_from)

    def _deliver(self, sent: float, size: int, draws: tuple[float, ...], damaging: bool) -> Verdict:
        link = self._link
        held_back = link.held_back if damaging and draws[_REORDER] < link.reordering else 0.0
        arrival = self._arrival(sent + self._delay(draws[_JITTER]) + held_back, is_late=held_back > 0)
        deliveries: tuple[float, ...] = (arrival,)
        corruption = None
        if damaging and draws[_DUPLICATE] < link.duplication:
            # Given that it is below the threshold, the rest of the number is as random as a fresh one.
            again = sent + self._delay(draws[_DUPLICATE] / link.duplication) + held_back
            deliveries = (arrival, max(arrival, self._arrival(again, is_late=held_back > 0)))
        if damaging and size and draws[_CORRUPT] < link.corruption:
            place = min(int(draws[_PLACE] * size * 255), size * 255 - 1)
            corruption = Corruption(place // 255, place % 255 + 1)
        return Verdict(deliveries, None, corruption)

    def _delay(self, draw: float) -> float:
        link = self._link
        if not link.jitter:
            return link.delay
        if link.distribution == "uniform":
            return max(0.0, link.delay + link.jitter * (2 * draw - 1))
        deviation = _STANDARD.inv_cdf(min(max(draw, 1e-12), 1 - 1e-12))
        return max(0.0, link.delay + link.jitter * min(max(deviation, -_TAIL), _TAIL))

    def _arrival(self, moment: float, *, is_late: bool = False) -> float:
        """Return when a packet arrives that would like to at `moment`."""
        if self._link.overtaking:
            return moment
        if is_late:
            return max(moment, self._latest)
        self._latest = max(moment, self._latest)
        return self._latest


def _check_share(owner: str, name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{owner}: {name} {value} is not in 0 to 1")
