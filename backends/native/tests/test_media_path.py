"""The media path from a source to a sink, over real transports."""

from __future__ import annotations

import asyncio
import fractions
import itertools
import logging
from typing import Any

import av
import pytest
from av import AudioFrame, Packet, VideoFrame

from backends.native.sender import MediaSender
from backends.native.tests.loopback import Call, LossySender, QueueSource, call, picture, run, sound
from shim.spi.engines import BitrateBounds, Encoding, EngineConfig, OpusParameters
from shim.spi.errors import MediaStreamError


async def show(parts: Call, *items: AudioFrame | VideoFrame | Packet[Any]) -> list[Any]:
    """Push frames one at a time, each after the one before has arrived."""
    frames = []
    for item in items:
        parts.source.push(item)
        frames.append(await parts.sink.next())
    return frames


@pytest.mark.parametrize(("mime", "ticks"), [("opus", 960), ("G722", 320), ("PCMU", 160), ("PCMA", 160)])
def test_each_audio_frame_arrives_before_the_next_one_is_sent(mime: str, ticks: int) -> None:
    async def test() -> None:
        async with call("audio", mime) as parts:
            frames = await show(parts, *(sound(i) for i in range(8)))
            assert [frame.pts for frame in frames] == [i * ticks for i in range(8)]
            assert all(frame.samples == ticks for frame in frames)

    run(test())


@pytest.mark.parametrize("mime", ["VP8", "H264"])
def test_each_video_frame_arrives_before_the_next_one_is_sent(mime: str) -> None:
    async def test() -> None:
        async with call("video", mime) as parts:
            frames = await show(parts, *(picture(i, 320, 240) for i in range(8)))
            assert [(frame.pts, frame.width, frame.height) for frame in frames] == [
                (i * 3000, 320, 240) for i in range(8)
            ]
            assert all(frame.time_base == fractions.Fraction(1, 90000) for frame in frames)

    run(test())


@pytest.mark.parametrize("mime", ["VP8", "H264"])
def test_any_size_and_pixel_format_is_sent(mime: str) -> None:
    shapes = [(321, 241, "yuv420p"), (320, 240, "rgb24"), (33, 17, "nv12"), (64, 64, "gray"), (100, 75, "yuv444p")]

    async def test() -> None:
        async with call("video", mime) as parts:
            frames = await show(parts, *(picture(i, *shape) for i, shape in enumerate(shapes)))
            wanted = [(w, h) if mime == "VP8" else (w & ~1, h & ~1) for w, h, _ in shapes]
            assert [(frame.width, frame.height) for frame in frames] == wanted

    run(test())


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("format", ["s16", "flt", "s16p", "fltp"])
def test_any_audio_format_is_sent(rate: int, format: str) -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            for index, layout in enumerate(("mono", "stereo", "5.1")):
                parts.source.push(*(sound(i, rate=rate, layout=layout, format=format) for i in range(3)))
                frames = await parts.sink.take(2 if index == 0 else 1)
                assert all(frame.samples == 960 for frame in frames)
            assert not parts.source.stopped

    run(test())


def test_frames_of_any_length_become_packets_of_the_packet_time() -> None:
    async def test() -> None:
        async with call("audio", "opus", config=EngineConfig(opus=OpusParameters(ptime=10))) as parts:
            parts.source.push(*(sound(i, samples=160) for i in range(9)))
            frames = await parts.sink.take(3)
            assert [(frame.pts, frame.samples) for frame in frames] == [(0, 480), (480, 480), (960, 480)]

    run(test())


def test_frames_without_a_time_get_rising_ones() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            frames = await show(parts, *(picture(i, timed=False) for i in range(5)))
            assert all(a.pts < b.pts for a, b in itertools.pairwise(frames))
        async with call("audio", "opus") as parts:
            frames = await show(parts, *(sound(i, timed=False) for i in range(5)))
            assert [frame.pts for frame in frames] == [i * 960 for i in range(5)]

    run(test())


class ForgetfulSender(LossySender):
    """Loses every fifth packet the first time it is sent."""

    def loses(self, data: bytes) -> bool:
        return self.sent % 5 == 0 and data[1] & 0x7F == 97


def test_lost_video_packets_are_sent_again() -> None:
    async def test() -> None:
        async with call("video", "VP8", sender_class=ForgetfulSender) as parts:
            parts.source.push(*(picture(i, 320, 240) for i in range(24)))
            frames = await parts.sink.take(24 - 4)
            assert [frame.pts for frame in frames] == [i * 3000 for i in range(20)]
            assert parts.receiver.media_stats()["nackCount"] != 0
            assert parts.sender.media_stats()["retransmittedPacketsSent"] != 0
            assert parts.sender.media_stats()["keyFramesEncoded"] == 1

    run(test())


class OutageSender(LossySender):
    """Loses its fourth to sixth packet, and all retransmissions."""

    def loses(self, data: bytes) -> bool:
        return 4 <= self.sent <= 6 or data[1] & 0x7F == 98


