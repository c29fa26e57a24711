"""Programs of API calls on two connections: their steps, what the model makes of them, and which could happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from conformance.jsep_model import RECEIVING, Description, Model
from conformance.observing import DIRECTIONS
from conformance.reference import Kind, next_state
from shim.spi.capabilities import Capability

MODEL_WISHES: Final[dict[str, Callable[[Model, Any, int], None]]] = {
    "addTransceiver": lambda model, what, index: model.add_transceiver(what, DIRECTIONS[index]),
    "addTrack": lambda model, what, _: model.add_track(what),
    "removeTrack": lambda model, _, index: model.remove_track(index),
    "direction": lambda model, what, index: model.set_direction(index, what),
    "stop": lambda model, _, index: model.stop(index),
    "restartIce": lambda model, *_: model.restart_ice(),
    "setConfiguration": lambda model, _, index: model.configure(changes_bundle=bool(index)),
}
"""Calls that do not wait, on the model."""
OPTIONAL: Final = {
    "stop": Capability.TRANSCEIVER_STOP,
    "restartIce": Capability.ICE_RESTART,
    "setConfiguration": Capability.SET_CONFIGURATION,
    "rollback": Capability.ROLLBACK,
    "pranswer": Capability.PRANSWER,
}
"""Calls and types of descriptions that a backend may declare off."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call on one of two connections, ``"a"`` and ``"b"``.

    :param call: as in :class:`World`.
    :param what: a kind of media, a direction or a type of description.
    :param index: of a transceiver that is not stopped, of a section, or the id of a channel.
    """

    side: str
    call: str
    what: str | None = None
    index: int | None = None

    def __str__(self) -> str:
        arguments = ", ".join(repr(given) for given in (self.what, self.index) if given is not None)
        return f"{self.side}.{self.call}({arguments})"


def negotiation(side: str) -> list[Step]:
    """Return the steps of an offer of one side and its answer."""
    other = _other(side)
    steps = (side, "setLocal"), (other, "setRemote", "offer"), (other, "setLocal"), (side, "setRemote", "answer")
    return [Step(*step) for step in steps]


class Signaling:
    """Two models, what each said last, and which steps a correct signaling could make of that.

    :param lacked: what some backend declares off; such steps are left out.
    :param like_aiortc: whether a remote section takes whatever transceiver waits, on every backend.
    """

    def __init__(self, lacked: frozenset[Capability], *, like_aiortc: bool) -> None:
        self.models = {"a": Model(), "b": Model()}
        self._lacked = lacked
        self._like_aiortc = like_aiortc
        self._said: dict[str, Description | None] = {"a": None, "b": None}

    def given(self, step: Step) -> Description | None:
        """Return the description that a step sets, if it comes from the other side."""
        return self._said[_other(step.side)] if step.call == "setRemote" and step.what != "rollback" else None

    def keep(self, step: Step) -> Description | None:
        """Remember what a step that went well made one side say; return it."""
        if step.call != "setLocal" or step.what == "rollback":
            return None
        model = self.models[step.side]
        said = self._said[step.side] = model.pending["local"] or model.current["local"]
        return said

    def fits(self, step: Step) -> bool:
        """Tell whether every backend can, and signaling could do this.

        Nobody answers an offer that is gone, or takes a stale description.
        """
        own, other = self.models[step.side], self.models[_other(step.side)]
        if _needed(step, own) in self._lacked:
            return False
        match step.call:
            case "removeTrack" | "direction" | "stop":
                return own.state != "closed" and (step.index or 0) < len(own.alive)
            case "addIceCandidate":
                return step.index is None or not _rejected(own, step.index)
            case "setLocal":
                return self._may_set_local(own, other, step.what)
            case "setRemote":
                return self._may_set_remote(step, own, other)
        return True

    @staticmethod
    def _may_set_local(own: Model, other: Model, kind: str | None) -> bool:
        if own.state == "closed":
            return True
        if own.state == "have-local-offer":
            return not _is_answered(own, other)
        if kind == "rollback" or own.state == "stable":
            return True
        return own.pending["remote"] is other.pending["local"] or kind == "offer"

    def _may_set_remote(self, step: Step, own: Model, other: Model) -> bool:
        if step.what == "rollback":
            return own.state != "have-local-offer" or not _is_answered(own, other)
        if self._said[_other(step.side)] is None:
            return False
        if own.state == "closed" or next_state(own.state, "remote", kind_of(step)) is None:
            return True
        said = self.given(step)
        if said is None or said.kind != step.what:
            return False
        if step.what != "offer":
            return said.answers is own.pending["local"]
        if own.state == "have-local-offer" and _is_answered(own, other):
            return False
        return said is other.pending["local"] and not self._is_disputed(own, said)

    def _is_disputed(self, own: Model, offer: Description) -> bool:
        """Tell whether RFC 9429 section 5.10 and aiortc disagree about which transceiver a new section takes.

        RFC 9429 has one of `addTrack` that the remote wants to hear, aiortc the first that has no section. Most engines
        do as aiortc does, but in a glare.
        """
        if any(found.stopped and own.negotiated_section(found) is None for found in own.transceivers):
            return True  # nor about one that was stopped before it had a section
        return (own.state == "have-local-offer" or not self._like_aiortc) and _takes_another(own, offer)


def call_model(model: Model, step: Step, given: Description | None) -> None:
    """Make the call of a step on the model.

    :raises RefusalError: the specification wants an error.
    """
    if step.call in MODEL_WISHES:
        MODEL_WISHES[step.call](model, step.what, step.index or 0)
        return
    match step.call:
        case "createDataChannel":
            model.create_channel(step.index)
        case "addIceCandidate":
            model.add_candidate(step.index)
        case "setLocal":
            model.set_local(kind_of(step) if step.what else None)
        case "setRemote":
            model.set_remote(kind_of(step), given or Description("rollback", ()))
        case _:
            {
                "createOffer": model.create_offer,
                "createAnswer": model.create_answer,
                "getStats": model.look,
                "close": model.close,
            }[step.call]()


def _needed(step: Step, own: Model) -> Capability | None:
    """Return what a backend may declare off, and a step takes."""
    if step.call == "setRemote" and step.what == "offer" and own.state == "have-local-offer":
        return Capability.ROLLBACK
    return OPTIONAL.get(step.call) or OPTIONAL.get(step.what or "")


def _is_answered(own: Model, other: Model) -> bool:
    """Tell whether the other has answered our pending offer, if only for now."""
    answers = (other.pending["local"], other.current["local"])
    return any(answer is not None and answer.answers is own.pending["local"] for answer in answers)


def _takes_another(model: Model, offer: Description) -> bool:
    """Tell whether a new section finds a transceiver waiting that RFC 9429 section 5.10 would not have it take."""
    section = {found: model.negotiated_section(found) for found in model.alive}
    waiting = {kind: [t for t in model.alive if t.kind == kind and section[t] is None] for kind in ("audio", "video")}
    known = {*section.values(), *(t.section for t in model.transceivers if t.stopped)}
    new = [s for index, s in enumerate(offer.sections) if s.kind in waiting and index not in known and not s.rejected]
    return any(waiting[s.kind] and not (s.direction in RECEIVING and waiting[s.kind][0].by_track) for s in new)


def _rejected(model: Model, index: int) -> bool:
    remote = model.pending["remote"] or model.current["remote"]
    return remote is not None and index < len(remote.sections) and remote.sections[index].rejected


def kind_of(step: Step) -> Kind:
    """Return the type of the description that a step sets."""
    return cast("Kind", step.what)


def _other(side: str) -> str:
    return "b" if side == "a" else "a"
