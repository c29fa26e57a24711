"""Encoders, decoders, payload formats and times, without a network."""

from __future__ import annotations

import fractions
import itertools
import threading

import numpy as np
import pytest
from av import AudioFrame, VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.native.audio_encoders import AudioEncoder, within
from backends.native.decoders import get_decoder
from backends.native.decoding import QUEUE_MAX, DecodeThread, FrameDecoder, Outlet
from backends.native.encoders import codecs_for, get_encoder
from backends.native.frame_gates import BURST_SECONDS, BitBucket, FrameGate
from backends.native.jitter import MediaFrame
from backends.native.payloads import packetize_h264, packetize_vp8, split_nals, unpack
from backends.native.tests.loopback import picture, run, sound
from backends.native.timeline import Timeline
from backends.native.video_encoders import BitrateTarget, H264Encoder, Picture, VideoEncoder, Vp8Encoder
from shim.spi.engines import BitrateBounds, EngineConfig, OpusParameters
from shim.spi.errors import NotSupportedError

MS = fractions.Fraction(1, 1000)


@given(data=st.binary(max_size=6000), limit=st.integers(50, 1300))
@settings(deadline=None)
def test_a_vp8_frame_survives_its_packets(data: bytes, limit: int) -> None:
    payloads = packetize_vp8(data, 0x7FFF, limit)
    assert all(len(payload) <= limit for payload in payloads)
    parts = [unpack("video/vp8", payload) for payload in payloads]
    assert b"".join(part.data for part in parts) == data
    assert [part.starts for part in parts] == [index == 0 for index in range(len(parts))]


nal_units = st.binary(min_size=2, max_size=3000).map(lambda data: b"\x65" + data.replace(b"\0", b"\1"))


@given(nals=st.lists(nal_units, min_size=1, max_size=8), limit=st.integers(100, 1300))
@settings(deadline=None)
def test_h264_nal_units_survive_their_packets(nals: list[bytes], limit: int) -> None:
    payloads = packetize_h264(b"".join(b"\0\0\0\1" + nal for nal in nals), limit)
    assert all(len(payload) <= limit for payload in payloads)
    parts = [unpack("video/h264", payload) for payload in payloads]
    assert list(split_nals(b"".join(part.data for part in parts))) == nals
    assert parts[0].key
    assert parts[0].starts is not False


@given(payload=st.binary(max_size=40), mime=st.sampled_from(["video/vp8", "video/h264"]))
@settings(deadline=None)
def test_garbage_is_a_value_error(payload: bytes, mime: str) -> None:
    try:
        unpack(mime, payload)
    except (ValueError, IndexError):
        return


@given(
    steps=st.lists(
        st.tuples(st.one_of(st.none(), st.integers(-(10**6), 10**6)), st.floats(0, 2), st.booleans()), max_size=60
    )
)
@settings(deadline=None)
def test_times_of_any_source_rise(steps: list[tuple[int | None, float, bool]]) -> None:
    timeline, now, ticks = Timeline(90000), 0.0, [-1]
    for pts, passed, restarted in steps:
        now += passed
        if restarted:
            timeline.restart()
        ticks.append(timeline.map(pts, MS, now))
    assert all(a < b for a, b in itertools.pairwise(ticks))


def test_times_of_a_steady_source_are_kept_exactly() -> None:
    timeline = Timeline(90000)
    assert [timeline.map(5000 + i * 40, MS, 1.0) for i in range(4)] == [0, 3600, 7200, 10800]


def test_a_gap_in_audio_is_a_gap_in_time() -> None:
    encoder = AudioEncoder("audio/opus", OpusParameters())
    first = encoder.encode(sound(0), 0.0)
    later = encoder.encode(sound(10), 0.2)
    assert [frame.timestamp for frame in first + later] == [0, 9600]
    assert [frame.starts for frame in first + later] == [True, True]


def test_jitter_in_the_times_of_audio_is_no_gap() -> None:
    encoder = AudioEncoder("audio/opus", OpusParameters())
    found = []
    for index in range(6):
        frame = sound(0, timed=False)
        frame.pts, frame.time_base = 20 * index + (3 if index % 2 else 0), MS
        found += encoder.encode(frame, index * 0.02)
    assert [frame.timestamp for frame in found] == [i * 960 for i in range(6)]


