"""The encoders and decoders of this backend: the choice of presets, stepping down, and hardware, on machines described.

No test here ran on hardware that encodes: it is told what a machine has, and what a trial on it says.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av import VideoFrame

from backends.native.codec_decoder import NativeVideoDecoder
from backends.native.codec_encoder import NativeVideoEncoder
from backends.native.codec_hardware import (
    KINDS,
    Found,
    Machine,
    find_encoder,
    library_folders,
    search,
    this_machine,
    try_decoder,
    try_encoder,
)
from backends.native.codec_libraries import DECODERS, LIBRARIES
from backends.native.codec_pace import CALM, EASY, PATIENCE, WINDOW, Pace, Recovery
from backends.native.codec_presets import PRESETS, faster_than, preset_of, usual_speed
from shim.spi.engines import EncoderSettings, VideoCodec
from shim.spi.errors import CapabilityError

pytestmark = pytest.mark.timeout(60)
FOUR_K = 3840 * 2160


def machine(
    *names: str, system: str = "linux", paths: tuple[str, ...] = (), libraries: tuple[str, ...] = ()
) -> Machine:
    all_names = frozenset(names)
    return Machine(system, all_names, all_names, paths.__contains__, libraries.__contains__, frozenset({"vaapi"}))


def works(*names: str) -> Any:  # noqa: ANN401 - a trial
    """Return a trial that only these pass."""

    def trial(candidate: Found) -> None:
        if candidate.name not in names:
            raise ValueError("no such device")

    return trial


# --- hardware, not run here --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("described", "name"),
    [
        (machine("h264_nvenc", libraries=("nvidia-encode",)), "h264_nvenc"),
        (machine("h264_nvenc", system="win32", libraries=("nvEncodeAPI64",)), "h264_nvenc"),
        (machine("h264_videotoolbox", system="darwin"), "h264_videotoolbox"),
        (machine("h264_mediacodec", system="android"), "h264_mediacodec"),
        (machine("h264_amf", system="win32", libraries=("amfrt64",)), "h264_amf"),
        (machine("h264_qsv", libraries=("mfx-gen",)), "h264_qsv"),
        (machine("h264_vaapi", paths=("dev/dri/renderD*",)), "h264_vaapi"),
        (machine("h264_v4l2m2m", paths=("dev/video1?",)), "h264_v4l2m2m"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hardware_is_found_where_it_is(described: Machine, name: str) -> None:
    found = search("H264", described, works(name))
    assert found.name == name
    assert "works" in found.reason


def test_each_kind_is_told_with_its_reason_if_none_is_there() -> None:
    found = search("AV1", machine("av1_nvenc", "libsvtav1"), works())
    assert found.name == ""
    assert all(kind.title in found.reason for kind in KINDS)
    assert "NVENC: no library nvidia-encode" in found.reason
    assert "VideoToolbox: not on linux" in found.reason


def test_what_is_there_but_fails_is_passed_over() -> None:
    both = machine("h264_nvenc", "h264_vaapi", libraries=("nvidia-encode",), paths=("dev/dri/renderD*",))
    found = search("H264", both, works("h264_vaapi"))
    assert found.name == "h264_vaapi"
    assert "h264_nvenc failed: no such device" in found.reason


def test_hardware_that_ffmpeg_does_not_name_is_not_tried() -> None:
    found = search("VP8", machine("h264_nvenc", libraries=("nvidia-encode",)), works("vp8_nvenc"))
    assert "NVENC: not in this FFmpeg" in found.reason


def test_decoders_go_by_other_names() -> None:
    found = search("H265", machine("hevc_cuvid", libraries=("nvidia-encode",)), works("hevc_cuvid"), decoder=True)
    assert found.name == "hevc_cuvid"


def test_ffmpegs_own_decoder_works_on_a_device() -> None:
    described = machine("h264", paths=("dev/dri/renderD*",))
    found = search("H264", described, works("h264"), decoder=True)
    assert (found.name, found.device) == ("h264", "vaapi")
    assert not search("H264", machine("h264", system="darwin"), works("h264"), decoder=True).name


def test_layers_are_a_matter_of_software() -> None:
    encoder = NativeVideoEncoder(settings("VP8", hardware="prefer", temporal_layers=2))
    assert encoder.implementation.reason == "software, for the temporal layers"
    encoder.close()
    with pytest.raises(CapabilityError, match="in software only"):
        NativeVideoEncoder(settings("VP8", hardware="require", temporal_layers=2))


def test_this_machine_is_looked_at() -> None:
    here = this_machine()
    assert "libsvtav1" in here.encoders
    assert "libdav1d" in here.decoders
    assert find_encoder("VP8", "never").name == ""
    assert NativeVideoEncoder(settings("VP8", hardware="prefer")).implementation.reason.startswith(("software", "NV"))


def test_libraries_are_looked_for_where_the_loader_does(tmp_path: Path) -> None:
    for folder in ("usr/lib/riscv64-linux-gnu", "opt/driver", "etc/ld.so.conf.d"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf.d/driver.conf").write_text("# of the driver\n/opt/driver\n")
    folders = list(library_folders(tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/mine:", "PATH": f"{tmp_path}/mine"}))
    expected = ["mine", "usr/lib", "usr/lib/riscv64-linux-gnu", "opt/driver"]
    assert [str(folder.relative_to(tmp_path)) for folder in folders] == expected
    assert this_machine().has_library("c") == (sys.platform == "linux")
    assert not this_machine().has_library("no-such-library")


def test_trial_is_a_real_one() -> None:
    try_encoder(Found("libx264", "", {"preset": "ultrafast"}))
    try_decoder(Found("h264", ""), "H264")
    with pytest.raises(ValueError, match="no_such_encoder"):
        try_encoder(Found("no_such_encoder", ""))


def test_required_hardware_that_is_not_there_is_a_missing_capability() -> None:
    if find_encoder("VP8", "prefer").name:
        pytest.skip("this machine encodes VP8 in hardware")
    with pytest.raises(CapabilityError, match=r"no encoder of VP8 in hardware works here.*prefer"):
        NativeVideoEncoder(settings("VP8", hardware="require"))


# --- presets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", PRESETS)
def test_each_speed_has_a_preset_and_faster_ones_cost_less(codec: VideoCodec) -> None:
    assert PRESETS[codec][0][0] == 0
    assert preset_of(codec, 0) is PRESETS[codec][0][1]
    assert preset_of(codec, 10) is PRESETS[codec][-1][1]
    costs = [preset.cost for _, preset in PRESETS[codec]]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("codec", PRESETS)
def test_usual_speed_rises_with_pictures_and_falls_with_cores(codec: VideoCodec) -> None:
    speeds = [usual_speed(codec, pixels, 30, 2) for pixels in (320 * 240, 1280 * 720, 1920 * 1080, FOUR_K)]
    assert speeds == sorted(speeds)
    assert speeds[0] == 0
    assert usual_speed(codec, FOUR_K, 30, 2) == PRESETS[codec][-1][0]
    assert usual_speed(codec, 1920 * 1080, 30, 64) <= usual_speed(codec, 1920 * 1080, 30, 2)
    assert usual_speed(codec, 1920 * 1080, 120, 4) >= usual_speed(codec, 1920 * 1080, 30, 4)


def test_next_faster_preset() -> None:
    assert faster_than("AV1", 0) == PRESETS["AV1"][1][0]
    assert faster_than("AV1", PRESETS["AV1"][-1][0]) is None


# --- falling behind ----------------------------------------------------------------------------------


def test_slow_pictures_are_noticed_once_and_again_after_a_while() -> None:
    pace = Pace()
    assert [pace.note(0.05, 1 / 30) for _ in range(WINDOW)] == (WINDOW - 1) * [False] + [True]
    later = [pace.note(0.05, 1 / 30) for _ in range(PATIENCE * WINDOW)]
    assert later == (PATIENCE * WINDOW - 1) * [False] + [True]


def test_a_hiccup_is_no_fall() -> None:
    pace = Pace()
    times = [1.0 if number % 5 == 0 else 0.01 for number in range(200)]
    assert not any(pace.note(seconds, 1 / 30) for seconds in times)


def settings(codec: VideoCodec, width: int = 160, height: int = 120, **more: Any) -> EncoderSettings:  # noqa: ANN401
    return EncoderSettings(codec, width, height, **{"bitrate": 300_000, **more})


def noise(number: int, width: int = 160, height: int = 120) -> VideoFrame:
    pixels = np.random.default_rng(number).integers(0, 255, (height * 3 // 2, width), np.uint8)
    frame = VideoFrame.from_ndarray(pixels, "yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame


def test_encoder_that_falls_behind_steps_down_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = NativeVideoEncoder(settings("H264", framerate=30))
    slow = encoder.implementation.speed
    answers = iter([False, True] + 9 * [False])
    monkeypatch.setattr(encoder._pace, "note", lambda *_: next(answers))
    keys = [chunk.key_frame for number in range(6) for chunk in encoder.encode(noise(number))]
    assert keys == [True, False, True, False, False, False]
    assert encoder.implementation.speed != slow
    assert f"stepped down from {slow}" in encoder.implementation.reason
    encoder.close()


def test_encoder_steps_up_again_when_it_has_had_time_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = NativeVideoEncoder(settings("H264", framerate=30))
    usual, answers = encoder.implementation, iter([True] + 99 * [False])
    monkeypatch.setattr(encoder._pace, "note", lambda *_: next(answers))
    encoder.encode(noise(0))
    stepped = encoder.implementation
    encoder._pace.load = EASY / 2
    monkeypatch.setattr(encoder._recovery, "_wait", 0.1)
    keys = [chunk.key_frame for number in range(1, 7) for chunk in encoder.encode(noise(number))]
    assert stepped.speed != usual.speed
    assert encoder.implementation == usual
    assert keys.count(True) == 2
    encoder.close()


def test_recovery_takes_twice_as_long_each_time_and_begins_anew_after_a_strain() -> None:
    recovery = Recovery()
    first = next(second for second in range(1000) if recovery.note(EASY, 1.0))
    then = next(second for second in range(1000) if recovery.note(0.0, 1.0))
    assert (first + 1, then + 1) == (CALM, 2 * CALM)
    assert not any(recovery.note(EASY * (1 + (second % 30 == 0)), 1.0) for second in range(1000))


def test_speed_that_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = NativeVideoEncoder(settings("H264", speed=0))
    monkeypatch.setattr(encoder._pace, "note", lambda *_: True)
    for number in range(4):
        encoder.encode(noise(number))
    assert encoder.implementation.speed == preset_of("H264", 0).words
    assert "stepped" not in encoder.implementation.reason
    encoder.close()


# --- encoders ----------------------------------------------------------------------------------------


def test_every_library_is_in_this_ffmpeg() -> None:
    here = this_machine()
    assert {library.name for library in LIBRARIES.values()} <= here.encoders
    assert set(DECODERS.values()) <= here.decoders
    assert set(LIBRARIES) == set(DECODERS) == set(PRESETS)


def test_layers_that_a_codec_does_not_have_name_those_that_do() -> None:
    with pytest.raises(CapabilityError, match=r"H264 has 1 temporal layer here, not 3. AV1, VP9, VP8 have"):
        NativeVideoEncoder(settings("H264", temporal_layers=3))


def test_av1_has_no_delimiter() -> None:
    encoder = NativeVideoEncoder(settings("AV1"))
    chunks = [chunk for number in range(3) for chunk in encoder.encode(noise(number))]
    assert [chunk.data[0] >> 3 & 15 for chunk in chunks] == [1, *2 * [chunks[1].data[0] >> 3 & 15]]
    assert not any(chunk.data[0] >> 3 & 15 == 2 for chunk in chunks)
    encoder.close()


def test_h264_rate_falls_without_a_key_frame() -> None:
    encoder = NativeVideoEncoder(settings("H264", bitrate=900_000))
    for number in range(3):
        encoder.encode(noise(number))
    encoder.set_rates(300_000, 30)
    assert not any(chunk.key_frame for number in range(3, 6) for chunk in encoder.encode(noise(number)))
    encoder.close()


def test_decoder_forgets_times_that_never_come_back() -> None:
    decoder = NativeVideoDecoder("VP8", "never")
    for number in range(100):
        with pytest.raises(Exception, match="VideoDecoder"):
            decoder.decode(b"\0", number, Fraction(1, 30), key_frame=True)
    assert len(decoder._times) <= 64
    decoder.close()
