"""Impossible pictures, sound and bitstreams at the C ABI itself, behind the checks of the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backends.legacy.tests.abi_world import MODULE, ffi, lib

pytestmark = [
    pytest.mark.skipif(MODULE is None, reason="the library is not built"),
    pytest.mark.timeout(60),
]
INVALID_HANDLE, INVALID_ARGUMENT, FAILED, UNSUPPORTED = -100, -101, -106, -2
VP8, VP9, H264 = range(3)
I420, NV12, ARGB = 0, 3, 5


@pytest.fixture(autouse=True)
def _no_handle_is_left() -> Iterator[None]:
    before = lib.rtc_handle_count()
    yield
    assert lib.rtc_handle_count() == before


def picture(format: int, width: int, height: int) -> tuple[Any, list[Any]]:
    """Return a picture of the least memory, and what keeps that alive."""
    half = (width + 1) // 2, (height + 1) // 2
    sizes = {I420: [(width, height), half, half], NV12: [(width, height), (2 * half[0], half[1])]}
    made, kept = ffi.new("rtc_picture *"), []
    made.format, made.width, made.height = format, width, height
    for index, (row, rows) in enumerate(sizes.get(format, [(width * 4, height)])):
        kept.append(ffi.new("uint8_t[]", row * rows))
        made.planes[index], made.strides[index], made.sizes[index] = kept[-1], row, row * rows
    return made, kept


def options(kind: int, **more: Any) -> Any:  # noqa: ANN401
    made = ffi.new("rtc_encoder_options *")
    usual = {"width": 64, "height": 48, "bitrate": 300_000, "framerate": 30.0, "temporal_layers": 1, "cores": 1}
    made.codec = kind
    for key, value in {**usual, "speed": -1, **more}.items():
        setattr(made, key, value)
    return made


def spoil(made: Any, how: str) -> None:  # noqa: ANN401
    """Make a picture impossible."""
    if how == "short":
        made.sizes[1 if made.format == I420 else 0] -= 1
    elif how == "empty":
        made.sizes[0] = 0
    elif how == "missing":
        made.planes[0] = ffi.NULL
    elif how.startswith("stride"):
        made.strides[0] = int(how.removeprefix("stride"))
    elif how.startswith("width"):
        made.width = int(how.removeprefix("width"))
    else:
        made.format = int(how)


BAD = ("short", "empty", "missing", "stride0", "stride-64", "stride63", "width0", "width-1", "width16385", "11", "-1")


@pytest.mark.parametrize("how", BAD)
def test_impossible_picture_is_not_read(how: str) -> None:
    bad, kept = picture(I420, 64, 48)
    spoil(bad, how)
    good, more = picture(ARGB, 64, 48)
    encoder = lib.rtc_encoder_new(options(VP8))
    assert lib.rtc_convert(bad, good, 0, 0, 0, 0) == INVALID_ARGUMENT
    assert lib.rtc_convert(good, bad, 0, 0, 0, 0) == INVALID_ARGUMENT
    assert lib.rtc_encoder_encode(encoder, bad, 0, ffi.new("rtc_encoded *")) == INVALID_ARGUMENT
    assert lib.rtc_encoder_free(encoder) == 0
    assert kept
    assert more


@pytest.mark.parametrize("size", [(16384, 1), (16384, 2), (1, 16384), (16383, 3)])
def test_widest_picture_is_converted(size: tuple[int, int]) -> None:
    source, kept = picture(I420, *size)
    target, more = picture(ARGB, *size)
    assert lib.rtc_convert(source, target, 0, 0, 0, 0) == 0
    assert lib.rtc_convert(target, source, 0, 0, 0, 1) == 0
    assert kept
    assert more


@pytest.mark.parametrize("codec", [VP8, VP9, H264])
def test_widest_picture_is_encoded_or_refused(codec: int) -> None:
    wide, kept = picture(I420, 16384, 16)
    out, encoder = ffi.new("rtc_encoded *"), lib.rtc_encoder_new(options(codec))
    assert lib.rtc_encoder_encode(encoder, wide, 0, out) == (UNSUPPORTED if codec == VP8 else 1)
    usual, more = picture(NV12, 64, 48)
    assert lib.rtc_encoder_encode(encoder, usual, 0, out) == 1
    assert out.key_frame
    assert lib.rtc_encoder_free(encoder) == 0
    assert lib.rtc_encoder_encode(encoder, usual, 0, out) == INVALID_HANDLE
    assert kept
    assert more


def test_chroma_of_two_strides_is_read_by_each() -> None:
    wide, kept = picture(I420, 64, 48)
    for index, stride in ((1, 4096), (2, 32)):
        kept.append(ffi.new("uint8_t[]", stride * 23 + 32))
        wide.planes[index], wide.strides[index], wide.sizes[index] = kept[-1], stride, stride * 23 + 32
    for codec in (VP8, VP9, H264):
        encoder = lib.rtc_encoder_new(options(codec))
        assert lib.rtc_encoder_encode(encoder, wide, 0, ffi.new("rtc_encoded *")) == 1
        assert lib.rtc_encoder_free(encoder) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"height": 16385},
        {"bitrate": 0},
        {"framerate": 0.0},
        {"framerate": float("nan")},
        {"framerate": float("inf")},
        {"temporal_layers": 0},
        {"temporal_layers": 4},
        {"cores": 0},
        {"speed": 10},
        {"codec": 3},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    assert lib.rtc_encoder_new(options(VP8, **wrong)) == INVALID_ARGUMENT


def test_size_beyond_the_codec_is_refused() -> None:
    assert lib.rtc_encoder_new(options(H264, width=16384, height=16384)) == UNSUPPORTED
    assert lib.rtc_encoder_new(ffi.NULL) == INVALID_ARGUMENT


@pytest.mark.parametrize("codec", [VP8, VP9, H264])
def test_bytes_that_are_no_bitstream(codec: int) -> None:
    decoder, out = lib.rtc_decoder_new(codec, 1), ffi.new("rtc_decoded *")
    for data in (
        b"\0",
        b"\xff" * 9,
        b"\0\0\0\1",
        b"\0\0\1\x67",
        b"\0\0\1\x67\xf4" + b"\xff" * 400,
        b"\x82I\x83B\0" * 9,
    ):
        assert lib.rtc_decoder_decode(decoder, ffi.from_buffer("uint8_t[]", data), len(data), 1, out) in {0, FAILED}
    assert lib.rtc_decoder_decode(decoder, ffi.NULL, 1, 1, out) == INVALID_ARGUMENT
    assert lib.rtc_decoder_decode(decoder, ffi.new("uint8_t[]", 1), 0, 1, out) == INVALID_ARGUMENT
    target, kept = picture(I420, 64, 48)
    assert lib.rtc_decoder_take(decoder, target) == INVALID_ARGUMENT
    assert lib.rtc_decoder_free(decoder) == 0
    assert kept


@pytest.mark.parametrize("codec", [VP8, VP9, H264])
def test_picture_is_taken_once_and_by_its_size(codec: int) -> None:
    encoder, decoder = lib.rtc_encoder_new(options(codec)), lib.rtc_decoder_new(codec, 1)
    source, kept = picture(I420, 64, 48)
    chunk, out = ffi.new("rtc_encoded *"), ffi.new("rtc_decoded *")
    assert lib.rtc_encoder_encode(encoder, source, 0, chunk) == 1
    assert lib.rtc_decoder_decode(decoder, chunk.data, chunk.size, 1, out) == 1
    other, more = picture(I420, 66, 48)
    assert lib.rtc_decoder_take(decoder, other) == INVALID_ARGUMENT
    assert lib.rtc_decoder_take(decoder, source) == 0
    assert lib.rtc_decoder_take(decoder, source) == INVALID_ARGUMENT
    for free, handle in ((lib.rtc_encoder_free, encoder), (lib.rtc_decoder_free, decoder)):
        assert free(handle) == 0
        assert free(handle) == INVALID_HANDLE
    assert kept
    assert more


def test_samples_that_are_not_there() -> None:
    resampler = lib.rtc_resampler_new(48000, 16000, 2)
    pcm, out, memory = ffi.new("rtc_pcm *"), ffi.new("rtc_pcm *"), ffi.new("int16_t[960]")
    pcm.samples, pcm.data[0], pcm.sizes[0] = 481, memory, 1920
    out.samples, out.data[0], out.sizes[0] = 160, ffi.new("int16_t[960]"), 0
    assert lib.rtc_resampler_run(resampler, pcm, out, 0) == INVALID_ARGUMENT
    pcm.samples = -1
    assert lib.rtc_resampler_run(resampler, pcm, out, 0) == INVALID_ARGUMENT
    assert lib.rtc_resampler_new(0, 16000, 2) == INVALID_ARGUMENT
    assert lib.rtc_resampler_free(resampler) == 0
