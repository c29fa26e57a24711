"""What each speed of each video encoder costs and gives: ``python -m benchmarks.presets``.

The costs in backends/native/codec_presets.py and the tables of docs/media.md come from here. `--curve` compares quality
over equal rates, at which one setting can be better than another: what a single run gives depends on how near the rate
control came. `--setting 9` measures a preset of native's encoder that is not in its table. `--decoders` compares the
decoders that FFmpeg has of one codec.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING, Any, Final, cast
from unittest.mock import patch

from benchmarks.encoding import FRAMERATE, Encoding, Size, Wish, encode, psnr_over_rates
from benchmarks.texture import moving_texture, psnr

if TYPE_CHECKING:
    import av

    from shim import EncodedVideo

SIZES: Final = {"4k": (3840, 2160), "1080p": (1920, 1080), "720p": (1280, 720)}
BITRATES: Final = {"4k": 20_000_000, "1080p": 6_000_000, "720p": 3_000_000}
WARM_UP: Final = 4
"""Pictures that are not counted: the first is a key frame, and rate control and threads settle."""
SHARES: Final = (0.2, 0.4, 1.0, 2.0)
"""Of the bit rate: the points of a curve."""
RANGE: Final = (0.6, 0.95)
"""Of the bits of a picture, where the curves are compared."""
CURVE: Final = {"4k": 20, "1080p": 45, "720p": 60}
"""Pictures for each point."""
DECODERS: Final = {"VP8": ("vp8", "libvpx"), "VP9": ("vp9", "libvpx-vp9"), "AV1": ("libdav1d",)}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    :param wall: milliseconds for a picture, the median.
    :param cpu: milliseconds of all cores for a picture, the mean.
    :param size: kilobytes of a picture, the mean.
    :param quality: dB.
    """

    name: str
    wall: float
    cpu: float
    size: float
    quality: float

    def text(self, megapixels: float) -> str:
        """Return the line."""
        return (
            f"{self.name:34} {self.wall:7.1f} ms {self.cpu:7.1f} ms CPU {self.cpu / megapixels:6.1f} ms/Mpx "
            f"{self.size:7.1f} kB {self.quality:6.2f} dB"
        )


def measure(codec: str, size: str, count: int, backend: str | None, speed: int | None) -> Row:
    """Encode pictures one after the other, and decode each at once."""
    from shim import VideoDecoder, VideoEncoder

    width, height = SIZES[size]
    walls, cpus, kilobytes, qualities = [], [], [], []
    with (
        VideoEncoder(codec, width, height, bitrate=BITRATES[size], speed=speed, backend=backend) as encoder,
        VideoDecoder(codec, backend=backend) as decoder,
    ):
        for index, frame in enumerate(moving_texture(width, height, count)):
            wall, cpu = time.perf_counter(), time.process_time()
            chunks = encoder.encode(frame)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            pictures = [picture for chunk in chunks for picture in decoder.decode(chunk)]
            if index >= WARM_UP:
                walls.append(wall * 1000)
                cpus.append(cpu * 1000)
                kilobytes.append(sum(len(chunk.data) for chunk in chunks) / 1000)
                qualities += [psnr(frame, picture) for picture in pictures]
        now = encoder.implementation
    name = f"{codec} {'default' if speed is None else f'speed {speed}'}: {now.name} {now.speed}"
    return Row(name, median(walls), mean(cpus), mean(kilobytes), mean(qualities))


def curve(codec: str, size: str, backend: str, speed: int | None) -> str:
    """Return a line with the times at the usual rate, and the quality over equal rates."""
    form, usual = Size(*SIZES[size], BITRATES[size]), BITRATES[size] / FRAMERATE / 8 / 1000
    points = [encode(backend, form, Wish(codec, speed), round(form.bitrate * share), CURVE[size]) for share in SHARES]
    point: Encoding = points[SHARES.index(1.0)]
    quality = psnr_over_rates(points, usual * RANGE[0], usual * RANGE[1])
    name = f"{codec} {'default' if speed is None else f'speed {speed}'}"
    over = "its rates do not reach" if quality is None else f"{quality:6.2f} dB over equal rates"
    return f"{name:14} {point.milliseconds:7.1f} ms {point.cpu:7.1f} ms CPU {over}"


