"""Encoding and decoding of pictures: what comes back, and when key frames, rates, sizes and layers change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pytest
from av import AudioFrame, Packet, VideoFormat, VideoFrame
from av.filter import Graph
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.components import converter_of, decoder_of, encoder_of, require_codec
from conformance.media import rows_every, short_frame
from conformance.reference_video import Matrix, convert
from conformance.requirements import NOT_DECLARED, spec
from conformance.strategies import EXAMPLES
from conformance.targets import Pair, Target
from shim import EncodedVideo, VideoConverter, VideoDecoder, VideoEncoder
from shim.spi.capabilities import Component
from shim.spi.engines import PIXEL_FORMATS
from shim.spi.errors import CapabilityError, InvalidMediaError, InvalidStateError, ShimError

WIDTH, HEIGHT = 160, 120
TICK: Final = Fraction(1, 30)
CODECS: Final = ("VP8", "VP9", "H264", "H265", "AV1")
every_codec = pytest.mark.parametrize("codec", CODECS)
SMALLEST_GROWS_TO: Final = 64
"""Pixels on a side: a codec may scale up what is smaller."""


def picture(number: int, width: int = WIDTH, height: int = HEIGHT, format: str = "yuv420p") -> VideoFrame:
    """Return stripes that move over a colour, with a little grain."""
    down, right = np.mgrid[:height, :width]
    grey = 120 + 60 * np.sin((right * 3 + down * 2 + number * 8) / 24) + np.random.default_rng(number).normal(0, 2)
    pixels = np.stack([np.clip(grey + shift, 0, 255) for shift in (20, 0, -20)], 2).astype(np.uint8)
    frame = VideoFrame.from_ndarray(pixels, "rgb24")
    frame = frame if format == "rgb24" else frame.reformat(format=format)
    frame.pts, frame.time_base = number, TICK
    return frame


def hard_picture(number: int) -> VideoFrame:
    """Return blocks that move under noise that changes: an encoder can use any bit rate for it."""
    blocks = np.kron(np.random.default_rng(1).integers(60, 200, (HEIGHT // 4, WIDTH // 4)), np.ones((4, 4), np.int64))
    grey = np.roll(blocks, 3 * number, 1) + np.random.default_rng(number).integers(-25, 26, blocks.shape)
    frame = VideoFrame.from_ndarray(np.repeat(grey.astype(np.uint8)[..., None], 3, 2), "rgb24")
    frame = frame.reformat(format="yuv420p")
    frame.pts, frame.time_base = number, TICK
    return frame


def near(one: VideoFrame, other: VideoFrame) -> float:
    """Return the PSNR of two pictures in dB, over what both have; the second one's time does not count."""
    pair = [frame.to_ndarray(format="rgb24").astype(np.float64) for frame in (one, other)]
    height, width = (min(frame.shape[axis] for frame in pair) for axis in (0, 1))
    error = float(np.mean((pair[0][:height, :width] - pair[1][:height, :width]) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-9))


def encoded(encoder: VideoEncoder, frames: Iterable[VideoFrame]) -> list[EncodedVideo]:
    chunks = [chunk for frame in frames for chunk in encoder.encode(frame)]
    return chunks + encoder.flush()


def decoded(decoder: VideoDecoder, chunks: Iterable[EncodedVideo]) -> list[VideoFrame]:
    frames = [frame for chunk in chunks for frame in decoder.decode(chunk)]
    return frames + decoder.flush()


def stream(target: Target, codec: str, count: int = 6) -> list[EncodedVideo]:
    with encoder_of(target, codec) as encoder:
        return encoded(encoder, map(picture, range(count)))