def test_frames_of_the_application_are_left_as_they_were() -> None:
    frame, film = sound(7, rate=44100, layout="mono"), picture(7, 64, 48, "rgb24")
    AudioEncoder("audio/opus", OpusParameters()).encode(frame, 0.0)
    encoder = Vp8Encoder(1200, BitrateBounds())
    encoder.encode(film, encoder.tick(0, MS, 0.0), Picture(force_key=True), 0.0)
    assert (frame.pts, frame.time_base, frame.layout.name) == (7 * 882, fractions.Fraction(1, 44100), "mono")
    assert (film.pts, film.time_base, film.format.name, film.pict_type) == (
        21000,
        fractions.Fraction(1, 90000),
        "rgb24",
        picture().pict_type,
    )


@pytest.mark.parametrize(
    ("opus", "ticks"),
    [(OpusParameters(ptime=ptime), ptime * 48) for ptime in (10, 20, 40, 60)]
    + [(OpusParameters(bitrate=16000, fec=True, dtx=True, stereo=False), 960)],
)
def test_opus_parameters(opus: OpusParameters, ticks: int) -> None:
    encoder, decoder = AudioEncoder("audio/opus", opus), get_decoder("audio/opus")
    frames = [frame for i in range(12) for frame in encoder.encode(sound(i), i * 0.02)]
    assert {b.timestamp - a.timestamp for a, b in itertools.pairwise(frames)} == {ticks}
    decoded = [output for frame in frames for output in decoder.decode(frame.payloads[0], frame.timestamp)]
    assert {output.samples for output in decoded if isinstance(output, AudioFrame)} == {ticks}
    if opus.bitrate is not None:
        assert sum(len(frame.payloads[0]) for frame in frames) / len(frames) < opus.bitrate / 8 * 0.02 * 1.5


@pytest.mark.parametrize("make", [Vp8Encoder, H264Encoder])
def test_a_lower_bit_rate_makes_less_data_without_delay(make: type[VideoEncoder]) -> None:
    sizes = []
    for cap in (60_000, 1_500_000):
        encoder = make(1200, BitrateBounds(start=cap))
        total = 0
        for index in range(30):
            frame = picture(index, 320, 240)
            noise = bytes((i * i * (index + 3) >> 4) & 0xFF for i in range(frame.planes[0].buffer_size))
            frame.planes[0].update(noise)
            (encoded,) = encoder.encode(frame, index * 3000, Picture(max_bitrate=cap), index / 30)
            assert encoded.payloads
            total += sum(map(len, encoded.payloads))
        sizes.append(total)
    assert sizes[0] < sizes[1]


def test_the_target_bit_rate_keeps_within_all_limits() -> None:
    target = BitrateTarget(BitrateBounds(), 250_000, 500_000, 1_500_000)
    small = 320 * 240
    assert target.value(small, None) == 500_000
    assert target.value(small, 30_000) == 30_000
    target.estimate = 50_000_000
    assert target.value(small, None) == 1_500_000
    assert target.value(small, 5_000_000) == 5_000_000
    assert target.value(3840 * 2160, None) > 20_000_000
    target.estimate = 1000
    assert target.value(small, None) == 250_000
    bounded = BitrateTarget(BitrateBounds(min=600_000, start=700_000, max=800_000), 250_000, 500_000, 1_500_000)
    assert bounded.value(small, None) == 700_000
    bounded.estimate = 10
    assert bounded.value(small, None) == 600_000


@pytest.mark.parametrize(("limit", "kept"), [(15.0, 30), (20.0, 40), (7.5, 15), (30.0, 60), (60.0, 60), (None, 60)])
def test_frames_are_dropped_evenly(limit: float | None, kept: int) -> None:
    gate = FrameGate()
    passed = [i for i in range(60) if gate.passes(i * 3000 + i % 3, limit)]
    assert abs(len(passed) - kept) <= 1
    gaps = {b - a for a, b in itertools.pairwise(passed)}
    assert max(gaps) - min(gaps) <= 1


def test_frames_that_are_too_large_wait_for_their_bits() -> None:
    bucket = BitBucket()
    sent = 0
    for moment in range(300):
        if bucket.passes(100_000, moment / 30):
            bucket.add(5000)
            sent += 40_000
    assert 900_000 < sent <= 1_050_000 + 40_000
    assert bucket.passes(None, 10.0)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])