def test_a_loss_that_is_not_made_good_brings_a_key_frame() -> None:
    async def test() -> None:
        async with call("video", "VP8", sender_class=OutageSender) as parts:
            frames: list[VideoFrame] = []

            async def feed() -> None:
                for index in itertools.count():
                    parts.source.push(picture(index))
                    await asyncio.sleep(0.02)

            feeding = asyncio.create_task(feed())
            while not frames or (frames[-1].pts or 0) < 3000 * 8:
                frames += await parts.sink.take(1)
            feeding.cancel()
            assert parts.receiver.media_stats()["keyFramesDecoded"] == 2
            assert parts.sender.media_stats()["pliCount"] != 0
            await asyncio.wait([feeding])

    run(test())


def test_the_codec_changes_while_sending() -> None:
    async def test() -> None:
        async with call("video", "VP8", "H264") as parts:
            await show(parts, *(picture(i) for i in range(3)))
            await parts.receive("H264", "VP8")
            await parts.send("H264", "VP8")
            frames = await show(parts, *(picture(i) for i in range(3, 6)))
            assert all(frame.pts > 6000 for frame in frames)
        async with call("audio", "opus", "PCMU") as parts:
            await show(parts, *(sound(i) for i in range(3)))
            await parts.send("PCMU", "opus")
            frames = await show(parts, *(sound(i) for i in range(3, 6)))
            assert {frame.sample_rate for frame in frames} == {8000}

    run(test())


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_another_source_goes_on_in_time_even_if_the_first_never_returns(kind: str) -> None:
    make = sound if kind == "audio" else picture

    async def test() -> None:
        async with call(kind, "opus" if kind == "audio" else "VP8") as parts:
            first = await show(parts, *(make(i + 5000) for i in range(3)))
            old, parts.source = parts.source, QueueSource(kind, "other")
            parts.sender.set_source(parts.source)
            assert parts.sender.source_id == "other"
            second = await show(parts, *(make(i) for i in range(3)))
            times = [frame.pts for frame in first + second]
            assert times == sorted(set(times))
            assert times[-1] - times[0] < 48000 * 5
            assert not old.stopped
            parts.sender.set_source(None)
            assert parts.sender.source is None

    run(test())


