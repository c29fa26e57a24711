"""The project's own clip: a moving picture with numbered frames, and sound like speech."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt

from shim.calls import barcode, speech
from shim.spi.errors import OperationError

_VERSION: Final = 1
"""Raised when what the clip shows changes, so that a file made earlier is made again."""
_SHAPES: Final = ((0.11, 0.17, 0.23, 200, 90, 170), (0.07, 0.13, 0.31, 60, 170, 90), (0.09, 0.29, 0.19, 140, 110, 60))
"""Of each disc: radius as part of the height, horizontal and vertical laps per second, and its Y, U, V."""


@dataclass(frozen=True, slots=True)
class ClipFormat:
    """What the clip is like.

    :param width: pixels, even, 64 to 7680.
    :param height: lines, even, 64 to 4320.
    :param fps: pictures per second, 1 to 120.
    :param seconds: length.
    """

    width: int = 640
    height: int = 480
    fps: int = 30
    seconds: float = 6.0

    @property
    def label(self) -> str:
        """What the file says of itself; two files with the same label are the same."""
        return f"webrtc-shim clip {_VERSION}: {self.width}x{self.height} at {self.fps}/s, {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file has.

    :param fps: pictures per second; 0 without video.
    :param seconds: length, `None` if the file does not say.
    """

    audio: bool
    video: bool
    width: int
    height: int
    fps: float
    seconds: float | None
    title: str


def probe(path: Path) -> MediaInfo:
    """Look into a media file.

    :raises OperationError: it cannot be read, or has neither sound nor picture.
    """
    try:
        with av.open(str(path)) as container:
            info = _info(container)
    except (OSError, av.FFmpegError) as exc:
        raise OperationError(f"{path} cannot be read as media: {exc}. Give a file that FFmpeg can play.") from exc
    if not (info.audio or info.video):
        raise OperationError(f"{path} has neither sound nor picture. Give a file that FFmpeg can play.")
    return info


def _info(container: av.container.InputContainer) -> MediaInfo:
    video = container.streams.video[0] if container.streams.video else None
    return MediaInfo(
        audio=bool(container.streams.audio),
        video=video is not None,
        width=video.codec_context.width if video else 0,
        height=video.codec_context.height if video else 0,
        fps=float(video.average_rate or 0) if video else 0.0,
        seconds=container.duration / av.time_base if container.duration else None,
        title=container.metadata.get("title", ""),
    )


def ensure_clip(path: Path, clip: ClipFormat) -> bool:
    """Make the clip at `path` unless it is there already; tell whether it was made."""
    if path.exists():
        try:
            if probe(path).title == clip.label:
                return False
        except OperationError:
            path.unlink()
    write_clip(path, clip)
    return True


def write_clip(path: Path, clip: ClipFormat) -> None:
    """Write the clip as H264 and AAC. An interrupted writing leaves nothing at `path`.

    :raises OperationError: the file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(unfinished), "w", format="mp4") as container:
            container.metadata["title"] = clip.label
            _write(container, clip)
        unfinished.replace(path)
    except OSError as exc:
        raise OperationError(f"the clip cannot be written to {path}: {exc}. Choose another --record.") from exc
    finally:
        unfinished.unlink(missing_ok=True)


def _write(container: av.container.OutputContainer, clip: ClipFormat) -> None:
    video = container.add_stream(
        "libx264", rate=clip.fps, options={"preset": "ultrafast", "crf": "20", "g": str(clip.fps)}
    )
    video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
    audio = container.add_stream("aac", rate=speech.RATE, layout="stereo")
    audio.bit_rate = 160_000
    # A tenth of a second of each in turn, so that a player finds both near each other.
    pictures, sounds = moving_picture(clip), _sounds(clip)
    for _ in range(int(clip.seconds * 10) + 1):
        for _ in range(max(1, clip.fps // 10)):
            if (picture := next(pictures, None)) is not None:
                container.mux(video.encode(picture))
        if (sound := next(sounds, None)) is not None:
            container.mux(audio.encode(sound))
    for picture in pictures:
        container.mux(video.encode(picture))
    container.mux(video.encode(None))
    container.mux(audio.encode(None))


def _sounds(clip: ClipFormat) -> Iterator[av.AudioFrame]:
    sound, step = speech.speak(clip.seconds), speech.RATE // 10
    for start in range(0, len(sound), step):
        frame = av.AudioFrame.from_ndarray(speech.stereo(sound[start : start + step]), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = speech.RATE, start, Fraction(1, speech.RATE)
        yield frame


def moving_picture(clip: ClipFormat) -> Iterator[av.VideoFrame]:
    """Yield the pictures: a drifting gradient with three moving discs and grain, numbered from zero."""
    grain = np.random.default_rng(2).integers(-3, 4, (clip.height, clip.width + 64), np.int16)
    across = np.arange(clip.width) / clip.width
    down = np.arange(clip.height)[:, None] / clip.height
    for number in range(int(clip.seconds * clip.fps)):
        time = number / clip.fps
        luma = 100 + 60 * np.sin(2 * np.pi * (across + 0.2 * time)) * np.cos(np.pi * (down - 0.1 * time))
        frame = _frame(clip, luma, grain[:, (number * 37) % 64 :][:, : clip.width], time)
        frame.pts, frame.time_base = number, Fraction(1, clip.fps)
        barcode.stamp(frame, number)
        yield frame


def _frame(clip: ClipFormat, luma: npt.NDArray[np.float64], grain: npt.NDArray[np.int16], time: float) -> av.VideoFrame:
    planes = [
        luma.astype(np.int16) + grain,
        np.full((clip.height // 2, clip.width // 2), 118, np.int16),
        np.full((clip.height // 2, clip.width // 2), 138, np.int16),
    ]
    for shape in _SHAPES:
        _draw_disc(planes, shape, time)
    frame = av.VideoFrame(clip.width, clip.height, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        barcode.pixels(plane)[: values.shape[0], : values.shape[1]] = np.clip(values, 16, 235)
    return frame


def _draw_disc(
    planes: list[npt.NDArray[np.int16]], shape: tuple[float, float, float, int, int, int], time: float
) -> None:
    radius, _, _, *colour = shape
    for plane, value in zip(planes, colour, strict=True):
        height, width = plane.shape
        size = max(2, int(radius * height))
        x, y = _centre(shape, time, width, height)
        top, left = max(0, y - size), max(0, x - size)
        part = plane[top : y + size, left : x + size]
        rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part[(rows - y) ** 2 + (columns - x) ** 2 < size**2] = value


def _centre(shape: tuple[float, float, float, int, int, int], time: float, width: int, height: int) -> tuple[int, int]:
    _, laps_across, laps_down, phase, *_ = shape
    x = 0.5 + 0.4 * np.sin(2 * np.pi * laps_across * time + phase)
    y = 0.55 + 0.3 * np.cos(2 * np.pi * laps_down * time + phase)
    return int(x * width), int(y * height)
