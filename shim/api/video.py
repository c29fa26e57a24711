"""Conversion of pictures: pixel formats, sizes, rotation. See docs/media.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from shim.api.component import serving
from shim.api.video_arrays import ArrayForms
from shim.api.video_names import NamedConversions
from shim.api.video_planes import check_planes
from shim.spi.capabilities import Component
from shim.spi.engines import PIXEL_FORMATS, Conversion
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from av import VideoFrame

    from shim.spi.engines import VideoConverter as Engine
    from shim.spi.records import Decision

Matrix = Literal["bt601", "bt709", "bt2020"]
MAX_SIDE: Final = 16384
RGB: Final = frozenset({"bgra", "rgba", "argb", "abgr", "bgr24", "rgb24"})
LIMITED: Final = 1
FULL: Final = 2
_TWINS: Final = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p"}
_RGB_TAG: Final = 0
_MATRICES: Final[dict[int, Matrix]] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
_UNSPECIFIED: Final = frozenset({0, 2})
_TAGS: Final[dict[Matrix, int]] = {"bt601": 6, "bt709": 1, "bt2020": 9}


class VideoConverter(NamedConversions, ArrayForms):
    """Converts pictures between pixel formats and sizes, turns and mirrors them.

    Nothing is copied on the way in, and the result is written once; but native copies a picture with an odd side, or
    one below 4, into an even one and its result out of that, where the format changes, and legacy turns rows that run
    upwards round first. Results are new frames: FFmpeg's filters write to memory of their own, not to a caller's.

    Range and matrix come from the frame (`frame.color_range`, `frame.colorspace`); what it leaves open is BT.601,
    limited, as in libyuv. The matrices are those of ITU-R BT.601-7 section 2.5, BT.709-6 section 3 and BT.2020-2 table
    4 (non-constant luminance).

    Names of formats are FFmpeg's, which tell the order in memory. libyuv's tell the bytes of a 32-bit word from the
    highest to the lowest, so that its ARGB is ``"bgra"``, its ABGR ``"rgba"``, its BGRA ``"argb"`` and its RGBA
    ``"abgr"``; its RGB24 is ``"bgr24"`` and its RAW ``"rgb24"``. I010 is ``"yuv420p10le"``.

    One thread at a time; several converters may work at once.

    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises BackendUnavailableError: no backend that converts can run here.
    """

    def __init__(self, *, backend: str | None = None) -> None:
        from shim._core.dispatch import get_dispatcher

        self._engine: Engine
        self._engine, self._decision = get_dispatcher().create(
            Component.VIDEO_CONVERT, lambda hooks: hooks.shim_create_video_converter(), backend=backend
        )

    @property
    def backendDecision(self) -> Decision:
        """Which backend converts, and why."""
        return self._decision

    def convert(
        self,
        frame: VideoFrame,
        format: str,
        *,
        width: int | None = None,
        height: int | None = None,
        rotation: int = 0,
        mirror: bool = False,
        colorspace: int | None = None,
        color_range: int | None = None,
    ) -> VideoFrame:
        """Return the picture in another form; the frame itself if it has that form already.

        It is converted and scaled, then turned, then mirrored. Times are kept.

        :param format: yuv420p, yuv422p, yuv444p, nv12, yuv420p10le, bgra, rgba, argb, abgr, bgr24 or rgb24.
        :param width: of the result, 1 to 16384; `None` for that of the frame, or its height if it is turned sideways.
        :param height: likewise.
        :param rotation: degrees clockwise: 0, 90, 180 or 270.
        :param mirror: exchange left and right.
        :param colorspace: of the YUV side, as AVColorSpace: 1 (BT.709), 5, 6 (BT.601) or 9 (BT.2020); `None` for what
            the frame says if it is YUV, and BT.601 if it is not.
        :param color_range: of the YUV side, as AVColorRange: 1 (limited) or 2 (full); `None` likewise.
        :raises InvalidMediaError: the frame, the size, the format, the rotation, the colorspace or the range is
            impossible, or the frame has less memory than pixels.
        """
        with serving(self._decision, "VideoConverter.convert"):
            source = source_format(frame)
            wish = Conversion(
                checked_format(format),
                *_size(frame, width, height, rotation),
                cast("Literal[0, 90, 180, 270]", rotation),
                bool(mirror),
                _matrix(frame, source, colorspace),
                _is_full(frame, source, color_range),
            )
            if _is_done(frame, source, wish):
                return frame
            return _tagged(self._engine.convert(frame, wish), frame, wish)


def source_format(frame: VideoFrame) -> str:
    """Return the format of a frame that can be converted, full-range twins by the name of the others.

    :raises InvalidMediaError: it is no frame, is empty or too large, has another format, or too little memory.
    """
    name = getattr(getattr(frame, "format", None), "name", None)
    if name is None or not hasattr(frame, "colorspace"):
        raise InvalidMediaError(f"VideoConverter: {type(frame).__name__} is no av.VideoFrame with a pixel format")
    checked_size(frame.width, frame.height)
    source = checked_format(_TWINS.get(name, name))
    check_planes(frame, "VideoConverter")
    return source


def checked_format(name: str) -> str:
    """Return the name of a format.

    :raises InvalidMediaError: it is none of ours.
    """
    if name not in PIXEL_FORMATS:
        raise InvalidMediaError(f"VideoConverter: pixel format {name!r} is not one of {', '.join(PIXEL_FORMATS)}")
    return name


def checked_size(width: int, height: int) -> tuple[int, int]:
    """Return a size.

    :raises InvalidMediaError: a side is not 1 to 16384.
    """
    if not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in (width, height)):
        raise InvalidMediaError(f"VideoConverter: a size of {width}x{height} is not 1x1 to {MAX_SIDE}x{MAX_SIDE}")
    return width, height


def _size(frame: VideoFrame, width: int | None, height: int | None, rotation: int) -> tuple[int, int]:
    if rotation not in {0, 90, 180, 270}:
        raise InvalidMediaError(f"VideoConverter: rotation {rotation!r} is not 0, 90, 180 or 270")
    usual = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
    return checked_size(usual[0] if width is None else width, usual[1] if height is None else height)


def _matrix(frame: VideoFrame, source: str, wish: int | None) -> Matrix:
    tag = int(wish if wish is not None else frame.colorspace if source not in RGB else _RGB_TAG)
    if tag in _UNSPECIFIED:
        return "bt601"
    if tag not in _MATRICES:
        raise InvalidMediaError(
            f"VideoConverter: colorspace {tag} is not converted: it must be 1 (BT.709), 5 or 6 (BT.601) or 9 (BT.2020)"
        )
    return _MATRICES[tag]


def _is_full(frame: VideoFrame, source: str, wish: int | None) -> bool:
    if wish not in {None, 0, LIMITED, FULL}:
        raise InvalidMediaError(f"VideoConverter: color_range {wish!r} is not 1 (limited) or 2 (full)")
    if wish is not None or source in RGB:
        return wish == FULL
    return frame.format.name in _TWINS or frame.color_range == FULL


def _is_done(frame: VideoFrame, source: str, wish: Conversion) -> bool:
    same = (frame.format.name, frame.width, frame.height) == (wish.format, wish.width, wish.height)
    return same and source == wish.format and not wish.rotation and not wish.mirror


def _tagged(result: VideoFrame, frame: VideoFrame, wish: Conversion) -> VideoFrame:
    is_rgb = wish.format in RGB
    result.colorspace = _RGB_TAG if is_rgb else _TAGS[wish.matrix]
    result.color_range = FULL if is_rgb or wish.full_range else LIMITED
    result.pts = frame.pts
    if frame.time_base is not None:
        result.time_base = frame.time_base
    return result
