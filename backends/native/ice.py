"""The ICE transport under DTLS: generations of aioice connections, their checks and their consent."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

from aioice import Candidate, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol, candidate_pair_priority
from aioice.stun import TransactionError
from aioice.turn import TurnTransport

from backends.native.datagrams import PairFigures, Socket, allow_pieces, figures_of, send_whole
from backends.native.gathering import Gatherer
from backends.native.ice_checks import PersistentConnection
from backends.native.legs import Credentials
from shim.spi.engines import EngineConfig, IceConnectionState, IceGatheringState
from shim.spi.events import CandidateFailed

logger = logging.getLogger(__name__)

EARLY_LIMIT: Final = 128
"""Datagrams kept until DTLS starts to read."""

RESTART_GRACE: Final = 1.0
"""Seconds that the old path still receives after an ICE restart: the remote may switch later."""


class IceConnection(PersistentConnection):
    """One generation of an ICE session: reports a nomination at once, and a lost peer as it happens.

    :param deliver: takes each datagram that is not STUN.
    :param selected_changed: called when a pair was nominated.
    """

    def __init__(
        self,
        credentials: Credentials,
        config: EngineConfig,
        deliver: Callable[[bytes], None],
        selected_changed: Callable[[IceConnection], None],
        consent_changed: Callable[[IceConnection, IceConnectionState], None],
    ) -> None:
        relay = config.ice_transport_policy == "relay"
        super().__init__(
            ufrag=credentials.ufrag,
            password=credentials.password,
            policy=TransportPolicy.RELAY if relay else TransportPolicy.ALL,
        )
        self.credentials = credentials
        self.gathering_state: IceGatheringState = "new"
        self.deliver = deliver
        self._config = config
        self._selected_changed = selected_changed
        self._consent_changed = consent_changed
        self._pair: CandidatePair | None = None
        self._connecting = True

    def data_received(self, data: bytes, component: int) -> None:
        self.deliver(data)

    def protocol_lost(self, protocol: StunProtocol) -> None:
        if self._pair is not None and self._pair.protocol is protocol and not self.closing:
            self._consent_changed(self, "failed")

    def check_complete(self, pair: CandidatePair) -> None:
        before = self.selected
        super().check_complete(pair)
        if before is not None and self._connecting and self._rank(before) > self._rank(pair):
            self.select(before)  # of pairs nominated together, the best one counts (RFC 5245 section 8.1.1.2)
        if self.selected is not self._pair:
            self._pair = self.selected
            self._selected_changed(self)

    def _rank(self, pair: CandidatePair) -> int:
        return candidate_pair_priority(pair.local_candidate, pair.remote_candidate, self.ice_controlling)

    async def query_consent(self) -> None:
        """Ask the peer for consent (RFC 7675), and say when it stops and resumes answering."""
        self._connecting = False
        loop = asyncio.get_running_loop()
        lost_after, failed_after = self._config.ice_disconnected_after, self._config.ice_failed_after
        interval = min(5.0, max(0.02, lost_after / 2.5))
        self._answered = loop.time()
        state: IceConnectionState = "connected"
        asking: set[asyncio.Task[None]] = set()
        try:
            while state != "failed":
                next_state = self._answered + (failed_after if state == "disconnected" else lost_after)
                pause = interval * random.uniform(0.8, 1.2)
                await asyncio.sleep(max(0.0, min(pause, next_state - loop.time())) + 0.001)
                silent = loop.time() - self._answered
                now: IceConnectionState = "connected" if silent < lost_after else "disconnected"
                now = "failed" if silent >= failed_after else now
                if now != state:
                    state = now
                    self._consent_changed(self, state)
                if len(asking) < 8:
                    task = loop.create_task(self._ask_consent())
                    asking.add(task)
                    task.add_done_callback(asking.discard)
        finally:
            for task in asking:
                task.cancel()

    async def _ask_consent(self) -> None:
        pair = self.selected
        if pair is None or self.remote_password is None:
            return
        loop = asyncio.get_running_loop()
        figures_of(pair).consent_requests += 1
        key = self.remote_password.encode()
        try:
            # Nominating again lets a peer follow us to an address that a NAT has changed.
            request = self.build_request(pair, nominate=True)
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=2)
        except (TransactionError, OSError):
            return
        self._answered = loop.time()


class IceTransport:
    """What DTLS sends and receives over; replaces its connection on an ICE restart.

    :param changed: called after `state`, `gathering_state` or the selected pair changed.
    :param found: called with each local candidate, and with `None` after the last.
    """

    def __init__(
        self,
        credentials: Credentials,
        config: EngineConfig,
        *,
        changed: Callable[[], None],
        found: Callable[[Candidate | None, str], None],
        failed: Callable[[CandidateFailed], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.config = config
        self.state: IceConnectionState = "new"
        self.controlling: bool | None = None
        self._changed = changed
        self._found = found
        self._failed = failed
        self._spawn = spawn
        self._inbox: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._reading = False
        self._send_to: Callable[[bytes, tuple[str, int]], None] | None = None
        self._socket: Socket | None = None
        self._figures = PairFigures()
        self.take: Callable[[bytes], bool] | None = None
        """Gets each datagram first; says whether that was all there was to do with it."""
        self._address: tuple[str, int] = ("", 0)
        self._retired: list[IceConnection] = []
        self._deadline: asyncio.TimerHandle | None = None
        self.pair_changes = 0
        self.active = self._make(credentials)
        self.next: IceConnection | None = None

    def _make(self, credentials: Credentials) -> IceConnection:
        return IceConnection(credentials, self.config, self._deliver, self._selected, self._consent)

    # --- what DTLS calls ---

    @property
    def role(self) -> Literal["controlling", "controlled"]:
        """The role in nominating pairs (RFC 8445 section 6.1.1)."""
        return "controlling" if self.newest.ice_controlling else "controlled"

    async def _recv(self) -> bytes:
        self._reading = True
        while not self._inbox:
            if self.state == "closed":
                raise ConnectionError("the ICE transport is closed")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._inbox.popleft()

    async def _send(self, data: bytes) -> None:
        self.send_now(data)

    def send_now(self, data: bytes) -> None:
        """Send a datagram.

        :raises ConnectionError: the transport is closed.
        """
        if self._send_to is None:
            if self.state == "closed":
                raise ConnectionError("the ICE transport is closed")
            return  # no consent (RFC 7675 section 5.1): what is sent now is lost, as on a broken path
        self._figures.note_sent(len(data))
        self._send_to(data, self._address)

    def send_whole(self, data: bytes) -> bool:
        """Send a datagram that must not be cut into pieces on its way (RFC 8899 section 3, item 2).

        :return: whether it was sent. A relay cannot promise that, nor can some systems.
        """
        return self._socket is not None and send_whole(self._socket, data, self._address)

    def allow_pieces(self) -> None:
        """Let the network cut what is too large for it from now on."""
        if self._socket is not None:
            allow_pieces(self._socket)

    def _deliver(self, data: bytes) -> None:
        if self.take is not None and not self._inbox and self.take(data):
            return
        if not self._reading and len(self._inbox) >= EARLY_LIMIT:
            return
        self._inbox.append(data)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- generations ---

    @property
    def newest(self) -> IceConnection:
        """The generation that descriptions talk about."""
        return self.next or self.active

    @property
    def gathering_state(self) -> IceGatheringState:
        """W3C RTCIceTransport.gatheringState."""
        return self.newest.gathering_state

    def set_role(self, controlling: bool | None) -> None:
        """Take the role before checks of the remote arrive: the other role would be a conflict."""
        self.controlling = controlling
        if self.newest.remote_username is None:
            self.newest.ice_controlling = bool(controlling)

    def set_credentials(self, credentials: Credentials) -> None:
        """Begin another generation, or return to the active one, unless `credentials` are in use."""
        if self.newest.credentials == credentials:
            return
        if self.next is not None:
            self._retire(self.next)
            self.next = None
        if credentials == self.active.credentials:
            return
        if self.state == "new":
            self._retire(self.active)
            self.active = self._make(credentials)
        else:
            self.next = self._make(credentials)

    def _retire(self, connection: IceConnection, grace: float = 0.0) -> None:
        self._retired.append(connection)
        self._spawn(self._close_connection(connection, grace))

    async def _close_connection(self, connection: IceConnection, grace: float) -> None:
        await asyncio.sleep(grace)
        await connection.close()
        if connection in self._retired:
            self._retired.remove(connection)

    def reset(self, credentials: Credentials) -> None:
        """Forget an unfinished session: rollback of the first offer."""
        self.state = "new"
        self.set_credentials(credentials)

    # --- gathering ---

    def reconfigure(self, config: EngineConfig) -> None:
        """Use another configuration from the next gathering on."""
        self.config = config
        if self.active.gathering_state == "new" and self.state == "new":
            self.active = self._make(self.active.credentials)

    def gather(self) -> None:
        """Start to gather, unless it has been started for this generation."""
        connection = self.newest
        if connection.gathering_state == "new" and self.state != "closed":
            connection.gathering_state = "gathering"
            self._spawn(self._gather(connection))

    async def _gather(self, connection: IceConnection) -> None:
        self._changed()
        ufrag = connection.credentials.ufrag
        gatherer = Gatherer(connection, self.config, lambda candidate: self._tell(connection, candidate), self._failed)
        await gatherer.gather()
        if connection is not self.newest or self.state == "closed":
            return
        self._found(None, ufrag)
        connection.gathering_state = "complete"
        self._changed()

    def _tell(self, connection: IceConnection, candidate: Candidate) -> None:
        if connection is self.newest and self.state != "closed":
            self._found(candidate, connection.credentials.ufrag)

    # --- remote ---

    async def add_remote_candidate(self, candidate: Candidate | None) -> None:
        """Add a candidate of the remote's newest generation; `None` is the end of candidates."""
        connection = self.newest
        if connection.ended or connection.closing:
            return
        try:
            await connection.add_remote_candidate(candidate)
        except OSError as exc:  # the name of an mDNS candidate cannot be looked up without a network
            logger.info("the remote candidate %s is left out: %s", candidate, exc)
        connection.hurry()

    def start(self, remote: Credentials, *, lite: bool) -> None:
        """Start the checks of the newest generation, unless they have been started."""
        connection = self.newest
        if connection.remote_username is not None or self.state == "closed":
            return
        connection.remote_username, connection.remote_password = remote.ufrag, remote.password
        connection.remote_is_lite = lite
        if self.state in {"new", "failed", "disconnected"}:
            self._set_state("checking")
        elif self.state == "completed":
            self._set_state("connected")
        self._spawn(self._connect(connection))

    async def _connect(self, connection: IceConnection) -> None:
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self.config.ice_failed_after, self._give_up, connection)
        await connection.usable.wait()
        if connection.closing:
            return
        try:
            await connection.connect()
        except ConnectionError as exc:
            logger.info("ICE failed: %s", exc)
            if connection is self.newest and not connection.closing:
                self._checks_failed(connection)

    def _give_up(self, connection: IceConnection) -> None:
        if connection is self.newest and connection.selected is None and self.state != "closed":
            self._spawn(self._fail(connection))

    async def _fail(self, connection: IceConnection) -> None:
        self._checks_failed(connection)
        await connection.close()

    def _checks_failed(self, connection: IceConnection) -> None:
        """Fail, unless this was a restart and the path before it still works."""
        still_works = connection is self.next and self.state in {"connected", "completed"}
        self._set_state("completed" if still_works else "failed")

    # --- what connections report ---

    def _selected(self, connection: IceConnection) -> None:
        if self.state == "closed" or connection not in (self.active, self.next):
            return
        if connection is self.next:
            self._retire(self.active, RESTART_GRACE)
            self.active, self.next = connection, None
        elif self.next is not None:
            return
        self._use(connection)
        if self.state != "completed":
            self._set_state("connected")
        self._set_state("completed")

    def _use(self, connection: IceConnection) -> None:
        pair = connection.selected
        assert pair is not None
        self._address = pair.remote_addr
        self._send_to, self._figures = pair.protocol.transport.sendto, figures_of(pair)
        relayed = isinstance(pair.protocol.transport, TurnTransport)
        self._socket = None if relayed else pair.protocol.transport.get_extra_info("socket")
        self.pair_changes += 1
        if self._deadline is not None:
            self._deadline.cancel()

    def _consent(self, connection: IceConnection, state: IceConnectionState) -> None:
        if connection is not self.active or self.state == "closed":
            return
        if state == "connected":
            self._use(connection)
        elif state == "failed":
            self._send_to = None
        if self.next is None or state == "connected":
            self._set_state("completed" if state == "connected" else state)

    def _set_state(self, state: IceConnectionState) -> None:
        if self.state not in (state, "closed"):
            self.state = state
            self._changed()

    def abandon(self) -> None:
        """Close every socket at once and without a word: the loop is about to end."""
        self.state, self._send_to = "closed", None
        self._wake()
        for connection in (self.active, *([self.next] if self.next else []), *self._retired):
            connection.abandon()

    async def close(self) -> None:
        """Close every socket; pending reads raise ConnectionError."""
        self._set_state("closed")
        self.state = "closed"
        if self._deadline is not None:
            self._deadline.cancel()
        self._send_to = None
        self._wake()
        connections = [self.active, *([self.next] if self.next else []), *self._retired]
        await asyncio.gather(*(connection.close() for connection in connections))
