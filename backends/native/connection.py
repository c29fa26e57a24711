"""The connection behind an engine: moves transports, channels and media to where the session says."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from aioice import Candidate
from aiortc.rtcicetransport import RTCIceCandidate, candidate_from_aioice, candidate_to_aioice
from aiortc.rtcsctptransport import RTCSctpCapabilities

from backends.native.candidates import check_fragment, is_usable, parse_candidate
from backends.native.certificates import certificate_of
from backends.native.channels import Association, Channel
from backends.native.encoders import codecs_for, header_extensions_for
from backends.native.errors import operation
from backends.native.records import TransceiverRecord
from backends.native.session import Session, SessionPorts
from backends.native.states import States, connection_state, gathering_state, ice_connection_state
from backends.native.tasks import Tasks
from backends.native.transceiver import Transceiver, begin_sending
from backends.native.transport import Transport, TransportHooks, candidate_line
from shim.spi.engines import (
    DataChannelInit,
    Direction,
    EngineConfig,
    IceCandidate,
    Kind,
    SctpState,
    SessionDescription,
    SessionState,
)
from shim.spi.errors import InvalidStateError
from shim.spi.events import (
    CandidateFound,
    Event,
    SctpChanged,
    SessionChanged,
    TransportsChanged,
)

logger = logging.getLogger(__name__)

DEFAULT_MAX_MESSAGE_SIZE = 65536
"""What a remote takes that says nothing (RFC 8841 section 6)."""


class Connection:
    """Everything that lives as long as the network does. Knows nothing of the engine that hands it out.

    :param emit: takes each event.
    """

    def __init__(self, config: EngineConfig, emit: Callable[[Event], None]) -> None:
        self.config = config
        self.cname = str(uuid.uuid4())
        self.certificate = certificate_of(config)
        self.tasks = Tasks()
        self.association: Association | None = None
        self._early_channels: list[Channel] = []
        self._emit: Callable[[Event], None] | None = emit
        self._closing: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._media = asyncio.Lock()
        self._states = States(self.post)
        self._sctp_state: SctpState | None = None
        self._hooks = TransportHooks(
            changed=lambda transport: self._refresh(),
            connected=self._connected,
            closed_by_remote=self._closed_by_remote,
            found=self._found,
            failed=self.post,
            spawn=self.tasks.spawn,
        )
        ports = SessionPorts(
            codecs=lambda kind: codecs_for(kind, self.config.opus),
            extensions=header_extensions_for,
            fingerprints=self.certificate.getFingerprints(),
            create=self._create_for_remote,
            candidates=self._candidates,
            cname=self.cname,
        )
        self.session = Session(ports, data_first=config.always_negotiate_data_channels)
        self.transports: dict[int, Transport] = {}
        self._arrange()

    # --- small things ---

    def post(self, event: Event) -> None:
        """Post, unless the connection has been closed."""
        if self._emit is not None:
            self._emit(event)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until the connection is closed."""
        return self.tasks.spawn(coroutine)

    def check_open(self) -> None:
        """Raise InvalidStateError after `close()`."""
        if self._closing is not None:
            raise InvalidStateError("the connection is closed", backend="native", component="peer")

    @property
    def transceivers(self) -> list[Transceiver]:
        """Transceivers in the order of creation."""
        return [r.engine for r in self.session.values.records if isinstance(r.engine, Transceiver)]

    @property
    def used(self) -> list[Transport]:
        """Transports that carry a section, in order of sections."""
        return [self.transports[leg] for leg in dict.fromkeys(self.session.values.leg_of.values())]

    def mids_of(self, transport: Transport) -> tuple[str, ...]:
        """Return the sections that a transport carries."""
        return tuple(mid for mid, leg in self.session.values.leg_of.items() if leg == transport.leg.id)

    # --- life ---

    def start(self) -> None:
        """Create what needs a loop."""
        self.association = Association(self.transports[0].dtls, self.post, mtu=self.config.mtu)
        self.association.on_state = self._association_changed
        for channel in self._early_channels:
            if channel.readyState != "closed":
                self.association.adopt(channel)
        self._early_channels = []

    def configure(self, config: EngineConfig) -> None:
        """Use other ICE servers or another policy from the next gathering on."""
        self.config = config
        for transport in self.transports.values():
            transport.reconfigure(config)

    def create_channel(self, init: DataChannelInit) -> Channel:
        """Create a data channel, of which the next offer tells if none does yet."""
        if self.association is None:
            channel = Channel(None, self.post, init, "connecting")
            taken = {early.id for early in self._early_channels if early.id is not None}
            Association.check_id(init, taken, None)
            self._early_channels.append(channel)
        else:
            channel = self.association.create_channel(init)
        self.session.want_data()
        return channel

    def create_transceiver(self, kind: Kind, direction: Direction) -> Transceiver:
        """Create a transceiver that the session does not know yet."""
        return Transceiver(self, kind, direction, self.transports[0])

    def _create_for_remote(self, kind: Kind) -> TransceiverRecord:
        record = self.create_transceiver(kind, "recvonly").record
        record.pinned = False
        return record

    # --- descriptions ---

    async def apply(self, description: SessionDescription, *, local: bool) -> None:
        """Apply a description, say so, and get going."""
        self.check_open()
        self._guard = self._guard or self.spawn(self._wait_for_the_end())
        before = self.transceivers
        self.session.apply(description.type, description.sdp, local=local)
        self._arrange()
        for gone in before:
            if gone not in self.transceivers:
                self.spawn(gone.end())
        if not local:
            self._add_described_candidates()
        self.post(SessionChanged(self.state()))
        self._proceed()

    def _arrange(self) -> None:
        """Create, configure and drop transports to match the legs. Does no I/O."""
        values = self.session.values
        for leg_id, leg in values.legs.items():
            known = self.transports.get(leg_id)
            if known is not None and known.leg.serial == leg.serial:
                known.configure(leg)
                continue
            if known is not None:
                self.spawn(known.close())
            self.transports[leg_id] = Transport(leg, self.config, self.certificate, self._hooks)
        for leg_id in set(self.transports) - set(values.legs):
            self.spawn(self.transports.pop(leg_id).close())
        for transceiver in self.transceivers:
            leg_of = self.session.leg_id(transceiver.record.negotiated.mid)
            if leg_of is not None:
                transceiver.use(self.transports[leg_of])
        data = values.data
        leg_of = self.session.leg_id(data.mid) if data else None
        if self.association is not None and leg_of is not None and self._sctp_state is None:
            self.association.setTransport(self.transports[leg_of].dtls)

    def _proceed(self) -> None:
        for transport in self.used:
            transport.proceed()
        self._refresh()
        if self.session.values.signaling in {"stable", "have-local-pranswer", "have-remote-pranswer"}:
            self.spawn(self._follow_media())
            self._start_association()
            self._drop_rejected_data()

    async def _follow_media(self) -> None:
        async with self._media:
            for transceiver in self.transceivers:
                await transceiver.follow()

    def _connected(self, transport: Transport) -> None:
        self.spawn(self._follow_media())
        self._start_association()

    def _start_association(self) -> None:
        data, association = self.session.values.data, self.association
        leg = self.session.leg_id(data.mid) if data else None
        if data is None or association is None or leg is None or data.remote_port is None:
            return
        if self._sctp_state is None and self.transports[leg].dtls_state == "connected":
            size = self.session_max_message_size()
            self._sctp_state = "connecting"
            self.post(SctpChanged("connecting", max_message_size=size))
            capabilities = RTCSctpCapabilities(maxMessageSize=DEFAULT_MAX_MESSAGE_SIZE if size is None else size)
            self.spawn(association.start(capabilities, data.remote_port))

    def _drop_rejected_data(self) -> None:
        if self.session.values.data is None and self.association is not None and self._sctp_state is None:
            self.association.lose("the remote does not want data channels")

    def session_max_message_size(self) -> int | None:
        """Return what the remote says it takes; its default if it says nothing, `None` before it speaks."""
        data = self.session.values.data
        if data is None or data.remote_port is None:
            return None
        size = data.remote_max_message_size
        return DEFAULT_MAX_MESSAGE_SIZE if size is None else size

    def _association_changed(self, state: SctpState) -> None:
        if state == self._sctp_state or self.association is None:
            return
        if state == "closed":
            self.association.lose(None)
        self._sctp_state = state
        channels = self.association.maxChannels
        self.post(SctpChanged(state, max_message_size=self.session_max_message_size(), max_channels=channels))

    def state(self) -> SessionState:
        """Take a snapshot of the session."""
        values, render = self.session.values, self.session.render
        return SessionState(
            signaling_state=values.signaling if self._closing is None else "closed",
            current_local=render(values.current_local),
            pending_local=render(values.pending_local),
            current_remote=render(values.current_remote),
            pending_remote=render(values.pending_remote),
            transceivers=tuple(transceiver.state() for transceiver in self.transceivers),
            sctp_mid=values.data.mid if values.data else None,
            max_message_size=self.session_max_message_size(),
        )

    # --- candidates ---

    def _candidates(self, leg_id: int, ufrag: str) -> tuple[list[RTCIceCandidate], bool]:
        transport = self.transports.get(leg_id)
        if transport is None or transport.ice.newest.credentials.ufrag != ufrag:
            return [], False
        found = [candidate_from_aioice(candidate) for candidate in transport.ice.newest.local_candidates]
        return found, transport.ice.gathering_state == "complete"

    def _found(self, transport: Transport, candidate: Candidate | None, ufrag: str) -> None:
        mids = self.mids_of(transport)
        if candidate is not None and mids:
            index = next(i for i, slot in enumerate(self.session.values.slots) if slot.mid == mids[0])
            line = f"{candidate_line(candidate)} generation 0 ufrag {ufrag}"
            self.post(CandidateFound(IceCandidate(line, mids[0], index, ufrag)))

    def _add_described_candidates(self) -> None:
        remote = self.session.remote
        if remote is None:
            return
        for section in remote.parsed.sections:
            leg = self.session.leg_id(section.mid)
            if leg is None:
                continue
            for candidate in section.media.ice_candidates:
                described = candidate_to_aioice(candidate)
                if is_usable(described):
                    self._add_to(self.transports[leg], described)
            if section.media.ice_candidates_complete:
                self._add_to(self.transports[leg], None)

    def _add_to(self, transport: Transport, candidate: Candidate | None) -> None:
        self.spawn(transport.ice.add_remote_candidate(candidate))

    async def add_candidate(self, candidate: IceCandidate | None) -> None:
        """Add a remote candidate.

        :raises OperationError: it cannot be used.
        """
        self.check_open()
        remote = self.session.remote
        if remote is None:
            raise operation("addIceCandidate: there is no remote description")
        if candidate is None:
            for transport in self.used:
                self._add_to(transport, None)
            remote.added += [(section.index, "end-of-candidates") for section in remote.parsed.sections]
            return
        section = next((s for s in remote.parsed.sections if s.mid == candidate.sdp_mid), None)
        if section is None:
            raise operation(f"addIceCandidate: no media section has mid {candidate.sdp_mid!r}")
        parsed = parse_candidate(candidate)
        check_fragment(candidate, section)
        leg = self.session.leg_id(section.mid)
        if leg is not None and (parsed is None or is_usable(parsed)):
            self._add_to(self.transports[leg], parsed)
        remote.added.append((section.index, candidate.candidate if parsed else "end-of-candidates"))

    # --- states ---

    def _refresh(self) -> None:
        if self._closing is not None or self._is_abandoned:
            return
        self.post(TransportsChanged())
        states = [transport.ice.state for transport in self.used]
        self._states.set_gathering(gathering_state([transport.ice.gathering_state for transport in self.used]))
        self._states.set_ice(ice_connection_state(states))
        begin_sending(self.transceivers)
        self._states.set_connection(connection_state(states, [transport.dtls_state for transport in self.used]))

    def _closed_by_remote(self, transport: Transport) -> None:
        # Without sections there is nothing to say goodbye to: the remote has only dropped the transport.
        if self.used and not self._is_abandoned and all(t.dtls_state == "closed" for t in self.used):
            self._end()

    def _end(self) -> None:
        """End as aiortc does when the remote has said goodbye: with everything closed.

        webrtc-pc would stay "connected" until consent is lost, and then fail.
        """
        if self.association is not None:
            self.association.lose(None)
            self._association_changed("closed")
        self._states.set_ice("closed")
        self._states.set_connection("closed")
        self.close()

    # --- the end ---

    @property
    def _is_abandoned(self) -> bool:
        return self._guard is not None and self._guard.cancelling() > 0

    async def _wait_for_the_end(self) -> None:
        """Give the sockets back if the loop ends first: `asyncio.run` cancels every task, and waits for no other."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if self._closing is None:
                self._abandon()

    def _abandon(self) -> None:
        self._emit = None
        for transport in self.transports.values():
            transport.ice.abandon()

    def close(self) -> asyncio.Task[None]:
        """Start to close, unless that has been done; await the task for the end."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._shut_down())
            # Also if it is cancelled, which may be before its first step.
            self._closing.add_done_callback(lambda _: self._abandon())
        return self._closing

    def release(self) -> None:
        """Close, if there is something to close and the loop goes on."""
        if self._guard is not None and not self._is_abandoned:
            self.close()

    async def _shut_down(self) -> None:
        await self.tasks.cancel()
        for step in self._last_steps():
            try:
                await step
            except Exception:
                logger.exception("a part of the connection could not be closed cleanly")

    def _last_steps(self) -> list[Coroutine[Any, Any, None]]:
        steps = [transceiver.end() for transceiver in self.transceivers]
        if self.association is not None:
            steps.append(self._stop_association(self.association))
        for channel in self._early_channels:
            channel.finish(None)
        return [*steps, *(transport.close() for transport in self.transports.values())]

    async def _stop_association(self, association: Association) -> None:
        await association.stop()
        association.lose(None)
