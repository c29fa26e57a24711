"""Tracks: defaults as aiortc's, queues that are bounded and count, frames from any thread, `enabled`."""

from __future__ import annotations

import asyncio
import fractions
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import aiortc.mediastreams
import numpy  # noqa: F401 - loaded first, because it starts threads that stay
import pytest
from av import AudioFrame, VideoFrame
from av.packet import Packet

from conformance.leaks import Census, leaks_since
from conformance.media import rows_every
from shim.api import tracks
from shim.api.tracks import AudioStreamTrack, MediaStreamTrack, PushTrack, RemoteTrack, VideoStreamTrack, source_of
from shim.spi.errors import InvalidStateError, MediaStreamError

_Result = TypeVar("_Result")


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    return asyncio.run(asyncio.wait_for(main, 20))


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    before = Census.take()
    yield
    assert not leaks_since(before)


def picture(pts: int | None = 0, width: int = 16, height: int = 16, format: str = "yuv420p") -> VideoFrame:
    frame = VideoFrame(width, height, format)
    for plane in frame.planes:
        plane.update(b"\x77" * plane.buffer_size)
    frame.pts = pts
    if pts is not None:
        frame.time_base = fractions.Fraction(1, 90000)
    return frame


def sound(pts: int | None = 0, format: str = "s16") -> AudioFrame:
    frame = AudioFrame(format=format, layout="stereo", samples=160)
    for plane in frame.planes:
        plane.update(b"\x55" * plane.buffer_size)
    frame.sample_rate, frame.pts = 8000, pts
    if pts is not None:
        frame.time_base = fractions.Fraction(1, 8000)
    return frame


def put_all(track: RemoteTrack, frames: list[Any]) -> threading.Thread:
    """Put frames on a thread of its own."""

    def work() -> None:
        for frame in frames:
            track.put(frame)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def pts_of(track: MediaStreamTrack, count: int) -> list[int | None]:
    return [(await track.recv()).pts for _ in range(count)]


# --- generated tracks --------------------------------------------------------------------------------


def test_importing_tracks_loads_no_ffmpeg() -> None:
    code = "import sys, shim.api.tracks, shim.api.sdp, shim.api.stats; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_constants_are_aiortcs() -> None:
    for name in ("AUDIO_PTIME", "VIDEO_CLOCK_RATE", "VIDEO_PTIME", "VIDEO_TIME_BASE"):
        assert getattr(tracks, name) == getattr(aiortc.mediastreams, name)


def test_the_default_audio_is_20_ms_of_silence() -> None:
    async def main() -> None:
        track = AudioStreamTrack()
        first, second = await track.recv(), await track.recv()
        assert isinstance(second, AudioFrame)
        assert (second.sample_rate, second.samples, second.layout.name, second.format.name) == (
            8000,
            160,
            "mono",
            "s16",
        )
        assert (first.pts, second.pts, second.time_base) == (0, 160, fractions.Fraction(1, 8000))
        assert not any(bytes(second.planes[0]))

    run(main())


def test_the_default_video_is_a_green_picture_30_times_a_second() -> None:
    async def main() -> None:
        track = VideoStreamTrack()
        first, second = await track.recv(), await track.recv()
        assert isinstance(second, VideoFrame)
        assert (second.width, second.height, second.format.name) == (640, 480, "yuv420p")
        assert (first.pts, second.pts, second.time_base) == (0, 3000, fractions.Fraction(1, 90000))
        red, green, blue = second.to_ndarray(format="rgb24")[0, 0]
        assert green > 100 > max(red, blue)

    run(main())


@pytest.mark.parametrize("track_type", [AudioStreamTrack, VideoStreamTrack])
def test_a_stopped_track_ends_once_and_raises(track_type: type[MediaStreamTrack]) -> None:
    async def main() -> None:
        track = track_type()
        ended: list[str] = []
        track.on("ended", lambda: ended.append(track.readyState))
        assert track.readyState == "live"
        track.stop()
        track.stop()
        assert ended == ["ended"]
        with pytest.raises(MediaStreamError):
            await track.recv()
        assert [frame async for frame in track] == []

    run(main())


def test_a_track_must_implement_recv() -> None:
    class Mute(MediaStreamTrack):
        kind = "audio"

    with pytest.raises(TypeError, match="recv"):
        Mute()  # type: ignore[abstract]


@pytest.mark.parametrize(("pts", "rate", "target"), [(0, 3, 4), (7, 90000, 48000), (-5, 1000, 90000), (9, 5, 5)])
def test_time_bases_are_converted_as_in_aiortc(pts: int, rate: int, target: int) -> None:
    bases = fractions.Fraction(1, rate), fractions.Fraction(1, target)
    assert tracks.convert_timebase(pts, *bases) == aiortc.mediastreams.convert_timebase(pts, *bases)