def test_encoder_keeps_to_a_limit_with_pictures_that_it_cannot_encode_in_it(codec: str) -> None:
    encoder = get_encoder(next(found for found in codecs_for("video") if found.name == codec), EngineConfig())
    assert isinstance(encoder, VideoEncoder)
    random = np.random.default_rng(1)
    bits, last = [], 0.0
    for index in range(180):
        tick, now = index * 3000, index / 30
        if encoder.admits(tick, 200_000, now):
            noise = VideoFrame.from_ndarray(random.integers(0, 256, (180, 160), np.uint8), format="yuv420p")
            (encoded,) = encoder.encode(noise, tick, Picture(max_bitrate=200_000), now)
            bits.append(8 * sum(map(len, encoded.payloads)))
            last = now
    assert sum(bits[:-1]) <= 1.1 * 200_000 * (last + BURST_SECONDS)
    assert len(bits) > 20


def test_a_codec_without_encoder_is_refused_with_the_choices() -> None:
    codec = next(codec for codec in codecs_for("audio") if codec.name == "telephone-event")
    with pytest.raises(NotSupportedError, match="audio/opus"):
        get_encoder(codec, EngineConfig())


def test_opus_parameters_are_asked_of_the_remote() -> None:
    assert codecs_for("audio")[0].parameters == {}
    wishes = codecs_for("audio", OpusParameters(bitrate=32000, stereo=True, fec=False))[0].parameters
    assert wishes == {"maxaveragebitrate": 32000, "stereo": 1, "sprop-stereo": 1, "useinbandfec": 0}
    assert codecs_for("audio")[0].parameters == {}


def test_opus_stays_within_what_the_remote_takes() -> None:
    chosen = OpusParameters(bitrate=64000, stereo=True, fec=True)
    assert within(chosen, {"minptime": 10, "useinbandfec": 1}) == chosen
    asked = {"maxaveragebitrate": "20000", "stereo": 0, "useinbandfec": 0, "usedtx": "1", "ptime": "40"}
    assert within(chosen, asked) == OpusParameters(bitrate=20000, stereo=False, fec=False, dtx=True, ptime=40)
    assert within(OpusParameters(ptime=10, dtx=False), asked).ptime == 10
    assert within(OpusParameters(), {"maxaveragebitrate": "none", "ptime": "33"}) == OpusParameters()


def test_decoding_that_cannot_keep_up_drops_to_a_key_frame() -> None:
    async def test() -> None:
        encoder = Vp8Encoder(1200, BitrateBounds())
        (encoded,) = encoder.encode(picture(), encoder.tick(0, MS, 0.0), Picture(True), 0.0)
        key = b"".join(unpack("video/vp8", payload).data for payload in encoded.payloads)
        hold, outlet, wanted = threading.Event(), Outlet(), []

        class SlowSink:
            frames = 0

            def put(self, frame: AudioFrame | VideoFrame) -> None:
                self.frames += 1
                hold.wait(10)

            def end(self) -> None:
                """Nothing to do."""

        sink = SlowSink()
        outlet.attach(sink)
        decoder = FrameDecoder(outlet, lambda: None)
        thread = DecodeThread(decoder, lambda: wanted.append(1))
        for index in range(QUEUE_MAX + 20):
            thread.decode("video/vp8", MediaFrame(index, 97, key, key=True), index)
        assert decoder.counters.skipped == 20
        assert wanted
        hold.set()
        await thread.close()
        thread.decode("video/vp8", MediaFrame(0, 97, key, key=True), 0)
        assert sink.frames <= QUEUE_MAX

    run(test())


def test_damaged_frames_are_reported_and_decoding_goes_on() -> None:
    failures: list[int] = []
    outlet = Outlet()
    decoder = FrameDecoder(outlet, lambda: failures.append(1))
    encoder = Vp8Encoder(1200, BitrateBounds())
    (encoded,) = encoder.encode(picture(), encoder.tick(0, MS, 0.0), Picture(True), 0.0)
    good = b"".join(unpack("video/vp8", payload).data for payload in encoded.payloads)
    decoder.decode("video/vp8", MediaFrame(0, 97, b"\x00garbage", key=True), 0)
    decoder.decode("video/vp8", MediaFrame(0, 97, good, key=True), 3000)
    assert failures == [1]
    assert (decoder.counters.frames, decoder.counters.errors) == (1, 1)
