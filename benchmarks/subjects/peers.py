"""A pair of peers of anything that has aiortc's API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.metric import UnsupportedError
from benchmarks.pacing import Pace, paced_track
from benchmarks.subjects.base import Channel, Kind, Route, Taker

DIRECT = Route()


@dataclass(frozen=True, slots=True)
class Api:
    """What differs between those who have this API.

    :param connect: returns a new peer connection.
    :param track_base: class of tracks that it sends.
    :param track_error: raised by a track that has ended.
    :param codecs: returns what can be sent of a kind.
    :param description: makes a session description of ``sdp`` and ``type``.
    """

    connect: Callable[[], Any]
    track_base: type
    track_error: type[Exception]
    codecs: Callable[[Kind], Sequence[Any]]
    description: Callable[..., Any]


class ApiPair:
    """Two peer connections."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.near, self.far = api.connect(), api.connect()
        loop = asyncio.get_running_loop()
        self._near_channel: Any = None
        self._far_channel: asyncio.Future[Any] = loop.create_future()
        self._take: Taker | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.far.on("datachannel", self._on_channel)
        self.far.on("track", self._on_track)

    def create_channel(self, *, ordered: bool = True, max_retransmits: int | None = None) -> Channel:
        """Create a channel at the near end."""
        self._near_channel = self.near.createDataChannel("bench", ordered=ordered, maxRetransmits=max_retransmits)
        return as_channel(self._near_channel)

    async def far_channel(self) -> Channel:
        """Return the far end of the channel; both ends are open."""
        far = await self._far_channel
        if self._near_channel.readyState != "open":
            is_open = asyncio.Event()
            self._near_channel.on("open", is_open.set)
            await is_open.wait()
        return as_channel(far)

    def send(self, pace: Pace, codec: str | None = None) -> None:
        """Send media from near to far."""
        wanted = self._preferences(pace.source.kind, codec) if codec is not None else []
        self.near.addTrack(paced_track(self._api.track_base, pace))
        if wanted:
            self.near.getTransceivers()[-1].setCodecPreferences(wanted)

    def receive(self, take: Taker) -> None:
        """Hand every frame that comes out of the far end to `take`."""
        self._take = take

    async def connect(self, route: Route = DIRECT) -> None:
        """Negotiate, and wait until both ends are connected."""
        connected = [asyncio.ensure_future(until_connected(pc)) for pc in (self.near, self.far)]
        try:
            await self.near.setLocalDescription(await self.near.createOffer())
            await self.far.setRemoteDescription(await route.carry(self.near.localDescription, "a"))
            await self.far.setLocalDescription(await self.far.createAnswer())
            await self.near.setRemoteDescription(await route.carry(self.far.localDescription, "b"))
            await asyncio.gather(*connected)
        finally:
            for waiting in connected:
                waiting.cancel()

    def description(self, words: Mapping[str, str]) -> Any:  # noqa: ANN401 - of any library
        """Return a description that came from another process, as :func:`words_of` made it."""
        return self._api.description(sdp=words["sdp"], type=words["type"])

    async def close(self) -> None:
        """Close both ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self.near.close(), self.far.close())

    def _preferences(self, kind: Kind, codec: str) -> list[Any]:
        known = self._api.codecs(kind)
        wanted = [one for one in known if one.mimeType.split("/")[1].upper() == codec.upper()]
        if not wanted:
            raise UnsupportedError(f"does not send {codec}")
        return wanted + [one for one in known if one.mimeType.lower().endswith("/rtx")]

    def _on_channel(self, channel: Any) -> None:  # noqa: ANN401 - of any library
        if not self._far_channel.done():
            self._far_channel.set_result(channel)

    def _on_track(self, track: Any) -> None:  # noqa: ANN401
        self._tasks.append(asyncio.ensure_future(self._consume(track)))

    async def _consume(self, track: Any) -> None:  # noqa: ANN401
        with suppress(self._api.track_error):
            while True:
                frame = await track.recv()
                if self._take is not None:
                    self._take(frame, time.perf_counter())


def words_of(description: Any) -> dict[str, str]:  # noqa: ANN401 - of any library
    """Return a description as JSON can carry it."""
    return {"sdp": description.sdp, "type": description.type}


def as_channel(channel: Any) -> Channel:  # noqa: ANN401
    """Return an end of a data channel of any library with this API."""

    def on_low(threshold: int, call: Callable[[], object]) -> None:
        channel.bufferedAmountLowThreshold = threshold
        channel.on("bufferedamountlow", call)

    return Channel(
        send=channel.send,
        buffered=lambda: int(channel.bufferedAmount),
        on_message=lambda call: channel.on("message", call),
        on_low=on_low,
    )


async def until_connected(pc: Any) -> None:  # noqa: ANN401
    """Wait until a peer connection is connected.

    :raises ConnectionError: it failed.
    """
    changed = asyncio.Event()
    pc.on("connectionstatechange", changed.set)
    while pc.connectionState != "connected":
        if pc.connectionState in ("failed", "closed"):
            raise ConnectionError(f"a peer is {pc.connectionState}, and not connected")
        changed.clear()
        await changed.wait()
