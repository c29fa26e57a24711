"""Players, recorders, relays and blackholes: playable files, no thread or task left, every odd input."""

from __future__ import annotations

import asyncio
import fractions
import inspect
import io
import itertools
import logging
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiortc.contrib.media
import av
import numpy as np
import pytest
from av import AudioFrame, VideoFrame
from av.packet import Packet

from conformance.leaks import Census, leaks_since
from shim.api import media
from shim.api.media import MediaBlackhole, MediaPlayer, MediaRecorder, MediaRelay
from shim.api.tracks import MediaStreamTrack, PushTrack
from shim.spi.errors import InvalidStateError, MediaStreamError

_Result = TypeVar("_Result")
RATE = 48000


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    async def bounded() -> _Result:
        result = await asyncio.wait_for(main, 30)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    before = Census.take()
    yield
    assert not leaks_since(before)


def picture(n: int, width: int = 64, height: int = 48, format: str = "yuv420p", rate: int = 30) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.full((height, width, 3), (n * 8) % 256, np.uint8), format="rgb24")
    frame = frame.reformat(format=format)
    frame.pts, frame.time_base = n * 90000 // rate, fractions.Fraction(1, 90000)
    return frame


def sound(n: int, rate: int = RATE, layout: str = "stereo", format: str = "s16") -> AudioFrame:
    frame = AudioFrame(format=format, layout=layout, samples=rate // 50)
    for plane in frame.planes:
        plane.update(bytes([n % 100, 1]) * (plane.buffer_size // 2))
    frame.sample_rate, frame.pts, frame.time_base = rate, n * rate // 50, fractions.Fraction(1, rate)
    return frame


class Frames(MediaStreamTrack):
    """A track of the frames given, then its end."""

    def __init__(self, kind: str, frames: list[Any]) -> None:
        super().__init__()
        self.kind = kind
        self._frames = iter(frames)
        self.read = asyncio.Event()

    async def recv(self) -> Any:
        await asyncio.sleep(0)
        for frame in self._frames:
            if isinstance(frame, Exception):
                raise frame
            return frame
        self.read.set()
        self.stop()
        raise MediaStreamError


def pictures(count: int, **options: Any) -> Frames:
    return Frames("video", [picture(n, **options) for n in range(count)])


def sounds(count: int, **options: Any) -> Frames:
    return Frames("audio", [sound(n, **options) for n in range(count)])


async def record(path: Path, *tracks: Frames, **options: Any) -> Path:
    recorder = MediaRecorder(str(path), **options)
    for track in tracks:
        recorder.addTrack(track)
    await recorder.start()
    for track in tracks:
        await track.read.wait()
    await recorder.stop()
    return path


def contents(path: Path) -> dict[str, list[Any]]:
    """Return the frames of a file, by kind."""
    found: dict[str, list[Any]] = {}
    with av.open(str(path)) as container:
        for frame in container.decode():
            found.setdefault("video" if isinstance(frame, VideoFrame) else "audio", []).append(frame)
    return found


def seconds(frames: list[AudioFrame]) -> float:
    return sum(frame.samples / frame.sample_rate for frame in frames)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of sound and pictures."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return run(record(path, sounds(50), pictures(30)))


@pytest.mark.parametrize("name", ["MediaBlackhole", "MediaPlayer", "MediaRecorder", "MediaRelay"])
def test_signatures_are_aiortcs(name: str) -> None:
    ours, theirs = getattr(media, name), getattr(aiortc.contrib.media, name)
    for member in ["__init__", *(each for each in vars(theirs) if not each.startswith("_"))]:
        if callable(getattr(theirs, member)):
            expected = [
                (p.name, p.default, p.kind) for p in inspect.signature(getattr(theirs, member)).parameters.values()
            ]
            found = [(p.name, p.default, p.kind) for p in inspect.signature(getattr(ours, member)).parameters.values()]
            assert found == expected, member


# --- recorder ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "audio_codec", "video_codec"),
    [("a.mp4", "aac", "h264"), ("a.mkv", "aac", "h264"), ("a.webm", "opus", "vp8")],
)
def test_sound_and_pictures_are_recorded(tmp_path: Path, name: str, audio_codec: str, video_codec: str) -> None:
    path = run(record(tmp_path / name, sounds(50), pictures(30)))
    with av.open(str(path)) as container:
        codecs = {stream.type: stream.codec_context.name for stream in container.streams}
    assert codecs == {"audio": audio_codec, "video": video_codec}
    frames = contents(path)
    assert seconds(frames["audio"]) == pytest.approx(1, abs=0.1)
    assert len(frames["video"]) == 30
    assert (frames["video"][0].width, frames["video"][0].height) == (64, 48)
    assert frames["video"][-1].time - frames["video"][0].time == pytest.approx(29 / 30, abs=0.01)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "mp3float"), ("a.ogg", "opus")])
