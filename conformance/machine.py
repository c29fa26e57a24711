"""One program on every backend and on the model: after each step, all of them must show the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from conformance.jsep_model import RECEIVING, Description, Model, RefusalError, summary
from conformance.media import media_track
from conformance.observing import DIRECTIONS, alive, descriptions, mids_of, parsed
from conformance.reference import Kind, next_state
from conformance.scenes import described
from conformance.targets import Target
from shim.spi.capabilities import Capability

if TYPE_CHECKING:
    from shim import RTCPeerConnection, RTCSessionDescription

WATCHED: Final = ("signalingstatechange", "track", "negotiationneeded")
WISHES: Final[dict[str, Callable[[Target, Any, Any, int], object]]] = {
    "addTransceiver": lambda _, pc, what, index: pc.addTransceiver(what, DIRECTIONS[index]),
    "addTrack": lambda target, pc, what, _: pc.addTrack(media_track(target, what)),
    "removeTrack": lambda _, pc, __, index: pc.removeTrack(alive(pc)[index].sender),
    "direction": lambda _, pc, what, index: setattr(alive(pc)[index], "direction", what),
    "stop": lambda _, pc, __, index: alive(pc)[index].stop(),
    "restartIce": lambda _, pc, *__: pc.restartIce(),
    "setConfiguration": lambda _, pc, __, index: pc.setConfiguration(_configuration(changes_bundle=bool(index))),
}
"""Calls that do not wait, on a connection."""
MODEL_WISHES: Final[dict[str, Callable[[Model, Any, int], None]]] = {
    "addTransceiver": lambda model, what, index: model.add_transceiver(what, DIRECTIONS[index]),
    "addTrack": lambda model, what, _: model.add_track(what),
    "removeTrack": lambda model, _, index: model.remove_track(index),
    "direction": lambda model, what, index: model.set_direction(index, what),
    "stop": lambda model, _, index: model.stop(index),
    "restartIce": lambda model, *_: model.restart_ice(),
    "setConfiguration": lambda model, _, index: model.configure(changes_bundle=bool(index)),
}
"""The same on the model."""
OPTIONAL: Final = {
    "stop": Capability.TRANSCEIVER_STOP,
    "restartIce": Capability.ICE_RESTART,
    "setConfiguration": Capability.SET_CONFIGURATION,
    "rollback": Capability.ROLLBACK,
    "pranswer": Capability.PRANSWER,
}
"""Calls and types of descriptions that a backend may declare off."""
TURNS: Final = 5
"""Turns of the loop that what a call led to may take to be emitted."""


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


class World:
    """Two connections of one backend, driven step by step."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.events: list[tuple[str, str]] = []
        self.texts: dict[Description, str] = {}
        self._runner = asyncio.Runner()
        self._errors: list[dict[str, Any]] = []
        self._pcs: dict[str, RTCPeerConnection] = {}
        self._runner.run(self._open())

    def do(self, step: Step, given: Description | None) -> str | None:
        """Make a call; return the name of the error that it raised."""
        self.events.clear()
        return self._runner.run(self._do(step, given))

    def observe(self, side: str) -> dict[str, Any]:
        """Return what an application sees of a connection."""
        return self._runner.run(self._observe(side))

    def keep(self, side: str, description: Description | None) -> None:
        """Remember the text of the description that was set on one side."""
        if description is not None and description not in self.texts:
            local = self._pcs[side].localDescription
            assert local is not None
            self.texts[description] = re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", local.sdp)

    def close(self) -> None:
        """Close both connections and the loop; tell what the loop was told."""
        self._runner.run(self._close())
        self._runner.close()
        assert not self._errors, self._errors

    async def _open(self) -> None:
        from shim import RTCConfiguration

        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._errors.append(context))
        for side in "ab":
            pc = self._pcs[side] = self.target.connection(RTCConfiguration(trickle=True))
            for event in WATCHED:
                pc.on(event, lambda *args, pc=pc, event=event: self._record(pc, event, *args))

    def _record(self, pc: RTCPeerConnection, event: str, *args: Any) -> None:
        detail = pc.signalingState if event == "signalingstatechange" else args[0].kind if args else ""
        self.events.append((event, detail))

    async def _do(self, step: Step, given: Description | None) -> str | None:
        error = None
        try:
            await self._call(self._pcs[step.side], step, given)
        except Exception as exc:  # whatever it is, it is compared
            error = type(exc).__name__
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return error

    async def _call(self, pc: RTCPeerConnection, step: Step, given: Description | None) -> None:
        if step.call in WISHES:
            WISHES[step.call](self.target, pc, step.what, step.index or 0)
            return
        match step.call:
            case "createDataChannel":
                pc.createDataChannel("chat", negotiated=step.index is not None, id=step.index)
            case "addIceCandidate":
                await pc.addIceCandidate(None if step.index is None else _candidate(step.index))
            case "setLocal":
                await self._set_local(pc, step.what)
            case "setRemote":
                await pc.setRemoteDescription(described(_kind(step), self._text(given)))
            case "createOffer" | "createAnswer" | "getStats" | "close":
                await getattr(pc, step.call)()

    def _text(self, given: Description | None) -> str:
        return "" if given is None else self.texts[given]

    @staticmethod
    async def _set_local(pc: RTCPeerConnection, kind: str | None) -> None:
        description: RTCSessionDescription | None = None
        if kind == "rollback":
            description = described("rollback", "")
        elif kind == "offer":
            description = await pc.createOffer()
        elif kind is not None:
            description = described(cast("Kind", kind), (await pc.createAnswer()).sdp)
        await pc.setLocalDescription(description)

    async def _observe(self, side: str) -> dict[str, Any]:
        pc = self._pcs[side]
        section = {mid: index for d in descriptions(pc) if d for index, mid in enumerate(mids_of(d.sdp))}
        return {
            "signalingState": pc.signalingState,
            "descriptions": [None if d is None else d.type for d in descriptions(pc)],
            "transceivers": []
            if pc.signalingState == "closed"
            else [
                (t.kind, t.direction, t.currentDirection, None if t.mid is None else section[t.mid]) for t in alive(pc)
            ],
            "pending local": parsed(pc.pendingLocalDescription),
            "current local": parsed(pc.currentLocalDescription),
        }

    async def _close(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(pc.close() for pc in self._pcs.values())), 10)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=3)


