"""Media of the legacy engine: what is sent is what is heard and seen."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from av import VideoFrame
from av.packet import Packet

from backends.legacy.tests.engine_world import Media, Pair, Peer, Picture, Source, Tone, luma, pitch, runs
from shim.spi.engines import BitrateBounds, Encoding, EngineConfig, OpusParameters
from shim.spi.events import ToneChanged


async def calling(pair: Pair, *sources: Source) -> dict[str, Media]:
    """Send sources from the offerer and return the answerer's sinks."""
    for source in sources:
        pair.offerer.engine.add_transceiver(source.kind, "sendonly", source, ["stream"])
    await pair.offer()
    sinks = pair.receive()
    await pair.answer()
    return sinks


@pytest.mark.parametrize(
    "tone",
    [Tone(), Tone(layout="stereo"), Tone(rate=44100), Tone(format="fltp", layout="stereo"), Tone(rate=8000)],
    ids=["48k", "stereo", "44k1", "planar float", "8k"],
)
@runs
async def test_a_tone_is_heard(tone: Tone) -> None:
    async with Pair() as pair:
        sinks = await calling(pair, tone)
        frames = (await sinks["audio"].count(40))[15:40]
        assert pitch(frames) == pytest.approx(440, rel=0.03)
        assert {(f.samples, f.sample_rate, f.layout.name, f.format.name) for f in frames} == {
            (960, 48000, "stereo", "s16")
        }
        assert [f.pts for f in sinks["audio"].frames[:40]] == [960 * i for i in range(40)]


@pytest.mark.parametrize(
    "picture",
    [Picture(), Picture(format="nv12"), Picture(format="rgb24"), Picture(width=321, height=241), Picture(1280, 720)],
    ids=["i420", "nv12", "rgb24", "odd size", "720p"],
)
@runs
async def test_a_picture_is_seen_at_its_size_from_the_first_on(picture: Picture) -> None:
    async with Pair() as pair:
        sinks = await calling(pair, picture)
        frame: VideoFrame = (await sinks["video"].count(5))[4]
        left, right = luma(frame)
        assert left == pytest.approx(picture.luma, abs=8)
        assert right == pytest.approx(picture.luma - 40, abs=8)
        assert {(f.width, f.height, f.format.name) for f in sinks["video"].frames} == {
            (picture.width, picture.height, "yuv420p")
        }
        times = [f.pts for f in sinks["video"].frames[:5]]
        assert times[0] == 0
        assert times == sorted(set(times))


@runs
async def test_nothing_is_pulled_before_the_connection_is_up_nor_when_it_is_not_negotiated() -> None:
    async with Pair() as pair:
        sent, unsent = Tone(), Picture()
        pair.offerer.engine.add_transceiver("audio", "sendonly", sent)
        pair.offerer.engine.add_transceiver("video", "inactive", unsent)
        await pair.offer()
        assert sent.count == 0
        sinks = pair.receive()
        assert set(sinks) == {"audio"}
        await pair.answer()
        await sinks["audio"].count(5)
        assert unsent.count == 0


@runs
async def test_replacing_the_source_switches_what_is_sent() -> None:
    async with Pair() as pair:
        first, second = Picture(luma=100), Picture(luma=200)
        transceiver = pair.offerer.engine.add_transceiver("video", "sendonly", first)
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await sinks["video"].until(lambda frame: abs(luma(frame)[0] - 100) < 10)
        transceiver.replace_source(second)
        await sinks["video"].until(lambda frame: abs(luma(frame)[0] - 200) < 10)
        assert first.stops == 0
        transceiver.replace_source(None)
        transceiver.replace_source(first)
        await sinks["video"].until(lambda frame: len(sinks["video"].frames) > 0 and abs(luma(frame)[0] - 100) < 10)


@runs
async def test_the_track_is_stopped_and_the_sink_ended_at_close() -> None:
    async with Pair() as pair:
        tone = Tone()
        sinks = await calling(pair, tone)
        await sinks["audio"].count(3)
        await pair.offerer.engine.close()
        assert tone.stops == 1
        await asyncio.wait_for(sinks["audio"].ended.wait(), 10)


class Broken(Tone):
    """Raises after a few frames."""

    def frame(self, index: int) -> Any:  # noqa: ANN401
        """Raise."""
        if index == 5:
            raise RuntimeError("the microphone is on fire")
        return super().frame(index)


class Silent(Tone):
    """Never returns."""

    def __init__(self) -> None:
        super().__init__()
        self.pulled = asyncio.Event()

    async def recv(self) -> Any:  # noqa: ANN401
        """Wait for ever."""
        self.pulled.set()
        await asyncio.Event().wait()


