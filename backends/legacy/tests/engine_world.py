"""Drives engines through the seam: what the engine tests need, with any two backends."""

from __future__ import annotations

import array
import asyncio
import fractions
import functools
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, TypeVar

from av import AudioFrame, VideoFrame

from backends.legacy import plugin
from shim.spi.engines import (
    DataChannelEngine,
    DataChannelInit,
    EngineConfig,
    Kind,
    MediaSink,
    PeerEngine,
    SessionDescription,
    SessionState,
)
from shim.spi.errors import MediaStreamError
from shim.spi.events import (
    ChannelAnnounced,
    ChannelMessage,
    ChannelOpened,
    ConnectionChanged,
    Event,
    IceGatheringChanged,
    SessionChanged,
)

DEADLINE: Final = 20.0
E = TypeVar("E")


def runs(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine test on a loop of its own, and let it leave no task behind."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(2 * DEADLINE):
                await test(*args, **kwargs)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left behind: {left}"

        asyncio.run(bounded())

    return run


class Log:
    """An event sink that keeps what is posted."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._posted = asyncio.Event()

    def post(self, event: Event) -> None:
        """Keep an event, and wake who waits for it."""
        self.events.append(event)
        self._posted.set()

    def all(self, kind: type[E]) -> list[E]:
        """Return the events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], accept: Callable[[E], bool] = lambda _: True) -> E:
        """Wait for an event and return the first that fits."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for event in self.all(kind):
                    if accept(event):
                        return event
                self._posted.clear()
                await self._posted.wait()


class Peer:
    """An engine and the log of what it posts."""

    def __init__(self, config: EngineConfig | None = None, backend: ModuleType = plugin) -> None:
        self.log = Log()
        self.engine: PeerEngine = backend.shim_create_peer_engine(config or EngineConfig(), self.log)

    @property
    def session(self) -> SessionState:
        """The session as last posted."""
        return self.log.all(SessionChanged)[-1].state

    async def gathered(self, times: int = 1) -> SessionDescription:
        """Return the local description with all candidates, once they have been gathered so often."""
        await self.log.until(IceGatheringChanged, lambda event: self.gatherings() >= times)
        state = self.engine.local_state()
        description = state.pending_local or state.current_local
        assert description is not None
        return description

    def gatherings(self) -> int:
        """Return how often gathering has ended."""
        return sum(event.state == "complete" for event in self.log.all(IceGatheringChanged))

    async def connected(self) -> None:
        """Wait for the connection."""
        await self.log.until(ConnectionChanged, lambda event: event.state == "connected")

    def states(self) -> list[str]:
        """Return the connection states so far."""
        return [event.state for event in self.log.all(ConnectionChanged)]


@dataclass
class Pair:
    """Two peers. Closes both at the end of its block."""

    offerer: Peer = field(default_factory=Peer)
    answerer: Peer = field(default_factory=Peer)

    async def __aenter__(self) -> Pair:
        await asyncio.gather(self.offerer.engine.start(), self.answerer.engine.start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self.offerer.engine.close(), self.answerer.engine.close())

    async def offer(self, *, ice_restart: bool = False) -> None:
        """Bring an offer to the answerer."""
        a, b = self.offerer, self.answerer
        times = a.gatherings() + 1 if ice_restart else 1
        await a.engine.set_local_description(await a.engine.create_offer(ice_restart=ice_restart))
        await b.engine.set_remote_description(await a.gathered(times))

    async def answer(self, *, ice_restart: bool = False) -> None:
        """Bring the answer back."""
        a, b = self.offerer, self.answerer
        times = b.gatherings() + 1 if ice_restart else 1
        await b.engine.set_local_description(await b.engine.create_answer())
        await a.engine.set_remote_description(await b.gathered(times))

    async def negotiate(self) -> None:
        """Offer and answer."""
        await self.offer()
        await self.answer()

    async def connect(self) -> None:
        """Negotiate, and wait for both to be connected."""
        await self.negotiate()
        await asyncio.gather(self.offerer.connected(), self.answerer.connected())

    async def channels(self, init: DataChannelInit) -> tuple[DataChannelEngine, DataChannelEngine]:
        """Connect with one data channel and return both ends."""
        ours = self.offerer.engine.create_data_channel(init)
        await self.connect()
        announced = await self.answerer.log.until(ChannelAnnounced)
        await self.offerer.log.until(ChannelOpened)
        return ours, announced.channel

    def receive(self) -> dict[str, Media]:
        """Attach a sink to whatever the answerer receives; returns them by kind."""
        sinks: dict[str, Media] = {}
        for transceiver in self.answerer.session.transceivers:
            if transceiver.receive_track_id is not None:
                sinks[transceiver.kind] = Media()
                transceiver.engine.attach(sinks[transceiver.kind])
        return sinks


class Media(MediaSink):
    """A sink that keeps frames."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        """Keep a frame."""
        self.frames.append(frame)
        self._loop.call_soon_threadsafe(self._changed.set)

    def end(self) -> None:
        """Note the end."""
        self._loop.call_soon_threadsafe(self.ended.set)

    async def until(self, accept: Callable[[Any], bool]) -> Any:  # noqa: ANN401
        """Wait for a frame that fits."""
        async with asyncio.timeout(DEADLINE):
            seen = 0
            while True:
                for frame in self.frames[seen:]:
                    if accept(frame):
                        return frame
                seen = len(self.frames)
                self._changed.clear()
                await self._changed.wait()

    async def count(self, wanted: int) -> list[Any]:
        """Wait for so many frames in all."""
        await self.until(lambda _: len(self.frames) >= wanted)
        return self.frames


class Source:
    """A paced track. Subclasses make the frames."""

    kind: Kind = "audio"
    interval = 0.02

    def __init__(self, id: str = "track") -> None:
        self.id = id
        self.stops = 0
        self.count = 0
        self._start: float | None = None

    async def recv(self) -> Any:  # noqa: ANN401
        """Return the next frame when it is due."""
        if self.stops:
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        await asyncio.sleep(self._start + self.count * self.interval - time.monotonic())
        frame = self.frame(self.count)
        self.count += 1
        return frame

    def frame(self, index: int) -> Any:  # noqa: ANN401
        """Make a frame."""
        raise NotImplementedError

    def stop(self) -> None:
        """Count being stopped."""
        self.stops += 1


class Tone(Source):
    """A sine."""

    def __init__(self, hertz: float = 440, rate: int = 48000, format: str = "s16", layout: str = "mono") -> None:
        super().__init__("tone")
        self.hertz, self.rate, self.format, self.layout = hertz, rate, format, layout

    def frame(self, index: int) -> AudioFrame:
        """Make 20 ms."""
        samples = self.rate // 50
        mono = [math.sin(2 * math.pi * self.hertz * (index * samples + i) / self.rate) for i in range(samples)]
        frame = AudioFrame(format=self.format, layout=self.layout, samples=samples)
        width = 1 if frame.format.is_planar else len(frame.layout.channels)
        values = [value for value in mono for _ in range(width)]
        typecode, scale = {"s16": ("h", 16000), "flt": ("f", 0.5)}[self.format.removesuffix("p")]
        data = array.array(typecode, [scale * v if typecode == "f" else int(scale * v) for v in values]).tobytes()
        for plane in frame.planes:
            plane.update(data)
        frame.sample_rate, frame.pts, frame.time_base = self.rate, index * samples, fractions.Fraction(1, self.rate)
        return frame


class Picture(Source):
    """A grey picture whose brightness is `luma`; the right half is darker by 40."""

    kind: Kind = "video"
    interval = 1 / 30

    def __init__(self, width: int = 320, height: int = 240, format: str = "yuv420p", luma: int = 160) -> None:
        super().__init__("picture")
        self.width, self.height, self.format, self.luma = width, height, format, luma

    def frame(self, index: int) -> VideoFrame:
        """Make one picture."""
        frame = VideoFrame(self.width, self.height, "yuv420p")
        y, u, v = frame.planes
        half = self.width // 2
        row = bytes([self.luma]) * half + bytes([self.luma - 40]) * (y.line_size - half)
        y.update(row * self.height)
        for plane in (u, v):
            plane.update(b"\x80" * plane.buffer_size)
        if self.format != "yuv420p":
            frame = frame.reformat(format=self.format)
        frame.pts, frame.time_base = index * 3000, fractions.Fraction(1, 90000)
        return frame


def luma(frame: VideoFrame) -> tuple[int, int]:
    """Return the brightness of the left and of the right half."""
    plane = frame.planes[0]
    row = bytes(plane)[(frame.height // 2) * plane.line_size :]
    return row[frame.width // 4], row[3 * frame.width // 4]


def pitch(frames: list[AudioFrame]) -> float:
    """Return the frequency of a tone, by its zero crossings."""
    heard = [value for frame in frames for value in left_channel(frame)]
    crossings = [i for i in range(1, len(heard)) if heard[i - 1] < 0 <= heard[i]]
    return (len(crossings) - 1) * float(frames[0].sample_rate) / (crossings[-1] - crossings[0])


def left_channel(frame: AudioFrame) -> array.array[int]:
    """Return the samples of the first channel; decoders pad their buffers."""
    channels = len(frame.layout.channels)
    return array.array("h", bytes(frame.planes[0]))[: frame.samples * channels : channels]


async def echo(pair: Pair) -> None:
    """Send a message through the first channel of a pair that is connected."""
    channel = pair.offerer.log.all(ChannelOpened)[0].channel
    before = len(pair.answerer.log.all(ChannelMessage))
    channel.send("echo")
    await pair.answerer.log.until(ChannelMessage, lambda _: len(pair.answerer.log.all(ChannelMessage)) > before)


async def settled(condition: Callable[[], bool], pause: Callable[[], Awaitable[object]]) -> None:
    """Repeat `pause` until a condition holds that no event tells of."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await pause()
