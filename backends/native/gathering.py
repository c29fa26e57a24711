"""Gathers local ICE candidates one by one (RFC 8838), from sockets, STUN and TURN servers."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import re
import socket
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from aioice import Candidate, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import get_host_addresses, relayed_candidate
from aioice.stun import TransactionError

from backends.native.datagrams import DatagramProtocol
from backends.native.private import OpenConnection
from shim.spi.engines import EngineConfig
from shim.spi.events import CandidateFailed

logger = logging.getLogger(__name__)

RECEIVE_BUFFER: Final = 1 << 20
SERVER_TIMEOUT: Final = 5.0
NOT_REACHED: Final = 701
"""Error code of a server that cannot be reached (webrtc-pc section 4.8.3)."""

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[^\]]+\]|[^?:]+)(:(?P<port>\d+))?(\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True, slots=True)
class Server:
    """One address of a STUN or TURN server."""

    url: str
    scheme: str
    host: str
    port: int
    transport: Literal["udp", "tcp"]
    username: str | None = None
    credential: str | None = None

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server."""
        return self.scheme.startswith("turn")


def servers_of(config: EngineConfig) -> tuple[Server, ...]:
    """List the servers that aioice can talk to: ``stun``, ``turn`` over UDP or TCP, ``turns`` over TCP."""
    found = []
    for server in config.ice_servers:
        for url in server.urls:
            parsed = _parse_url(url, server.username, server.credential)
            if parsed is None:
                logger.info("the ICE server %s is not supported and left out", url)
            else:
                found.append(parsed)
    return tuple(found)


def _parse_url(url: str, username: str | None, credential: str | None) -> Server | None:
    match = _URL.fullmatch(url)
    if match is None or match["scheme"] == "stuns":
        return None
    secure = match["scheme"] == "turns"
    transport = match["transport"] or ("tcp" if secure else "udp")
    if secure and transport != "tcp":
        return None
    port = int(match["port"] or (5349 if secure else 3478))
    kind = cast("Literal['udp', 'tcp']", transport)
    return Server(url, match["scheme"], match["host"].strip("[]"), port, kind, username, credential)


class Gatherer:
    """Fills one connection with local candidates.

    :param found: called once per candidate, as soon as it is known.
    :param failed: called for each server that did not serve.
    """

    def __init__(
        self,
        connection: OpenConnection,
        config: EngineConfig,
        found: Callable[[Candidate], None],
        failed: Callable[[CandidateFailed], None],
    ) -> None:
        self._connection = connection
        self._config = config
        self._found = found
        self._failed = failed
        self._relay_only = config.ice_transport_policy == "relay"

    async def gather(self) -> None:
        """Gather until every server has answered or given up. The connection can be used meanwhile."""
        self._connection.begin_gathering()
        try:
            hosts = [] if self._relay_only else await self._gather_hosts()
            await self._ask_servers(hosts)
        finally:
            self._connection.end_gathering()

    async def _gather_hosts(self) -> list[DatagramProtocol]:
        hosts: list[DatagramProtocol] = []
        for address in get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]:
            protocol = await self._bind(address)
            if protocol is None:
                continue
            if self._connection.closing:
                await protocol.close()
                break
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            # Distinct preferences, so that both sides rank the pairs alike (RFC 8445 section 5.1.2.1).
            protocol.local_candidate = _candidate("host", host, port, host, preference=65535 - len(hosts))
            hosts.append(protocol)
            self._add(protocol.local_candidate, protocol)
        return hosts

    def _add(self, candidate: Candidate, protocol: DatagramProtocol | None = None) -> None:
        self._connection.add_local_candidate(candidate, protocol)
        self._found(candidate)

    async def _bind(self, address: str) -> DatagramProtocol | None:
        sock = self._open_socket(address)
        if sock is None:
            return None
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: DatagramProtocol(self._connection), sock=sock)
        return protocol

    def _open_socket(self, address: str) -> socket.socket | None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        reason: OSError | None = None
        for port in self._ports():
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                sock.bind((address, port))
            except OSError as exc:
                sock.close()
                reason = exc
            else:
                return sock
        self._report(
            "", NOT_REACHED, f"no port of {self._config.port_range or 'the system'} is free: {reason}", address
        )
        return None

    def _ports(self) -> Iterable[int]:
        if self._config.port_range is None:
            return (0,)
        low, high = self._config.port_range
        # A random start keeps connections of one process from all trying the same ports first.
        start = random.randint(low, high)
        return (*range(start, high + 1), *range(low, start))

    async def _ask_servers(self, hosts: list[DatagramProtocol]) -> None:
        jobs = []
        for server in servers_of(self._config):
            if server.relays:
                jobs.append(self._guard(server, self._relay(server)))
            else:
                jobs += [self._guard(server, self._reflect(server, host)) for host in hosts if _is_ipv4(host)]
        if jobs:
            await asyncio.gather(*jobs)

    async def _guard(self, server: Server, job: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(SERVER_TIMEOUT):
                await job
        except TransactionError as exc:
            code, text = exc.response.attributes.get("ERROR-CODE", (NOT_REACHED, "")) if exc.response else (701, "")
            self._report(server.url, code, text or str(exc))
        except (OSError, TimeoutError, ValueError) as exc:
            self._report(server.url, NOT_REACHED, str(exc) or "the server did not answer in time")

    async def _reflect(self, server: Server, base: DatagramProtocol) -> None:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        response, _ = await base.request(request, (await _resolve(server.host), server.port))
        host, port = response.attributes["XOR-MAPPED-ADDRESS"]
        local = base.local_candidate
        if (host, port) != (local.host, local.port):
            self._connection.servers[host, port] = server.url
            self._add(_candidate("srflx", host, port, local.host, (local.host, local.port)))

    async def _relay(self, server: Server) -> None:
        candidate, protocol = await relayed_candidate(
            component=1,
            hide_related_address=self._relay_only,
            protocol_factory=lambda: DatagramProtocol(self._connection),
            turn_server=(await _resolve(server.host) if server.transport == "udp" else server.host, server.port),
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=server.scheme == "turns",
            turn_transport=server.transport,
        )
        if self._connection.closing:
            await protocol.close()
        else:
            self._connection.servers[candidate.host, candidate.port] = server.url
            self._add(candidate, cast("DatagramProtocol", protocol))

    def _report(self, url: str, code: int, text: str, address: str | None = None) -> None:
        logger.info("gathering: %s: %s %s", url or address, code, text)
        self._failed(CandidateFailed(url=url, error_code=code, error_text=text, address=address))


def _candidate(
    kind: str,
    host: str,
    port: int,
    base: str,
    related: tuple[str, int] | tuple[None, None] = (None, None),
    preference: int = 65535,
) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", base),
        component=1,
        transport="udp",
        priority=candidate_priority(1, kind, preference),
        host=host,
        port=port,
        type=kind,
        related_address=related[0],
        related_port=related[1],
    )


def _is_ipv4(protocol: DatagramProtocol) -> bool:
    return ":" not in protocol.local_candidate.host


async def _resolve(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        # Only names need the executor: a literal must not cost a thread.
        infos = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        return str(infos[0][4][0])