class Differential:
    """Runs a program on the model and on backends, and compares."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.models = {"a": Model(), "b": Model()}
        self.program: list[Step] = []
        self._worlds = [World(target) for target in targets]
        self._lacked = {c for c in Capability if any(c not in w.target.info.capabilities for w in self._worlds)}
        self._said: dict[str, Description | None] = {"a": None, "b": None}

    def play(self, *program: Step) -> None:
        """Make steps; those that no correct signaling would lead to are left out."""
        for step in program:
            if self.fits(step):
                self._play(step)

    def negotiate(self, side: str) -> None:
        """Exchange an offer and an answer."""
        self.play(*negotiation(side))

    def close(self) -> None:
        """Close everything."""
        for world in self._worlds:
            world.close()

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
        if own.state == "closed" or next_state(own.state, "remote", _kind(step)) is None:
            return True
        said = self._given(step)
        if said is None or said.kind != step.what:
            return False
        if step.what != "offer":
            return said.answers is own.pending["local"]
        if own.state == "have-local-offer" and _is_answered(own, other):
            return False
        return said is other.pending["local"] and not _is_disputed(own, said)

    def _given(self, step: Step) -> Description | None:
        return self._said[_other(step.side)] if step.call == "setRemote" and step.what != "rollback" else None

    def _play(self, step: Step) -> None:
        self.program.append(step)
        given, model = self._given(step), self.models[step.side]
        expected = self._expect(step, given)
        events = sorted(model.events)
        model.events.clear()
        for world in self._worlds:
            raised = world.do(step, given)
            self._compare(world, "error", raised, expected)
            self._compare(world, "events", sorted(world.events), events)
            seen = world.observe(step.side)
            for name, value in _expected(model).items():
                self._compare(world, name, seen[name], value)
        if step.call == "setLocal" and expected is None and step.what != "rollback":
            said = model.pending["local"] or model.current["local"]
            self._said[step.side] = said
            for world in self._worlds:
                world.keep(step.side, said)

    def _expect(self, step: Step, given: Description | None) -> str | None:
        try:
            call_model(self.models[step.side], step, given)
        except RefusalError as refusal:
            return refusal.name
        return None

    def _compare(self, world: World, name: str, seen: Any, expected: Any) -> None:
        if seen != expected:
            told = "\n".join(f"    {step}" for step in self.program)
            raise AssertionError(f"{world.target}: {name}:\n  seen     {seen}\n  expected {expected}\n  after\n{told}")


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
            model.set_local(_kind(step) if step.what else None)
        case "setRemote":
            model.set_remote(_kind(step), given or Description("rollback", ()))
        case _:
            {
                "createOffer": model.create_offer,
                "createAnswer": model.create_answer,
                "getStats": model.look,
                "close": model.close,
            }[step.call]()


def _expected(model: Model) -> dict[str, Any]:
    pending, current = model.pending, model.current
    four = (current["local"], pending["local"], current["remote"], pending["remote"])
    return {
        "signalingState": model.state,
        "descriptions": [None if d is None else d.kind for d in four],
        "transceivers": []
        if model.state == "closed"
        else [(t.kind, t.direction, t.current_direction, t.section) for t in model.alive],
        "pending local": summary(pending["local"]),
        "current local": summary(current["local"]),
    }


def _needed(step: Step, own: Model) -> Capability | None:
    """Return what a backend may declare off, and a step takes."""
    if step.call == "setRemote" and step.what == "offer" and own.state == "have-local-offer":
        return Capability.ROLLBACK
    return OPTIONAL.get(step.call) or OPTIONAL.get(step.what or "")


def _is_answered(own: Model, other: Model) -> bool:
    """Tell whether the other has answered our pending offer, if only for now."""
    answers = (other.pending["local"], other.current["local"])
    return any(answer is not None and answer.answers is own.pending["local"] for answer in answers)


def _is_disputed(model: Model, offer: Description) -> bool:
    """Tell whether RFC 9429 section 5.10 and aiortc disagree about which transceiver a new section takes in a glare.

    RFC 9429 has one of `addTrack` that the remote wants to hear, aiortc the first that has no section. Otherwise
    engines do as aiortc does.
    """
    if any(found.stopped and model.negotiated_section(found) is None for found in model.transceivers):
        return True  # nor about one that was stopped before it had a section
    if model.state != "have-local-offer":
        return False
    section = {found: model.negotiated_section(found) for found in model.alive}
    waiting = {kind: [t for t in model.alive if t.kind == kind and section[t] is None] for kind in ("audio", "video")}
    known = {*section.values(), *(t.section for t in model.transceivers if t.stopped)}
    new = [s for index, s in enumerate(offer.sections) if s.kind in waiting and index not in known and not s.rejected]
    return any(waiting[s.kind] and not (s.direction in RECEIVING and waiting[s.kind][0].by_track) for s in new)


def _rejected(model: Model, index: int) -> bool:
    remote = model.pending["remote"] or model.current["remote"]
    return remote is not None and index < len(remote.sections) and remote.sections[index].rejected


def _kind(step: Step) -> Kind:
    return cast("Kind", step.what)


def _other(side: str) -> str:
    return "b" if side == "a" else "a"


def _candidate(index: int) -> Any:
    from shim import RTCIceCandidate

    return RTCIceCandidate(
        component=1,
        foundation="1",
        ip="127.0.0.1",
        port=9,
        priority=1,
        protocol="udp",
        type="host",
        sdpMLineIndex=index,
    )


def _configuration(*, changes_bundle: bool) -> Any:
    from shim import RTCBundlePolicy, RTCConfiguration

    policy = RTCBundlePolicy.MAX_COMPAT if changes_bundle else RTCBundlePolicy.BALANCED
    return RTCConfiguration(trickle=True, bundlePolicy=policy)
