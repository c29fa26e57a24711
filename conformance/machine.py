"""One program on every backend and on the model: after each step, all of them must show the same."""

from __future__ import annotations

import asyncio
import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from conformance.asserts import PATIENCE, reach
from conformance.divergence import register_of
from conformance.jsep_model import Description, Model, RefusalError, summary
from conformance.media import media_track
from conformance.observing import CODECS, DIRECTIONS, alive, descriptions, mids_of, parsed
from conformance.programs import Signaling, Step, call_model, kind_of, negotiation
from conformance.reference import GATHERING_ORDER, Kind
from conformance.scenes import described
from conformance.targets import Pair, Target
from shim.spi.capabilities import Capability

if TYPE_CHECKING:
    from shim import RTCPeerConnection, RTCSessionDescription

STATES: Final = {
    "signalingstatechange": "signalingState",
    "icegatheringstatechange": "iceGatheringState",
    "iceconnectionstatechange": "iceConnectionState",
    "connectionstatechange": "connectionState",
}
WATCHED: Final = (*STATES, "track", "negotiationneeded")
"""Events that are compared in their order. Of transports only the end: when they begin is up to the engine."""
WAITING: Final = "test_differential.py::test_remote_section_takes_the_transceiver_that_waits"
Codecs = Mapping[str, tuple[str, ...]]
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
TURNS: Final = 5
"""Turns of the loop that what a call led to may take to be emitted."""


class World:
    """Two connections, driven step by step.

    :param pair: of which backend ``"a"`` is, and ``"b"``.
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.targets = {"a": pair.offerer, "b": pair.answerer}
        self.codecs: dict[str, Codecs] = {side: codecs_of_backend(target) for side, target in self.targets.items()}
        self.events: list[tuple[str, str, str]] = []
        self.gathering: dict[str, list[str]] = {"a": [], "b": []}
        self.texts: dict[Description, str] = {}
        self._idle = {"a", "b"}
        self._runner = asyncio.Runner()
        self._errors: list[dict[str, Any]] = []
        self._pcs: dict[str, RTCPeerConnection] = {}
        self._runner.run(self._open())

    def do(self, step: Step, given: Description | None) -> str | None:
        """Make a call; return the name of the error that it raised."""
        self.events.clear()
        return self._runner.run(self._do(step, given))

    def gather(self, side: str) -> list[str]:
        """Wait until candidates have been gathered; return the states up to there.

        The first time these are "gathering" and "complete". Later all depends on which transports are kept: there may
        be none of them, or more, but the last is "complete".
        """
        self._runner.run(_gathered(self._pcs[side]))
        states, self.gathering[side] = self.gathering[side], []
        is_first, self._idle = side in self._idle, self._idle - {side}
        return states if is_first else ["gathering", *(states[-1:] or ["complete"])]

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
            pc = self._pcs[side] = self.targets[side].connection(RTCConfiguration(trickle=True))
            for event in WATCHED:
                pc.on(event, partial(self._record, side, event))  # type: ignore[call-overload]

    def _record(self, side: str, event: str, *args: Any) -> None:
        detail = getattr(self._pcs[side], STATES[event]) if event in STATES else args[0].kind if args else ""
        if event == "icegatheringstatechange":
            self.gathering[side].append(detail)
        elif event in {"signalingstatechange", "track", "negotiationneeded"} or detail == "closed":
            self.events.append((side, event, detail))

    async def _do(self, step: Step, given: Description | None) -> str | None:
        error = None
        try:
            await self._call(step, given)
        except Exception as exc:  # whatever it is, it is compared
            error = type(exc).__name__
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return error

    async def _call(self, step: Step, given: Description | None) -> None:
        pc = self._pcs[step.side]
        if step.call in WISHES:
            WISHES[step.call](self.targets[step.side], pc, step.what, step.index or 0)
            return
        match step.call:
            case "createDataChannel":
                pc.createDataChannel("chat", negotiated=step.index is not None, id=step.index)
            case "addIceCandidate":
                await pc.addIceCandidate(None if step.index is None else _candidate(step.index))
            case "setLocal":
                await self._set_local(pc, step.what)
            case "setRemote":
                await pc.setRemoteDescription(described(kind_of(step), self._text(given)))
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
            "pending remote": parsed(pc.pendingRemoteDescription),
            "current remote": parsed(pc.currentRemoteDescription),
        }

    async def _close(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(pc.close() for pc in self._pcs.values())), 10)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=3)


class Differential:
    """Runs a program on the model and on pairs of backends, and compares.

    :param pairs: which backends.
    """

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.program: list[Step] = []
        self._worlds = [World(pair) for pair in pairs]
        backends = [target.info.capabilities for world in self._worlds for target in world.pair.targets]
        self._signaling = Signaling(
            frozenset(c for c in Capability if any(c not in has for has in backends)),
            like_aiortc=all(_is_like_aiortc(target) for world in self._worlds for target in world.pair.targets),
        )

    def play(self, *program: Step) -> None:
        """Make steps; those that no correct signaling would lead to are left out."""
        for step in program:
            if self._signaling.fits(step):
                self._play(step)

    def negotiate(self, side: str) -> None:
        """Exchange an offer and an answer."""
        self.play(*negotiation(side))

    def close(self) -> None:
        """Close everything."""
        for world in self._worlds:
            world.close()

    def _play(self, step: Step) -> None:
        self.program.append(step)
        given, model = self._signaling.given(step), self._signaling.models[step.side]
        expected = self._expect(step, given)
        events = [(step.side, *event) for event in model.events]
        model.events.clear()
        for world in self._worlds:
            raised = world.do(step, given)
            self._compare(world, "error", raised, expected)
            self._compare(world, "events", world.events, events)
            seen = world.observe(step.side)
            for name, value in _expected(model, step.side, world.codecs).items():
                self._compare(world, name, seen[name], value)
        if expected is None:
            self._keep(step)

    def _keep(self, step: Step) -> None:
        """Remember what was said, for the other side, and see that candidates were looked for."""
        said = self._signaling.keep(step)
        if said is None:
            return
        for world in self._worlds:
            world.keep(step.side, said)
            if any(not section.rejected for section in said.sections):
                self._compare(world, "gathering", world.gather(step.side), list(GATHERING_ORDER[1:]))

    def _expect(self, step: Step, given: Description | None) -> str | None:
        try:
            call_model(self._signaling.models[step.side], step, given)
        except RefusalError as refusal:
            return refusal.name
        return None

    def _compare(self, world: World, name: str, seen: Any, expected: Any) -> None:
        if seen != expected:
            told = "\n".join(f"    {step}" for step in self.program)
            raise AssertionError(f"{world.pair}: {name}:\n  seen     {seen}\n  expected {expected}\n  after\n{told}")


def _is_like_aiortc(target: Target) -> bool:
    """Tell whether a backend has not registered that its transceivers wait for other sections than aiortc's do."""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return register_of(target.name).covering(f"{WAITING}[{target}-{target}]", today) is None