def speeds(codec: str, backend: str | None) -> Iterator[int | None]:
    """Yield the speeds that differ on a backend, from the best to the fastest, and the default."""
    from shim import VideoEncoder

    seen = set()
    for speed in range(11):
        with VideoEncoder(codec, 64, 64, bitrate=100_000, speed=speed, backend=backend) as encoder:
            words = encoder.implementation.speed
        if words not in seen:
            seen.add(words)
            yield speed
    yield None


def compare_decoders(size: str, count: int) -> Iterator[str]:
    """Yield a line for each decoder of FFmpeg."""
    from shim import VideoEncoder

    width, height = SIZES[size]
    for codec, names in DECODERS.items():
        with VideoEncoder(codec, width, height, bitrate=BITRATES[size], speed=10, backend="native") as encoder:
            chunks = [chunk for frame in moving_texture(width, height, count) for chunk in encoder.encode(frame)]
        for name in names:
            yield f"{codec} {name:12} {median(_decoding(name, chunks)):6.1f} ms {size}"


def _decoding(name: str, chunks: list[EncodedVideo]) -> list[float]:
    import av
    from av.codec.context import ThreadType

    context = cast("av.VideoCodecContext", av.CodecContext.create(name, "r"))
    context.thread_type, context.thread_count = ThreadType.SLICE, os.cpu_count() or 1
    times = []
    for chunk in chunks:
        started = time.perf_counter()
        context.decode(av.Packet(chunk.data))
        times.append((time.perf_counter() - started) * 1000)
    return times[WARM_UP:]


def main() -> None:
    """Print the table."""
    from shim import video_codecs

    parser = argparse.ArgumentParser(prog="python -m benchmarks.presets", description=__doc__)
    parser.add_argument("--size", choices=SIZES, action="append", help="default: all")
    parser.add_argument("--codec", action="append", help="default: all that the backend has")
    parser.add_argument("--speed", type=int, action="append", help="0 to 10; default: all that differ, and none")
    parser.add_argument("--backend", default="native")
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--curve", action="store_true", help="quality over equal rates, by four rates for each speed")
    parser.add_argument("--setting", help="of native's encoder, instead of its speeds; name one --codec")
    parser.add_argument("--decoders", action="store_true", help="compare decoders instead")
    wish = parser.parse_args()
    for size in wish.size or SIZES:
        width, height = SIZES[size]
        print(f"{wish.backend}, {width}x{height}, {BITRATES[size] / 1e6:g} Mbit/s, {os.cpu_count()} cores", flush=True)
        if wish.decoders:
            for line in compare_decoders(size, wish.pictures):
                print(line, flush=True)
            continue
        for codec in wish.codec or video_codecs(backend=wish.backend).encode:
            with _only(codec, wish.setting) if wish.setting else nullcontext():
                for speed in wish.speed or ((0,) if wish.setting else speeds(codec, wish.backend)):
                    print(_line(wish, codec, size, speed), flush=True)


@contextmanager
def _only(codec: str, setting: str) -> Iterator[None]:
    """Let a codec have one preset within the context."""
    from backends.native import codec_presets

    usual: dict[Any, Any] = dict(codec_presets.PRESETS)
    option = next(iter(usual[codec][0][1].options))
    only = ((0, codec_presets.Preset(f"{option} {setting}", {option: setting}, 1.0)),)
    with patch.object(codec_presets, "PRESETS", usual | {codec: only}):
        yield


def _line(wish: argparse.Namespace, codec: str, size: str, speed: int | None) -> str:
    if wish.curve:
        return curve(codec, size, wish.backend, speed)
    width, height = SIZES[size]
    return measure(codec, size, wish.pictures, wish.backend, speed).text(width * height / 1e6)


if __name__ == "__main__":
    main()
