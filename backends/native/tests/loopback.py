"""Two connected DTLS transports, and sources and sinks to use on them."""

from __future__ import annotations

import asyncio
import fractions
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpDecodingParameters,
    RTCRtpReceiveParameters,
    RTCRtpRtxParameters,
    RTCRtpSendParameters,
)
from av import AudioFrame, Packet, VideoFrame

from backends.native.encoders import codecs_for, header_extensions_for
from backends.native.receiver import MediaReceiver
from backends.native.sender import MediaSender
from shim.spi.engines import EngineConfig

PATIENCE = 10.0


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test on a loop of its own; no thread, task or unreported error may be left."""
    before = set(threading.enumerate())

    async def checked() -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await asyncio.wait_for(test, 30)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        assert not errors

    asyncio.run(checked())
    assert not set(threading.enumerate()) - before


class QueueSource:
    """A track whose frames a test pushes; an exception that is pushed is raised."""

    def __init__(self, kind: str, name: str = "source") -> None:
        self.kind = kind
        self.id = name
        self.stopped = 0
        self.pulled = 0
        self._queue: asyncio.Queue[AudioFrame | VideoFrame | Packet[Any] | Exception] = asyncio.Queue()
        self._pulled = asyncio.Event()
        self._stopped = asyncio.Event()

    def push(self, *items: AudioFrame | VideoFrame | Packet[Any] | Exception) -> None:
        for item in items:
            self._queue.put_nowait(item)

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        item = await self._queue.get()
        self.pulled += 1
        self._pulled.set()
        if isinstance(item, Exception):
            raise item
        return item

    async def until_pulled(self, count: int) -> None:
        """Wait until so many items have been taken, and what follows at once has been done."""
        while self.pulled < count:
            self._pulled.clear()
            await asyncio.wait_for(self._pulled.wait(), PATIENCE)
        await asyncio.sleep(0)

    async def until_stopped(self) -> None:
        """Wait until the sender has stopped the track."""
        await asyncio.wait_for(self._stopped.wait(), PATIENCE)

    def stop(self) -> None:
        self.stopped += 1
        self._stopped.set()


class Recorder:
    """A sink that a test can wait on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[AudioFrame | VideoFrame | None] = asyncio.Queue()
        self.ended = 0

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, frame)

    def end(self) -> None:
        self.ended += 1
        self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    async def next(self) -> Any:  # noqa: ANN401 - a test knows what it sent
        """Return the next frame, `None` at the end."""
        return await asyncio.wait_for(self._queue.get(), PATIENCE)

    async def take(self, count: int) -> list[Any]:
        return [await self.next() for _ in range(count)]

    @property
    def empty(self) -> bool:
        return self._queue.empty()


class LossySender(MediaSender):
    """A sender whose packets a test may lose: `loses` is asked with each RTP packet."""

    sent: int = 0

    def loses(self, data: bytes) -> bool:
        return False

    async def send_packet(self, data: bytes) -> None:
        if not 192 <= data[1] <= 208:
            self.sent += 1
            if self.loses(data):
                return
        await super().send_packet(data)


@dataclass
class Call:
    """One track from a sender to a receiver."""

    sender: MediaSender
    receiver: MediaReceiver
    source: QueueSource
    sink: Recorder

    def _parameters(self, mimes: tuple[str, ...]) -> dict[str, Any]:
        kind = self.sender.kind
        codecs = {codec.name.lower(): codec for codec in reversed(codecs_for(kind))}
        rtx = [codec for codec in codecs_for(kind) if codec.name == "rtx"]
        chosen: list[RTCRtpCodecParameters] = [codecs[name.lower()] for name in mimes]
        numbers = {codec.payloadType for codec in chosen}
        return {
            "codecs": chosen + [codec for codec in rtx if codec.parameters["apt"] in numbers],
            "headerExtensions": header_extensions_for(kind),
            "muxId": "0",
            "rtcp": RTCRtcpParameters(cname="name", mux=True),
        }

    async def receive(self, *mimes: str) -> None:
        sender, parameters = self.sender, self._parameters(mimes)
        encoding = RTCRtpDecodingParameters(
            ssrc=sender.ssrc,
            payloadType=parameters["codecs"][0].payloadType,
            rtx=RTCRtpRtxParameters(ssrc=sender.rtx_ssrc),
        )
        await self.receiver.receive(RTCRtpReceiveParameters(**parameters, encodings=[encoding]))

    async def send(self, *mimes: str) -> None:
        self.sender.send(RTCRtpSendParameters(**self._parameters(mimes)))


