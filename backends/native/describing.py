"""Makes the offers and answers of a session. They change it only when they are applied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aiortc.sdp import MediaDescription

from backends.native import descriptions as build
from backends.native import negotiation as rules
from backends.native.legs import DtlsRole, Leg, new_credentials
from backends.native.parsing import Section
from backends.native.records import Slot, TransceiverRecord
from shim.spi.errors import InvalidStateError

if TYPE_CHECKING:
    from backends.native.session import Session


class OfferMaker:
    """Makes one offer (RFC 9429 section 5.2)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ports = session.ports
        self._values = session.values

    def make(self, *, restart: bool) -> str:
        """Write the offer.

        :param restart: give every transport new ICE credentials.
        """
        if self._session.data_first:
            self._session.want_data()
        self._values = values = self._session.values
        sections = self._sections()
        description = build.new_description("offer")
        bundled = []
        numbers = rules.PayloadTypes(c for r in values.records for c in r.negotiated.codecs)
        for slot, record in sections:
            media = self._offer_section(slot, record, numbers)
            description.media.append(media)
            if media.port:
                leg = values.legs[values.leg_of.get(slot.mid, 0)]
                build.add_transport(media, self._offered_leg(leg, restart), self._ports.fingerprints, "auto")
                bundled += [slot.mid] if leg.id == 0 else []
        build.bundle(description, bundled)
        self._session.origin.stamp(description)
        return build.with_candidates(description, lambda mid: values.leg_of.get(mid, 0), self._ports.candidates)

    def _sections(self) -> list[tuple[Slot, TransceiverRecord | None]]:
        """Return the sections of before and the new ones; those take the place of sections that were rejected."""
        slots = self._values.slots
        sections = [(slot, self._session.record_of(slot.mid)) for slot in slots]
        free = [index for index, slot in enumerate(slots) if slot.rejected and self._values.may_recycle(index)]
        self._session.offered = {}
        for slot, record in self._new_sections(self._session.seen_mids | {slot.mid for slot in slots}):
            if free and record is not None:
                sections[free.pop(0)] = slot, record
            else:
                sections.append((slot, record))
        return sections

    def _new_sections(self, mids: set[str]) -> list[tuple[Slot, TransceiverRecord | None]]:
        data = self._values.data
        added: list[tuple[Slot, TransceiverRecord | None]] = []
        wants_data = data is not None and data.mid is None
        if wants_data and self._session.data_first:
            added.append((Slot("application", _allocate(mids), "", ()), None))
        for record in self._values.records:
            if record.negotiated.mid is None and record.usable:
                mid = _allocate(mids)
                self._session.offered[mid] = record
                added.append((Slot(record.kind, mid, "", ()), record))
        if wants_data and not self._session.data_first:
            added.append((Slot("application", _allocate(mids), "", ()), None))
        return added

    def _offer_section(
        self, slot: Slot, record: TransceiverRecord | None, numbers: rules.PayloadTypes
    ) -> MediaDescription:
        data = self._values.data
        if slot.rejected or (record is not None and not record.usable):
            return build.rejected_section(slot.kind, slot.protocol, slot.formats, slot.mid)
        if record is not None:
            codecs = rules.preferred(self._ports.codecs(record.kind), record.preferences)
            known = [e for r in self._values.records for e in r.negotiated.extensions]
            extensions = rules.offered_extensions(self._ports.extensions(record.kind), known)
            numbered = numbers.renumber(codecs)
            return build.media_section(record, slot.mid, record.direction, numbered, extensions, self._ports.cname)
        if slot.kind == "application" and data is not None:
            return build.data_section(data, slot.mid)
        return build.rejected_section(slot.kind, slot.protocol, slot.formats, slot.mid)

    def _offered_leg(self, leg: Leg, restart: bool) -> Leg:
        if not restart or leg.remote is None:
            return leg
        return replace(leg, local=self._session.fresh.setdefault(leg.id, new_credentials()))


class AnswerMaker:
    """Makes one answer (RFC 9429 section 5.3)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ports = session.ports
        self._values = session.values

    def make(self) -> str:
        """Write the answer.

        :raises InvalidStateError: no offer is pending.
        """
        offer = self._values.pending_remote
        if offer is None:
            state = self._values.signaling
            raise InvalidStateError(f'Cannot create answer in signaling state "{state}"', backend="native")
        description = build.new_description("answer")
        accepted = []
        for section in offer.parsed.sections:
            media = self._answer_section(section)
            description.media.append(media)
            leg = self._session.leg_id(section.mid)
            if media.port and leg is not None:
                role = self._answer_role(self._values.legs[leg], section)
                build.add_transport(media, self._values.legs[leg], self._ports.fingerprints, role)
                accepted.append(section.mid)
        build.bundle(description, [mid for mid in offer.parsed.bundle if mid in accepted])
        self._session.origin.stamp(description)
        return build.with_candidates(description, self._session.leg_id, self._ports.candidates)

    def _answer_section(self, section: Section) -> MediaDescription:
        record, data = self._session.record_of(section.mid), self._values.data
        if self._session.leg_id(section.mid) is not None:
            if record is not None and record.negotiated.offered is not None:
                # stop() changes the next offer, not this answer (webrtc-pc section 5.4): nothing but the media stops.
                agreed, wanted = record.negotiated, "inactive" if record.stopping else record.direction
                direction = rules.both(wanted, record.negotiated.offered)
                codecs = rules.preferred(agreed.codecs, record.preferences)
                media = build.media_section(
                    record, section.mid, direction, codecs, agreed.extensions, self._ports.cname
                )
                media.profile = section.protocol  # RFC 9429 section 5.3.1: whatever the offer calls it
                return media
            if section.is_data and data is not None and data.mid == section.mid:
                return build.data_section(data, section.mid)
        return build.rejected_section(section.kind, section.protocol, section.formats, section.mid)

    @staticmethod
    def _answer_role(leg: Leg, section: Section) -> DtlsRole:
        offered = section.media.dtls.role if section.media.dtls else "auto"
        if offered in {"client", "server"}:
            return "server" if offered == "client" else "client"
        return "client" if leg.role == "auto" else leg.role


def _allocate(mids: set[str]) -> str:
    mid = next(str(number) for number in range(len(mids) + 1) if str(number) not in mids)
    mids.add(mid)
    return mid
