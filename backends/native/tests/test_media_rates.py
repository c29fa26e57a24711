"""Encoders of calls: bit and frame rates that change, a machine that is too slow, and what the statistics say of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from av import VideoFrame

from backends.native.codec_libraries import LIBRARIES, library_for_calls
from backends.native.codec_pace import WINDOW, Pace
from backends.native.codec_presets import PRESETS
from backends.native.encoded import EncodedFrame
from backends.native.encoders import codecs_for, get_encoder
from backends.native.frame_gates import CLOCK_RATE, USUAL_RATE, Cadence
from backends.native.media_stats import Limitations
from backends.native.payloads import split_nals, unpack
from backends.native.tests.loopback import Call, call, picture, run
from backends.native.video_encoders import PATIENCE, Picture, VideoEncoder
from shim.spi.engines import BitrateBounds, Encoding, EngineConfig, VideoCodec

pytestmark = pytest.mark.timeout(60)
CODECS = ("VP8", "VP9", "H264", "AV1")
WIDTH, HEIGHT = 160, 128


def encoder_of(name: str, *, start: int = 600_000) -> VideoEncoder:
    codec = next(codec for codec in codecs_for("video") if codec.name == name)
    encoder = get_encoder(codec, EngineConfig(bitrate=BitrateBounds(min=50_000, start=start)))
    assert isinstance(encoder, VideoEncoder)
    return encoder


def hard(number: int, width: int = WIDTH, height: int = HEIGHT) -> VideoFrame:
    """A coarse pattern with nothing in common with that of another number, and grain: any quality has its use."""
    random = np.random.default_rng(number)
    blocks = random.integers(60, 190, (height // 8, width // 8)).repeat(8, axis=0).repeat(8, axis=1)
    luma = (blocks + random.integers(-10, 11, blocks.shape)).astype(np.uint8)
    return VideoFrame.from_ndarray(
        np.concatenate([luma, np.full((height // 2, width), 128, np.uint8)]), format="yuv420p"
    )


def encoded(encoder: VideoEncoder, numbers: range, fps: int = 30) -> Iterator[EncodedFrame]:
    for number in numbers:
        yield from encoder.encode(hard(number), number * CLOCK_RATE // fps, Picture(), number / fps)


def size(frames: list[EncodedFrame]) -> int:
    return sum(len(payload) for frame in frames for payload in frame.payloads)


# --- bit rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["VP8", "VP9"])
def test_any_number_of_bit_rates_costs_no_key_frame(name: str) -> None:
    encoder = encoder_of(name)
    frames = []
    for step in range(15):
        encoder.target.estimate = 900_000 if step % 2 else 300_000
        frames += list(encoded(encoder, range(4 * step, 4 * step + 4)))
    assert [frame.key for frame in frames] == [True] + 59 * [False]


@pytest.mark.parametrize("name", CODECS)
def test_bit_rate_of_the_estimate_is_spent(name: str) -> None:
    encoder, found = encoder_of(name), []
    for at, wish in ((0, 600_000), (90, 200_000), (180, 500_000)):
        encoder.target.estimate = wish
        found.append(size(list(encoded(encoder, range(at, at + 90)))[60:]) * 8)
    assert found == pytest.approx([600_000, 200_000, 500_000], rel=0.35)


def test_h264_takes_less_and_what_it_had_without_a_key_frame() -> None:
    encoder = encoder_of("H264")
    for step, wish in enumerate((600_000, 300_000, 100_000, 550_000)):
        encoder.target.estimate = wish
        keys = [frame.key for frame in encoded(encoder, range(4 * step, 4 * step + 4))]
        assert keys == [step == 0, False, False, False]


@pytest.mark.parametrize("name", ["H264", "AV1"])
def test_more_costs_one_key_frame_and_not_at_once(name: str) -> None:
    encoder = encoder_of(name, start=200_000)
    keys = []
    for number in range(80):
        encoder.target.estimate = 200_000 if number < 2 else 600_000
        keys += [frame.key for frame in encoded(encoder, range(number, number + 1))]
    assert [number for number, key in enumerate(keys) if key] == [0, round(PATIENCE * 30)]


def test_pictures_of_another_size_have_their_rate_at_once() -> None:
    encoder = encoder_of("AV1")
    encoder.target.estimate = 100_000
    list(encoded(encoder, range(2)))
    encoder.target.estimate = 1_200_000
    (frame,) = encoder.encode(hard(2, 320, 256), 2 * 3000, Picture(), 2 / 30)
    assert frame.key
    assert encoder._core is not None
    assert encoder._core.settings.bitrate == 1_200_000


@pytest.mark.parametrize("name", ["VP8", "VP9"])
def test_a_call_keeps_its_only_key_frame_through_other_limits(name: str) -> None:
    async def test() -> None:
        async with call("video", name) as parts:
            for index in range(12):
                parts.sender.set_encodings([Encoding(max_bitrate=200_000 if index % 2 else 800_000)])
                await one(parts, index)
            assert parts.sender.media_stats()["keyFramesEncoded"] == 1

    run(test())


async def one(parts: Call, index: int) -> None:
    parts.source.push(picture(index))
    await parts.sink.next()


# --- frame rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("fps", [10, 60])
def test_bit_rate_is_that_of_a_second_at_any_frame_rate(name: str, fps: int) -> None:
    encoder = encoder_of(name, start=300_000)
    frames = list(encoded(encoder, range(5 * fps), fps))
    later = frames[3 * fps :]
    assert size(later) * 8 * fps / len(later) == pytest.approx(300_000, rel=0.35)


@pytest.mark.parametrize("fps", [1, 5, 10, 15, 24, 60, 120])
def test_cadence_is_known_after_a_few_frames(fps: int) -> None:
    cadence = Cadence()
    rates = [cadence.note(round(number * CLOCK_RATE / fps)) for number in range(20)]
    assert rates[0] == USUAL_RATE
    assert rates[-1] == pytest.approx(fps, rel=0.1)


def test_cadence_overlooks_gaps_and_small_differences() -> None:
    cadence = Cadence()
    ticks = np.cumsum([90_000 if number % 6 == 0 else 2_900 + 40 * (number % 6) for number in range(60)])
    assert {cadence.note(int(tick)) for tick in ticks} == {USUAL_RATE}


def test_cadence_has_limits() -> None:
    cadence = Cadence()
    assert [cadence.note(tick) for tick in range(20)][-1] == 240
    assert [cadence.note(1000 + tick * 900_000) for tick in range(20)][-1] == 1


# --- presets -----------------------------------------------------------------------------------------


def test_machine_that_is_too_slow_gets_a_faster_preset_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = encoder_of("H264")
    (first,) = encoded(encoder, range(1))
    assert encoder._core is not None
    before = encoder.implementation, encoder.limitation
    answers = iter([False, True] + 9 * [False])
    monkeypatch.setattr(encoder._core._pace, "note", lambda *_: next(answers))
    later = list(encoded(encoder, range(1, 5)))
    assert [frame.key for frame in (first, *later)] == [True, False, False, True, False]
    assert before == ("libx264 preset veryfast", "none")
    assert (encoder.implementation, encoder.limitation) == ("libx264 preset superfast", "cpu")


def test_fastest_preset_that_is_too_slow_is_named_as_well() -> None:
    encoder = encoder_of("VP9")
    (first,) = encoded(encoder, range(1))
    assert encoder._core is not None
    for _ in range(WINDOW):
        encoder._core._pace.note(1.0, 1 / 30)
    late = encoder.limitation
    for _ in range(WINDOW):
        encoder._core._pace.note(0.001, 1 / 30)
    assert (late, encoder.limitation) == ("cpu", "none")
    assert first.key


def test_pace_knows_whether_it_is_late_while_it_waits() -> None:
    pace = Pace()
    assert [pace.note(1.0, 0.1) for _ in range(WINDOW)][-1]
    assert pace.late
    assert not any(pace.note(0.01, 0.1) for _ in range(WINDOW))
    assert not pace.late


@pytest.mark.parametrize("speed", [speed for speed, _ in PRESETS["H264"]])
def test_h264_of_every_preset_is_what_was_negotiated(speed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.native.codec_encoder.usual_speed", lambda *_: speed)
    (frame,) = encoded(encoder_of("H264"), range(1))
    data = b"".join(unpack("video/h264", payload).data for payload in frame.payloads)
    units = {unit[0] & 31: unit for unit in split_nals(data)}
    assert units[7][1] == 66  # profile_idc: Baseline
    assert units[7][2] & 0x40  # constraint_set1_flag: and Main, hence Constrained Baseline
    # Of the picture parameter set: two numbers of one bit each, 0, and then entropy_coding_mode_flag.
    assert units[8][1] >> 5 == 0b110


@pytest.mark.parametrize("name", CODECS)
def test_encoder_of_calls_is_the_usual_one_but_never_a_slow_one(name: VideoCodec) -> None:
    library = library_for_calls(name)
    assert library.name == LIBRARIES[name].name
    assert library.least_speed in {speed for speed, _ in PRESETS[name]}
    assert library.fitting(1, 1) == {"AV1": (64, 64), "H264": (2, 2)}.get(name, (1, 1))


# --- statistics --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "library"), [("VP8", "libvpx"), ("H264", "libx264"), ("AV1", "libsvtav1")])
def test_statistics_name_the_encoder_and_its_limits(name: str, library: str) -> None:
    async def test() -> None:
        async with call("video", name) as parts:
            assert "encoderImplementation" not in parts.sender.media_stats()
            for index in range(3):
                await one(parts, index)
            stats = parts.sender.media_stats()
            assert str(stats["encoderImplementation"]).startswith(library + " ")
            assert stats["qualityLimitationReason"] in {"none", "cpu", "bandwidth"}
            durations = stats["qualityLimitationDurations"]
            assert isinstance(durations, dict)
            assert set(durations) == {"none", "cpu", "bandwidth", "other"}
            assert sum(durations.values()) > 0

    run(test())


def test_an_estimate_below_the_start_is_a_limit_of_the_bandwidth() -> None:
    encoder = encoder_of("VP8", start=600_000)
    for estimate, reason in ((None, "none"), (300_000, "bandwidth"), (900_000, "none")):
        encoder.target.estimate = estimate
        list(encoded(encoder, range(1)))
        assert encoder.limitation == reason


def test_times_of_limits_add_up() -> None:
    limits = Limitations()
    for moment, reason in ((10.0, "none"), (11.0, "cpu"), (13.0, "bandwidth"), (16.0, "none"), (20.0, "none")):
        limits.note(reason, moment)  # type: ignore[arg-type]
    assert limits.members() == {
        "qualityLimitationReason": "none",
        "qualityLimitationDurations": {"none": 5.0, "cpu": 2.0, "bandwidth": 3.0, "other": 0.0},
    }
