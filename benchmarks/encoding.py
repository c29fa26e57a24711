"""Pictures to encode, and what an encoder makes of them: bits, time, and what is left of the pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from benchmarks.figures import median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shim.spi.engines import EncodedVideo

FRAMERATE: Final = 30
DISTINCT: Final = 8
"""Pictures in memory: they go there and back, so that motion never jumps."""
STEP: Final = (3.75, 1.25)
"""Pixels that the ground moves to the left and up, from one picture to the next: no whole ones, as with a camera."""
GRAIN: Final = 2.0
"""Standard deviation of the noise in each picture, of 255."""
SETTLING: Final = 6
"""Pictures at the beginning, the key frame among them, that are not counted."""
_DISCS: Final = 7


@dataclass(frozen=True, slots=True)
class Size:
    """A size of pictures, and the bits per second that it is sent with."""

    width: int
    height: int
    bitrate: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How to encode: arguments of `shim.VideoEncoder`."""

    codec: str
    speed: int | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """What became of the pictures after the first few.

    :param milliseconds: from one encoded picture to the next, median.
    :param cpu: milliseconds of processor time for a picture, of all threads.
    :param kilobytes: of a picture, mean.
    :param psnr: of the brightness, over all pictures, in dB.
    """

    milliseconds: float
    cpu: float
    kilobytes: float
    psnr: float