class Encoded(Tone):
    """Returns packets."""

    def frame(self, index: int) -> Any:  # noqa: ANN401
        """Make a packet."""
        return Packet(b"opus")


@runs
async def test_a_track_that_raises_stops_sending_and_the_connection_lives(caplog: pytest.LogCaptureFixture) -> None:
    async with Pair() as pair:
        sinks = await calling(pair, Broken(), Picture())
        await sinks["video"].count(20)
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING and "on fire" in r.getMessage()]
        assert len(warnings) == 1
        assert pair.offerer.states()[-1] == "connected"


@runs
async def test_a_track_that_never_returns_does_not_hold_up_closing() -> None:
    async with Pair() as pair:
        source = Silent()
        pair.offerer.engine.add_transceiver("audio", "sendonly", source)
        await pair.connect()
        async with asyncio.timeout(5):
            await source.pulled.wait()
            await pair.offerer.engine.close()
        assert source.stops == 1


@runs
async def test_encoded_packets_are_refused_with_an_explanation(caplog: pytest.LogCaptureFixture) -> None:
    async with Pair() as pair:
        sinks = await calling(pair, Encoded(), Picture())
        await sinks["video"].count(10)
        assert any("rtp.encoded_send" in record.getMessage() for record in caplog.records)


@runs
async def test_parameters_scale_and_limit_what_is_sent() -> None:
    async with Pair() as pair:
        transceiver = pair.offerer.engine.add_transceiver("video", "sendonly", Picture(640, 480))
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await sinks["video"].until(lambda frame: frame.width == 640)
        found = transceiver.get_parameters()
        encoding = Encoding(max_bitrate=300_000, scale_resolution_down_by=2.0)
        transceiver.set_parameters(type(found)(found.transaction_id, (encoding,)))
        await sinks["video"].until(lambda frame: (frame.width, frame.height) == (320, 240))
        assert transceiver.get_parameters().encodings[0].scale_resolution_down_by == 2.0


@runs
async def test_parameters_set_before_the_negotiation_hold_after_it() -> None:
    async with Pair() as pair:
        transceiver = pair.offerer.engine.add_transceiver("video", "sendonly", Picture(640, 480))
        found = transceiver.get_parameters()
        transceiver.set_parameters(type(found)(found.transaction_id, (Encoding(scale_resolution_down_by=2.0),)))
        assert transceiver.get_parameters().encodings == (Encoding(scale_resolution_down_by=2.0),)
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await sinks["video"].until(lambda frame: (frame.width, frame.height) == (320, 240))
        assert {frame.width for frame in sinks["video"].frames} == {320}


@runs
async def test_simulcast_is_offered() -> None:
    async with Pair() as pair:
        encodings = [
            Encoding("q", scale_resolution_down_by=4.0),
            Encoding("h", scale_resolution_down_by=2.0),
            Encoding("f"),
        ]
        transceiver = pair.offerer.engine.add_transceiver("video", "sendonly", Picture(640, 480), (), encodings)
        offer = await pair.offerer.engine.create_offer()
        assert "a=simulcast:send q;h;f" in offer.sdp
        assert [encoding.rid for encoding in transceiver.get_parameters().encodings] == ["q", "h", "f"]


@runs
async def test_tones_are_told_one_by_one_and_sources_are_heard() -> None:
    async with Pair() as pair:
        transceiver = pair.offerer.engine.add_transceiver("audio", "sendrecv", Tone())
        assert not transceiver.can_insert_dtmf()
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await sinks["audio"].count(3)
        assert transceiver.can_insert_dtmf()
        transceiver.insert_dtmf("1#", 0.07, 0.05)
        await pair.offerer.log.until(ToneChanged, lambda event: event.tone == "")
        tones = [(event.transceiver, event.tone) for event in pair.offerer.log.all(ToneChanged)]
        assert tones == [(transceiver, "1"), (transceiver, "#"), (transceiver, "")]
        assert pair.answerer.session.transceivers[0].engine.sources()[0].audio_level is not None


@runs
async def test_opus_parameters_shape_what_both_sides_agree_on() -> None:
    opus = OpusParameters(stereo=True, bitrate=64000, dtx=False, fec=True, ptime=10)
    config = EngineConfig(opus=opus, jitter_target=0.05, bitrate=BitrateBounds(100_000, 500_000, 2_000_000))
    async with Pair(Peer(config), Peer(config)) as pair:
        sinks = await calling(pair, Tone(layout="stereo"))
        assert pitch((await sinks["audio"].count(40))[15:40]) == pytest.approx(440, rel=0.03)
        remote = pair.offerer.session.current_remote
        assert remote is not None
        for wish in ("stereo=1", "maxaveragebitrate=64000", "usedtx=0", "useinbandfec=1"):
            assert wish in remote.sdp
