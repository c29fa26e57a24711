"""Sockets: they stand for the peers of one side before those of the other."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Final, Literal

from conformance.netsim.pipe import Pipe
from conformance.netsim.rewriting import Address

Side = Literal["a", "b"]

_BUFFER: Final = 4 << 20
"""Bytes asked for the sockets: the network must lose what its model says, and nothing else."""
_LARGEST: Final = 16384
_BATCH: Final = 64
"""Datagrams read from one socket before others get their turn."""


class Endpoint:
    """Stands for one address of a peer: the other side sends to it and receives from it.

    :param side: whose address it is.
    :param address: the real one.
    """

    def __init__(self, relay: Relay, side: Side, address: Address) -> None:
        self.side = side
        self.address = address
        self._relay = relay
        self._socket = self._open(relay.hosts[side])

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
        """Take another port, of the address that its side has now; what is sent to the old one is lost."""
        before, self._socket = self._socket, self._open(self._relay.hosts[self.side])
        self._relay.loop.remove_reader(before)
        before.close()

    def close(self) -> None:
        """Close the socket."""
        if not self._relay.loop.is_closed():
            self._relay.loop.remove_reader(self._socket)
        self._socket.close()

    def _open(self, host: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            sock.bind((host, 0))
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


class Relay:
    """The endpoints of both sides, and the two directions between them.

    :param host: loopback address that the sockets bind.
    """

    def __init__(self, a_to_b: Pipe, b_to_a: Pipe, host: str, loop: asyncio.AbstractEventLoop) -> None:
        self.hosts: dict[Side, str] = {"a": host, "b": host}
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

    def move(self, side: Side, host: str) -> None:
        """Give every address of a side another port, of this host."""
        if ipaddress.ip_address(host).version != self.version:
            raise ValueError(f"Network.rebind: host {host} is not of IP version {self.version}")
        with socket.socket(socket.AF_INET6 if self.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))  # an address that is not there must leave the network as it is
        self.hosts[side] = host
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