# --- received tracks ---------------------------------------------------------------------------------


def test_frames_arrive_in_order_from_another_thread() -> None:
    async def main() -> None:
        track = RemoteTrack("video", "the id", "block", 100)
        thread = put_all(track, [picture(n) for n in range(100)])
        assert await pts_of(track, 100) == list(range(100))
        thread.join()
        assert (track.id, track.kind) == ("the id", "video")
        assert (track.queueStats.delivered, track.queueStats.dropped, track.queueStats.queued) == (100, 0, 0)

    run(main())


@pytest.mark.parametrize(
    ("policy", "maxsize", "left"), [("latest", 3, [9]), ("drop_oldest", 3, [7, 8, 9]), ("block", 3, [0, 1, 2])]
)
def test_a_full_queue_keeps_what_its_policy_says(policy: Any, maxsize: int, left: list[int]) -> None:
    async def main() -> None:
        track = RemoteTrack("video", None, policy, maxsize)
        for n in range(10):
            track.put(picture(n))
        assert track.queueStats.queued == len(left)
        assert await pts_of(track, len(left)) == left
        assert (track.queueStats.delivered, track.queueStats.dropped) == (len(left), 10 - len(left))

    run(main())


def test_a_queue_is_bounded_by_default() -> None:
    for kind, size in tracks.DEFAULT_QUEUE_SIZE.items():
        track = RemoteTrack(kind)
        for n in range(size + 5):
            track.put(picture(n) if kind == "video" else sound(n))
        assert (track.queueStats.queued, track.queueStats.dropped) == (size, 5)


def test_the_policy_of_a_track_can_change() -> None:
    async def main() -> None:
        track = RemoteTrack("video", None, "block", 10)
        for n in range(10):
            track.put(picture(n))
        track.setQueuePolicy("drop_oldest", 4)
        assert await pts_of(track, 2) == [6, 7]
        track.setQueuePolicy("latest")
        assert (await pts_of(track, 1), track.queueStats.dropped) == ([9], 7)

    run(main())


@pytest.mark.parametrize(("policy", "maxsize"), [("newest", 1), ("latest", 0), ("block", -1)])
def test_an_impossible_policy_is_refused(policy: Any, maxsize: int) -> None:
    track = RemoteTrack("audio")
    with pytest.raises(ValueError, match="queue"):
        track.setQueuePolicy(policy, maxsize)


def test_what_is_queued_can_be_read_after_the_end() -> None:
    async def main() -> None:
        track = RemoteTrack("audio")
        ended = asyncio.Event()
        track.on("ended", ended.set)
        track.put(sound(1))
        threading.Thread(target=track.end).start()
        assert [frame.pts async for frame in track] == [1]
        assert ended.is_set()
        track.put(sound(2))
        assert track.queueStats.queued == 0

    run(main())


def test_a_track_that_nobody_reads_ends_too() -> None:
    async def main() -> None:
        track = RemoteTrack("audio")
        ended = asyncio.Event()
        track.on("ended", ended.set)
        threading.Thread(target=track.end).start()
        await ended.wait()
        assert track.readyState == "ended"

    run(main())


def test_stopping_a_track_wakes_all_who_wait() -> None:
    async def main() -> None:
        track = RemoteTrack("audio")
        readers = [asyncio.ensure_future(track.recv()) for _ in range(3)]
        await asyncio.sleep(0)
        track.stop()
        for result in await asyncio.gather(*readers, return_exceptions=True):
            assert isinstance(result, MediaStreamError)

    run(main())


def test_a_cancelled_reader_loses_no_frame() -> None:
    async def main() -> None:
        track = RemoteTrack("audio")
        first, second = (asyncio.ensure_future(track.recv()) for _ in range(2))
        await asyncio.sleep(0)
        track.put(sound(7))
        first.cancel()
        assert (await second).pts == 7
        with pytest.raises(asyncio.CancelledError):
            await first

    run(main())


def test_a_frame_for_which_nobody_waits_wakes_no_loop() -> None:
    async def main() -> None:
        track = RemoteTrack("audio")
        loop = asyncio.get_running_loop()
        calls: list[object] = []
        original = loop.call_soon_threadsafe

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return original(*args, **kwargs)

        loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
        put_all(track, [sound(n) for n in range(50)]).join()
        assert calls == []

    run(main())


# --- pushed tracks -----------------------------------------------------------------------------------


