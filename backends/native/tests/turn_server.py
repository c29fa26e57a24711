"""As much of a TURN server (RFC 8656) as a relayed connection needs: UDP, channels, no authentication."""

from __future__ import annotations

import asyncio
import struct
from typing import cast

from aioice import stun

Address = tuple[str, int]


class Relay(asyncio.DatagramProtocol):
    """One allocation: what comes from a bound peer goes to the client."""

    def __init__(self, server: TurnServer, client: Address) -> None:
        self._server = server
        self._client = client
        self.channel_of: dict[Address, int] = {}
        self.peer_of: dict[int, Address] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        channel = self.channel_of.get(addr)
        if channel is not None:
            self._server.transport.sendto(struct.pack("!HH", channel, len(data)) + data, self._client)


class TurnServer(asyncio.DatagramProtocol):
    """Listens on a port of the loopback interface."""

    def __init__(self) -> None:
        self.relays: dict[Address, Relay] = {}
        self._jobs: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen, and return the port."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return int(self.transport.get_extra_info("sockname")[1])

    def stop(self) -> None:
        for relay in self.relays.values():
            relay.transport.close()
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if data[0] & 0xC0 == 0x40:
            channel, length = struct.unpack_from("!HH", data)
            relay = self.relays[addr]
            relay.transport.sendto(data[4 : 4 + length], relay.peer_of[channel])
            return
        job = asyncio.get_running_loop().create_task(self._answer(stun.parse_message(data), addr))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _answer(self, request: stun.Message, addr: Address) -> None:
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        if request.message_method is stun.Method.ALLOCATE:
            response.attributes |= await self._allocate(addr)
        elif request.message_method is stun.Method.CHANNEL_BIND:
            channel, peer = request.attributes["CHANNEL-NUMBER"], request.attributes["XOR-PEER-ADDRESS"]
            self.relays[addr].channel_of[peer] = channel
            self.relays[addr].peer_of[channel] = peer
        elif request.attributes.get("LIFETIME") == 0 and addr in self.relays:
            self.relays.pop(addr).transport.close()
        self.transport.sendto(bytes(response), addr)

    async def _allocate(self, addr: Address) -> dict[str, object]:
        if addr not in self.relays:
            relay = Relay(self, addr)
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
            self.relays[addr] = relay
        relayed = self.relays[addr].transport.get_extra_info("sockname")
        return {"XOR-RELAYED-ADDRESS": relayed, "XOR-MAPPED-ADDRESS": addr, "LIFETIME": 600}
