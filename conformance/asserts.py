"""What tests wait for and compare: events instead of time, with a bound and a message that says what was missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pyee.asyncio import AsyncIOEventEmitter

if TYPE_CHECKING:
    from conformance.targets import Pair, Peers
    from shim import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

PATIENCE: Final = 10.0
"""Seconds after which a test stops waiting: a bound for what hangs, not a measure."""

STATE_EVENTS: Final = {
    "signalingState": "signalingstatechange",
    "iceGatheringState": "icegatheringstatechange",
    "iceConnectionState": "iceconnectionstatechange",
    "connectionState": "connectionstatechange",
}


Emits = AsyncIOEventEmitter
"""Anything with events, of the SDK or of aiortc."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it was seen.

    :param source: name that the test gave to the object.
    :param detail: the state at that moment, or what the event carried.
    :param at: seconds on the monotonic clock.
    """

    source: str
    event: str
    detail: str = ""
    at: float = field(default_factory=time.monotonic, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}.{self.event}({self.detail})"


@dataclass
class Trace:
    """Every event of the watched objects, in order."""

    entries: list[Entry] = field(default_factory=list)

    def watch_connection(self, name: str, pc: RTCPeerConnection) -> None:
        """Record state changes with the state, tracks with their kind, channels with their label."""
        for attribute, event in STATE_EVENTS.items():
            self._watch(name, pc, event, lambda *_, attribute=attribute: str(getattr(pc, attribute)))
        self._watch(name, pc, "track", lambda track: str(track.kind))
        self._watch(name, pc, "datachannel", lambda channel: str(channel.label))

    def watch_channel(self, name: str, channel: RTCDataChannel) -> None:
        """Record the life of a channel, with its state."""
        for event in ("open", "closing", "close", "bufferedamountlow"):
            self._watch(name, channel, event, lambda *_: channel.readyState)
        self._watch(name, channel, "message", repr)

    def of(self, source: str, *events: str) -> list[Entry]:
        """Return what one object said, about these events only if some are named."""
        return [e for e in self.entries if e.source == source and (not events or e.event in events)]

    def details(self, source: str, event: str) -> list[str]:
        """Return what one event carried, in order."""
        return [entry.detail for entry in self.of(source, event)]

    def from_start(self, source: str) -> list[Entry]:
        """Return what one object said, timed from the first event of the trace, to lay two traces side by side."""
        start = self.entries[0].at if self.entries else 0.0
        return [replace(entry, at=entry.at - start) for entry in self.of(source)]

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))

    def _watch(self, name: str, emitter: Emits, event: str, detail: Callable[..., str]) -> None:
        emitter.on(event, lambda *args: self.entries.append(Entry(name, event, detail(*args))))


class Arrivals:
    """Collects what one event carries, from now on.

    :param event: an event with at most one argument.
    """

    def __init__(self, emitter: Emits, event: str) -> None:
        self._event = event
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        emitter.on(event, self._take)

    @property
    def waiting(self) -> int:
        """How many have come and were not taken."""
        return self._queue.qsize()

    async def next(self, patience: float = PATIENCE) -> Any:
        """Take one, waiting for it."""
        try:
            return await asyncio.wait_for(self._queue.get(), patience)
        except TimeoutError:
            raise AssertionError(f"no {self._event!r} within {patience} s") from None

    async def take(self, count: int, patience: float = PATIENCE) -> list[Any]:
        """Take so many, waiting for each."""
        return [await self.next(patience) for _ in range(count)]

    def _take(self, *args: Any) -> None:
        self._queue.put_nowait(args[0] if args else None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A data channel with the messages that it received since it exists."""

    channel: RTCDataChannel
    inbox: Arrivals

    @classmethod
    def of(cls, channel: RTCDataChannel) -> Endpoint:
        """Start to collect."""
        return cls(channel, Arrivals(channel, "message"))


class ChannelArrivals(Arrivals):
    """Channels that the remote opens; no message is missed, because collecting starts in the handler."""

    def __init__(self, pc: RTCPeerConnection) -> None:
        super().__init__(pc, "datachannel")

    def _take(self, *args: Any) -> None:
        super()._take(Endpoint.of(args[0]))


@dataclass(frozen=True, slots=True)
class Link:
    """A connected pair with one data channel: `near` at the offerer, `far` at the answerer."""

    offerer: RTCPeerConnection
    answerer: RTCPeerConnection
    near: Endpoint
    far: Endpoint


# --- waiting -----------------------------------------------------------------------------------------


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound what is awaited inside; the message says what was missing."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise AssertionError(f"{what} did not come about within {seconds} s") from None


async def until(emitter: Emits, events: Iterable[str], condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds, looking now and at each of the events."""
    met = asyncio.get_running_loop().create_future()

    def look(*_: object) -> None:
        if condition() and not met.done():
            met.set_result(None)

    for event in events:
        emitter.on(event, look)
    look()
    try:
        await asyncio.wait_for(met, PATIENCE)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about within {PATIENCE} s") from None
    finally:
        for event in events:
            _stop_listening(emitter, event, look)


async def reach(pc: RTCPeerConnection, attribute: str, *states: str) -> str:
    """Wait until a state of a connection is one of `states`; return it."""
    event = STATE_EVENTS[attribute]
    await until(pc, (event,), lambda: getattr(pc, attribute) in states, f"{attribute} {' or '.join(states)}")
    return str(getattr(pc, attribute))


async def opened(channel: RTCDataChannel) -> None:
    """Wait until a channel can be used."""
    await until(channel, ("open", "close"), lambda: channel.readyState != "connecting", "an open channel")
    assert channel.readyState == "open", f"channel {channel.label[:40]!r} is {channel.readyState!r}"


async def closed(channel: RTCDataChannel) -> None:
    """Wait until a channel is closed."""
    await until(channel, ("close",), lambda: channel.readyState == "closed", "a closed channel")


async def first_event(emitter: Emits, event: str, patience: float = PATIENCE) -> Any:
    """Wait for the next emission; return what it carries."""
    return await Arrivals(emitter, event).next(patience)


# --- connections -------------------------------------------------------------------------------------


async def negotiate(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Exchange an offer and an answer (RFC 9429 section 3.2)."""
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(local_of(offerer))
    await answerer.setLocalDescription(await answerer.createAnswer())
    await offerer.setRemoteDescription(local_of(answerer))


async def connect(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Negotiate, and wait until both ends are connected."""
    await negotiate(offerer, answerer)
    for pc in (offerer, answerer):
        await reach(pc, "connectionState", "connected")


async def link(peers: Peers, pair: Pair, configuration: RTCConfiguration | None = None, **options: Any) -> Link:
    """Connect a pair over one data channel.

    :param options: of `createDataChannel`.
    """
    offerer, answerer = peers.open_pair(pair, configuration)
    arrivals = ChannelArrivals(answerer)
    near = Endpoint.of(offerer.createDataChannel(options.pop("label", "chat"), **options))
    await connect(offerer, answerer)
    await opened(near.channel)
    return Link(offerer, answerer, near, await arrivals.next())


def local_of(pc: RTCPeerConnection) -> RTCSessionDescription:
    """Return the local description, which must be there."""
    description = pc.localDescription
    assert description is not None, "no local description was set"
    return description


def _stop_listening(emitter: Emits, event: str, handler: Callable[..., Any]) -> None:
    try:
        emitter.remove_listener(event, handler)
    except KeyError:
        return  # closing has removed every listener already
