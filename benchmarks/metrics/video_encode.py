"""How long an encoder takes for a picture, and what it makes of its bits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from benchmarks.encoding import FRAMERATE, Encoding, Size, Wish, encode, psnr_over_rates
from benchmarks.metric import Effort, Figure, Metric, Target, UnsupportedError
from benchmarks.subjects.base import Subject

_SIZES: Final = {
    "4k": Size(3840, 2160, 20_000_000),
    "1080p": Size(1920, 1080, 6_000_000),
    "720p": Size(1280, 720, 3_000_000),
}
_COUNTS: Final = {"4k": 20, "1080p": 30, "720p": 40}
"""Pictures of one run."""
_SHARES: Final = (0.4, 1.0, 2.5)
"""Of the usual bit rate: what quality per bit is judged by."""
_RANGE: Final = (0.55, 0.85)
"""Of the usual bits of a picture, where quality is compared: all encoders come there. In so short a time those that
paid much for the key frame stay below what they may."""
_FASTEST: Final = Wish("VP9", speed=10, threads=2)
"""The fastest that libwebrtc's VP9 gets: libvpx' cpu-used 9, and as many threads as these machines have cores."""
_DEMANDED: Final = "4k"
"""The size that there are targets for: encoders have time left with the others, and use it for quality."""
_BETTER: Final = Target(1.0, at_most=False)


def _curve(backend: str, name: str, wish: Wish, effort: Effort) -> tuple[Encoding, float | None]:
    """Return what comes of the usual rate, and the PSNR over rates."""
    size, count = _SIZES[name], _COUNTS[name]
    points = [encode(backend, size, wish, round(size.bitrate * share), count) for share in _SHARES]
    usual = size.bitrate / FRAMERATE / 8 / 1000
    return points[_SHARES.index(1.0)], psnr_over_rates(points, usual * _RANGE[0], usual * _RANGE[1])


def _named(found: tuple[Encoding, float | None], suffix: str = "") -> dict[str, float]:
    usual, over_rates = found
    named = {"time": usual.milliseconds, "cpu": usual.cpu, "size": usual.kilobytes, "psnr": usual.psnr}
    if over_rates is not None:
        named["quality"] = over_rates
    return {key + suffix: value for key, value in named.items()}


def _check(subject: Subject, codec: str) -> None:
    from shim import video_codecs

    if codec not in video_codecs(backend=subject.name).encode:
        raise UnsupportedError(f"{subject.name} does not encode {codec}")


async def same_codec(name: str, codec: str, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Encode with the same codec on both sides, each set as it sets itself."""
    _check(subject, codec)
    if effort.warm_up:
        encode(subject.name, _SIZES[name], Wish(codec), _SIZES[name].bitrate, 8)
        return {}
    return _named(_curve(subject.name, name, Wish(codec), effort))


async def av1_and_vp9(name: str, subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Encode AV1 where there is AV1; elsewhere VP9, once as it sets itself and once as fast as it can be set."""
    from shim import video_codecs

    has_av1 = "AV1" in video_codecs(backend=subject.name).encode
    wish = Wish("AV1") if has_av1 else Wish("VP9")
    _check(subject, wish.codec)
    if effort.warm_up:
        encode(subject.name, _SIZES[name], wish, _SIZES[name].bitrate, 8)
        return {}
    usual = _curve(subject.name, name, wish, effort)
    fastest = usual if has_av1 else _curve(subject.name, name, _FASTEST, effort)
    return _named(usual) | _named(fastest, "_fastest")


def _figures(limit: float | None, suffix: str = "", words: str = "") -> tuple[Figure, ...]:
    wanted = () if limit is None else (Target(limit),)
    return (
        Figure("time" + suffix, f"a picture{words}", "ms", targets=wanted),
        Figure("quality" + suffix, f"PSNR over equal rates{words}", "dB", "higher", (_BETTER,) if wanted else ()),
        Figure("cpu" + suffix, f"CPU of a picture{words}", "ms"),
        Figure("size" + suffix, f"size of a picture{words}", "kB", "neither"),
        Figure("psnr" + suffix, f"its PSNR{words}", "dB", "neither"),
    )


def _about(name: str) -> str:
    size = _SIZES[name]
    return (
        f"VideoEncoder of {size.width}x{size.height} at {size.bitrate / 1e6:g} Mbit/s and {FRAMERATE} pictures a "
        "second, one after the other: a texture that moves, discs that move across it, grain in each picture. Time: "
        "median from one encoded picture to the next. PSNR: of the brightness, of what VideoDecoder gives. Over equal "
        f"rates: mean over {_RANGE[0]:g} to {_RANGE[1]:g} of the rate, by three rates; two sides differ in it by their "
        "BD-PSNR. Threads gain by free cores: on a machine that does other things as well, only CPU tells."
    )


def _av1(name: str) -> Metric:
    return Metric(
        name=f"video_encode_{name}_av1",
        title=f"encoding {name}, AV1 against libwebrtc's VP9",
        group="components",
        about=f"{_about(name)} native: AV1; legacy: VP9 as libwebrtc sets it, and at its fastest, cpu-used 9 with two "
        "threads.",
        figures=(
            *_figures(0.35 if name == _DEMANDED else None),
            *_figures(0.625 if name == _DEMANDED else None, "_fastest", ", VP9 at its fastest"),
        ),
        measure=partial(av1_and_vp9, name),
        subjects=("native", "legacy"),
        rounds=3,
        quick_rounds=3 if name == "720p" else 0,
        timeout=120,
    )


def _same(name: str, codec: str) -> Metric:
    return Metric(
        name=f"video_encode_{name}_{codec.lower()}",
        title=f"encoding {name}, {codec}",
        group="components",
        about=_about(name),
        figures=_figures(0.625 if codec == "H264" and name == _DEMANDED else None),
        measure=partial(same_codec, name, codec),
        subjects=("native", "legacy"),
        rounds=3,
        quick_rounds=0,
        timeout=120,
    )


METRICS = tuple(
    metric for name in _SIZES for metric in (_av1(name), *(_same(name, codec) for codec in ("H264", "VP9", "VP8")))
)
