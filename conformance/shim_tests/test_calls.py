"""``shim call``: what it recognises after a real codec, what its figures mean, and a real call."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from conformance.leaks import Census, leaks_since
from shim.calls import barcode, speech
from shim.calls.clip import ClipFormat, ensure_clip, moving_picture, probe
from shim.calls.measure import IDENTICAL_DB, Spread, psnr, spread
from shim.calls.pairs import Backends, all_pairs, find_backends
from shim.calls.report import table
from shim.calls.results import CallReport, CallSpec
from shim.calls.session import run_call
from shim.calls.sound import Take, best_fit, compare
from shim.spi.errors import OperationError

SMALL = ClipFormat(320, 240, 15, 4.0)
FRAME = 960
"""Samples of 20 ms at 48 kHz."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "demo.mp4"
    ensure_clip(path, SMALL)
    return path


@pytest.fixture(scope="module")
def backends() -> Backends:
    return find_backends()


# --- pictures ----------------------------------------------------------------------------------------


def through_vp8(clip: ClipFormat, bitrate: int) -> Iterator[av.VideoFrame]:
    """Yield the pictures of a clip after a real encoder at a bit rate, and a decoder."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = clip.width, clip.height, "yuv420p"
    encoder.framerate, encoder.time_base, encoder.bit_rate = Fraction(clip.fps), Fraction(1, clip.fps), bitrate
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "maxrate": str(bitrate), "lag-in-frames": "0"}
    decoder = av.CodecContext.create("vp8", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    for picture in [*moving_picture(clip), None]:
        for packet in encoder.encode(picture):
            yield from decoder.decode(packet)


def test_every_frame_number_survives_vp8_at_a_low_bit_rate() -> None:
    clip = ClipFormat(640, 480, 30, 2.0)
    numbers = [barcode.read(barcode.luma_of(frame)) for frame in through_vp8(clip, 250_000)]
    assert numbers == list(range(60))


def test_a_frame_number_survives_scaling() -> None:
    frame = next(moving_picture(ClipFormat(640, 480)))
    barcode.stamp(frame, 0b1010_1100_0101_0011_1001)
    for width, height in ((320, 240), (480, 270), (214, 160), (1280, 720)):
        scaled = frame.reformat(width, height, "yuv420p")
        assert barcode.read(barcode.luma_of(scaled)) == 0b1010_1100_0101_0011_1001, (width, height)


def test_a_picture_without_a_number_gives_none() -> None:
    random = np.random.default_rng(3)
    flat = np.full((480, 640), 128, np.uint8)
    assert barcode.read(flat) is None
    assert all(barcode.read(random.integers(0, 256, (24, 32), np.uint8)) is None for _ in range(1000))
    assert barcode.read(np.zeros((4, 4), np.uint8)) is None


def test_one_wrong_cell_is_noticed() -> None:
    frame = next(moving_picture(SMALL))
    barcode.stamp(frame, 77)
    luma = barcode.luma_of(frame)
    for cell in range(barcode.COLUMNS):
        damaged = luma.copy()
        part = damaged[8:16, cell * 20 : (cell + 1) * 20]
        part[:] = 255 - part
        assert barcode.read(damaged) is None, cell


def test_psnr_of_a_known_error() -> None:
    picture = np.full((48, 64), 100, np.uint8)
    assert psnr(picture, picture) == IDENTICAL_DB
    assert psnr(picture, picture + np.uint8(1)) == pytest.approx(48.13, abs=0.01)
    assert psnr(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="differ"):
        psnr(picture, picture[:40])


def test_a_spread_is_the_median_and_the_95th_percentile() -> None:
    assert spread([]) is None
    assert spread([float(value) for value in range(101)]) == Spread(50.0, 95.0, 101)


# --- sound -------------------------------------------------------------------------------------------


def frames_of(sound: npt.NDArray[np.int16], samples: int = FRAME) -> Iterator[av.AudioFrame]:
    for start in range(0, len(sound) - samples + 1, samples):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + samples], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = speech.RATE, start, Fraction(1, speech.RATE)
        yield frame


def through_opus(sound: npt.NDArray[np.int16], bitrate: int = 32000) -> npt.NDArray[np.int16]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = speech.RATE, "mono", "s16", bitrate
    encoder.options = {"application": "voip"}
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = speech.RATE, "mono"
    packets = [packet for frame in frames_of(sound) for packet in encoder.encode(frame)]
    decoded = [frame.to_ndarray() for packet in packets for frame in decoder.decode(packet)]
    return np.concatenate([part.reshape(-1) for part in decoded]).astype(np.int16)


def take_of(sound: npt.NDArray[np.int16], first_at: float, samples: int = FRAME) -> Take:
    """Return a sound of which a frame passes whenever its time has come."""
    take = Take()
    for number, frame in enumerate(frames_of(sound, samples)):
        take.add(frame, first_at + number * samples / speech.RATE)
    return take


def test_the_delay_of_sound_is_found_after_opus_leading_silence_and_attenuation() -> None:
    voice = speech.speak(4.0)
    silence = np.zeros(int(0.137 * speech.RATE), np.int16)
    # The player of the other side started at the same time and had nothing to play at first.
    received = np.concatenate([silence, (through_opus(voice) * 0.3).astype(np.int16)])
    report = compare(take_of(voice, 100.0), take_of(received, 100.0, samples=480))
    assert report.likeness > 0.9
    found = spread(report.latencies)
    assert found is not None
    # Between nothing and 7 ms more: whether the decoder skips the look-ahead of Opus is its own affair.
    assert 0.136 < found.p50 < 0.146
    assert found.p95 - found.p50 < 0.001
    assert found.count > 300
    assert report.first_at is not None
    assert 100.12 < report.first_at < 100.16
    assert sum(report.arrived) == pytest.approx(199.5, abs=0.5)


def test_lost_sound_does_not_count_as_arrived() -> None:
    voice = speech.speak(4.0)
    lost = np.concatenate([voice[: 60 * FRAME], voice[110 * FRAME :]])
    take = Take()
    for number, frame in enumerate(frames_of(lost)):
        take.add(frame, 100.05 + (number if number < 60 else number + 50) * 0.02)
    report = compare(take_of(voice, 100.0), take)
    assert len(report.arrived) == 200
    assert sum(report.arrived) == pytest.approx(150, abs=2)
    # A window that holds the seam is taken for one side of it: the borders are as sharp as a window.
    assert sum(report.arrived[70:100]) == 0
    found = spread(report.latencies)
    assert found is not None
    assert found.p50 == pytest.approx(0.05, abs=0.0005)


def test_sound_that_is_shifted_by_parts_of_a_frame_arrives_whole() -> None:
    voice = speech.speak(3.0)
    for shift in (0, 1, 120, 480, 479, 600, 959):
        shifted = np.concatenate([np.zeros(shift, np.int16), voice])
        report = compare(take_of(voice, 100.0), take_of(shifted, 100.1))
        assert sum(report.arrived) == pytest.approx(150, abs=1.01), shift


def test_another_sound_is_not_taken_for_what_was_sent() -> None:
    report = compare(take_of(speech.speak(3.0, seed=1), 100.0), take_of(speech.speak(3.0, seed=2), 100.1))
    assert report.first_at is None
    assert report.likeness == 0.0
    assert not any(report.arrived)


def test_silence_fits_nowhere() -> None:
    voice = speech.speak(1.0).astype(np.float64)
    assert best_fit(voice, np.zeros(1600)) == (0, 0.0)
    assert best_fit(np.zeros(16000), voice[:1600])[1] == 0.0


@pytest.mark.parametrize(
    ("format_", "layout"), [("s16", "stereo"), ("fltp", "stereo"), ("s16p", "mono"), ("u8", "mono")]
)
@pytest.mark.parametrize("rate", [48000, 44100, 16000])
def test_sound_of_any_format_is_compared_on_one_scale(format_: str, layout: str, rate: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.int16)
    resampler = av.AudioResampler(format=format_, layout=layout, rate=rate)
    take = Take()
    for frame in frames_of(tone):
        for part in resampler.resample(frame):
            take.add(part, 0.0)
    samples = take.samples()
    assert abs(len(samples) - 16000) < 100
    # FFmpeg makes one channel into two with half the power each.
    expected = 8000 / np.sqrt(2) / (np.sqrt(2) if layout == "stereo" else 1)
    assert float(np.sqrt(np.mean(samples[1000:-1000] ** 2))) == pytest.approx(expected, rel=0.02)


# --- the clip ----------------------------------------------------------------------------------------


def test_the_clip_is_made_once_and_again_when_it_shall_be_another(tmp_path: Path) -> None:
    path = tmp_path / "new" / "demo.mp4"
    assert ensure_clip(path, ClipFormat(64, 64, 10, 1.0))
    assert not ensure_clip(path, ClipFormat(64, 64, 10, 1.0))
    assert ensure_clip(path, ClipFormat(64, 64, 10, 1.2))
    path.write_bytes(b"broken")
    assert ensure_clip(path, ClipFormat(64, 64, 10, 1.0))
    info = probe(path)
    assert (info.audio, info.video, info.width, info.height, info.fps) == (True, True, 64, 64, 10)
    assert [entry.name for entry in path.parent.iterdir()] == ["demo.mp4"]


def test_a_file_that_is_no_media_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("no picture, no sound")
    with pytest.raises(OperationError, match=r"letter\.txt cannot be read as media"):
        probe(path)


# --- calls -------------------------------------------------------------------------------------------


def shim_call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command; the limit is a bound for what hangs, and far from what four calls take on busy cores."""
    command = [sys.executable, "-m", "shim", "call", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def wait_until_recorded(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until something has been written to a file; the end of the process ends the wait."""
    for _ in range(600):
        if path.exists() and path.stat().st_size:
            return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"nothing was recorded: {process.communicate()}")


def streams_of(path: str) -> dict[str, int]:
    """Return how many frames each kind of stream of a file gives, decoded to the end."""
    with av.open(path) as container:
        kinds = [stream.type for stream in container.streams]
        counts: dict[str, int] = dict.fromkeys(kinds, 0)
        for frame in container.decode(*container.streams):
            counts["video" if isinstance(frame, av.VideoFrame) else "audio"] += 1
    assert len(kinds) == len(counts)
    return counts


def check_direction(direction: dict[str, Any]) -> None:
    assert direction["ok"], direction
    audio, video, data = direction["audio"], direction["video"], direction["data"]
    assert audio["received"] > 0.5 * audio["sent"] > 10
    assert video["received"] > 0.5 * video["sent"] > 5
    assert audio["quality"] > 0.6
    assert video["quality"] > 25
    assert video["size"] == "320x240"
    assert 0 < audio["latency_ms"]["p50"] <= audio["latency_ms"]["p95"]
    assert 0 < video["latency_ms"]["p50"] <= video["latency_ms"]["p95"]
    assert data["round_trip_ms"]["count"] == 100
    assert data["throughput"] > 0
    streams = streams_of(direction["recording"])
    assert set(streams) == {"audio", "video"}
    assert min(streams.values()) > 5


@pytest.mark.timeout(300)
def test_all_pairs_carry_audio_video_and_data_both_ways(clip: Path, backends: Backends, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = shim_call(
        "--all-pairs", "--send", clip, "--record", tmp_path / "call.mp4", "--json", figures, "--seconds", "1"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(figures.read_text())
    assert len(found["calls"]) == len(backends.able) ** 2
    assert found["missing"] == backends.missing
    for call in found["calls"]:
        assert call["error"] == ""
        assert call["cpu_per_second"] > 0
        assert call["rss_mib"] > call["rss_before_mib"] > 0
        for direction in call["directions"]:
            check_direction(direction)
    assert result.stdout.count(" yes ") == 2 * len(found["calls"])
    for name in backends.missing:
        assert f"not called: {name}" in result.stdout


def test_a_call_of_sound_alone_leaves_nothing_behind(clip: Path, backends: Backends, tmp_path: Path) -> None:
    spec = CallSpec(
        str(clip), str(tmp_path / "call.webm"), backends.able[0], backends.able[0], 1.0, video=False, data=False
    )

    async def one() -> tuple[CallReport, int]:
        report = await run_call(spec, lambda stage, part: None)
        return report, len(asyncio.all_tasks())

    asyncio.run(one())
    before = Census.take()
    report, tasks = asyncio.run(one())
    assert report.ok, report
    assert tasks == 1
    assert leaks_since(before) == []
    for direction in report.directions:
        assert direction.video is None
        assert direction.data is None
        assert set(streams_of(str(direction.recording))) == {"audio"}


def test_pictures_of_a_file_that_may_not_be_numbered_are_compared_all_the_same(
    clip: Path, backends: Backends, tmp_path: Path
) -> None:
    spec = CallSpec(
        str(clip),
        None,
        backends.able[0],
        backends.able[0],
        1.0,
        video_codec="H264",
        audio=False,
        data=False,
        stamp=False,
    )
    report = asyncio.run(run_call(spec, lambda stage, part: None))
    assert report.ok, report
    for direction in report.directions:
        assert direction.recording is None
        assert direction.video is not None
        assert direction.video.latency_ms is None
        assert direction.video.quality is not None
        assert direction.video.quality > 25


def test_a_call_with_a_backend_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    result = shim_call("--answerer", "nativ", "--record", tmp_path / "call.mp4")
    assert result.returncode == 2
    assert "Did you mean 'native'?" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_recording_never_replaces_what_is_sent(clip: Path, backends: Backends, tmp_path: Path) -> None:
    source = Path(shutil.copy(clip, tmp_path / "call-offerer-to-answerer.mp4"))
    name = backends.able[0]
    result = shim_call("--send", source, "--record", tmp_path / "call.mp4", "--offerer", name, "--answerer", name)
    assert result.returncode == 2
    assert "would be recorded over" in result.stderr
    assert source.read_bytes() == clip.read_bytes()


def test_an_interrupt_closes_the_call(clip: Path, backends: Backends, tmp_path: Path) -> None:
    name = backends.able[0]
    # Told to heed interrupts: what runs the tests may have been started in the background, where they are ignored.
    program = "import signal, shim.cli; signal.signal(signal.SIGINT, signal.default_int_handler); shim.cli.main()"
    command = [sys.executable, "-c", program, "call", "--seconds", "600", "--send", clip]
    command += ["--record", tmp_path / "call.mp4", "--offerer", name, "--answerer", name]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until_recorded(tmp_path / "call-offerer-to-answerer.mp4", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert "Traceback" not in err
    # The files were finished: what has been received until then can be played.
    assert min(streams_of(str(tmp_path / "call-offerer-to-answerer.mp4")).values()) > 0


def test_a_call_that_failed_is_a_row_with_no() -> None:
    from rich.console import Console

    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table([CallReport("native", "legacy", error="not connected")]))
    assert "native* -> legacy  no" in console.export_text()


def test_recordings_of_all_pairs_have_names_of_their_own() -> None:
    specs = all_pairs(CallSpec("in.mp4", "out/call.mp4", "", "", 1.0), ("native", "legacy"))
    assert [(spec.offerer, spec.answerer) for spec in specs] == [
        ("native", "native"),
        ("native", "legacy"),
        ("legacy", "native"),
        ("legacy", "legacy"),
    ]
    assert [spec.record for spec in specs] == [f"out/call-{spec.offerer}-{spec.answerer}.mp4" for spec in specs]
