"""How long a decoder takes for a picture."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from benchmarks.encoding import FRAMERATE, Size, picture_at, psnr_of
from benchmarks.figures import median
from benchmarks.metric import Effort, Figure, Metric, UnsupportedError
from benchmarks.subjects.base import Subject

if TYPE_CHECKING:
    from shim.spi.engines import EncodedVideo

_SIZE: Final = Size(1920, 1080, 6_000_000)
_SPEEDS: Final = {"VP8": 7, "VP9": 8, "H264": 6, "AV1": 8}
"""Of the encoder: named, so that it sets itself by no clock, and both decode the same."""
_COUNT: Final = 40


@lru_cache(maxsize=1)
def _chunks(codec: str) -> tuple[EncodedVideo, ...]:
    from shim import VideoEncoder

    with VideoEncoder(
        codec,
        _SIZE.width,
        _SIZE.height,
        bitrate=_SIZE.bitrate,
        framerate=FRAMERATE,
        speed=_SPEEDS[codec],
        backend="native",
    ) as encoder:
        chunks = [chunk for number in range(_COUNT) for chunk in encoder.encode(picture_at(_SIZE, number))]
        return (*chunks, *encoder.flush())


async def decode(codec: str, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Decode what native encoded, one picture after the other."""
    from shim import VideoDecoder, video_codecs

    if codec not in video_codecs(backend=subject.name).decode:
        raise UnsupportedError(f"{subject.name} does not decode {codec}")
    chunks, times = _chunks(codec), []
    with VideoDecoder(codec, backend=subject.name) as decoder:
        decoder.decode(chunks[0])
        cpu = time.process_time()
        for chunk in chunks[1:]:
            began = time.perf_counter()
            decoder.decode(chunk)
            times.append(time.perf_counter() - began)
        cpu = time.process_time() - cpu
    found = {"time": median(times) * 1000, "cpu": cpu / len(times) * 1000}
    return found if effort.warm_up else found | {"psnr": psnr_of(subject.name, _SIZE, codec, chunks)}


def _metric(codec: str) -> Metric:
    return Metric(
        name=f"video_decode_1080p_{codec.lower()}",
        title=f"decoding 1080p, {codec}",
        group="components",
        about=f"VideoDecoder.decode() of pictures at {_SIZE.bitrate / 1e6:g} Mbit/s, one after the other, the same for "
        "both. PSNR: of the brightness, by what was encoded.",
        figures=(
            Figure("time", "a picture", "ms"),
            Figure("cpu", "CPU of a picture", "ms"),
            Figure("psnr", "PSNR", "dB", "higher"),
        ),
        measure=partial(decode, codec),
        subjects=("native", "legacy"),
        rounds=5,
        quick_rounds=0,
        timeout=120,
    )


METRICS = tuple(_metric(codec) for codec in _SPEEDS)
