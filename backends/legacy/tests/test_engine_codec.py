"""libwebrtc's encoders and decoders through the engines of this backend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from av import CodecContext, VideoFrame

from backends.legacy import ffi
from backends.legacy.codecs import pace_of, video_codecs
from backends.legacy.decode import LegacyVideoDecoder
from backends.legacy.encode import LegacyVideoEncoder
from shim.api.video import VideoConverter
from shim.spi.engines import EncodedVideo, EncoderSettings, VideoCodec
from shim.spi.errors import CapabilityError, OperationError, ShimError

pytestmark = pytest.mark.timeout(60)
TICK = Fraction(1, 30)
CODECS = video_codecs().encode


@pytest.fixture(autouse=True)
def _no_handle_is_left() -> Iterator[None]:
    before = ffi.load().lib.rtc_handle_count()
    yield
    assert ffi.load().lib.rtc_handle_count() == before


def picture(number: int, width: int = 160, height: int = 120, format: str = "yuv420p") -> VideoFrame:
    """Return a slanted gradient that moves."""
    down, right = np.mgrid[:height, :width]
    grey = ((right * 2 + down + number * 5) % 200 + 20).astype(np.uint8)
    frame = VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, 2), "rgb24")
    if format != "rgb24":
        frame = frame.reformat(format=format)
    frame.pts, frame.time_base = number, TICK
    return frame


def settings(codec: VideoCodec, width: int = 160, height: int = 120, **more: Any) -> EncoderSettings:  # noqa: ANN401
    return EncoderSettings(codec, width, height, **{"bitrate": 500_000, **more})


def encoded(codec: VideoCodec, count: int = 4, **more: Any) -> list[EncodedVideo]:  # noqa: ANN401
    encoder = LegacyVideoEncoder(settings(codec, **more))
    chunks = [chunk for number in range(count) for chunk in encoder.encode(picture(number))]
    encoder.close()
    return chunks


def decoded(codec: VideoCodec, chunks: list[EncodedVideo]) -> list[VideoFrame]:
    decoder = LegacyVideoDecoder(codec, "never")
    frames = [frame for chunk in chunks for frame in give(decoder, chunk)]
    decoder.close()
    return frames


def give(decoder: LegacyVideoDecoder, chunk: EncodedVideo, data: bytes | None = None) -> list[VideoFrame]:
    found = chunk.data if data is None else data
    return decoder.decode(found, chunk.pts, chunk.time_base, key_frame=chunk.key_frame)


def psnr(left: VideoFrame, right: VideoFrame) -> float:
    """Return that of the brightness."""
    first, second = (VideoConverter.to_ndarray(frame)[0].astype(float) for frame in (left, right))
    return 10 * float(np.log10(255**2 / max(((first - second) ** 2).mean(), 1e-9)))


@pytest.mark.parametrize("format", ["yuv420p", "nv12", "yuv444p", "yuv420p10le", "rgb24", "bgra"])
@pytest.mark.parametrize("codec", CODECS)
def test_every_format_survives(codec: VideoCodec, format: str) -> None:
    encoder = LegacyVideoEncoder(settings(codec, bitrate=2_000_000))
    chunks = [chunk for number in range(3) for chunk in encoder.encode(picture(number, format=format))]
    encoder.close()
    frames = decoded(codec, chunks)
    assert [frame.pts for frame in frames] == [0, 1, 2]
    assert psnr(frames[-1], picture(2)) > 30


@pytest.mark.parametrize("codec", CODECS)
def test_layers_can_be_left_out(codec: VideoCodec) -> None:
    chunks = encoded(codec, 8, temporal_layers=3)
    assert [chunk.temporal_layer for chunk in chunks] == [0, 2, 1, 2, 0, 2, 1, 2]
    base = [chunk for chunk in chunks if chunk.temporal_layer == 0]
    assert [frame.pts for frame in decoded(codec, base)] == [0, 4]


@pytest.mark.parametrize("codec", CODECS)
def test_key_frames_come_when_they_are_due(codec: VideoCodec) -> None:
    encoder = LegacyVideoEncoder(settings(codec, key_interval=4))
    keys = [bool(encoder.encode(picture(number), key_frame=number == 6)[0].key_frame) for number in range(12)]
    encoder.flush()
    assert [number for number, key in enumerate(keys) if key] == [0, 4, 6, 10]
    assert encoder.encode(picture(12))[0].key_frame
    encoder.close()


@pytest.mark.parametrize("size", [(320, 240), (80, 60), (64, 160), (201, 141)])
@pytest.mark.parametrize("codec", CODECS)
def test_another_size_begins_with_a_key_frame(codec: VideoCodec, size: tuple[int, int]) -> None:
    encoder, decoder = LegacyVideoEncoder(settings(codec)), LegacyVideoDecoder(codec, "never")
    give(decoder, encoder.encode(picture(0))[0])
    encoder.encode(picture(1))
    chunk = encoder.encode(picture(2, *size))[0]
    frame = give(decoder, chunk)[0]
    assert chunk.key_frame
    assert (frame.width, frame.height) == (chunk.width, chunk.height)
    assert 0 <= size[0] - frame.width <= 1
    assert 0 <= size[1] - frame.height <= 1
    encoder.close()
    decoder.close()


@pytest.mark.parametrize("codec", CODECS)
def test_rates_take_effect(codec: VideoCodec) -> None:
    noise = np.random.default_rng(1).integers(0, 60, (8, 120, 160, 3), np.uint8).repeat(2, 1).repeat(2, 2)
    encoder, sizes = LegacyVideoEncoder(settings(codec, 320, 240, bitrate=3_000_000)), []
    for number in range(40):
        if number == 20:
            encoder.set_rates(800_000, 30.0)
        frame = VideoFrame.from_ndarray(noise[number % 8], "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, TICK
        sizes += [len(chunk.data) for chunk in encoder.encode(frame)]
    encoder.close()
    assert sum(sizes[30:]) < 0.6 * sum(sizes[10:20])


@pytest.mark.parametrize("codec", CODECS)
def test_damage_is_an_error_and_a_key_frame_ends_it(codec: VideoCodec) -> None:
    chunks, decoder = encoded(codec), LegacyVideoDecoder(codec, "never")
    with pytest.raises(OperationError, match="key frame"):
        give(decoder, chunks[1])
    for data in (b"", b"\xff", b"\0" * 50, chunks[0].data[:9]):
        with pytest.raises(OperationError):
            give(decoder, chunks[0], data)
        with pytest.raises(OperationError):
            give(decoder, chunks[1])
        assert len(give(decoder, chunks[0])) == 1
    assert psnr(give(decoder, chunks[1])[0], picture(1)) > 25
    decoder.close()


@pytest.mark.parametrize("codec", CODECS)
def test_random_damage_ends_nothing(codec: VideoCodec, request: pytest.FixtureRequest) -> None:
    seed = request.config.option.conformance_seed
    rng, chunks = np.random.default_rng(seed), encoded(codec, 6)
    decoder = LegacyVideoDecoder(codec, "never")
    for _ in range(120):
        data = np.frombuffer(chunks[rng.integers(6)].data, np.uint8).copy()
        data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
        try:
            decoder.decode(data[: rng.integers(1, len(data))].tobytes(), 0, TICK, key_frame=True)
        except OperationError:
            continue
    assert len(give(decoder, chunks[0])) == 1
    decoder.close()


@pytest.mark.parametrize("format", ["rgb24", "yuv444p10le"])
def test_h264_that_would_abort_libwebrtc_is_refused(format: str) -> None:
    x264 = CodecContext.create("libx264rgb" if format == "rgb24" else "libx264", "w")
    x264.width, x264.height, x264.pix_fmt, x264.time_base = 64, 64, format, TICK
    x264.options = {"tune": "zerolatency"}
    packets = x264.encode(picture(0, 64, 64, format))
    decoder = LegacyVideoDecoder("H264", "never")
    with pytest.raises(OperationError):
        decoder.decode(bytes(packets[0]), 0, TICK, key_frame=True)
    decoder.close()


def test_what_libwebrtc_lacks_is_said() -> None:
    tries: list[Callable[[], object]] = [
        lambda: LegacyVideoEncoder(settings("AV1")),
        lambda: LegacyVideoEncoder(settings("VP8", hardware="require")),
        lambda: LegacyVideoEncoder(settings("H264", 16384, 16384)),
        lambda: LegacyVideoEncoder(settings("VP8", 16384, 16)),
        lambda: LegacyVideoDecoder("H265", "never"),
        lambda: LegacyVideoDecoder("VP9", "require"),
    ]
    for attempt in tries:
        with pytest.raises(CapabilityError) as caught:
            attempt()
        assert caught.value.backend == "legacy"


@pytest.mark.parametrize("codec", CODECS)
def test_closed_twice_and_used_afterwards(codec: VideoCodec) -> None:
    encoder, decoder = LegacyVideoEncoder(settings(codec)), LegacyVideoDecoder(codec, "never")
    for one in (encoder, decoder, encoder, decoder):
        one.close()
    with pytest.raises(ShimError):
        encoder.encode(picture(0))
    with pytest.raises(ShimError):
        decoder.decode(b"1", 0, TICK, key_frame=True)


@pytest.mark.parametrize("codec", CODECS)
def test_any_thread_may_go_on(codec: VideoCodec) -> None:
    encoder, decoder = LegacyVideoEncoder(settings(codec)), LegacyVideoDecoder(codec, "never")
    frames: list[VideoFrame] = []
    for number in range(3):
        work = threading.Thread(target=lambda n=number: frames.extend(give(decoder, encoder.encode(picture(n))[0])))
        work.start()
        work.join()
    assert [frame.pts for frame in frames] == [0, 1, 2]
    encoder.close()
    decoder.close()


def test_speed_is_passed_on() -> None:
    for codec in ("VP8", "VP9"):
        speeds = [pace_of(settings(codec, speed=speed)).speed for speed in range(11)]
        assert len({*speeds}) >= 4
        assert all((left <= right) == (codec == "VP9") or left == right for left, right in pairwise(speeds))
    assert "cpu-used 9" in pace_of(settings("VP9", speed=10)).words


def test_implementations_are_named() -> None:
    names = {}
    for codec in CODECS:
        encoder, decoder = LegacyVideoEncoder(settings(codec)), LegacyVideoDecoder(codec, "never")
        names[codec] = (encoder.implementation.name, decoder.implementation.name)
        encoder.close()
        decoder.close()
    assert names == {"VP8": ("libvpx", "libvpx"), "VP9": ("libvpx", "libvpx"), "H264": ("OpenH264", "FFmpeg")}
