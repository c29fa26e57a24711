"""The figures of the docs that no metric of ``shim bench`` has: ``python -m benchmarks.claims``.

Name parts to print only these: pictures, arrays, resampling, processor (of livekit), idle, calls, sframe.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BACKENDS: Final = ("native", "legacy")
RATES: Final = ((48000, 16000), (44100, 48000))
SIZES: Final = ((1, 1), (33, 17), (64, 48), (161, 120))
COLORSPACES: Final = {"bt601": 6, "bt709": 1, "bt2020": 9}
BLOCK: Final = 0.02
"""Seconds of sound that come at once."""


# --- pictures ----------------------------------------------------------------------------------------


def pictures() -> Iterator[str]:
    """Tell how far conversions are from the exact value, of 255, at worst, by backend and kind of conversion."""
    for backend in BACKENDS:
        found: dict[str, float] = {}
        for source, target, matrix, full in _conversions():
            kind = _kind(source, target, matrix, full)
            found[kind] = max(found.get(kind, 0), *_errors(backend, source, target, matrix, full))
        yield from (f"{backend}: {kind}: {error:.0f}" for kind, error in found.items())


def _conversions() -> Iterator[tuple[str, str, Any, bool]]:
    from conformance.reference_video import RGB_FORMATS, YUV_FORMATS

    formats = RGB_FORMATS + YUV_FORMATS
    for source, target in itertools.permutations(formats, 2):
        yield from ((source, target, matrix, full) for matrix in COLORSPACES for full in (False, True))


def _kind(source: str, target: str, matrix: str, full: bool) -> str:
    from conformance.reference_video import RGB_FORMATS

    if target not in RGB_FORMATS:
        return "RGB to YUV, and between YUV formats"
    if source in RGB_FORMATS:
        return "between orders of RGB"
    bits = {"yuv444p": "4:4:4", "yuv420p10le": "10 bits"}.get(source, "other YUV of 8 bits")
    return f"{bits} to RGB, {'BT.601' if matrix == 'bt601' else 'BT.709 and BT.2020'}, {'full' if full else 'limited'}"


def _errors(backend: str, source: str, target: str, matrix: Any, full: bool) -> Iterator[float]:  # noqa: ANN401
    from conformance.reference_video import convert, worst
    from conformance.suite.test_video_convert import picture
    from shim import VideoConverter

    converter = VideoConverter(backend=backend)
    for width, height in SIZES:
        frame = picture(source, width, height, matrix=matrix, full=full)
        expected = convert(VideoConverter.to_ndarray(frame), source, target, matrix, full)
        result = converter.convert(frame, target, colorspace=COLORSPACES[matrix], color_range=2 if full else 1)
        yield worst(VideoConverter.to_ndarray(result), expected)


def arrays(width: int = 1920, height: int = 1080, times: int = 100) -> Iterator[str]:
    """Tell the processor time of I420 to RGBA from arrays, used where they lie and copied first, by backend."""
    from shim import VideoConverter

    room = np.full((height * 3 + 2, width), 99, np.uint8)
    planes = room[:height], room[height:, : width // 2][: height // 2], room[2 * height :, : width // 2][: height // 2]
    guarded = tuple(plane.view() for plane in planes)
    guarded[0].flags.writeable = False
    for backend in BACKENDS:
        converter, found = VideoConverter(backend=backend), {"used": [0.0], "copied": [0.0]}
        for _, (name, given) in itertools.product(range(times), (("used", planes), ("copied", guarded))):
            started = time.process_time()
            converter.convert(converter.from_ndarray(given, "yuv420p"), "rgba")
            found[name].append((time.process_time() - started) * 1000)
        yield f"{backend}: arrays {', '.join(f'{name} {np.median(each):.2f} ms' for name, each in found.items())}"


# --- sound -------------------------------------------------------------------------------------------


def resampling() -> Iterator[str]:
    """Tell level, alias, SNR in floats, and what is held back, by backend and rates."""
    for backend, (source, rate) in itertools.product(BACKENDS, RATES):
        band = min(source, rate) / 2
        level, snr = _quality(_resampled(backend, source, rate, 0.7 * band), rate, 0.7 * band)
        line = f"{backend}: {source} to {rate} Hz: at 0.7 of the band {level:.1f} dB, SNR {snr:.0f} dB"
        if source > rate:
            alias = _resampled(backend, source, rate, 1.2 * band)[rate // 10 : -rate // 10].std() * math.sqrt(8)
            line += f"; alias from 1.2 of it {20 * math.log10(alias + 1e-9):.0f} dB"
        yield f"{line}; held back at most {_delay(backend, source, rate) * 1000:.1f} ms"


def _tone(rate: int, frequency: float) -> NDArray[np.float64]:
    tone: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    return tone


def _resampled(backend: str, source: int, rate: int, frequency: float) -> NDArray[np.float64]:
    from conformance.components import samples_of, sound
    from shim import AudioResampler

    resampler = AudioResampler(rate, "mono", "flt", backend=backend)
    frames = resampler.resample(sound(_tone(source, frequency), source)) + resampler.resample(None)
    signal: NDArray[np.float64] = samples_of(frames)[0]
    return signal


def _delay(backend: str, source: int, rate: int) -> float:
    from conformance.components import sound
    from shim import AudioResampler

    resampler = AudioResampler(rate, "mono", "flt", backend=backend)
    resampler.resample(sound(np.zeros(round(BLOCK * source)), source))
    return resampler.delay


def _quality(signal: NDArray[np.float64], rate: int, frequency: float) -> tuple[float, float]:
    """Return the level of a tone against what went in, and its SNR, in dB."""
    inner = slice(rate // 10, -rate // 10)
    turns = 2 * np.pi * frequency * np.arange(len(signal))[inner] / rate
    waves = np.stack([np.sin(turns), np.cos(turns)], 1)
    fitted = waves @ np.linalg.lstsq(waves, signal[inner], rcond=None)[0]
    noise = max(float((signal[inner] - fitted).var()), 1e-20)
    return 20 * math.log10(fitted.std() * math.sqrt(8)), 10 * math.log10(fitted.var() / noise)


def processor() -> Iterator[str]:
    """Tell what livekit's audio processing takes for as long as the process lives."""
    memory, threads = _memory(), len(os.listdir("/proc/self/task"))
    from livekit.rtc import AudioProcessingModule

    module = AudioProcessingModule(echo_cancellation=True, noise_suppression=True)
    memory, threads = _memory() - memory, len(os.listdir("/proc/self/task")) - threads
    yield f"{type(module).__name__} of livekit.rtc: {memory:.0f} MB and {threads} threads"


