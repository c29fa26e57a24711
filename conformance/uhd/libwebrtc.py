"""A peer of libwebrtc M152 that answers a call and sends 4K: PyPI ``wrtc``, with none of our code in it.

On a slow machine libwebrtc makes pictures smaller, unless it is told three things: to keep the resolution
(``degradationPreference``), that frames may be few, and with which bit rate to begin (``x-google-...`` in the fmtp of
the remote description, as Chromium takes it) instead of the 300 kbit/s from which it probes upwards.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from conformance.asserts import within

if TYPE_CHECKING:
    from av import VideoFrame

START, LEAST, MOST = 30_000, 10_000, 60_000
"""Kilobits per second."""
QUEUED: Final = 2
PATIENCE: Final = 10.0


class LibwebrtcPeer:
    """Answers one offer with one section of video, and sends in it what it receives room for."""

    def __init__(self) -> None:
        self._library: Any = import_module("webrtc")
        self._pc: Any = self._library.RTCPeerConnection()
        self._generator: Any = self._library.MediaStreamTrackGenerator("video")
        self._receivers: asyncio.Queue[Any] = asyncio.Queue()
        self._gathered = asyncio.Event()
        self._pc.on("track", lambda event: self._receivers.put_nowait(event.receiver))
        self._pc.on("icegatheringstatechange", self._look)

    async def answer(self, offer: str, codec: str) -> str:
        """Return the answer to an offer, with all candidates in it."""
        description = self._library.RTCSessionDescriptionInit("offer", with_bitrates(offer, codec))
        await self._pc.set_remote_description(description)
        (transceiver,) = self._pc.get_transceivers()
        transceiver.direction = "sendrecv"
        await transceiver.sender.replace_track(self._generator)
        await self._pc.set_local_description(await self._pc.create_answer())
        self._look()
        async with within(PATIENCE, "the end of gathering"):
            await self._gathered.wait()
        await _keep_the_resolution(transceiver.sender)
        return str(self._pc.local_description.sdp)

    async def send(self, picture_at: Callable[[int], VideoFrame], fps: float) -> None:
        """Send numbered pictures until cancelled; those that come too late are left out."""
        writer, started, index = self._generator.writable.get_writer(), time.monotonic(), 0
        while True:
            picture = picture_at(index)
            await writer.write(self._library.VideoFrame(_bytes_of(picture), self._form(picture)))
            index = max(index + 1, int((time.monotonic() - started) * fps))
            await asyncio.sleep(started + index / fps - time.monotonic())

    async def received(self) -> AsyncIterator[VideoFrame]:
        """Yield what arrives."""
        receiver = await self._receivers.get()
        init = self._library.MediaStreamTrackProcessorInit(receiver.track, QUEUED)
        async for native in self._library.MediaStreamTrackProcessor(init).readable:
            with native:
                yield await self._taken(native)

    def close(self) -> None:
        """End the call."""
        self._pc.close()

    def _look(self, *_: object) -> None:
        if self._pc.ice_gathering_state == "complete":
            self._gathered.set()

    def _form(self, picture: VideoFrame) -> Any:
        layout = self._layout(picture)
        return self._library.VideoFrameBufferInit("I420", picture.width, picture.height, 0, layout=layout)

    def _layout(self, picture: VideoFrame) -> list[Any]:
        sizes = zip(_offsets(picture), picture.planes, strict=True)
        return [self._library.PlaneLayout(offset, plane.line_size) for offset, plane in sizes]

    async def _taken(self, native: Any) -> VideoFrame:
        from av import VideoFrame

        picture = VideoFrame(native.coded_width, native.coded_height, "yuv420p")
        pixels = bytearray(sum(plane.buffer_size for plane in picture.planes))
        await native.copy_to(pixels, self._library.VideoFrameCopyToOptions(layout=self._layout(picture)))
        for offset, plane in zip(_offsets(picture), picture.planes, strict=True):
            plane.update(bytes(pixels[offset : offset + plane.buffer_size]))
        return picture


def with_bitrates(sdp: str, codec: str) -> str:
    """Return a description that tells libwebrtc with which bit rate to begin, and below which not to go."""
    told = f"x-google-start-bitrate={START};x-google-min-bitrate={LEAST};x-google-max-bitrate={MOST}"
    for payload_type in re.findall(rf"a=rtpmap:(\d+) {codec}/90000", sdp):
        if f"a=fmtp:{payload_type} " in sdp:
            sdp = sdp.replace(f"a=fmtp:{payload_type} ", f"a=fmtp:{payload_type} {told};")
        else:
            sdp = re.sub(rf"(a=rtpmap:{payload_type} .*\r\n)", rf"\g<1>a=fmtp:{payload_type} {told}\r\n", sdp)
    return sdp


async def _keep_the_resolution(sender: Any) -> None:
    parameters = sender.get_parameters()
    parameters.degradation_preference = "maintain-resolution"
    for encoding in parameters.encodings:
        encoding.max_bitrate = MOST * 1000
    await sender.set_parameters(parameters)


def _bytes_of(picture: VideoFrame) -> bytes:
    return b"".join(bytes(plane) for plane in picture.planes)


def _offsets(picture: VideoFrame) -> Iterator[int]:
    offset = 0
    for plane in picture.planes:
        yield offset
        offset += plane.buffer_size
