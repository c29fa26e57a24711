"""Sockets and timers: what carries packets from one side to the other, as the model decides."""

from __future__ import annotations

import asyncio
import heapq
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from conformance.netsim.model import Impairment, Link
from conformance.netsim.packets import DirectionName, DropReason, Packet, Verdict
from conformance.netsim.rewriting import Address

Side = Literal["a", "b"]
Hook = Callable[[Packet, Verdict], None]

_BUFFER: Final = 4 << 20
"""Bytes asked for the sockets: the network must lose what its model says, and nothing else."""
_LARGEST: Final = 16384
_BATCH: Final = 64
"""Datagrams read from one socket before others get their turn."""


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


class Endpoint:
    """Stands for one address of a peer: the other side sends to it and receives from it.

    :param side: whose address it is.
    :param address: the real one.
    """

    def __init__(self, relay: Relay, side: Side, address: Address) -> None:
        self.side = side
        self.address = address
        self._relay = relay
        self._socket = self._open()

    @property
    def shown(self) -> Address:
        """The address that the other side sees."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def send(self, data: bytes, to: Address) -> bool:
        """Send to the other side, from this address; tell whether the system took it."""
        try:
            self._socket.sendto(data, to)
        except OSError:
            return False
        return True

    def move(self) -> None:
        """Take another port, as behind a NAT that forgot its binding; what is sent to the old one is lost."""
        before, self._socket = self._socket, self._open()
        self._relay.loop.remove_reader(before)
        before.close()

    def close(self) -> None:
        """Close the socket."""
        if not self._relay.loop.is_closed():
            self._relay.loop.remove_reader(self._socket)
        self._socket.close()

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._relay.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            sock.bind((self._relay.host, 0))
        except OSError:
            sock.close()
            raise
        # A reader drains many datagrams per turn of the loop; asyncio's datagram transport takes one.
        self._relay.loop.add_reader(sock, self._read, sock)
        return sock

    def _read(self, sock: socket.socket) -> None:
        now = self._relay.loop.time()
        for _ in range(_BATCH):
            try:
                data, sender = sock.recvfrom(_LARGEST)
            except OSError:
                return
            self._relay.forward(self, data, (sender[0], sender[1]), now)


class Pipe:
    """One direction of the network.

    :param link: how packets are treated; may be replaced at any time.
    """

    def __init__(self, link: Link, seed: int, name: DirectionName, loop: asyncio.AbstractEventLoop) -> None:
        self.name: DirectionName = name
        self.counters = Counters()
        self._impairment = Impairment(link, seed, name)
        self._loop = loop
        self._hooks: list[Hook] = []
        self._on_way: list[tuple[float, int, bytes, Endpoint, Endpoint]] = []
        self._order = 0
        self._timer: asyncio.TimerHandle | None = None

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
            self._impairment.cut(self._loop.time() + seconds)

    def restore(self) -> None:
        """End a blackout."""
        self._impairment.restore()

    def on_packet(self, hook: Hook) -> Callable[[], None]:
        """Call `hook` with each packet and what becomes of it; return what removes the hook."""
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    def carry(self, data: bytes, sender: Endpoint, receiver: Endpoint, now: float) -> None:
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

    def _obey(self, verdict: Verdict, data: bytes, sender: Endpoint, receiver: Endpoint, now: float) -> None:
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
        self._timer = self._loop.call_at(moment, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        on_way, now = self._on_way, self._loop.time()
        while on_way and on_way[0][0] <= now:
            _, _, data, sender, receiver = heapq.heappop(on_way)
            self._hand_over(data, sender, receiver)
        self._schedule()

    def _hand_over(self, data: bytes, sender: Endpoint, receiver: Endpoint) -> None:
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


class Relay:
    """The endpoints of both sides, and the two directions between them.

    :param host: loopback address that the sockets bind.
    """

    def __init__(self, a_to_b: Pipe, b_to_a: Pipe, host: str, loop: asyncio.AbstractEventLoop) -> None:
        self.host = host
        self.version = ipaddress.ip_address(host).version
        self.loop = loop
        self._pipes: dict[Side, Pipe] = {"a": a_to_b, "b": b_to_a}
        self._endpoints: dict[Side, dict[Address, Endpoint]] = {"a": {}, "b": {}}

    def endpoint(self, side: Side, address: Address) -> Endpoint:
        """Return what stands for an address of a side; there is one from now on."""
        endpoint = self._endpoints[side].get(address)
        if endpoint is None:
            endpoint = self._endpoints[side][address] = Endpoint(self, side, address)
        return endpoint

    def forward(self, target: Endpoint, data: bytes, source: Address, now: float) -> None:
        """Take a datagram that a peer sent to `target` from its address `source`."""
        side: Side = "b" if target.side == "a" else "a"
        self._pipes[side].carry(data, self.endpoint(side, source), target, now)

    def move(self, side: Side) -> None:
        """Give every address of a side another port."""
        for endpoint in self._endpoints[side].values():
            endpoint.move()

    def close(self) -> None:
        """Close all sockets; what is on its way is lost."""
        for pipe in self._pipes.values():
            pipe.close()
        for endpoints in self._endpoints.values():
            for endpoint in endpoints.values():
                endpoint.close()
            endpoints.clear()