@pytest.mark.parametrize("error", [ValueError("broken"), MediaStreamError("ended")])
def test_a_source_that_raises_is_dropped_and_another_can_follow(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            await show(parts, sound(0))
            parts.source.push(error, sound(1))
            broken, parts.source = parts.source, QueueSource("audio", "other")
            await broken.until_stopped()
            assert broken.pulled == 2
            parts.sender.set_source(parts.source)
            await show(parts, sound(0))

    with caplog.at_level(logging.WARNING):
        run(test())
    assert len(caplog.records) == (0 if isinstance(error, MediaStreamError) else 1)


def test_a_frame_that_cannot_be_encoded_is_dropped_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            parts.source.push(sound(0), sound(1))
            frames = await show(parts, picture(2))
            assert frames[0].pts == 6000

    with caplog.at_level(logging.WARNING):
        run(test())
    assert len(caplog.records) == 1


class StubbornSource(QueueSource):
    """A track whose recv() can be neither awaited nor cancelled."""

    def __init__(self) -> None:
        super().__init__("audio")
        self.released = asyncio.Event()

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        raise MediaStreamError


def test_stop_does_not_wait_for_a_source_that_cannot_be_stopped() -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            source = StubbornSource()
            await show(parts, sound(0))
            parts.sender.set_source(source)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.wait_for(parts.sender.stop(), 5)
            assert source.stopped == 1
            source.released.set()

    run(test())


def test_an_inactive_encoding_is_pulled_but_not_sent_and_comes_back_with_a_key_frame() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            parts.sender.set_encodings([Encoding(active=False)])
            parts.source.push(*(picture(i) for i in range(1, 4)))
            await parts.source.until_pulled(4)
            parts.sender.set_encodings([Encoding()])
            frame = (await show(parts, picture(5)))[0]
            assert frame.pts == 5 * 3000
            assert parts.receiver.media_stats()["keyFramesDecoded"] == 2

    run(test())


def test_pause_and_send_again() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            await parts.sender.pause()
            await parts.receiver.pause()
            parts.source.push(picture(1))
            await parts.source.until_pulled(2)
            await parts.receive("VP8")
            await parts.send("VP8")
            frame = (await show(parts, picture(2)))[0]
            assert parts.receiver.media_stats()["keyFramesDecoded"] == 2
            assert frame.pts > 0
            assert parts.sink.ended == 0

    run(test())


def test_scale_frame_rate_and_bit_rate_are_applied() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            parts.sender.set_encodings([Encoding(scale_resolution_down_by=2.0, max_framerate=15.0, max_bitrate=40_000)])
            parts.source.push(*(picture(i, 320, 241) for i in range(9)))
            frames = await parts.sink.take(5)
            assert [frame.pts for frame in frames] == [i * 6000 for i in range(5)]
            assert {(frame.width, frame.height) for frame in frames} == {(160, 120)}
            assert parts.sender.media_stats()["targetBitrate"] == 40_000

    run(test())


def test_bitrate_bounds_replace_the_defaults() -> None:
    async def test() -> None:
        bounds = BitrateBounds(min=100_000, start=3_000_000, max=8_000_000)
        async with call("video", "VP8", config=EngineConfig(bitrate=bounds)) as parts:
            await show(parts, picture(0))
            assert parts.sender.media_stats()["targetBitrate"] == 3_000_000

    run(test())


@pytest.mark.parametrize(("kind", "mime", "codec"), [("audio", "opus", "libopus"), ("video", "VP8", "libvpx")])
def test_encoded_packets_are_passed_on(kind: str, mime: str, codec: str) -> None:
    context: Any = av.CodecContext.create(codec, "w")
    if kind == "audio":
        context.format, context.layout, context.sample_rate = "s16", "stereo", 48000
    else:
        context.width, context.height, context.pix_fmt = 160, 120, "yuv420p"
        context.options = {"lag-in-frames": "0", "deadline": "realtime"}
        context.time_base = fractions.Fraction(1, 90000)
    make = sound if kind == "audio" else picture
    packets = [packet for i in range(4) for packet in context.encode(make(i))]

    async def test() -> None:
        async with call(kind, mime) as parts:
            frames = await show(parts, *packets[:3])
            assert frames[2].pts - frames[0].pts == (1920 if kind == "audio" else 6000)

    run(test())


def test_a_wished_for_delay_is_kept() -> None:
    async def test() -> None:
        async with call("audio", "opus", config=EngineConfig(jitter_target=0.15)) as parts:
            loop = asyncio.get_running_loop()
            started = loop.time()
            await show(parts, sound(0))
            assert loop.time() - started >= 0.14
            parts.receiver.set_jitter_target(None)
            started = loop.time()
            await show(parts, *(sound(i) for i in range(1, 4)))
            assert loop.time() - started < 0.14

    run(test())


def test_the_loss_of_the_transport_ends_the_track_once() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            await parts.sender.transport.stop()
            assert await parts.sink.next() is None
            await parts.receiver.stop()
            assert parts.sink.ended == 1

    run(test())


def test_a_sink_that_is_attached_after_the_end_learns_of_it() -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            await parts.receiver.stop()
            late = type(parts.sink)()
            parts.receiver.attach(late)
            assert await late.next() is None

    run(test())


def test_a_source_that_stopped_sending_may_come_back_under_another_ssrc() -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            first = await show(parts, *(sound(i) for i in range(3)))
            await parts.sender.stop()
            parts.sender = MediaSender("audio", parts.sender.transport, config=EngineConfig())
            parts.source = QueueSource("audio")
            parts.sender.set_source(parts.source)
            await parts.receive("opus")
            await parts.send("opus")
            second = await show(parts, *(sound(i) for i in range(3)))
            times = [frame.pts for frame in first + second]
            assert times == sorted(set(times))
            assert parts.sink.ended == 0

    run(test())


def test_statistics_count_what_flowed() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, *(picture(i) for i in range(5)))
            sent, received = parts.sender.media_stats(), parts.receiver.media_stats()
            assert (sent["framesEncoded"], sent["framesSent"], sent["keyFramesEncoded"]) == (5, 5, 1)
            assert (received["framesDecoded"], received["keyFramesDecoded"], received["framesDropped"]) == (5, 1, 0)
            assert (received["frameWidth"], received["frameHeight"]) == (160, 120)
            assert sent["packetsSent"] == received["packetsReceived"]
            assert sent["bytesSent"] == received["bytesReceived"]
            assert received["packetsLost"] == 0
        async with call("audio", "opus") as parts:
            await show(parts, *(sound(i) for i in range(3)))
            (source,) = parts.receiver.rtp_sources()
            assert source.source == parts.sender.ssrc
            assert source.audio_level is not None
            assert 0 < source.audio_level < 1

    run(test())


def test_a_damaged_frame_brings_a_key_frame() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            broken: Packet[Any] = Packet(b"\x00\x00\x00broken")
            broken.pts, broken.time_base = 3000, fractions.Fraction(1, 90000)
            parts.source.push(broken)
            index = 2
            while parts.receiver.media_stats()["keyFramesDecoded"] != 2:
                await show(parts, picture(index))
                index += 1
            assert parts.sender.media_stats()["pliCount"] != 0

    run(test())


def test_an_unchanged_renegotiation_costs_no_key_frame() -> None:
    async def test() -> None:
        async with call("video", "VP8") as parts:
            await show(parts, picture(0))
            await parts.receive("VP8")
            await parts.send("VP8")
            await show(parts, picture(1), picture(2))
            assert parts.sender.media_stats()["keyFramesEncoded"] == 1

    run(test())


def test_audio_goes_on_after_a_frame_that_cannot_be_converted() -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            await show(parts, sound(0))
            parts.source.push(picture(1))
            frames = await show(parts, sound(2))
            assert frames[0].samples == 960

    run(test())