def test_frames_can_be_pushed_from_any_thread() -> None:
    async def main() -> None:
        track = PushTrack("audio", "block", 2)
        thread = threading.Thread(target=lambda: [track.push(sound(n)) for n in range(20)])
        thread.start()
        assert await pts_of(track, 20) == list(range(20))
        thread.join()
        assert track.queueStats.dropped == 0

    run(main())


def test_pushing_on_the_loop_never_waits() -> None:
    async def main() -> None:
        track = PushTrack("audio", "block", 1)
        assert track.push(sound(0))
        assert not track.push(sound(1))
        assert track.queueStats.dropped == 1

    run(main())


def test_waiting_for_room_can_be_bounded() -> None:
    track = PushTrack("audio", "block", 1)
    assert track.push(sound(0), timeout=0.01)
    assert not track.push(sound(1), timeout=0.01)


def test_stopping_lets_a_waiting_push_go() -> None:
    track = PushTrack("audio", "block", 1)
    track.push(sound(0))
    results: list[bool] = []

    def push() -> None:
        try:
            results.append(track.push(sound(1)))
        except InvalidStateError:  # the thread came too late to wait
            results.append(False)

    thread = threading.Thread(target=push)
    thread.start()
    track.stop()
    thread.join(10)
    assert results == [False]
    with pytest.raises(InvalidStateError, match=r"PushTrack\.push: the track has ended"):
        track.push(sound(2))


def test_frames_without_a_time_get_one() -> None:
    async def main() -> None:
        audio, video = PushTrack("audio"), PushTrack("video")
        for _ in range(3):
            audio.push(sound(None))
            video.push(picture(None))
        assert await pts_of(audio, 3) == [0, 160, 320]
        times = await pts_of(video, 3)
        assert times[0] == 0
        assert times == sorted(times, key=lambda pts: pts or 0)

    run(main())


def test_a_pushed_track_is_audio_or_video() -> None:
    with pytest.raises(ValueError, match="'audio' or 'video'"):
        PushTrack("text")


# --- enabled -----------------------------------------------------------------------------------------


def test_an_enabled_track_is_passed_on_as_it_is() -> None:
    async def main() -> None:
        track = PushTrack("video")
        frame = picture(5, 33, 17, "rgb24")
        track.push(frame)
        source = source_of(track)
        assert (source.kind, source.id) == ("video", track.id)
        assert await source.recv() is frame

    run(main())


def test_a_disabled_track_is_black_or_silent_in_the_same_rhythm() -> None:
    async def main() -> None:
        video, audio = PushTrack("video"), PushTrack("audio")
        video.enabled = audio.enabled = False
        video.push(picture(5, 33, 17, "rgb24"))
        audio.push(sound(6))
        black, silent = await source_of(video).recv(), await source_of(audio).recv()
        assert isinstance(black, VideoFrame)
        assert isinstance(silent, AudioFrame)
        assert (black.width, black.height, black.pts) == (33, 17, 5)
        assert black.to_ndarray(format="rgb24").max() == 0
        assert (silent.samples, silent.sample_rate, silent.pts) == (160, 8000, 6)
        assert not any(bytes(silent.planes[0]))

    run(main())


def test_a_picture_with_too_little_memory_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        track = PushTrack("video")
        frames = [rows_every(64), rows_every(0), rows_every(144), picture(9, format="pal8")]
        for number, frame in enumerate(frames):
            frame.pts = number
            track.push(frame)
        source = source_of(track)
        assert [(await source.recv()).pts for _ in range(2)] == [2, 3]

    run(main())
    (said,) = [record.getMessage() for record in caplog.records if record.name == tracks.__name__]
    assert "1024 bytes in rows of 64, too few for 16 rows of 144" in said


def test_silence_of_unsigned_samples_is_their_middle() -> None:
    assert set(bytes(tracks.silence_like(sound(0, "u8")).planes[0])) == {0x80}


def test_encoded_video_resumes_with_a_key_frame() -> None:
    class Packets(MediaStreamTrack):
        kind = "video"

        def __init__(self) -> None:
            super().__init__()
            self.sent: list[Packet[Any]] = []

        async def recv(self) -> Packet[Any]:
            packet: Packet[Any] = Packet(b"x")
            packet.pts = len(self.sent)
            packet.is_keyframe = len(self.sent) % 4 == 0
            self.enabled = len(self.sent) not in {1, 2}
            self.sent.append(packet)
            return packet

    async def main() -> None:
        source = source_of(Packets())
        assert [(await source.recv()).pts for _ in range(3)] == [0, 4, 5]

    run(main())


def test_the_end_of_a_track_reaches_the_engine() -> None:
    async def main() -> None:
        track = AudioStreamTrack()
        source = source_of(track)
        source.stop()
        assert track.readyState == "ended"
        with pytest.raises(MediaStreamError):
            await source.recv()

    run(main())
