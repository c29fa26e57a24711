"""Offer/answer for one connection (RFC 9429). Pure: no I/O, no clock, no sockets.

Everything it knows is in :class:`~backends.native.records.SessionValues`; the engine compares the legs
before and after, and moves the transports accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

from backends.native import descriptions as build
from backends.native import negotiation as rules
from backends.native.bundling import assign_legs, drop_unused, renew_first
from backends.native.describing import AnswerMaker, OfferMaker
from backends.native.errors import modification
from backends.native.legs import Credentials, DtlsRole, Leg, new_credentials
from backends.native.parsing import Parsed, Section, parse
from backends.native.records import (
    DataSection,
    Described,
    Negotiated,
    SessionValues,
    Snapshot,
    TransceiverRecord,
    slot_of,
)
from backends.native.validation import name_sections, next_state, validate
from shim.spi.engines import Direction, Kind, SdpType, SessionDescription, SignalingState
from shim.spi.errors import InvalidStateError


@dataclass(frozen=True)
class SessionPorts:
    """What a session asks of its surroundings.

    :param codecs: what can be sent and received of a kind.
    :param create: makes the transceiver for a section that the remote offers.
    """

    codecs: Callable[[Kind], Sequence[RTCRtpCodecParameters]]
    extensions: Callable[[Kind], Sequence[RTCRtpHeaderExtensionParameters]]
    fingerprints: Sequence[RTCDtlsFingerprint]
    create: Callable[[Kind], TransceiverRecord]
    candidates: build.Candidates
    cname: str


class Session:
    """The signaling state machine, and what offers and answers are made of."""

    def __init__(self, ports: SessionPorts, *, data_first: bool) -> None:
        self.ports = ports
        self.data_first = data_first
        self.seen_mids: set[str] = set()
        self.offered: dict[str, TransceiverRecord] = {}
        self.fresh: dict[int, Credentials] = {}
        self._stable: Snapshot | None = None
        self.restart_wanted = False
        self.origin = build.Origin()
        self.values = SessionValues("stable", (), {0: Leg(0, new_credentials())}, {})

    # --- what the application adds ---

    def add(self, record: TransceiverRecord) -> None:
        """Add a transceiver."""
        self.values.records = (*self.values.records, record)

    def want_data(self) -> None:
        """Make the next offer describe data channels."""
        if self.values.data is None:
            self.values.data = DataSection()

    # --- look-ups ---

    def record_of(self, mid: str) -> TransceiverRecord | None:
        """Return the transceiver of a section."""
        return next((r for r in self.values.records if r.negotiated.mid == mid), None)

    def leg_id(self, mid: str | None) -> int | None:
        """Return the leg that carries a section."""
        return None if mid is None else self.values.leg_of.get(mid)

    @property
    def remote(self) -> Described | None:
        """The remote description in force: pending before current."""
        return self.values.pending_remote or self.values.current_remote

    def render(self, described: Described | None) -> SessionDescription | None:
        """Write out a description with the candidates known by now."""
        if described is None:
            return None
        if described.local is None:
            return SessionDescription(described.type, build.with_trickled(described.parsed, described.added))
        text = build.with_candidates(described.local, self.leg_id, self.ports.candidates)
        return SessionDescription(described.type, text)

    # --- making descriptions ---

    def create_offer(self, *, restart: bool) -> str:
        """Make an offer. Changes nothing but which credentials and mids the next offers use."""
        return OfferMaker(self).make(restart=restart or self.restart_wanted)

    def create_answer(self) -> str:
        """Make an answer to the pending offer.

        :raises InvalidStateError: there is none.
        """
        return AnswerMaker(self).make()

    # --- applying ---

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before, stable = self._snapshot(), self._stable
        try:
            yield
        except BaseException:
            self._restore(before)
            self._stable = stable
            raise

    def _snapshot(self) -> Snapshot:
        negotiated = {record: record.negotiated for record in self.values.records}
        return Snapshot(replace(self.values), negotiated, dict(self.fresh))

    def _restore(self, snapshot: Snapshot) -> None:
        self.values = replace(snapshot.values)
        self.fresh = dict(snapshot.fresh)
        for record, negotiated in snapshot.negotiated.items():
            record.negotiated = negotiated

    def apply(self, kind: SdpType, text: str, *, local: bool) -> None:
        """Apply a description, or change nothing and raise."""
        if kind == "rollback":
            self.roll_back()
            return
        state = next_state(self._state_for(kind, local), kind, local=local)
        parsed = parse(text)
        with self._transaction():
            if not local and self.values.signaling == "have-local-offer" and kind == "offer":
                self.roll_back()
            name_sections(parsed, self.values, kind)
            validate(parsed, self.values.slots, kind)
            if kind == "offer" and self.values.signaling == "stable":
                self._stable = self._snapshot()
            apply = {
                (True, True): self._apply_local_offer,
                (True, False): self._apply_remote_offer,
                (False, True): self._apply_local_answer,
                (False, False): self._apply_remote_answer,
            }[kind == "offer", local]
            apply(parsed)
            self.seen_mids |= {section.mid for section in parsed.sections}
            self._file(kind, parsed, local)
            self.values.signaling = state

    def _state_for(self, kind: SdpType, local: bool) -> SignalingState:
        # Glare: an offer in have-local-offer rolls ours back first (webrtc-pc section 4.4.1.5).
        state = self.values.signaling
        return "stable" if not local and kind == "offer" and state == "have-local-offer" else state

    def _file(self, kind: SdpType, parsed: Parsed, local: bool) -> None:
        values = self.values
        described = Described(kind, parsed, parsed.sdp if local else None)
        if local:
            values.pending_local = described
        else:
            values.pending_remote = described
        if kind == "answer":
            values.current_local, values.current_remote = values.pending_local, values.pending_remote
            values.pending_local = values.pending_remote = None
            self._finish()

    def _finish(self) -> None:
        self._stable = None
        renew_first(self.values)
        self.restart_wanted = self.restart_wanted and any(
            leg.local not in self.fresh.values() for leg in self.values.legs.values() if leg.remote
        )
        self.fresh = {}
        for record in self.values.records:
            mid = record.negotiated.mid
            if mid is not None and self.leg_id(mid) is None:
                record.negotiated = Negotiated(stopped=True)

    def _apply_local_offer(self, parsed: Parsed) -> None:
        values = self.values
        leg_of = dict(values.leg_of)
        for section in parsed.sections:
            if section.rejected:
                leg_of.pop(section.mid, None)
                continue
            self._bind_local(section)
            leg_of.setdefault(section.mid, 0)
        values.leg_of = leg_of
        values.slots = tuple(slot_of(s, s.rejected) for s in parsed.sections)
        for section in parsed.sections:
            leg = values.legs.get(leg_of.get(section.mid, -1))
            if leg is not None:
                controlling = True if leg.controlling is None else leg.controlling
                local = self._known_credentials(leg, section)
                connect = leg.connect and local == leg.local
                self._set_leg(replace(leg, local=local, controlling=controlling, gather=True, connect=connect))

    def _bind_local(self, section: Section) -> None:
        if section.is_data:
            if self.values.data is None:
                raise modification("the offer describes data channels, but none has been created")
            self.values.data = replace(self.values.data, mid=section.mid, index=section.index)
            return
        record = self.record_of(section.mid) or self.offered.get(section.mid)
        if record is None or record.kind != section.kind:
            raise modification(f"media section {section.mid!r} of the offer belongs to no transceiver")
        record.negotiated = replace(record.negotiated, mid=section.mid, index=section.index)

    def _known_credentials(self, leg: Leg, section: Section) -> Credentials:
        credentials = build.credentials_of(section)
        if credentials not in {leg.local, self.fresh.get(leg.id)}:
            raise modification(f"media section {section.mid!r}: the ICE credentials are not those of createOffer")
        return credentials

    def _apply_remote_offer(self, parsed: Parsed) -> None:
        values = self.values
        used = [section for section in parsed.sections if self._accept(section)]
        assign_legs(values, [s.mid for s in used], parsed.bundle)
        values.slots = tuple(slot_of(s, s not in used and s.rejected) for s in parsed.sections)
        for leg_id, section in self._first_sections(used).items():
            leg = values.legs[leg_id]
            lite = bool(section.media.ice and section.media.ice.iceLite)
            controlling = lite if leg.controlling is None else leg.controlling
            self._set_leg(self._with_remote(replace(leg, controlling=controlling, lite=lite), section))
        for section in parsed.sections:
            record = self.record_of(section.mid)
            if section.rejected and record is not None:
                record.stopping, record.negotiated = True, replace(record.negotiated, stopped=True)

    def _first_sections(self, used: list[Section]) -> dict[int, Section]:
        first: dict[int, Section] = {}
        for section in used:
            first.setdefault(self.values.leg_of[section.mid], section)
        return first

    def _with_remote(self, leg: Leg, section: Section) -> Leg:
        remote, fingerprints = build.credentials_of(section), build.fingerprints_of(section)
        if leg.role != "auto" and leg.fingerprints != fingerprints:
            raise modification("the remote changed its certificate: this backend keeps one DTLS association")
        answering = self.values.signaling in {"stable", "have-remote-offer"}
        restarted = answering and leg.remote is not None and leg.remote != remote
        local = new_credentials() if restarted else leg.local
        connect, gather = leg.connect and not restarted, leg.gather and not restarted
        return replace(leg, local=local, remote=remote, fingerprints=fingerprints, connect=connect, gather=gather)

    def _accept(self, section: Section) -> bool:
        if section.rejected:
            return False
        if section.is_data:
            return self._accept_data(section)
        kind = section.media_kind
        return kind is not None and self._accept_media(section, kind)

    def _accept_data(self, section: Section) -> bool:
        data = self.values.data or DataSection()
        if data.mid not in {None, section.mid}:
            return False
        self.values.data = self._remote_data(replace(data, mid=section.mid, index=section.index), section)
        return True

    @staticmethod
    def _remote_data(data: DataSection, section: Section) -> DataSection:
        capabilities = section.media.sctpCapabilities
        return replace(
            data,
            legacy=section.protocol == "DTLS/SCTP",
            remote_port=section.sctp_port,
            remote_max_message_size=capabilities.maxMessageSize if capabilities else None,
        )

    def _accept_media(self, section: Section, kind: Kind) -> bool:
        codecs = rules.common_codecs(self.ports.codecs(kind), section.media.rtp.codecs)
        if not rules.carries_media(codecs):
            return False
        record = self.record_of(section.mid) or self._unassociated(kind) or self._created(kind)
        offered = rules.reverse(section.media.direction)
        record.negotiated = self._received(record, section, offered, codecs)
        record.negotiated = replace(record.negotiated, mid=section.mid, index=section.index, offered=offered)
        return True

    def _unassociated(self, kind: Kind) -> TransceiverRecord | None:
        free = (r for r in self.values.records if r.kind == kind and r.negotiated.mid is None and r.usable)
        return next(free, None)

    def _created(self, kind: Kind) -> TransceiverRecord:
        record = self.ports.create(kind)
        self.add(record)
        return record

    def _received(
        self, record: TransceiverRecord, section: Section, direction: Direction, codecs: list[RTCRtpCodecParameters]
    ) -> Negotiated:
        track, streams = rules.track_of(section)
        if not rules.receives(direction):
            track, streams = None, ()
        elif not track:
            track = record.negotiated.receive_track_id or f"{self.ports.cname}-{section.mid}"
        extensions = rules.common_extensions(self.ports.extensions(record.kind), section.media.rtp.headerExtensions)
        return replace(
            record.negotiated,
            codecs=tuple(rules.preferred(codecs, record.preferences)),
            extensions=tuple(extensions),
            receive_track_id=track,
            stream_ids=streams,
            remote=section,
        )

    def _apply_local_answer(self, parsed: Parsed) -> None:
        values = self.values
        accepted = [section for section in parsed.sections if not section.rejected]
        for section in accepted:
            leg_id, record = self.leg_id(section.mid), self.record_of(section.mid)
            if leg_id is None:
                raise modification(f"the answer accepts media section {section.mid!r}, which cannot be used")
            leg = values.legs[leg_id]
            if build.credentials_of(section) != leg.local:
                raise modification(f"media section {section.mid!r}: the ICE credentials are not those of createAnswer")
            self._set_leg(replace(leg, role=build.role_of(section), gather=True, connect=True))
            if record is not None:
                direction = cast("Direction", section.media.direction or "sendrecv")
                chosen = {codec.payloadType: codec for codec in record.negotiated.codecs}
                codecs = tuple(chosen[number] for number in section.media.fmt if number in chosen)
                record.negotiated = replace(record.negotiated.settled(direction), codecs=codecs)
        self._settle(parsed, accepted)

    def _apply_remote_answer(self, parsed: Parsed) -> None:
        values = self.values
        accepted = [section for section in parsed.sections if not section.rejected]
        assign_legs(values, [s.mid for s in accepted], parsed.bundle)
        for section in accepted:
            self._agree(section)
        for leg_id, section in self._first_sections(accepted).items():
            leg = self._with_remote(values.legs[leg_id], section)
            lite = bool(section.media.ice and section.media.ice.iceLite)
            role: DtlsRole = "server" if build.role_of(section) == "client" else "client"
            controlling = True if leg.controlling is None else leg.controlling
            self._set_leg(replace(leg, lite=lite, role=role, controlling=controlling, gather=True, connect=True))
        self._settle(parsed, accepted)

    def _agree(self, section: Section) -> None:
        record = self.record_of(section.mid)
        if section.is_data and self.values.data is not None:
            self.values.data = self._remote_data(self.values.data, section)
            return
        codecs = rules.common_codecs(self.ports.codecs(record.kind), section.media.rtp.codecs) if record else []
        if record is None or not rules.carries_media(codecs):
            kind = section.kind
            raise modification(f"Failed to set remote {kind} description send parameters: no common codec")
        direction = rules.reverse(section.media.direction)
        record.negotiated = self._received(record, section, direction, codecs).settled(direction)

    def _settle(self, parsed: Parsed, accepted: list[Section]) -> None:
        values = self.values
        mids = {section.mid for section in accepted}
        values.leg_of = {mid: leg for mid, leg in values.leg_of.items() if mid in mids}
        values.slots = tuple(slot_of(s, s.mid not in mids) for s in parsed.sections)
        if values.data is not None and values.data.mid is not None and values.data.mid not in mids:
            values.data = None
        drop_unused(values)

    def _set_leg(self, leg: Leg) -> None:
        self.values.legs = {**self.values.legs, leg.id: leg}

    # --- rollback ---

    def roll_back(self) -> None:
        """Return to the last stable state (RFC 9429 section 4.1.10.2).

        :raises InvalidStateError: nothing is pending.
        """
        snapshot = self._stable
        if snapshot is None:
            state = self.values.signaling
            raise InvalidStateError(f'cannot roll back in signaling state "{state}"', backend="native")
        added = [record for record in self.values.records if record not in snapshot.negotiated]
        data, legs = self.values.data, self.values.legs
        self._restore(snapshot)
        self._stable = None
        for leg in snapshot.values.legs.values():
            if legs[leg.id].gather and not leg.gather:  # candidates of ours are out: do not use them again
                self._set_leg(replace(leg, local=new_credentials()))
        for record in added:
            record.negotiated = Negotiated()
            if record.pinned:
                self.add(record)
        if data is not None:
            self.want_data()
