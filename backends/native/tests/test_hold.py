"""What is held is still named in descriptions, and comes back as the stream that it was."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from aiortc.rtcconfiguration import RTCBundlePolicy
from av import AudioFrame, VideoFrame

from backends.native.media_stats import InboundSources
from backends.native.reports import STREAMS_MAX
from backends.native.sender import MediaSender
from backends.native.session import Session
from backends.native.tests import peers
from backends.native.tests.loopback import Call, QueueSource, call, picture, sound
from backends.native.tests.loopback import run as run_media
from backends.native.tests.test_interop import Plain, to_aiortc, to_shim
from backends.native.tests.test_session import answer, offer, session
from shim.spi.engines import Direction, EncodedFrameInfo, EngineConfig

# --- descriptions ------------------------------------------------------------------------------------


def streams_in(text: str) -> list[str]:
    """Return the lines that name what is sent."""
    return re.findall(r"a=(?:msid|ssrc|ssrc-group):.*", text)


def renegotiate(a: Session, b: Session) -> str:
    text = offer(a, b)
    answer(a, b)
    return text


def turned(one: Session, direction: Direction) -> Session:
    one.values.records[0].direction = direction
    return one


def test_an_offer_names_what_is_held() -> None:
    a, b = session("video"), session()
    named = streams_in(renegotiate(a, b))
    assert len(named) == 4
    directions: tuple[Direction, ...] = ("inactive", "recvonly", "sendonly", "inactive", "sendrecv")
    for direction in directions:
        text = renegotiate(turned(a, direction), b)
        assert f"a={direction}\r\n" in text
        assert streams_in(text) == named


def test_an_answer_names_what_is_held() -> None:
    a, b = session("video"), session()
    named = streams_in(renegotiate(a, b))
    mirrors: dict[Direction, Direction] = {"inactive": "inactive", "sendonly": "recvonly", "recvonly": "sendonly"}
    for direction, mirrored in mirrors.items():
        offer(turned(b, direction), a)
        text = answer(b, a)
        assert f"a={mirrored}\r\n" in text
        assert streams_in(text) == named


def test_what_the_answer_refused_is_not_named_later() -> None:
    a, b = session("video"), session()
    offer(a, b)
    answer(turned(a, "sendrecv"), turned(b, "inactive"))
    assert streams_in(turned(a, "inactive").create_offer(restart=False)) == []
    assert streams_in(turned(a, "sendonly").create_offer(restart=False))


def test_what_was_only_agreed_on_in_a_rolled_back_offer_is_not_named() -> None:
    a, b = session("video"), session()
    offer(a, b)
    a.roll_back()
    assert streams_in(turned(a, "recvonly").create_offer(restart=False)) == []


def test_what_was_stopped_is_not_named() -> None:
    a, b = session("video"), session()
    renegotiate(a, b)
    a.values.records[0].stopping = True
    assert streams_in(a.create_offer(restart=False)) == []


# --- media -------------------------------------------------------------------------------------------


def brightness(frame: VideoFrame) -> float:
    """Return the average of a picture."""
    return float(np.mean(frame.to_ndarray(format="gray")))


def test_nothing_is_sent_of_a_picture_that_was_being_encoded_when_the_hold_began() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            parts.source.push(picture(0))
            await parts.sink.next()
            before = parts.sender.media_stats()["packetsSent"]
            is_encoding, is_held = threading.Event(), threading.Event()

            def linger(data: bytes, info: EncodedFrameInfo) -> bytes:
                is_encoding.set()
                is_held.wait(10)
                return data

            parts.sender.set_transform(linger)
            parts.source.push(picture(1), picture(2))
            await asyncio.to_thread(is_encoding.wait, 10)
            await parts.sender.pause()
            is_held.set()
            await parts.source.until_pulled(3)
            held = parts.sender.media_stats()
            assert (held["packetsSent"], held["active"]) == (before, False)
            await parts.send("VP8")
            parts.source.push(picture(3))
            assert abs(brightness(await parts.sink.next()) - brightness(picture(3))) < 4
            assert parts.receiver.media_stats()["keyFramesDecoded"] == 2

    run_media(test())


def test_another_stream_is_counted_by_itself() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            for index in range(3):
                parts.source.push(picture(index))
                await parts.sink.next()
            parts.sender.set_source(None)
            first, source = parts.receiver.media_stats(), QueueSource("video")
            other = Call(
                MediaSender("video", parts.sender.transport, config=EngineConfig()), parts.receiver, source, parts.sink
            )
            other.sender.set_source(source)
            await other.receive("VP8")
            await other.send("VP8")
            source.push(picture(0), picture(1))
            await parts.sink.take(2)
            sent, received = other.sender.media_stats(), parts.receiver.media_stats()
            assert (first["ssrc"], first["framesDecoded"]) == (parts.sender.ssrc, 3)
            assert (received["ssrc"], received["framesDecoded"]) == (other.sender.ssrc, 2)
            assert received["packetsReceived"] == sent["packetsSent"]
            assert received["bytesReceived"] == sent["bytesSent"]
            await other.sender.stop()

    run_media(test())


def test_a_source_that_comes_back_is_counted_on() -> None:
    known = InboundSources()
    known.of(1).packets += 3
    known.of(2).packets += 1
    assert [known.of(ssrc).packets for ssrc in (1, 2, 3)] == [3, 1, 0]
    for ssrc in range(10, 10 + STREAMS_MAX):
        known.of(ssrc)
    assert known.of(1).packets == 0


# --- a peer that is plain aiortc ---------------------------------------------------------------------


def silence() -> AudioFrame:
    frame = AudioFrame(format="s16", layout="stereo", samples=960)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.sample_rate = 48000
    return frame


async def repeat(source: QueueSource, frame_at: Callable[[], AudioFrame]) -> None:
    """Play one frame until cancelled."""
    while True:
        source.push(frame_at())
        await asyncio.sleep(0.02)


async def until_heard(track: Any, *, is_loud: bool) -> None:  # noqa: ANN401 - a track of aiortc
    """Receive until there is sound, or silence."""

    async def listen() -> None:
        while bool(np.abs((await track.recv()).to_ndarray()).max() > 1000) != is_loud:
            pass

    await asyncio.wait_for(listen(), peers.TIMEOUT)


def test_aiortc_hears_what_comes_back_after_hold() -> None:
    async def scenario() -> None:
        native, plain = peers.Peer(), Plain(RTCBundlePolicy.BALANCED)
        await native.engine.start()
        # Of two sections that share a transport, aiortc finds only the streams that it knows already.
        sources = [QueueSource("audio", name) for name in ("one", "other")]
        transceivers = [native.engine.add_transceiver("audio", "sendonly", source) for source in sources]

        async def turn(direction: Direction) -> None:
            for transceiver in transceivers:
                transceiver.set_direction(direction)
            await native.engine.set_local_description(await native.engine.create_offer())
            await native.gathered()
            await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().pending_local))
            await plain.pc.setLocalDescription(await plain.pc.createAnswer())
            await native.engine.set_remote_description(to_shim(plain.pc.localDescription))

        async def play(frame_at: Callable[[], AudioFrame], *, is_loud: bool) -> None:
            feeding = [asyncio.create_task(repeat(source, frame_at)) for source in sources]
            await asyncio.gather(*(until_heard(track, is_loud=is_loud) for track in plain.tracks))
            for task in feeding:
                task.cancel()

        await turn("sendonly")
        await play(silence, is_loud=False)
        await turn("inactive")
        await turn("sendonly")
        await play(lambda: sound(timed=False), is_loud=True)
        await native.engine.close()
        await plain.pc.close()

    peers.run(scenario)