def _memory() -> float:
    """Return the resident set in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# --- processes ------------------------------------------------------------------------------------

_IDLE: Final = """
import asyncio, gc, os, sys

def tell(what):
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    print(f"{what} {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f} MB", end="; ")

async def idle():
    connection = shim.RTCPeerConnection(backend=sys.argv[1])
    tell("RTCPeerConnection()")
    await connection.close()
    tell("close()")

tell("asyncio")
import shim
tell("import shim")
asyncio.run(idle())
"""


def idle() -> Iterator[str]:
    """Tell the memory of a process that has imported the SDK, and has one connection that it does not use."""
    for backend in BACKENDS:
        done = subprocess.run([sys.executable, "-c", _IDLE, backend], check=True, capture_output=True, text=True)
        yield f"{backend}: {done.stdout.rstrip('; ')}"


_CALLS: Final = """
import asyncio, ctypes, sys
from benchmarks.metrics.memory import call, rss
from benchmarks.subjects import get_subject

async def calls():
    subject, after = get_subject(sys.argv[1]), []
    subject.load()
    for _ in range(12):
        await call(subject, 0.5, video=True)
        after.append(rss())
    print(*(f"{each:.0f}" for each in after), end=" MB; ")
    ctypes.CDLL(None).malloc_trim(0)
    print(f"after malloc_trim {rss():.0f} MB")

asyncio.run(calls())
"""


def calls() -> Iterator[str]:
    """Tell the memory of a process after each of 12 calls with Opus and VP8, closed again, and what is freed of it."""
    for backend, arenas in itertools.product(BACKENDS, ({}, {"MALLOC_ARENA_MAX": "1"})):
        command, around = [sys.executable, "-c", _CALLS, backend], os.environ | arenas
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=around)
        yield f"{backend} {' '.join(map('='.join, arenas.items()))}: {done.stdout.strip()}"


# --- encryption --------------------------------------------------------------------------------------


def sframe() -> Iterator[str]:
    """Tell what encrypting and decrypting a frame takes, the median of many."""
    from shim import SFrame

    for suite, size in itertools.product(("AES_128_GCM_SHA256_128", "AES_128_CTR_HMAC_SHA256_80"), (100, 50_000)):
        mine, theirs, data = SFrame(suite), SFrame(suite), bytes(size)  # type: ignore[arg-type]
        mine.setEncryptionKey(bytes(range(16)))
        theirs.addDecryptionKey(bytes(range(16)))
        times = []
        for _ in range(3000):
            started = time.perf_counter()
            theirs.decrypt(mine.encrypt(data))
            times.append(time.perf_counter() - started)
        yield f"SFrame {suite}: {size} bytes: {np.median(times) * 1e6:.0f} us"


PARTS: Final = {each.__name__: each for each in (pictures, arrays, resampling, processor, idle, calls, sframe)}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    wanted = parser.parse_args().parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose of {', '.join(PARTS)}")
    for name in wanted:
        try:
            print(*PARTS[name](), sep="\n", flush=True)
        except ImportError as exc:
            print(f"{name}: left out, {exc}")


if __name__ == "__main__":
    main()
