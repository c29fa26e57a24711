"""The tracks of a measured call: what is sent passes through them, and what arrives is taken from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import av

from shim.api.tracks import MediaStreamTrack
from shim.calls.ledger import AudioLedger, VideoLedger
from shim.spi.errors import MediaStreamError

Frame = av.AudioFrame | av.VideoFrame


class SentAudio(MediaStreamTrack):
    """Sound on its way to the sender.

    :param source: where it comes from.
    :param ledger: told of every frame.
    :param start: nothing is read from `source` before this is set.
    """

    kind = "audio"

    def __init__(self, source: MediaStreamTrack, ledger: AudioLedger, start: asyncio.Event) -> None:
        super().__init__()
        self._source, self._ledger, self._go = source, ledger, start

    async def recv(self) -> av.AudioFrame:
        """Return the next frame, noted at the time at which the sender gets it."""
        frame = await _next(self, self._source, self._go)
        assert isinstance(frame, av.AudioFrame)
        self._ledger.sent(frame, time.monotonic())
        return frame

    def stop(self) -> None:
        """End the track and its source."""
        self._source.stop()
        super().stop()


class SentVideo(MediaStreamTrack):
    """Pictures on their way to the sender; parameters as for :class:`SentAudio`."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, ledger: VideoLedger, start: asyncio.Event) -> None:
        super().__init__()
        self._source, self._ledger, self._go = source, ledger, start

    async def recv(self) -> av.VideoFrame:
        """Return the next picture, numbered, noted at the time at which the sender gets it."""
        frame = await _next(self, self._source, self._go)
        assert isinstance(frame, av.VideoFrame)
        prepared = self._ledger.prepare(frame)
        self._ledger.sent(time.monotonic())
        return prepared

    def stop(self) -> None:
        """End the track and its source."""
        self._source.stop()
        super().stop()


async def _next(track: MediaStreamTrack, source: MediaStreamTrack, start: asyncio.Event) -> object:
    await start.wait()
    try:
        return await source.recv()
    except MediaStreamError:
        track.stop()
        raise


async def consume(track: MediaStreamTrack, take: Callable[[Frame, float], None]) -> None:
    """Hand every frame of a received track to `take`, with the time at which it came out, until the track ends."""
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, av.AudioFrame | av.VideoFrame):
            take(frame, time.monotonic())