async def _gathered(pc: RTCPeerConnection) -> None:
    await asyncio.wait_for(reach(pc, "iceGatheringState", "complete"), PATIENCE)


def codecs_of_backend(target: Target) -> Codecs:
    """Return the codecs of each kind that every good backend has, as far as this one has them, the preferred first."""
    from shim import RTCRtpSender, use_backend

    with use_backend(target.name):
        found = {kind: RTCRtpSender.getCapabilities(kind).codecs for kind in ("audio", "video")}
    names = {kind: {codec.name.lower() for codec in codecs} for kind, codecs in found.items()}
    return {kind: tuple(name for name in CODECS if name in names[kind]) for kind in names}


def _expected(model: Model, side: str, codecs: Mapping[str, Codecs]) -> dict[str, Any]:
    pending, current = model.pending, model.current
    four = (current["local"], pending["local"], current["remote"], pending["remote"])
    ours, theirs = codecs[side], codecs["b" if side == "a" else "a"]
    both = {kind: tuple(name for name in ours[kind] if name in theirs[kind]) for kind in ours}
    return {
        "signalingState": model.state,
        "descriptions": [None if d is None else d.kind for d in four],
        "transceivers": []
        if model.state == "closed"
        else [(t.kind, t.direction, t.current_direction, t.section) for t in model.alive],
        "pending local": summary(pending["local"], ours, both),
        "current local": summary(current["local"], ours, both),
        "pending remote": summary(pending["remote"], theirs, both),
        "current remote": summary(current["remote"], theirs, both),
    }


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
