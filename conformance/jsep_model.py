"""The oracle in motion: one connection as RFC 9429 and webrtc-pc describe it, without any network or codec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.reference import ANSWER_DIRECTIONS, MAY_CREATE_ANSWER, Kind, Side, State, next_state

SENDING: Final = frozenset({"sendrecv", "sendonly"})
RECEIVING: Final = frozenset({"sendrecv", "recvonly"})
REVERSED: Final = {"sendonly": "recvonly", "recvonly": "sendonly"}


class RefusalError(Exception):
    """The specification wants an error here.

    :param name: of the exception.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Section:
    """A media section of a description.

    :param direction: as its author wrote it; empty for data.
    """

    kind: str
    direction: str = ""
    rejected: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What was offered or answered; two are never equal.

    :param answers: the offer that it answers.
    """

    kind: Kind
    sections: tuple[Section, ...]
    answers: Description | None = None


@dataclass(slots=True, eq=False)
class Transceiver:
    """A sender and a receiver (webrtc-pc section 5.4).

    :param section: index of its media section, once it has one.
    :param by_track: made by `addTrack`, so that a remote section may take it.
    :param by_remote: made by a remote offer.
    :param hears: whether a remote track was announced.
    """

    kind: str
    direction: str
    has_track: bool = False
    by_track: bool = False
    by_remote: bool = False
    section: int | None = None
    current_direction: str | None = None
    stopped: bool = False
    hears: bool = False


@dataclass(slots=True)
class Model:
    """One connection.

    :param events: what the last call made it emit, as (event, detail); whoever reads them empties it.
    """

    state: State = "stable"
    current: dict[Side, Description | None] = field(default_factory=lambda: {"local": None, "remote": None})
    pending: dict[Side, Description | None] = field(default_factory=lambda: {"local": None, "remote": None})
    transceivers: list[Transceiver] = field(default_factory=list)
    channels: list[int | None] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    _wants_restart: bool = False
    _flagged: bool = False
    _before: dict[Transceiver, int | None] = field(default_factory=dict)

    # --- what an application wants -------------------------------------------------------------------

    def add_transceiver(self, kind: str, direction: str, *, has_track: bool = False) -> None:
        """Add a transceiver."""
        self._check_open()
        self.transceivers.append(Transceiver(kind, direction, has_track))
        self._update_needed()

    def add_track(self, kind: str) -> None:
        """Send with the first transceiver that has no track, as aiortc does, else with a new one."""
        self._check_open()
        for found in self.alive:
            if found.kind == kind and not found.has_track:
                found.has_track = True
                found.direction = "sendrecv" if found.direction in RECEIVING else "sendonly"
                break
        else:
            self.transceivers.append(Transceiver(kind, "sendrecv", has_track=True, by_track=True))
        self._update_needed()

    def remove_track(self, index: int) -> None:
        """Stop to send."""
        self._check_open()
        found = self.alive[index]
        if found.has_track:
            found.has_track = False
            found.direction = "recvonly" if found.direction in RECEIVING else "inactive"
        self._update_needed()

    def set_direction(self, index: int, direction: str) -> None:
        """Wish for a direction."""
        self._check_open()
        self.alive[index].direction = direction
        self._update_needed()

    def stop(self, index: int) -> None:
        """Stop for good: the answer of now has nothing in either direction, the next offer rejects the section."""
        found = self.alive[index]
        found.stopped, found.direction = True, "inactive"
        self._update_needed()

    def create_channel(self, number: int | None) -> None:
        """Create a data channel, negotiated by the application if it has a number."""
        self._check_open()
        if number is not None and number in self.channels:
            raise RefusalError("ChannelIdInUseError")
        self.channels.append(number)
        self._update_needed()

    def restart_ice(self) -> None:
        """Ask for new credentials."""
        self._check_open()
        self._wants_restart = True
        self._update_needed()

    def add_candidate(self, index: int | None) -> None:
        """Add a candidate of a section; `None` for the end of candidates."""
        self._check_open()
        remote = self.pending["remote"] or self.current["remote"]
        if remote is not None and index is not None and index >= len(remote.sections):
            raise RefusalError("OperationError")

    def configure(self, *, changes_bundle: bool) -> None:
        """Set a configuration."""
        self._check_open()
        if changes_bundle:
            raise RefusalError("InvalidModificationError")

    def look(self) -> None:
        """Ask for statistics."""
        self._check_open()

    def close(self) -> None:
        """End it."""
        if self.state != "closed":
            self._enter("closed")
            self.events += [("iceconnectionstatechange", "closed"), ("connectionstatechange", "closed")]

    # --- descriptions --------------------------------------------------------------------------------

    @property
    def alive(self) -> list[Transceiver]:
        """The transceivers that are not stopped."""
        return [found for found in self.transceivers if not found.stopped]

    def negotiated_section(self, found: Transceiver) -> int | None:
        """Return the section that a transceiver has, or will have if an own offer that is pending is given up."""
        return self._before.get(found) if self.state == "have-local-offer" else found.section

    def create_offer(self) -> Description:
        """RFC 9429 sections 5.2.1 and 5.2.2."""
        self._check_open()
        sections = self._kept_sections()
        for found in self.alive:
            if found.section is None:
                free = next((i for i, s in enumerate(sections) if s.rejected and self._is_free(i)), len(sections))
                sections[free : free + 1] = [Section(found.kind, found.direction)]
        if self.channels and not any(section.kind == "application" for section in sections):
            sections.append(Section("application"))
        return Description("offer", tuple(sections))

    def create_answer(self, kind: Kind = "answer") -> Description:
        """RFC 9429 section 5.3.1."""
        self._check_open()
        if self.state not in MAY_CREATE_ANSWER:
            raise RefusalError("InvalidStateError")
        offer = self.pending["remote"]
        assert offer is not None
        answered = tuple(self._answered(index, section) for index, section in enumerate(offer.sections))
        return Description(kind, answered, offer)

    def set_local(self, kind: Kind | None) -> None:
        """Create and set a description; without a type, the one that is due."""
        self._check_open()
        if kind is None:
            kind = "answer" if self.state in MAY_CREATE_ANSWER else "offer"
        if next_state(self.state, "local", kind) is None:
            raise RefusalError("InvalidStateError")
        if kind == "rollback":
            self._roll_back()
        elif kind == "offer":
            self._apply("local", self.create_offer())
        else:
            self._apply("local", self.create_answer(kind))

    def set_remote(self, kind: Kind, description: Description) -> None:
        """Set what the remote said."""
        self._check_open()
        if next_state(self.state, "remote", kind) is None:
            raise RefusalError("InvalidStateError")
        if kind == "rollback":
            self._roll_back()
            return
        if kind == "offer" and self.state == "have-local-offer":
            self._roll_back()
        self._apply("remote", description)

    def _kept_sections(self) -> list[Section]:
        local = self.pending["local"] or self.current["local"]
        return [] if local is None else [self._kept(index, ours) for index, ours in enumerate(local.sections)]

    def _kept(self, index: int, ours: Section) -> Section:
        if ours.kind == "application":
            return ours
        owner = self._owner(index)
        if owner is None:
            return Section(ours.kind, "inactive", rejected=True)
        return Section(ours.kind, owner.direction)

    def _owner(self, index: int, *, stopped: bool = False) -> Transceiver | None:
        owners = (found for found in self.transceivers if found.section == index and found.stopped <= stopped)
        return next(owners, None)

    def _is_free(self, index: int) -> bool:
        """Tell whether a section was rejected by both, so that another transceiver may have it."""
        local, remote = self.current["local"], self.current["remote"]
        if local is None or remote is None or index >= len(local.sections):
            return False
        return local.sections[index].rejected or remote.sections[index].rejected

    def _answered(self, index: int, offered: Section) -> Section:
        if offered.rejected or offered.kind == "application":
            return offered
        owner = self._owner(index, stopped=True)
        assert owner is not None
        return Section(offered.kind, ANSWER_DIRECTIONS[offered.direction, owner.direction])

    # --- applying ------------------------------------------------------------------------------------

    def _apply(self, side: Side, description: Description) -> None:
        state = next_state(self.state, side, description.kind)
        assert state is not None
        if self.state == "stable":
            self._before = {found: found.section for found in self.transceivers}
        self.pending[side] = description
        for index, section in enumerate(description.sections):
            if section.kind != "application":
                self._associate(side, index, section, description.kind)
        if description.kind == "answer":
            self._make_current()
        if side == "local" and description.kind == "offer":
            self._wants_restart = False
        self._enter(state)

    def _associate(self, side: Side, index: int, section: Section, kind: Kind) -> None:
        owner = self._owner(index, stopped=True)
        if section.rejected:
            if owner is not None and (side == "remote" or kind == "answer"):
                owner.stopped = True
                if kind == "answer":
                    self.transceivers.remove(owner)
            return
        if owner is None:
            owner = self._owner_for(side, section)
            owner.section = index
        if side == "remote":
            self._hear(owner, section)
        if kind in {"answer", "pranswer"}:
            direction = section.direction
            owner.current_direction = direction if side == "local" else REVERSED.get(direction, direction)

    def _owner_for(self, side: Side, section: Section) -> Transceiver:
        free = [found for found in self.alive if found.section is None and found.kind == section.kind]
        if side == "local":
            return free[0]
        if free:
            return free[0]  # as aiortc does; RFC 9429 section 5.10 has it only for those of `addTrack`
        self.transceivers.append(Transceiver(section.kind, "recvonly", by_remote=True))
        return self.transceivers[-1]

    def _hear(self, owner: Transceiver, section: Section) -> None:
        hears = section.direction in SENDING and not owner.stopped
        if hears and not owner.hears:
            self.events.append(("track", owner.kind))
        owner.hears = owner.hears or hears  # aiortc tells once; webrtc-pc tells again after a pause

    def _make_current(self) -> None:
        self.current = dict(self.pending)
        self.pending = {"local": None, "remote": None}

    def _roll_back(self) -> None:
        self.pending = {"local": None, "remote": None}
        made = [found for found in self.transceivers if found.by_remote and found not in self._before]
        self.transceivers = [found for found in self.transceivers if found not in made or found.by_track]
        for found in self.transceivers:
            if self._before.get(found) is None:
                found.section, found.hears = None, False
        self._enter("stable")

    def _enter(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.events.append(("signalingstatechange", state))
        if state == "stable":
            # What was needed before and still is, is told again: the negotiation did not settle it.
            self._flagged = False
            self._update_needed()

    # --- whether to negotiate ------------------------------------------------------------------------

    def _update_needed(self) -> None:
        """webrtc-pc section 4.7.3."""
        if self.state != "stable":
            return
        needed = self._is_needed()
        if needed and not self._flagged:
            self.events.append(("negotiationneeded", ""))
        self._flagged = needed

    def _is_needed(self) -> bool:
        local = self.current["local"]
        sections = () if local is None else local.sections
        has_data = any(section.kind == "application" for section in sections)
        if self._wants_restart or (self.channels and not has_data):
            return True
        return any(self._differs(found, local) for found in self.transceivers)

    def _differs(self, found: Transceiver, local: Description | None) -> bool:
        remote = self.current["remote"]
        if found.section is None or local is None or remote is None:
            return not found.stopped
        ours, theirs = local.sections[found.section], remote.sections[found.section]
        if found.stopped:
            return self._owner(found.section) is None and not (ours.rejected or theirs.rejected)
        if local.kind == "offer":
            return found.direction not in {ours.direction, REVERSED.get(theirs.direction, theirs.direction)}
        return ours.direction != ANSWER_DIRECTIONS[theirs.direction, found.direction]

    def _check_open(self) -> None:
        if self.state == "closed":
            raise RefusalError("InvalidStateError")


def summary(
    description: Description | None, own: Mapping[str, tuple[str, ...]], common: Mapping[str, tuple[str, ...]]
) -> dict[str, Any] | None:
    """Return what the SDP of a description must say, in the terms of :mod:`conformance.observing`.

    :param own: codecs of its author for each kind of media, which an offer has.
    :param common: those that both sides have, which an answer has.
    """
    if description is None:
        return None
    codecs = own if description.kind == "offer" else common
    is_offer = description.kind == "offer"
    return {
        "type": description.kind,
        "sections": [
            (section.kind, "rejected")
            if section.rejected
            else (
                section.kind,
                section.direction,
                "actpass" if is_offer else "chosen",
                "msid" if section.direction in SENDING else "",
                codecs.get(section.kind, ()),
                (),
            )
            for section in description.sections
        ],
    }