async def until_closed(dtls: RTCDtlsTransport) -> None:
    """Wait until a transport is closed."""
    closed = asyncio.Event()
    dtls.on("statechange", lambda: closed.set() if dtls.state == "closed" else None)
    if dtls.state != "closed":
        await asyncio.wait_for(closed.wait(), PATIENCE)


@asynccontextmanager
async def transports() -> AsyncIterator[tuple[RTCDtlsTransport, RTCDtlsTransport]]:
    """Yield two DTLS transports that are connected to each other."""
    gatherers = RTCIceGatherer(), RTCIceGatherer()
    await asyncio.gather(*(gatherer.gather() for gatherer in gatherers))
    ices = RTCIceTransport(gatherers[0]), RTCIceTransport(gatherers[1])
    for ice, other in zip(ices, reversed(gatherers), strict=True):
        for candidate in [*other.getLocalCandidates(), None]:
            await ice.addRemoteCandidate(candidate)
    await asyncio.gather(*(i.start(g.getLocalParameters()) for i, g in zip(ices, reversed(gatherers), strict=True)))
    first, second = (RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()]) for ice in ices)
    await asyncio.gather(first.start(second.getLocalParameters()), second.start(first.getLocalParameters()))
    try:
        yield first, second
    finally:
        closed = [asyncio.create_task(until_closed(dtls)) for dtls in (first, second)]
        await asyncio.gather(*(dtls.stop() for dtls in (first, second)))
        # aiortc cancels its receiving task without waiting for it.
        await asyncio.gather(*closed)
        await asyncio.gather(*(ice.stop() for ice in ices))


@asynccontextmanager
async def call(
    kind: str, *mimes: str, config: EngineConfig | None = None, sender_class: type[MediaSender] = MediaSender
) -> AsyncIterator[Call]:
    """Yield a track that flows; end it afterwards."""
    config = config or EngineConfig()
    async with transports() as (near, far):
        sender = sender_class(kind, near, config=config)
        parts = Call(sender, MediaReceiver(kind, far, config=config), QueueSource(kind), Recorder())
        parts.receiver.attach(parts.sink)
        parts.sender.set_source(parts.source)
        await parts.receive(*mimes)
        await parts.send(*mimes)
        try:
            yield parts
        finally:
            await parts.sender.stop()
            await parts.receiver.stop()


def sound(
    index: int = 0,
    *,
    rate: int = 48000,
    samples: int | None = None,
    layout: str = "stereo",
    format: str = "s16",
    timed: bool = True,
) -> AudioFrame:
    """20 ms, unless told otherwise, of a soft square wave."""
    samples = samples if samples is not None else rate // 50
    frame = AudioFrame(format=format, layout=layout, samples=samples)
    frame.sample_rate = rate
    for plane in frame.planes:
        plane.update(
            (b"\x00\x10" * 50 + b"\x00\xf0" * 50) * (plane.buffer_size // 200) + bytes(plane.buffer_size % 200)
        )
    if timed:
        frame.pts, frame.time_base = index * samples, fractions.Fraction(1, rate)
    return frame


def picture(
    index: int = 0, width: int = 160, height: int = 120, format: str = "yuv420p", *, timed: bool = True
) -> VideoFrame:
    """A plain picture whose brightness tells its index."""
    frame = VideoFrame(width, height, format)
    for plane in frame.planes:
        plane.update(bytes([40 + 8 * (index % 20)]) * plane.buffer_size)
    if timed:
        frame.pts, frame.time_base = index * 3000, fractions.Fraction(1, 90000)
    return frame