def check_pictures(frames: list[VideoFrame], sources: list[VideoFrame], least: float = 28) -> None:
    assert [(frame.pts, frame.time_base) for frame in frames] == [(frame.pts, frame.time_base) for frame in sources]
    distances = [near(frame, source) for frame, source in zip(frames, sources, strict=True)]
    assert min(distances) >= least, distances


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_pictures_come_back(target: Target, codec: str) -> None:
    sources = [picture(number) for number in range(8)]
    with encoder_of(target, codec, speed=None) as encoder, decoder_of(target, codec) as decoder:
        chunks = encoded(encoder, sources)
        assert [chunk.key_frame for chunk in chunks] == [True] + 7 * [False]
        assert {(chunk.width, chunk.height, chunk.temporal_layer) for chunk in chunks} == {(WIDTH, HEIGHT, 0)}
        check_pictures(decoded(decoder, chunks), sources)
        assert encoder.implementation.name
        assert decoder.implementation.name


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_picture_comes_at_once(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        for number in range(4):
            chunks = encoder.encode(picture(number))
            assert [chunk.pts for chunk in chunks] == [number]
            assert [frame.pts for frame in decoder.decode(chunks[0])] == [number]


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_one_backend_decodes_what_another_encoded(pair: Pair, codec: str) -> None:
    require_codec(pair.answerer, codec, Component.VIDEO_DECODE)
    sources = [picture(number) for number in range(6)]
    with encoder_of(pair.offerer, codec) as encoder, decoder_of(pair.answerer, codec) as decoder:
        check_pictures(decoded(decoder, encoded(encoder, sources)), sources)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_frame_is_not_changed(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder:
        frame = picture(7)
        before = [bytes(plane) for plane in frame.planes]
        encoder.encode(frame, key_frame=True)
        assert [bytes(plane) for plane in frame.planes] == before
        assert (frame.pts, frame.time_base, int(frame.pict_type)) == (7, TICK, 0)


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_times_are_kept_whatever_their_unit(target: Target, codec: str) -> None:
    times = [(-5, Fraction(1, 30)), (0, Fraction(1, 1000)), (40, Fraction(1, 1000)), (1 << 40, Fraction(1, 90000))]
    frames = [picture(number) for number in range(len(times))]
    for frame, (pts, time_base) in zip(frames, times, strict=True):
        frame.pts, frame.time_base = pts, time_base
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        chunks = encoded(encoder, frames)
        assert [(chunk.pts, chunk.time_base) for chunk in chunks] == times
        assert [(frame.pts, frame.time_base) for frame in decoded(decoder, chunks)] == times


# --- key frames --------------------------------------------------------------------------------------


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_key_frame_comes_where_it_is_asked_for(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder:
        keys = []
        for number in range(12):
            if number == 4:
                encoder.request_key_frame()
            keys += [chunk.key_frame for chunk in encoder.encode(picture(number), key_frame=number == 9)]
    assert [number for number, is_key in enumerate(keys) if is_key] == [0, 4, 9]


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_key_interval_counts_from_the_last_key_frame(target: Target, codec: str) -> None:
    with encoder_of(target, codec, key_interval=5) as encoder:
        keys = [encoder.encode(picture(number), key_frame=number == 7)[0].key_frame for number in range(18)]
    assert [number for number, is_key in enumerate(keys) if is_key] == [0, 5, 7, 12, 17]


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_flush_is_followed_by_a_key_frame(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        first = encoded(encoder, [picture(0), picture(1)])
        second = encoded(encoder, [picture(2), picture(3)])
        assert [chunk.key_frame for chunk in first + second] == [True, False, True, False]
        assert len(decoded(decoder, first)) == len(decoded(decoder, second)) == 2


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_another_scene_is_no_key_frame_by_itself(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder:
        chunks = encoded(encoder, [picture(number) if number < 4 else hard_picture(number) for number in range(8)])
    assert [chunk.key_frame for chunk in chunks] == [True] + 7 * [False]


# --- rates -------------------------------------------------------------------------------------------


def kilobits(chunks: list[EncodedVideo]) -> float:
    """Return the rate of pictures at 30 in a second."""
    return sum(len(chunk.data) for chunk in chunks) * 8 * 30 / len(chunks) / 1000


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize("wish", [200, 600])
def test_bitrate_is_what_was_asked_for(target: Target, codec: str, wish: int) -> None:
    with encoder_of(target, codec, bitrate=wish * 1000) as encoder:
        chunks = encoded(encoder, map(hard_picture, range(60)))
    assert kilobits(chunks[15:]) == pytest.approx(wish, rel=0.25)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize(("first", "then"), [(600, 200), (200, 600)], ids=["lower", "higher"])
def test_another_bitrate_is_applied_in_flight(target: Target, codec: str, first: int, then: int) -> None:
    with encoder_of(target, codec, bitrate=first * 1000) as encoder:
        before = encoded_in_flight(encoder, range(40))
        encoder.set_rates(then * 1000)
        after = encoded_in_flight(encoder, range(40, 100))
    assert kilobits(before[15:]) == pytest.approx(first, rel=0.25)
    assert kilobits(after[25:]) == pytest.approx(then, rel=0.25)


def encoded_in_flight(encoder: VideoEncoder, numbers: Iterable[int]) -> list[EncodedVideo]:
    return [chunk for number in numbers for chunk in encoder.encode(hard_picture(number))]


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize("then", [200, 600], ids=["lower", "higher"])
def test_another_bitrate_needs_no_key_frame(target: Target, codec: str, then: int) -> None:
    with encoder_of(target, codec, bitrate=300_000) as encoder:
        encoded_in_flight(encoder, range(4))
        encoder.set_rates(then * 1000)
        assert not any(chunk.key_frame for chunk in encoded_in_flight(encoder, range(4, 8)))


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_bits_of_a_picture_depend_on_the_frame_rate(target: Target, codec: str) -> None:
    sizes = {}
    for framerate in (10, 30):
        with encoder_of(target, codec, bitrate=200_000, framerate=framerate) as encoder:
            frames = [hard_picture(number) for number in range(40)]
            for frame in frames:
                frame.time_base = Fraction(1, framerate)
            sizes[framerate] = sum(len(chunk.data) for chunk in encoded(encoder, frames)[10:])
    assert sizes[10] / sizes[30] == pytest.approx(3, rel=0.25)


# --- sizes and formats -------------------------------------------------------------------------------


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_size_changes_in_flight(target: Target, codec: str) -> None:
    sizes = [(160, 120), (160, 120), (96, 128), (96, 128), (320, 180), (160, 120)]
    sources = [picture(number, *size) for number, size in enumerate(sizes)]
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        chunks = encoded(encoder, sources)
        frames = decoded(decoder, chunks)
    assert [(chunk.width, chunk.height) for chunk in chunks] == sizes
    # VP9 and AV1 could do it with a delta, since they scale references: a decoder must not need that.
    assert [chunk.key_frame for chunk in chunks] == [True, False, True, False, True, True]
    assert [(frame.width, frame.height) for frame in frames] == sizes
    check_pictures(frames, sources, 24)


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
@pytest.mark.parametrize("size", [(16, 16), (17, 19), (33, 64), (65, 67), (161, 121), (98, 66)], ids=str)
def test_any_size_is_told_and_decoded(target: Target, codec: str, size: tuple[int, int]) -> None:
    sources = [picture(number, *size) for number in range(3)]
    with encoder_of(target, codec, *size) as encoder, decoder_of(target, codec) as decoder:
        chunks = encoded(encoder, sources)
        frames = decoded(decoder, chunks)
    assert [(frame.width, frame.height) for frame in frames] == [(chunk.width, chunk.height) for chunk in chunks]
    for told, side in zip((chunks[0].width, chunks[0].height), size, strict=True):
        assert told in {side, side & ~1, max(side, SMALLEST_GROWS_TO)}
    if (chunks[0].width, chunks[0].height) == size:
        check_pictures(frames, sources, 24)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize("size", [(16384, 64), (64, 8192)], ids=str)
def test_longest_pictures_are_encoded_or_refused(target: Target, codec: str, size: tuple[int, int]) -> None:
    decoder = decoder_of(target, codec)
    try:
        encoder = encoder_of(target, codec, *size, bitrate=1_000_000)
    except CapabilityError as exc:
        told = str(exc)
    else:
        (frame,) = decoded(decoder, encoded(encoder, [picture(0, *size)]))
        told = f"{frame.width}x{frame.height}"
        encoder.close()
    decoder.close()
    assert f"{size[0]}x{size[1]}" in told


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize("size", [(16384, 16), (16, 16384)], ids=str)
def test_size_that_becomes_too_long_is_encoded_or_refused(target: Target, codec: str, size: tuple[int, int]) -> None:
    with encoder_of(target, codec, 64, 64) as encoder, decoder_of(target, codec) as decoder:
        encoder.encode(picture(0, 64, 64))
        refusal: CapabilityError | None = None
        try:
            (frame,) = decoded(decoder, encoder.encode(picture(1, *size)))
        except CapabilityError as exc:
            refusal = exc
        else:
            assert max(frame.width, frame.height) == max(size)
        chunks = encoder.encode(picture(2, 64, 64))
        assert [chunk.key_frame for chunk in chunks] == [True]
        check_pictures(decoded(decoder, chunks), [picture(2, 64, 64)], 24)
    if refusal is not None:
        check_source(refusal, target, "video_encode")
        assert str(max(size)) in str(refusal)
        with pytest.raises(CapabilityError):
            encoder_of(target, codec, *size)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_every_format_is_taken(target: Target, codec: str) -> None:
    formats = [*PIXEL_FORMATS, "yuvj420p"]
    sources = [picture(number, format=format) for number, format in enumerate(formats)]
    with encoder_of(target, codec, bitrate=800_000) as encoder, decoder_of(target, codec) as decoder:
        frames = decoded(decoder, encoded(encoder, sources))
    distances = {format: near(*pair) for format, pair in zip(formats, zip(frames, sources, strict=True), strict=True)}
    assert min(distances.values()) >= 24, distances


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_rows_may_be_padded(target: Target, codec: str) -> None:
    wide = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH + 31, 3), np.uint8)
    wide[:, :WIDTH] = picture(0).to_ndarray(format="rgb24")
    frame = VideoFrame.from_numpy_buffer(wide[:, :WIDTH], "rgb24")
    frame.pts, frame.time_base = 0, TICK
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        check_pictures(decoded(decoder, encoded(encoder, [frame])), [picture(0)], 26)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_rows_may_begin_with_the_last(target: Target, codec: str) -> None:
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=WIDTH, height=HEIGHT, format=VideoFormat("yuv420p"), time_base=TICK),
        graph.add("vflip"),
        graph.add("buffersink"),
    ).configure()
    graph.push(picture(0))
    flipped = graph.pull()
    assert isinstance(flipped, VideoFrame)
    assert flipped.planes[0].line_size < 0
    flipped.pts, flipped.time_base = 0, TICK
    with encoder_of(target, codec) as encoder, decoder_of(target, codec) as decoder:
        (frame,) = decoded(decoder, encoded(encoder, [flipped]))
    upright = picture(0).to_ndarray(format="rgb24")
    assert near(frame, VideoFrame.from_ndarray(upright[::-1].copy(), "rgb24")) >= 26


# --- colours -----------------------------------------------------------------------------------------

COLOURSPACES: Final[dict[Matrix, int]] = {"bt601": 6, "bt709": 1, "bt2020": 9}
COLOURS: Final = [(matrix, full) for matrix in COLOURSPACES for full in (False, True)]
SUBSAMPLINGS: Final = ("yuv420p", "nv12", "yuv444p")
PATCHES: Final = np.array(
    [(200, 60, 40), (40, 180, 60), (90, 100, 160), (210, 200, 60), (20, 20, 20), (128, 128, 128), (235, 235, 235)]
)
PATCH: Final = 32
"""Pixels on a side."""


def patches(number: int, matrix: Matrix, full: bool, format: str) -> VideoFrame:
    """Return patches of colour in a row, two rows of them, exact in this matrix and range."""
    rgb = np.kron(np.stack([PATCHES, PATCHES[::-1]]), np.ones((PATCH, PATCH, 1), np.int64)).astype(np.uint8)
    frame = VideoFrame(rgb.shape[1], rgb.shape[0], format)
    for view, plane in zip(
        VideoConverter.to_ndarray(frame), convert((rgb,), "rgb24", format, matrix, full), strict=True
    ):
        view[:] = np.rint(plane)
    frame.colorspace, frame.color_range = COLOURSPACES[matrix], 2 if full else 1
    frame.pts, frame.time_base = number, TICK
    return frame


def colour_error(frame: VideoFrame, converter: VideoConverter) -> float:
    """Return the largest distance of a patch from its colour, of 255."""
    (pixels,) = VideoConverter.to_ndarray(converter.convert(frame, "rgba"))
    middle = slice(PATCH // 4, -(PATCH // 4))
    blocks = pixels[..., :3].reshape(2, PATCH, len(PATCHES), PATCH, 3)[:, middle, :, middle]
    return float(np.abs(np.median(blocks, (1, 3)) - np.stack([PATCHES, PATCHES[::-1]])).max())


FAITHFUL: Final = 9
"""Of 255: what a conversion to BT.601 and back, and the codec, may change. Another matrix changes 16, a range 20."""


@spec("H.273 8", "BT.601-7", "BT.709-6", "BT.2020-2")
@every_codec
@pytest.mark.parametrize(("matrix", "full"), COLOURS)
def test_colour_survives(pair: Pair, codec: str, matrix: Matrix, full: bool) -> None:
    require_codec(pair.answerer, codec, Component.VIDEO_DECODE)
    source = patches(0, matrix, full, SUBSAMPLINGS[COLOURS.index((matrix, full)) % len(SUBSAMPLINGS)])
    size = source.width, source.height
    with encoder_of(pair.offerer, codec, *size, bitrate=3_000_000) as encoder:
        chunks = encoded(encoder, [source])
    with decoder_of(pair.answerer, codec) as decoder:
        (frame,) = decoded(decoder, chunks)
    assert colour_error(frame, converter_of(pair.answerer)) <= FAITHFUL


@spec("H.273 8", "BT.601-7", "BT.709-6")
@every_codec
def test_colour_changes_in_flight(target: Target, codec: str) -> None:
    sources = [patches(number, *COLOURS[number // 2], "yuv420p") for number in range(2 * len(COLOURS))]
    size, converter = (sources[0].width, sources[0].height), converter_of(target)
    with encoder_of(target, codec, *size, bitrate=3_000_000) as encoder, decoder_of(target, codec) as decoder:
        frames = decoded(decoder, encoded(encoder, sources))
    errors = [colour_error(frame, converter) for frame in frames]
    assert len(errors) == len(sources)
    assert max(errors) <= FAITHFUL, errors


# --- layers and settings -----------------------------------------------------------------------------


@spec("RFC 9628 3", "RFC 7741 3")
@every_codec
@pytest.mark.parametrize("layers", [2, 3])
def test_upper_layers_may_be_left_out(target: Target, codec: str, layers: int) -> None:
    sources = [picture(number) for number in range(16)]
    require_codec(target, codec, Component.VIDEO_ENCODE)
    try:
        encoder = encoder_of(target, codec, temporal_layers=layers)
    except CapabilityError as exc:
        pytest.skip(f"backend {target} {NOT_DECLARED}: {exc}")
    with encoder:
        chunks = [chunk for source in sources for chunk in encoder.encode(source, key_frame=source.pts == 9)]
    assert {chunk.temporal_layer for chunk in chunks} == set(range(layers))
    assert not any(chunk.temporal_layer for chunk in chunks if chunk.key_frame)
    for highest in range(layers):
        kept = [chunk for chunk in chunks if chunk.temporal_layer <= highest]
        with decoder_of(target, codec) as decoder:
            check_pictures(decoded(decoder, kept), [sources[chunk.pts] for chunk in kept], 24)
            assert len(kept) >= 3


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_settings_at_their_ends_work(target: Target, codec: str) -> None:
    wishes = {"speed": 0}, {"speed": 10}, {"threads": 1}, {"screen": True}, {"framerate": 240}, {"framerate": 0.5}
    for wish in wishes:
        sources = [picture(number) for number in range(3)]
        for frame in sources:
            frame.time_base = 1 / Fraction(wish.get("framerate", 30))
        with encoder_of(target, codec, **wish) as encoder, decoder_of(target, codec) as decoder:
            chunks = encoded(encoder, sources)
            # Of a desktop an encoder may leave out pictures rather than make them worse.
            assert len(chunks) == 3 or wish == {"screen": True}, wish
            check_pictures(decoded(decoder, chunks), [sources[chunk.pts] for chunk in chunks], 24)


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_missing_codec_is_a_missing_capability(target: Target, codec: str) -> None:
    from shim import video_codecs

    if not {Component.VIDEO_ENCODE, Component.VIDEO_DECODE} <= target.info.components:
        pytest.skip(f"backend {target} {NOT_DECLARED} of both components")
    codecs = video_codecs(backend=target.name)
    if codec not in codecs.encode:
        with pytest.raises(CapabilityError, match=codec):
            VideoEncoder(codec, WIDTH, HEIGHT, bitrate=300_000, backend=target.name)
    if codec not in codecs.decode:
        with pytest.raises(CapabilityError, match=codec):
            VideoDecoder(codec, backend=target.name)


# --- damage ------------------------------------------------------------------------------------------


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_delta_waits_for_a_key_frame(target: Target, codec: str) -> None:
    chunks = stream(target, codec)
    asked: list[int] = []
    with decoder_of(target, codec) as decoder:
        decoder.on_key_frame_needed = lambda: asked.append(1)
        assert decoder.needs_key_frame
        assert [decoder.decode(chunk) for chunk in chunks[1:4]] == [[], [], []]
        assert asked == [1]
        assert len(decoder.decode(chunks[0])) == 1
        assert not decoder.needs_key_frame


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
@pytest.mark.parametrize("junk", [b"", b"\0", bytes(100), b"\xff" * 100, bytes(range(256)) * 4], ids=len)
def test_junk_asks_for_a_key_frame(target: Target, codec: str, junk: bytes) -> None:
    chunks = stream(target, codec)
    asked: list[int] = []
    with decoder_of(target, codec) as decoder:
        decoder.on_key_frame_needed = lambda: asked.append(1)
        decoder.decode(chunks[0])
        assert not asked
        assert decoder.decode(EncodedVideo(junk, 1, TICK, True, WIDTH, HEIGHT)) == []
        assert decoder.needs_key_frame
        assert asked == [1]
        assert decoder.decode(chunks[1]) == []
        check_pictures(decoder.decode(chunks[0]), [picture(0)])


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_any_damage_is_survived(target: Target, codec: str) -> None:
    chunks = stream(target, codec)

    @settings(EXAMPLES)
    @given(st.data())
    def damaged(data: st.DataObject) -> None:
        with decoder_of(target, codec) as decoder:
            for chunk in chunks:
                decoder.decode(spoilt(chunk, data))
            decoder.flush()
            check_pictures(decoded(decoder, chunks), [picture(number) for number in range(6)])

    damaged()


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_damage_that_nobody_tells_ends_with_a_key_frame(target: Target, codec: str) -> None:
    """A decoder may hide damage. It must not be in what comes after: a key frame needs nothing from before."""
    (chunk,) = stream(target, codec, 1)
    with decoder_of(target, codec) as decoder:
        (clean,) = map(samples_of, decoder.decode(chunk))
    with decoder_of(target, codec) as decoder:
        for place in range(8 * 32, min(8 * len(chunk.data), MOST_BITS)):
            content = bytearray(chunk.data)
            content[place // 8] ^= 1 << place % 8
            decoder.decode(replace(chunk, data=bytes(content)))
            assert samples_of(decoder.decode(chunk)[-1]) == clean, f"after damage in bit {place}"


MOST_BITS: Final = 8 * 160
"""Of a key frame in which damage is tried, beyond the headers."""


def samples_of(frame: VideoFrame) -> bytes:
    return frame.to_ndarray().tobytes()


def spoilt(chunk: EncodedVideo, data: st.DataObject) -> EncodedVideo:
    """Return the picture cut, with other bytes, or as it was."""
    content = bytearray(chunk.data)
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, max_size=8)):
        content[place] = value
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    return EncodedVideo(bytes(content[:end]), chunk.pts, chunk.time_base, chunk.key_frame, chunk.width, chunk.height)


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_bytes_and_packets_are_taken(target: Target, codec: str) -> None:
    chunks = stream(target, codec)
    with decoder_of(target, codec) as decoder:
        assert decoder.decode(chunks[1].data) == []
        frames = [frame for chunk in chunks for frame in decoder.decode(chunk.data)]
        assert [near(frame, picture(number)) >= 28 for number, frame in enumerate(frames)] == 6 * [True]
        assert all((one.pts or 0) < (other.pts or 0) for one, other in pairwise(frames))
    with decoder_of(target, codec) as decoder:
        for chunk in chunks[:2]:
            packet: Packet[Any] = Packet(chunk.data)
            packet.pts, packet.time_base = chunk.pts + 100, chunk.time_base
            assert [frame.pts for frame in decoder.decode(packet)] == [chunk.pts + 100]


# --- bad input ---------------------------------------------------------------------------------------


SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "codec 'VP10' is not one of VP8, VP9, H264, H265, AV1": {"codec": "VP10"},
    "15x64 is not 16x16 to 16384x16384": {"width": 15},
    "64x16385 is not": {"height": 16385},
    "-64x64 is not": {"width": -64},
    "64.5x64 is not": {"width": 64.5},
    "bitrate 9999 is not a whole number of 10000 to 2000000000": {"bitrate": 9_999},
    "bitrate 1000000.0 is not a whole number": {"bitrate": 1e6},
    "a bitrate is missing": {"bitrate": None},
    "framerate of 0 is not above 0 and at most 240": {"framerate": 0},
    "framerate of -1 is not": {"framerate": -1},
    "framerate of nan is not": {"framerate": math.nan},
    "framerate of 241 is not": {"framerate": 241},
    "framerate of '30' is not": {"framerate": "30"},
    "key_interval 0 is not": {"key_interval": 0},
    "temporal_layers 0 is not a whole number of 1 to 3": {"temporal_layers": 0},
    "temporal_layers 4 is not": {"temporal_layers": 4},
    "speed 11 is not a whole number of 0 to 10": {"speed": 11},
    "speed -1 is not": {"speed": -1},
    "threads 0 is not": {"threads": 0},
    "hardware 'maybe' is not one of never, prefer, require": {"hardware": "maybe"},
}
"""What is said -> the setting that it is said of."""


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@pytest.mark.parametrize("words", SETTINGS)
def test_impossible_settings_are_refused(target: Target, words: str) -> None:
    require_codec(target, "VP8", Component.VIDEO_ENCODE)
    wish: dict[str, Any] = {"codec": "VP8", "width": 64, "height": 64, "bitrate": 100_000, **SETTINGS[words]}
    with pytest.raises(InvalidMediaError) as caught:
        VideoEncoder(**wish, backend=target.name)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.component == "video_encode"


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
def test_impossible_settings_of_a_decoder_are_refused(target: Target) -> None:
    require_codec(target, "VP8", Component.VIDEO_DECODE)
    for codec, hardware in (("MPEG", "never"), ("VP8", "yes")):
        with pytest.raises(InvalidMediaError, match="is not one of") as caught:
            VideoDecoder(codec, hardware=hardware, backend=target.name)
        assert caught.value.component == "video_decode"


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_impossible_rates_change_nothing(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder:
        for bitrate in (None, 0, 1.5, "100000"):
            with pytest.raises(InvalidMediaError, match="bitrate") as caught:
                encoder.set_rates(bitrate)  # type: ignore[arg-type] # that is the point
            check_source(caught.value, target, "video_encode")
        for framerate in (0, math.nan, 241):
            with pytest.raises(InvalidMediaError, match="framerate"):
                encoder.set_rates(100_000, framerate)
        assert [chunk.key_frame for number in range(2) for chunk in encoder.encode(picture(number))] == [True, False]


def impossible_pictures() -> dict[str, Any]:
    """Return frames that cannot follow picture 5."""
    timeless, strange, gone = picture(6), VideoFrame(WIDTH, HEIGHT, "gray16le"), short_frame()
    timeless.pts = None
    frames = {
        "late": picture(5),
        "timeless": timeless,
        "small": picture(6, 15, 16),
        "strange": strange,
        "silence": AudioFrame("s16", "mono", 160),
        "none": None,
        "empty": VideoFrame(),
        "stride below row": rows_every(64),
        "stride 0": rows_every(0),
        "short plane": gone,
    }
    for frame in (strange, frames["stride below row"], frames["stride 0"], gone):
        frame.pts, frame.time_base = 6, TICK
    return frames


@spec("WebCodecs 6", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_impossible_pictures_are_refused(target: Target, codec: str) -> None:
    with encoder_of(target, codec) as encoder:
        encoder.encode(picture(5))
        for name, frame in impossible_pictures().items():
            with pytest.raises(InvalidMediaError, match=r"VideoEncoder") as caught:
                encoder.encode(frame)
            check_source(caught.value, target, "video_encode")
            assert "plane" in str(caught.value) or "stride" not in name
        assert len(encoder.encode(picture(6))) == 1


@spec("WebCodecs 4", "docs/media.md VideoEncoder and VideoDecoder")
@every_codec
def test_impossible_chunks_are_refused(target: Target, codec: str) -> None:
    with decoder_of(target, codec) as decoder:
        for chunk in (None, 5, "text", [b""]):
            with pytest.raises(InvalidMediaError, match=r"VideoDecoder\.decode") as caught:
                decoder.decode(chunk)  # type: ignore[arg-type] # that is the point
            check_source(caught.value, target, "video_decode")


@spec("WebCodecs 4", "WebCodecs 6")
@every_codec
def test_calls_after_close_are_refused(target: Target, codec: str) -> None:
    encoder, decoder = encoder_of(target, codec), decoder_of(target, codec)
    for one in (encoder, decoder):
        one.close()
        one.close()
    calls: dict[str, tuple[Callable[[], object], ...]] = {
        "video_encode": (
            lambda: encoder.encode(picture(0)),
            lambda: encoder.set_rates(100_000),
            encoder.flush,
            lambda: encoder.implementation,
        ),
        "video_decode": (lambda: decoder.decode(b"a"), decoder.flush, lambda: decoder.implementation),
    }
    for component, each in calls.items():
        for call in each:
            with pytest.raises(InvalidStateError, match="closed") as caught:
                call()
            check_source(caught.value, target, component)


def check_source(error: ShimError, target: Target, component: str) -> None:
    assert (error.backend, error.component) == (target.name, component)
