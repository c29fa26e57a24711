"""Conversion of pictures, against the exact values of the standards.

Tolerances, of 255: nothing between orders of RGB. 2 to YUV and between YUV formats: rounding, and libyuv's coefficients
of 8 bits. 3 from YUV to RGB: both engines round each product. 4 from 10 bits, of which both drop two.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
import pytest
from av import AudioFrame, VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conformance.components import converter_of
from conformance.media import rows_every, short_frame
from conformance.reference_video import (
    RGB_FORMATS,
    SHIFTS,
    YUV_FORMATS,
    Matrix,
    bits_of,
    convert,
    worst,
)
from conformance.requirements import spec
from conformance.strategies import EXAMPLES
from conformance.targets import Target
from shim import VideoConverter
from shim.spi.errors import InvalidMediaError

FORMATS: Final = RGB_FORMATS + YUV_FORMATS
COLORSPACES: Final[dict[Matrix, int]] = {"bt601": 6, "bt709": 1, "bt2020": 9}
COLOURS: Final = [
    pytest.param(matrix, full, id=f"{matrix}-{'full' if full else 'limited'}")
    for matrix in COLORSPACES
    for full in (0, 1)
]
NAMED: Final = (
    *("i420_to_argb", "i420_to_bgra", "i420_to_abgr", "i420_to_rgba", "argb_to_i420", "abgr_to_i420"),
    *("argb_to_rgb24", "nv12_to_i420", "i420_to_nv12", "i444_to_i420", "i422_to_i420", "i010_to_i420"),
    *("nv12_to_argb", "nv12_to_abgr", "i444_to_argb", "i444_to_abgr", "i422_to_argb", "i422_to_abgr"),
    *("i010_to_argb", "i010_to_abgr", "abgr_to_nv12", "argb_to_nv12"),
)
LIBYUV: Final = {
    "i420": "yuv420p",
    "i422": "yuv422p",
    "i444": "yuv444p",
    "i010": "yuv420p10le",
    "nv12": "nv12",
    "argb": "bgra",
    "abgr": "rgba",
    "bgra": "argb",
    "rgba": "abgr",
    "rgb24": "bgr24",
}
TURNS: Final = [(rotation, mirror) for rotation in (0, 90, 180, 270) for mirror in (False, True)]
Planes = tuple[NDArray[np.uint8] | NDArray[np.uint16], ...]


@pytest.fixture
def converter(target: Target) -> VideoConverter:
    return converter_of(target)


def picture(
    format: str, width: int, height: int, *, matrix: Matrix = "bt601", full: bool = False, seed: int = 1
) -> VideoFrame:
    """Return noise in every sample, within the range that is told."""
    rng = np.random.default_rng(seed)
    frame = VideoFrame(width, height, format)
    for index, view in enumerate(VideoConverter.to_ndarray(frame)):
        unit = 1 << (bits_of(format) - 8)
        limited = format in SHIFTS and not full
        low, high = (16, 235 if index == 0 else 240) if limited else (0, 255)
        view[:] = rng.integers(low * unit, (high + 1) * unit - (unit - 1 if limited else 0), view.shape)
    if format in SHIFTS:
        frame.colorspace, frame.color_range = COLORSPACES[matrix], 2 if full else 1
    return frame


def tolerance(source: str, target: str) -> float:
    if source in RGB_FORMATS:
        return 0 if target in RGB_FORMATS else 2
    if target in RGB_FORMATS:
        return 4 if bits_of(source) > 8 else 3
    return 2


def check(
    converter: VideoConverter, frame: VideoFrame, target: str, matrix: Matrix = "bt601", full: bool = False
) -> None:
    source = frame.format.name
    expected = convert(VideoConverter.to_ndarray(frame), source, target, matrix, full)
    result = converter.convert(frame, target, colorspace=COLORSPACES[matrix], color_range=2 if full else 1)
    distance = worst(VideoConverter.to_ndarray(result), expected)
    assert distance <= tolerance(source, target), f"{source} -> {target}: {distance} of 255 from the exact value"


def bytes_of(frame: VideoFrame) -> list[bytes]:
    return [view.tobytes() for view in VideoConverter.to_ndarray(frame)]


@spec("BT.601-7", "BT.709-6", "BT.2020-2")
@pytest.mark.parametrize(("matrix", "full"), COLOURS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_sample_is_near_the_exact_value(
    converter: VideoConverter, source: str, matrix: Matrix, full: bool
) -> None:
    frame = picture(source, 64, 48, matrix=matrix, full=full)
    for target in FORMATS:
        check(converter, frame, target, matrix, full)


@spec("libyuv docs/formats.md", "BT.601-7")
@pytest.mark.parametrize("name", NAMED)
def test_named_conversion_is_the_one_it_says(converter: VideoConverter, name: str) -> None:
    source, _, target = name.partition("_to_")
    frame = picture(LIBYUV[source], 32, 16)
    result = getattr(converter, name)(frame)
    assert result.format.name == LIBYUV[target]
    expected = convert(VideoConverter.to_ndarray(frame), LIBYUV[source], LIBYUV[target], "bt601", False)
    assert worst(VideoConverter.to_ndarray(result), expected) <= tolerance(LIBYUV[source], LIBYUV[target])


@spec("libyuv docs/formats.md")
@pytest.mark.parametrize(
    ("name", "order"),
    [("i420_to_argb", "bgra"), ("i420_to_abgr", "rgba"), ("i420_to_bgra", "argb"), ("i420_to_rgba", "abgr")],
)
def test_libyuv_name_tells_the_bytes_from_the_last(converter: VideoConverter, name: str, order: str) -> None:
    orange = VideoFrame(16, 16, "yuv420p")
    for view, value in zip(VideoConverter.to_ndarray(orange), (131, 74, 199), strict=True):
        view[:] = value
    pixel = VideoConverter.to_ndarray(getattr(converter, name)(orange))[0][8, 8]
    found = dict(zip(order, pixel.tolist(), strict=True))
    expected = {"r": 247, "g": 97, "b": 25, "a": 255}
    assert all(abs(found[channel] - value) <= 3 for channel, value in expected.items()), found


@spec("libyuv docs/formats.md", "docs/media.md VideoConverter")
def test_named_conversion_wants_its_own_format(converter: VideoConverter) -> None:
    with pytest.raises(InvalidMediaError, match=r"i420_to_argb.*rgba.*yuv420p"):
        converter.i420_to_argb(picture("rgba", 8, 8))


@spec("BT.601-7", "BT.709-6", "BT.2020-2")
def test_any_size_is_converted_as_exactly(converter: VideoConverter) -> None:
    for width, height in ((1, 1), (2, 1), (1, 2), (3, 3), (33, 17), (16, 9), (65, 64)):
        for source, target in (("yuv420p", "rgba"), ("bgra", "nv12"), ("yuv444p", "yuv420p"), ("yuv420p10le", "rgb24")):
            check(converter, picture(source, width, height), target)


@spec("docs/media.md VideoConverter", "BT.601-7")
def test_odd_sizes_of_all_formats(converter: VideoConverter) -> None:
    @settings(EXAMPLES, max_examples=60)
    @given(
        st.integers(1, 40), st.integers(1, 40), st.sampled_from(FORMATS), st.sampled_from(FORMATS), st.integers(0, 9)
    )
    def any_size(width: int, height: int, source: str, target: str, seed: int) -> None:
        check(converter, picture(source, width, height, seed=seed), target)

    any_size()


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize(
    ("source", "between"),
    [
        ("yuv420p", "nv12"),
        ("yuv420p", "yuv420p10le"),
        ("yuv420p", "yuv444p"),
        ("rgba", "abgr"),
        ("rgb24", "bgr24"),
        ("bgr24", "rgba"),
    ],
)
def test_round_trip_without_loss(converter: VideoConverter, source: str, between: str) -> None:
    frame = picture(source, 48, 32)
    if between == "yuv444p":
        for view in VideoConverter.to_ndarray(frame)[1:]:
            view[:] = 77  # what interpolation keeps
    assert bytes_of(converter.convert(converter.convert(frame, between), source)) == bytes_of(frame)


@spec("BT.601-7")
def test_round_trip_through_yuv_stays_near(converter: VideoConverter) -> None:
    frame = picture("rgba", 48, 32)
    VideoConverter.to_ndarray(frame)[0][..., 3] = 255
    back = converter.convert(converter.convert(frame, "yuv444p", color_range=2), "rgba")
    assert (
        worst(VideoConverter.to_ndarray(back), convert(VideoConverter.to_ndarray(frame), "rgba", "rgba", "bt601", True))
        <= 3
    )


@spec("libyuv docs/rotation.md")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("rotation", "mirror"), TURNS)
def test_turning_moves_pixels_and_changes_none(
    converter: VideoConverter, format: str, rotation: int, mirror: bool
) -> None:
    # From another format where there is one, so that the conversion takes part.
    frame = picture(format, 34, 22) if format == "yuv422p" else picture(format, 35, 21)
    upright = VideoConverter.to_ndarray(frame)
    turned = VideoConverter.to_ndarray(converter.convert(frame, format, rotation=rotation, mirror=mirror))
    if format == "yuv422p" and rotation % 180:
        upright, turned = upright[:1], turned[:1]  # its chroma has to be made anew
    for before, after in zip(upright, turned, strict=True):
        expected = np.rot90(before, -rotation // 90)
        assert np.array_equal(after, expected[:, ::-1] if mirror else expected)


@spec("libyuv docs/rotation.md")
@pytest.mark.parametrize("rotation", [90, 270])
def test_chroma_of_422_survives_a_quarter_turn(converter: VideoConverter, rotation: int) -> None:
    frame = picture("yuv422p", 32, 32)
    for view, value in zip(VideoConverter.to_ndarray(frame)[1:], (60, 200), strict=True):
        view[:] = value
    turned = VideoConverter.to_ndarray(converter.convert(frame, "yuv422p", rotation=rotation))
    assert [set(view.reshape(-1).tolist()) for view in turned[1:]] == [{60}, {200}]


@spec("docs/media.md VideoConverter")
def test_result_is_converted_before_it_is_turned(converter: VideoConverter) -> None:
    frame = picture("yuv420p", 36, 20)
    upright = VideoConverter.to_ndarray(converter.convert(frame, "rgba"))[0]
    turned = VideoConverter.to_ndarray(converter.convert(frame, "rgba", rotation=90, mirror=True))[0]
    assert np.array_equal(turned, np.rot90(upright, -1)[:, ::-1])


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", FORMATS)
def test_scaling_keeps_flat_colour(converter: VideoConverter, format: str) -> None:
    frame = VideoFrame(64, 48, format)
    for index, view in enumerate(VideoConverter.to_ndarray(frame)):
        view[:] = 70 + 40 * index
    for width, height in ((32, 24), (127, 95), (17, 90), (1, 1)):
        scaled = converter.convert(frame, format, width=width, height=height)
        assert (scaled.width, scaled.height) == (width, height)
        for index, view in enumerate(VideoConverter.to_ndarray(scaled)):
            # libyuv's mean over a large box is in fixed point.
            assert np.abs(view.astype(int) - 70 - 40 * index).max() <= 3


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize(("width", "height"), [(32, 24), (128, 96), (48, 96)])
def test_scaling_keeps_a_ramp_a_ramp(converter: VideoConverter, width: int, height: int) -> None:
    frame = VideoFrame(64, 48, "yuv444p")
    ramp = np.add.outer(np.arange(48), 2 * np.arange(64)) + 20
    for view in VideoConverter.to_ndarray(frame):
        view[:] = ramp
    rows, columns = (np.arange(height) + 0.5) * 48 / height - 0.5, (np.arange(width) + 0.5) * 64 / width - 0.5
    expected = np.add.outer(rows, 2 * columns) + 20
    for view in VideoConverter.to_ndarray(converter.convert(frame, "yuv444p", width=width, height=height)):
        inner = np.abs(view - expected)[4:-4, 4:-4]
        assert inner.max() <= 2.5


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", ["yuv420p", "rgba"])
@pytest.mark.parametrize("across", [False, True])
def test_scaling_down_heeds_every_pixel(converter: VideoConverter, format: str, across: bool) -> None:
    frame = VideoFrame(64, 48, format)
    for view in VideoConverter.to_ndarray(frame):
        stripes = view.swapaxes(0, 1) if across else view
        stripes[::2], stripes[1::2] = 20, 220
    for view in VideoConverter.to_ndarray(converter.convert(frame, format, width=32, height=24)):
        assert np.abs(view.astype(int) - 120)[1:-1, 1:-1].max() <= 1


@spec("docs/media.md VideoConverter")
def test_scaling_turning_and_converting_at_once(converter: VideoConverter) -> None:
    frame = picture("yuv420p", 64, 48)
    result = converter.convert(frame, "rgb24", width=24, height=32, rotation=90, mirror=True)
    assert (result.width, result.height, result.format.name) == (24, 32, "rgb24")
    apart = converter.convert(converter.convert(frame, "rgb24", width=32, height=24), "rgb24", rotation=90, mirror=True)
    assert bytes_of(result) == bytes_of(apart)


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("size", [(16384, 2), (2, 16384), (16384, 1)])
def test_widest_picture_is_converted(converter: VideoConverter, size: tuple[int, int]) -> None:
    check(converter, picture("yuv420p", *size), "rgba")


@spec("docs/media.md VideoConverter")
def test_padding_is_not_read_and_not_kept(converter: VideoConverter) -> None:
    padded = np.full((21, 50, 4), 99, np.uint8)
    padded[:20, :30] = VideoConverter.to_ndarray(picture("rgba", 30, 20))[0]
    frame = VideoConverter.from_ndarray(padded[:20, :30], "rgba")
    assert frame.planes[0].line_size == 200
    tight = VideoConverter.from_ndarray(np.ascontiguousarray(padded[:20, :30]), "rgba")
    for target in ("yuv420p", "nv12", "bgr24"):
        assert bytes_of(converter.convert(frame, target)) == bytes_of(converter.convert(tight, target))
    assert (padded[:, 30:] == 99).all()


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("format", FORMATS)
def test_source_is_left_alone(converter: VideoConverter, format: str) -> None:
    frame = picture(format, 30, 20)
    tags = frame.colorspace, frame.color_range
    before = bytes_of(frame)
    for target in FORMATS:
        converter.convert(frame, target, width=16, height=14, rotation=90)
    assert (bytes_of(frame), (frame.colorspace, frame.color_range)) == (before, tags)


@spec("H.273 8", "BT.601-7", "BT.709-6", "BT.2020-2")
@pytest.mark.parametrize(("tag", "matrix"), [(1, "bt709"), (2, "bt601"), (5, "bt601"), (6, "bt601"), (9, "bt2020")])
@pytest.mark.parametrize("tagged_range", [0, 1, 2])
def test_matrix_and_range_come_from_the_frame(
    converter: VideoConverter, tag: int, matrix: Matrix, tagged_range: int
) -> None:
    frame = picture("yuv420p", 32, 16)
    for view in VideoConverter.to_ndarray(frame)[1:]:
        view[:] = 120 + view // 16  # pale enough for libyuv's BT.709
    frame.colorspace, frame.color_range = tag, tagged_range
    expected = convert(VideoConverter.to_ndarray(frame), "yuv420p", "rgba", matrix, tagged_range == 2)
    assert worst(VideoConverter.to_ndarray(converter.convert(frame, "rgba")), expected) <= 3


@spec("H.273 8")
def test_full_range_twin_is_read_as_full_range(converter: VideoConverter) -> None:
    plain = picture("yuv420p", 32, 16, full=True)
    twin = VideoFrame(32, 16, "yuvj420p")
    for view, other in zip(VideoConverter.to_ndarray(twin), VideoConverter.to_ndarray(plain), strict=True):
        view[:] = other
    assert bytes_of(converter.convert(twin, "rgba")) == bytes_of(converter.convert(plain, "rgba"))


@spec("H.273 8", "docs/media.md VideoConverter")
def test_result_tells_matrix_range_and_time(converter: VideoConverter) -> None:
    frame = picture("yuv420p", 16, 16, matrix="bt709", full=True)
    frame.pts, frame.time_base = 1234, Fraction(1, 90000)
    planar, packed = converter.convert(frame, "nv12"), converter.convert(frame, "rgba")
    assert [(f.pts, f.time_base) for f in (planar, packed)] == [(1234, Fraction(1, 90000))] * 2
    assert (planar.colorspace, planar.color_range) == (1, 2)
    assert (packed.colorspace, packed.color_range) == (0, 2)


@spec("BT.601-7", "docs/media.md VideoConverter")
def test_rgb_becomes_limited_bt601_unless_told(converter: VideoConverter) -> None:
    frame = picture("rgba", 16, 16)
    usual = converter.convert(frame, "yuv420p")
    assert (usual.colorspace, usual.color_range) == (6, 1)
    told = converter.convert(frame, "yuv420p", colorspace=9, color_range=2)
    assert (told.colorspace, told.color_range) == (9, 2)


@spec("docs/media.md VideoConverter")
def test_frame_that_is_so_already_comes_back_itself(converter: VideoConverter) -> None:
    frame = picture("nv12", 16, 16)
    assert converter.convert(frame, "nv12") is frame


@spec("docs/media.md VideoConverter")
def test_results_do_not_share_memory(converter: VideoConverter) -> None:
    first, second = picture("yuv420p", 64, 64, seed=1), picture("yuv420p", 64, 64, seed=2)
    results = [converter.convert(frame, "rgba") for frame in (first, second, first)]
    assert bytes_of(results[0]) == bytes_of(results[2]) != bytes_of(results[1])
    VideoConverter.to_ndarray(results[0])[0][:] = 0
    assert VideoConverter.to_ndarray(results[2])[0].any()


@spec("docs/media.md VideoConverter")
def test_converter_follows_a_change_of_form(converter: VideoConverter) -> None:
    for format, width, height in (("yuv420p", 32, 16), ("rgba", 32, 16), ("yuv420p", 64, 48), ("yuv420p", 32, 16)):
        check(converter, picture(format, width, height), "nv12")
        check(converter, picture(format, width, height), "bgra")


@spec("docs/media.md VideoConverter")
def test_flipped_rows_are_read_as_they_are_meant(converter: VideoConverter) -> None:
    from av.filter import Graph

    graph = Graph()
    entry = graph.add_buffer(width=32, height=16, format="yuv420p", time_base=Fraction(1, 25))  # type: ignore[arg-type]
    graph.link_nodes(entry, graph.add("vflip"), graph.add("buffersink")).configure()
    frame = picture("yuv420p", 32, 16)
    graph.vpush(frame)
    flipped = graph.vpull()
    assert flipped.planes[0].line_size < 0
    upright = VideoConverter.to_ndarray(converter.convert(frame, "rgba"))[0]
    assert np.array_equal(VideoConverter.to_ndarray(converter.convert(flipped, "rgba"))[0], upright[::-1])


BAD_CALLS: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "not a frame": (object(), {"format": "rgba"}),
    "sound": (AudioFrame("s16", "mono", 10), {"format": "rgba"}),
    "frame without a picture": (VideoFrame(), {"format": "rgba"}),
    "frame of an unknown format": (VideoFrame(16, 16, "pal8"), {"format": "rgba"}),
    "frame that is too wide": (VideoFrame(16386, 2, "yuv420p"), {"format": "rgba"}),
    "unknown format": (VideoFrame(16, 16), {"format": "cmyk"}),
    "no format": (VideoFrame(16, 16), {"format": None}),
    "zero width": (VideoFrame(16, 16), {"format": "rgba", "width": 0}),
    "negative height": (VideoFrame(16, 16), {"format": "rgba", "height": -4}),
    "too wide": (VideoFrame(16, 16), {"format": "rgba", "width": 16385}),
    "fraction": (VideoFrame(16, 16), {"format": "rgba", "width": 1.5}),
    "rotation": (VideoFrame(16, 16), {"format": "rgba", "rotation": 45}),
    "colorspace": (VideoFrame(16, 16), {"format": "rgba", "colorspace": 8}),
    "range": (VideoFrame(16, 16), {"format": "rgba", "color_range": 3}),
    "stride below row": (rows_every(64), {"format": "yuv420p"}),
    "stride 0": (rows_every(0), {"format": "rgba"}),
    "short plane": (short_frame(), {"format": "rgba"}),
}


@spec("docs/media.md VideoConverter")
@pytest.mark.parametrize("name", BAD_CALLS)
def test_impossible_wish_is_refused_alike_everywhere(converter: VideoConverter, target: Target, name: str) -> None:
    frame, wish = BAD_CALLS[name]
    with pytest.raises(InvalidMediaError) as caught:
        converter.convert(frame, **wish)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.backend, caught.value.component) == (target.name, "video_convert")
    assert len(str(caught.value)) < 300


@spec("docs/media.md VideoConverter")
def test_decision_says_who_converts(converter: VideoConverter, target: Target) -> None:
    assert (converter.backendDecision.backend, converter.backendDecision.component) == (target.name, "video_convert")