def test_sound_alone_is_recorded(tmp_path: Path, name: str, codec: str) -> None:
    path = run(record(tmp_path / name, sounds(50)))
    with av.open(str(path)) as container:
        assert container.streams[0].codec_context.name == codec
    assert seconds(contents(path)["audio"]) == pytest.approx(1, abs=0.1)


def test_a_wav_file_has_exactly_the_samples(tmp_path: Path) -> None:
    path = run(record(tmp_path / "a.wav", sounds(10)))
    recorded = np.concatenate([frame.to_ndarray() for frame in contents(path)["audio"]], axis=1)
    assert (recorded == np.concatenate([sound(n).to_ndarray() for n in range(10)], axis=1)).all()


def test_pictures_are_recorded_as_files(tmp_path: Path) -> None:
    run(record(tmp_path / "p-%3d.png", pictures(3)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p-001.png", "p-002.png", "p-003.png"]
    assert (contents(tmp_path / "p-003.png")["video"][0].to_ndarray(format="rgb24")[0, 0] == [16] * 3).all()


def test_a_file_object_is_written(tmp_path: Path) -> None:
    async def main() -> bytes:
        buffer = io.BytesIO()
        recorder = MediaRecorder(buffer, format="wav")
        track = sounds(5)
        recorder.addTrack(track)
        await recorder.start()
        await track.read.wait()
        await recorder.stop()
        return buffer.getvalue()

    assert run(main()).startswith(b"RIFF")


def test_a_change_of_picture_is_converted_to_the_first(tmp_path: Path) -> None:
    frames = [picture(0, 65, 49), picture(1, 128, 96, "rgb24"), picture(2, 31, 17, "gray"), picture(3, 64, 48)]
    path = run(record(tmp_path / "a.mp4", Frames("video", frames)))
    assert [(frame.width, frame.height) for frame in contents(path)["video"]] == [(64, 48)] * 4


def test_a_change_of_sound_is_converted_to_the_first(tmp_path: Path) -> None:
    frames = [sound(n) for n in range(10)] + [sound(n, 8000, "mono") for n in range(10, 20)]
    frames += [sound(n, 16000, "stereo", "fltp") for n in range(20, 30)]
    path = run(record(tmp_path / "a.wav", Frames("audio", frames)))
    recorded = contents(path)["audio"]
    assert {frame.sample_rate for frame in recorded} == {48000}
    assert seconds(recorded) == pytest.approx(0.6, abs=0.02)


def test_lost_sound_is_filled_with_silence(tmp_path: Path) -> None:
    path = run(record(tmp_path / "a.wav", Frames("audio", [sound(n) for n in (0, 1, 75, 76)])))
    assert seconds(contents(path)["audio"]) == pytest.approx(77 * 0.02, abs=0.001)


def test_pictures_out_of_order_or_at_one_time_are_left_out(tmp_path: Path) -> None:
    path = run(record(tmp_path / "a.mp4", Frames("video", [picture(n) for n in (0, 2, 1, 2, 3)])))
    assert [round(frame.time * 30) for frame in contents(path)["video"]] == [0, 2, 3]


def test_a_track_that_never_sends_does_not_spoil_the_file(tmp_path: Path) -> None:
    async def main() -> Path:
        recorder = MediaRecorder(str(tmp_path / "a.mp4"))
        audio = sounds(50)
        recorder.addTrack(PushTrack("video"))
        recorder.addTrack(audio)
        await recorder.start()
        await audio.read.wait()
        await recorder.stop()
        return tmp_path / "a.mp4"

    assert seconds(contents(run(main()))["audio"]) == pytest.approx(1, abs=0.1)


def test_recording_leaves_frames_as_they_are(tmp_path: Path) -> None:
    frame, samples = picture(5), sound(5)
    run(record(tmp_path / "a.mkv", Frames("video", [frame]), Frames("audio", [samples])))
    assert (frame.pts, frame.time_base) == (15000, fractions.Fraction(1, 90000))
    assert (samples.pts, samples.time_base) == (5 * 960, fractions.Fraction(1, RATE))


@pytest.mark.parametrize(("format", "matrix"), [("rgb24", 0), ("yuv420p", 6), ("yuv444p", 6)])
def test_recording_keeps_the_colours_of_full_range(tmp_path: Path, format: str, matrix: int) -> None:
    from shim import VideoConverter

    frames = []
    for n in range(3):
        orange = VideoFrame.from_ndarray(np.full((48, 64, 3), (240, 120, 40), np.uint8), format="rgb24")
        frame = VideoConverter(backend="native").convert(orange, format, color_range=2)
        frame.colorspace, frame.color_range = matrix, 2
        frame.pts, frame.time_base = n * 3000, fractions.Fraction(1, 90000)
        frames.append(frame)
    for recorded in contents(run(record(tmp_path / "a.mkv", Frames("video", frames))))["video"]:
        colour = recorded.to_ndarray(format="rgb24").reshape(-1, 3).mean(0)
        assert colour == pytest.approx((240, 120, 40), abs=8)


@pytest.mark.parametrize("bad", [RuntimeError("camera unplugged"), Packet(b"encoded"), sound(0)], ids=type)
def test_a_track_that_fails_ends_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: object
) -> None:
    async def main() -> Path:
        recorder = MediaRecorder(str(tmp_path / "a.mkv"))
        audio, video = sounds(50), Frames("video", [picture(0), picture(1), bad])
        recorder.addTrack(audio)
        recorder.addTrack(video)
        await recorder.start()
        await audio.read.wait()
        await recorder.stop()
        return tmp_path / "a.mkv"

    with caplog.at_level(logging.ERROR):
        frames = contents(run(main()))
    assert "MediaRecorder" in caplog.text
    assert len(frames["video"]) == 2
    assert seconds(frames["audio"]) == pytest.approx(1, abs=0.1)


def test_stopping_twice_or_unstarted_is_fine(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = MediaRecorder(str(tmp_path / "a.wav"))
        await recorder.stop()
        await recorder.stop()
        with pytest.raises(InvalidStateError, match=r"MediaRecorder\.addTrack"):
            recorder.addTrack(sounds(1))

    run(main())


def test_a_file_that_cannot_be_written_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format"):
        MediaRecorder(str(tmp_path / "a.unknown"))


# --- player ------------------------------------------------------------------------------------------


async def drain(track: MediaStreamTrack | None, limit: int = 1000) -> list[Any]:
    assert track is not None
    frames: list[Any] = []
    async for frame in track:
        frames.append(frame)
        if len(frames) == limit:
            track.stop()
    return frames


def test_a_file_is_played_to_its_end(clip: Path) -> None:
    async def main() -> None:
        player = MediaPlayer(str(clip))
        audio, video = await asyncio.gather(drain(player.audio), drain(player.video))
        assert {(frame.sample_rate, frame.layout.name, frame.format.name) for frame in audio} == {
            (48000, "stereo", "s16")
        }
        assert [frame.pts for frame in audio] == [n * 960 for n in range(len(audio))]
        assert seconds(audio) == pytest.approx(1, abs=0.1)
        assert [round(frame.time * 30) for frame in video] == list(range(30))

    run(main())


def test_a_file_is_played_in_real_time(clip: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await drain(MediaPlayer(str(clip)).video, 16)
        assert loop.time() - started >= 0.45

    run(main())


def test_one_track_can_be_played_without_the_other(clip: Path) -> None:
    async def main() -> None:
        player = MediaPlayer(str(clip))
        assert len(await drain(player.video)) == 30
        assert player.audio is not None
        assert seconds(await drain(player.audio)) <= 1.1  # what had been read with the pictures

    run(main())


def test_a_file_can_be_repeated(clip: Path) -> None:
    async def main() -> None:
        player = MediaPlayer(str(clip), loop=True)
        frames = await drain(player.video, 50)
        steps = {b.pts - a.pts for a, b in itertools.pairwise(frames)}
        assert min(steps) > 0
        assert frames[-1].time == pytest.approx(49 / 30, abs=0.1)

    run(main())


def test_packets_that_can_be_sent_are_not_decoded(clip: Path) -> None:
    async def main() -> None:
        player = MediaPlayer(str(clip), decode=False)
        assert player.audio is None  # AAC cannot be sent
        packets = await drain(player.video)
        assert len(packets) == 30
        assert isinstance(packets[0], Packet)
        assert packets[0].is_keyframe

    run(main())


def test_a_player_that_is_never_read_holds_no_thread(clip: Path) -> None:
    player = MediaPlayer(str(clip))
    for track in (player.audio, player.video):
        assert track is not None
        track.stop()
        track.stop()


def test_a_player_that_is_forgotten_stops_reading(clip: Path) -> None:
    async def main() -> None:
        track = MediaPlayer(str(clip), loop=True).video
        assert track is not None
        await track.recv()
        assert "media-player" in {thread.name for thread in threading.enumerate()}

    run(main())


def test_reading_is_bounded_while_nobody_consumes(clip: Path) -> None:
    async def main() -> None:
        player = MediaPlayer(str(clip), loop=True)
        assert isinstance(player.video, media.PlayerStreamTrack)
        for _ in range(10):  # a third of a second, in which a reader without bounds reads all it can
            await player.video.recv()
        assert player.video.queueStats.queued <= 20
        player.video.stop()

    run(main())


def test_a_damaged_file_ends_the_tracks(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = data.index(b"mdat") + 40
    data[middle : middle + 4000] = bytes(4000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)

    async def main() -> None:
        player = MediaPlayer(str(damaged))
        await asyncio.gather(drain(player.audio), drain(player.video))

    run(main())


def test_a_file_object_that_fails_ends_the_tracks(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(io.BytesIO):
        fail = False

        def read(self, size: int | None = -1) -> bytes:
            if self.fail:
                raise OSError("the disk is gone")
            return super().read(min(size or 0, 512))

    file = Failing(clip.read_bytes())

    async def main() -> None:
        player = MediaPlayer(file, options={"blocksize": "512"})
        file.fail = True
        await drain(player.video)

    with caplog.at_level(logging.WARNING):
        run(main())


@pytest.mark.parametrize("name", ["missing.mp4", "garbage.mp4"])
def test_a_file_that_cannot_be_played_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "garbage.mp4").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(av.FFmpegError):
        MediaPlayer(str(tmp_path / name))


def test_what_cannot_be_rewound_cannot_be_repeated(tmp_path: Path) -> None:
    raw = tmp_path / "a.raw"
    raw.write_bytes(bytes(4000))

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return bytes(min(size, 4000))

    with pytest.raises(ValueError, match="`loop` argument"):
        MediaPlayer(Pipe(), format="s16le", loop=True)


# --- relay and blackhole -----------------------------------------------------------------------------


def test_every_consumer_of_a_relay_gets_every_frame() -> None:
    async def main() -> None:
        relay, source = MediaRelay(), sounds(20)
        results = await asyncio.gather(*(drain(relay.subscribe(source)) for _ in range(3)))
        assert [[frame.pts for frame in frames] for frames in results] == [[n * 960 for n in range(20)]] * 3

    run(main())


def test_an_unbuffered_consumer_gets_the_newest_frame() -> None:
    async def main() -> None:
        relay, source = MediaRelay(), PushTrack("audio")
        slow, fast = relay.subscribe(source, buffered=False), relay.subscribe(source)
        source.push(sound(0))
        assert [frame.pts for frame in await asyncio.gather(slow.recv(), fast.recv())] == [0, 0]
        for n in range(1, 5):
            source.push(sound(n))
        assert [(await fast.recv()).pts for _ in range(4)] == [960, 1920, 2880, 3840]
        assert (await slow.recv()).pts == 3840
        slow.stop()
        fast.stop()

    run(main())


def test_to_an_unbuffered_consumer_the_end_is_newer_than_any_frame() -> None:
    async def main() -> None:
        relay, source = MediaRelay(), PushTrack("audio")
        consumer = relay.subscribe(source, buffered=False)
        source.push(sound(0))
        await consumer.recv()
        source.push(sound(1))
        source.end()
        with pytest.raises(MediaStreamError):
            await consumer.recv()

    run(main())


def test_a_consumer_that_stops_leaves_source_and_others_alone() -> None:
    async def main() -> None:
        relay, source = MediaRelay(), PushTrack("audio")
        one, other = relay.subscribe(source), relay.subscribe(source)
        source.push(sound(0))
        await asyncio.gather(one.recv(), other.recv())
        one.stop()
        with pytest.raises(MediaStreamError):
            await one.recv()
        source.push(sound(1))
        assert (await other.recv()).pts == 960
        other.stop()
        assert source.readyState == "live"
        again = relay.subscribe(source)
        source.push(sound(2))
        assert (await again.recv()).pts == 1920
        again.stop()

    run(main())


def test_a_consumer_that_comes_too_late_ends() -> None:
    async def main() -> None:
        relay, source = MediaRelay(), sounds(1)
        late = relay.subscribe(source)
        await drain(relay.subscribe(source))
        assert await drain(late) == []

    run(main())


def test_a_source_that_fails_ends_all_consumers(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        relay, source = MediaRelay(), Frames("audio", [sound(0), RuntimeError("microphone unplugged")])
        assert [
            len(frames) for frames in await asyncio.gather(*(drain(relay.subscribe(source)) for _ in range(2)))
        ] == [1, 1]

    run(main())
    assert "microphone unplugged" in caplog.text


def test_a_blackhole_reads_until_it_is_stopped() -> None:
    async def main() -> None:
        blackhole, ending, endless = MediaBlackhole(), sounds(3), PushTrack("audio")
        for track in (ending, endless, ending):
            blackhole.addTrack(track)
        await blackhole.start()
        await blackhole.start()
        await ending.read.wait()
        await blackhole.stop()
        await blackhole.stop()
        assert endless.readyState == "live"

    run(main())