@lru_cache(maxsize=1)
def pictures(width: int, height: int) -> tuple[Any, ...]:
    """Return frames of a moving ground with moving discs and grain."""
    import numpy as np

    rng = np.random.default_rng(1)
    ground = _texture(rng, width + math.ceil(STEP[0] * DISTINCT) + 1, height + math.ceil(STEP[1] * DISTINCT) + 1)
    grain = (rng.standard_normal((height + 64, width + 64), np.float32) * GRAIN).round().astype(np.int16)
    disc = _texture(rng, height // 4, height // 4)
    spots = [(rng.uniform(0.1, 0.9, 2), rng.uniform(-9, 9, 2)) for _ in range(_DISCS)]
    return tuple(_picture(number, width, height, ground, disc, grain, spots) for number in range(DISTINCT))


def _texture(rng: Any, width: int, height: int) -> NDArray[Any]:  # noqa: ANN401 - a numpy generator
    """Return something with detail of every size, like what cameras see: amplitude falls with frequency."""
    import numpy as np

    total = np.zeros((height, width), np.float32)
    for scale in (2, 4, 8, 16, 32, 64, 128, 256):
        grid = rng.standard_normal((height // scale + 2, width // scale + 2), np.float32)
        total += _enlarged(grid, scale)[:height, :width] * (scale**0.6)
    total *= 36 / total.std()
    return np.clip(total + 126, 20, 232).astype(np.int16)


def _enlarged(grid: NDArray[Any], scale: int) -> NDArray[Any]:
    """Return a grid with straight lines between its points."""
    import numpy as np

    part = (np.arange(scale, dtype=np.float32) / scale)[None, :, None]
    rows = (grid[:-1, None] * (1 - part) + grid[1:, None] * part).reshape(-1, grid.shape[1])
    part = part.reshape(1, 1, -1)
    wide: NDArray[Any] = rows[:, :-1, None] * (1 - part) + rows[:, 1:, None] * part
    return wide.reshape(rows.shape[0], -1)


def _picture(
    number: int,
    width: int,
    height: int,
    ground: NDArray[Any],
    disc: NDArray[Any],
    grain: NDArray[Any],
    spots: Sequence[tuple[NDArray[Any], NDArray[Any]]],
) -> Any:  # noqa: ANN401 - of PyAV
    import numpy as np
    from av import VideoFrame

    from shim import VideoConverter

    luma = _moved(_moved(ground, STEP[1] * number, height).T, STEP[0] * number, width).T.copy()
    side = disc.shape[0]
    down, right = np.mgrid[:side, :side] - side / 2
    inside = down**2 + right**2 < (side / 2) ** 2
    for (y, x), (dy, dx) in spots:
        row = int(np.clip(y * height + dy * number, 0, height - side))
        column = int(np.clip(x * width + dx * number, 0, width - side))
        np.copyto(luma[row : row + side, column : column + side], disc, where=inside)
    shift = number * 7 % 64
    luma += grain[shift : shift + height, 64 - shift : 64 - shift + width]
    frame = VideoFrame(width, height, "yuv420p")
    planes = VideoConverter.to_ndarray(frame)
    planes[0][:] = np.clip(luma, 16, 235)
    half = luma[::2, ::2] // 4
    planes[1][:], planes[2][:] = 96 + half, 160 - half
    return frame


def _moved(plane: NDArray[Any], by: float, rows: int) -> NDArray[Any]:
    """Return rows of a plane from a place between two rows on."""
    whole, part = int(by), int(by % 1 * 4)
    if not part:
        return plane[whole : whole + rows]
    moved: NDArray[Any] = (plane[whole : whole + rows] * (4 - part) + plane[whole + 1 : whole + 1 + rows] * part) // 4
    return moved


def encode(backend: str, size: Size, wish: Wish, bitrate: int, count: int) -> Encoding:
    """Encode pictures one after the other as fast as it goes, and decode them again."""
    from shim import VideoEncoder

    chunks: list[EncodedVideo] = []
    ready: list[float] = []
    with VideoEncoder(
        wish.codec,
        size.width,
        size.height,
        bitrate=bitrate,
        framerate=FRAMERATE,
        speed=wish.speed,
        threads=wish.threads,
        backend=backend,
    ) as encoder:
        begun = 0.0
        for number in range(count):
            if number == SETTLING:
                begun = time.process_time()
            found = encoder.encode(picture_at(size, number))
            chunks += found
            ready += [time.perf_counter()] * len(found)
        cpu = (time.process_time() - begun) / (count - SETTLING)
        chunks += encoder.flush()
    gaps = [after - before for before, after in zip(ready[SETTLING - 1 :], ready[SETTLING:], strict=False)]
    counted = [len(chunk.data) for chunk in chunks[SETTLING:]]
    quality = psnr_of(backend, size, wish.codec, chunks)
    return Encoding(median(gaps) * 1000, cpu * 1000, sum(counted) / len(counted) / 1000, quality)


def picture_at(size: Size, number: int) -> Any:  # noqa: ANN401 - of PyAV
    """Return the picture of a number, with its time."""
    around = number % (2 * DISTINCT - 2)
    frame = pictures(size.width, size.height)[min(around, 2 * DISTINCT - 2 - around)]
    frame.pts, frame.time_base = number, Fraction(1, FRAMERATE)
    return frame


def psnr_of(backend: str, size: Size, codec: str, chunks: Sequence[EncodedVideo]) -> float:
    """Return the PSNR of the brightness of what a backend's decoder gives, in dB."""
    from shim import VideoDecoder

    errors = []
    with VideoDecoder(codec, backend=backend) as decoder:
        for chunk in chunks:
            for frame in decoder.decode(chunk):
                number = round((frame.pts or 0) * (frame.time_base or 0) * FRAMERATE)
                if number >= SETTLING:
                    errors.append(_error(picture_at(size, number), frame))
    return 10 * math.log10(255**2 / (sum(errors) / len(errors)))


def _error(original: Any, decoded: Any) -> float:  # noqa: ANN401 - of PyAV
    """Return the mean squared error of the brightness."""
    import numpy as np

    from shim import VideoConverter

    before, after = (VideoConverter.to_ndarray(frame)[0] for frame in (original, decoded))
    total = 0
    for top in range(0, before.shape[0], 64):  # stays in the cache
        off = before[top : top + 64].astype(np.int16) - after[top : top + 64]
        total += int(np.vdot(off.astype(np.float32), off.astype(np.float32)))
    return total / before.size


def psnr_over_rates(points: Sequence[Encoding], low: float, high: float) -> float | None:
    """Return the mean of the PSNR over rates, each octave alike: two encoders differ in it by their BD-PSNR.

    Between two points it is linear over the logarithm of the rate.

    :param low: kilobytes of a picture, where the range begins.
    :param high: where it ends.
    :return: `None` if the points do not reach over the range.
    """
    import numpy as np

    ordered = sorted((point.kilobytes, point.psnr) for point in points)
    rates, values = np.log([rate for rate, _ in ordered]), [value for _, value in ordered]
    if not rates[0] <= math.log(low) <= math.log(high) <= rates[-1]:
        return None
    return float(np.interp(np.linspace(math.log(low), math.log(high), 33), rates, values).mean())
