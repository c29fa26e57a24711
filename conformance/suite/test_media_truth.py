"""Truth of media: colours, levels, sizes, order, times and channels arrive as they were sent."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pytest
from av import AudioFrame, VideoFrame

from conformance.asserts import Arrivals, connect, within
from conformance.media import PTIME, code_of, coded_picture, mono_samples, picture_track, pitch, tone_frame, track
from conformance.reference_video import convert
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers
from shim import Capability, MediaStreamTrack, OpusParameters, RTCConfiguration, VideoConverter

Array = np.ndarray[Any, np.dtype[Any]]
PATIENCE: Final = 10.0
WIDTH, HEIGHT = 320, 240
COLOURS = ((200, 40, 40), (40, 180, 60), (50, 60, 200), (210, 200, 40))
LEVELS = ((50, 100), (150, 200))
"""Luma of the quarters of a picture, row by row."""
COLOUR_TOLERANCE: Final = 7
"""Of 255, in the mean of an area: codecs come to within 5 once what stands still is refined. BT.709 taken for BT.601
is 24 off in one of these colours."""
LUMA_TOLERANCE: Final = 3
"""Of 255, in the mean of an area: what is flat arrives exactly."""
EDGE_TOLERANCE: Final = 15
"""Of 255, in the columns beside an edge: codecs come to within 3, and a quarter of a sample to one side is 24."""


async def _receive(
    peers: Peers, pair: Pair, *sent: Any, configuration: RTCConfiguration | None = None
) -> list[MediaStreamTrack]:
    """Connect, sending tracks; return what arrives."""
    offerer, answerer = peers.open_pair(pair, configuration)
    arriving = Arrivals(answerer, "track")
    for each in sent:
        offerer.addTrack(each)
    await connect(offerer, answerer)
    return await arriving.take(len(sent))


async def _picture(received: MediaStreamTrack) -> VideoFrame:
    frame = await asyncio.wait_for(received.recv(), PATIENCE)
    assert isinstance(frame, VideoFrame)
    return frame


async def _sound(received: MediaStreamTrack) -> AudioFrame:
    frame = await asyncio.wait_for(received.recv(), PATIENCE)
    assert isinstance(frame, AudioFrame)
    return frame


class _Eye:
    """Looks at pictures that arrive, and shows the last one beside that which was sent.

    :param sent: makes the picture that was sent.
    """

    def __init__(self, evidence: Evidence, sent: Callable[[int], VideoFrame]) -> None:
        self._evidence, self._sent = evidence, sent

    async def becomes(
        self, received: MediaStreamTrack, measure: Callable[[VideoFrame], Array], expected: Array, by: float
    ) -> None:
        """Receive until what is measured is as expected: encoders begin roughly and refine what stands still."""
        found: Array = np.zeros(0)
        frame: VideoFrame | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while not found.size or np.abs(found - expected).max() > by:
                    frame = await _picture(received)
                    found = measure(frame)
        except TimeoutError:
            raise AssertionError(f"within {PATIENCE} s: measured {found.round()}, not {expected}") from None
        finally:
            if frame is not None:
                self._evidence.frames(self._sent(0), frame)


def _planes(frame: VideoFrame) -> list[Array]:
    """Return luma and both chroma planes."""
    planes = frame.reformat(format="yuv420p").planes
    rows = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in planes]
    return [row[: plane.height, : plane.width].astype(int) for row, plane in zip(rows, planes, strict=True)]


def _still(pixels: Array, format: str) -> Callable[[int], VideoFrame]:
    return lambda _: VideoFrame.from_ndarray(pixels, format=format)


# --- pictures ----------------------------------------------------------------------------------------


@spec("RFC 6386 9.2", "ITU-R BT.601")
async def test_colours_are_those_that_were_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    pixels = np.repeat(np.array(COLOURS, np.uint8), WIDTH // len(COLOURS), axis=0)[None].repeat(HEIGHT, axis=0)
    still = _still(np.ascontiguousarray(pixels), "rgb24")
    (received,) = await _receive(peers, pair, track(pair.offerer, "video", still, 1 / 15))
    await _Eye(evidence, still).becomes(received, _mean_colours, np.array(COLOURS), COLOUR_TOLERANCE)


@spec("H.273 8", "ITU-R BT.709", "ITU-R BT.601")
async def test_colours_are_those_that_frames_tell(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    """One track says that it is BT.709 in full range, the other that it is RGB, which is always full."""
    pixels = np.repeat(np.array(COLOURS, np.uint8), WIDTH // len(COLOURS), axis=0)[None].repeat(HEIGHT, axis=0)
    frames = (
        _full_range(convert((pixels,), "rgb24", "yuv420p", "bt709", True), "yuv420p", 1),
        _full_range([pixels], "rgb24", 0),
    )
    sent = [track(pair.offerer, "video", frame, 1 / 15) for frame in frames]
    for received, frame in zip(await _receive(peers, pair, *sent), frames, strict=True):
        await _Eye(evidence, frame).becomes(received, _mean_colours, np.array(COLOURS), COLOUR_TOLERANCE)


@spec("H.273 8", "RFC 9628 4", "RFC 6184 8.2.1")
@requires(Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])
async def test_colours_are_right_whatever_the_codec_tells(
    peers: Peers, pair: Pair, evidence: Evidence, codec: str
) -> None:
    """A codec that can tell matrix and range may do so; one that cannot has to send what everyone assumes."""
    pixels = np.repeat(np.array(COLOURS, np.uint8), WIDTH // len(COLOURS), axis=0)[None].repeat(HEIGHT, axis=0)
    frame = _full_range(convert((pixels,), "rgb24", "yuv420p", "bt709", True), "yuv420p", 1)
    offerer, answerer = peers.open_pair(pair)
    for target in pair.targets:
        if not target.video_codec(codec):
            pytest.skip(f"{target} has no {codec}")
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(track(pair.offerer, "video", frame, 1 / 15))
    offerer.getTransceivers()[0].setCodecPreferences(pair.offerer.video_codec(codec))
    await connect(offerer, answerer)
    await _Eye(evidence, frame).becomes(await arriving.next(), _mean_colours, np.array(COLOURS), COLOUR_TOLERANCE)


def _full_range(planes: Sequence[Array], format: str, matrix: int) -> Callable[[int], VideoFrame]:
    """Return what makes frames of these planes.

    :param matrix: that they tell, as AVColorSpace.
    """

    def make(_: int) -> VideoFrame:
        frame = VideoConverter.from_ndarray([np.rint(plane).astype(np.uint8) for plane in planes], format)
        frame.colorspace, frame.color_range = matrix, 2
        return frame

    return make


def _mean_colours(frame: VideoFrame) -> Array:
    bars = np.array_split(frame.to_ndarray(format="rgb24").astype(float), len(COLOURS), axis=1)
    inset = frame.width // len(COLOURS) // 4
    return np.array([bar[inset:-inset, inset:-inset].mean(axis=(0, 1)) for bar in bars])


@spec("RFC 6386 2")
async def test_every_quarter_keeps_its_place_and_level(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    luma = np.array(LEVELS, np.uint8).repeat(HEIGHT // 2, axis=0).repeat(WIDTH // 2, axis=1)
    pixels = np.concatenate([luma, np.full((HEIGHT // 2, WIDTH), 128, np.uint8)])
    still = _still(pixels, "yuv420p")
    (received,) = await _receive(peers, pair, track(pair.offerer, "video", still, 1 / 15))
    await _Eye(evidence, still).becomes(received, _quarters, np.array(LEVELS), LUMA_TOLERANCE)


def _quarters(frame: VideoFrame) -> Array:
    luma = _planes(frame)[0]
    halves, inset = np.array_split(luma, 2), frame.height // 16
    return np.array(
        [[part[inset:-inset, inset:-inset].mean() for part in np.array_split(half, 2, axis=1)] for half in halves]
    )


@spec("RFC 6386 2")
async def test_colours_begin_where_they_were_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    chroma = np.concatenate([np.full(WIDTH // 4, 80, np.uint8), np.full(WIDTH // 4, 176, np.uint8)])
    planes = np.concatenate(
        [np.full(WIDTH * HEIGHT, 120, np.uint8), np.tile(chroma, HEIGHT // 2), np.tile(chroma, HEIGHT // 2)]
    )
    pixels = planes.reshape(-1, WIDTH)
    still = _still(pixels, "yuv420p")
    (received,) = await _receive(peers, pair, track(pair.offerer, "video", still, 1 / 15))
    await _Eye(evidence, still).becomes(received, _chroma_around_the_middle, np.array([[80, 176]] * 2), EDGE_TOLERANCE)


def _chroma_around_the_middle(frame: VideoFrame) -> Array:
    """Return, for both planes, the column left and the one right of the middle."""
    middle = frame.width // 4
    return np.array([[plane[:, middle - 1].mean(), plane[:, middle].mean()] for plane in _planes(frame)[1:]])


@spec("RFC 6386 9.1")
@pytest.mark.parametrize("size", [(320, 240), (180, 320), (64, 48), (161, 121)], ids="{0[0]}x{0[1]}".format)
async def test_pictures_keep_their_size(peers: Peers, pair: Pair, size: tuple[int, int]) -> None:
    width, height = size
    (received,) = await _receive(peers, pair, picture_track(pair.offerer, width=width, height=height))
    frame = await _picture(received)
    assert abs(frame.width - width) <= 1
    assert abs(frame.height - height) <= 1


FPS: Final = 15


async def _watch(peers: Peers, pair: Pair, evidence: Evidence, count: int = 32) -> tuple[list[int], list[float]]:
    """Send numbered pictures; return the numbers and the times of those that arrive."""
    made: dict[int, float] = {}

    def frame_at(index: int) -> VideoFrame:
        made[index] = time.monotonic()
        return coded_picture(_gray(index % 256))

    (received,) = await _receive(peers, pair, track(pair.offerer, "video", frame_at, 1 / FPS))
    for _ in range(3):
        await _picture(received)
    frames, arrived = [], []
    for _ in range(count):
        frames.append(await _picture(received))
        arrived.append(time.monotonic())
    order = [_gray(number) for number in range(256)]
    numbers = np.unwrap([order.index(code_of(frame)) for frame in frames], period=256)
    ages = [(at - made[int(n)]) * 1000 for n, at in zip(numbers, arrived, strict=True) if int(n) in made]
    evidence.series("age of a picture", ages, "ms")
    times = [float(frame.pts * frame.time_base) for frame in frames if frame.pts is not None and frame.time_base]
    return [int(number) for number in numbers], times


def _gray(number: int) -> int:
    """Return a code in which neighbours differ in one bar: easy to encode."""
    return number ^ number >> 1


@spec("RFC 7742 5")
async def test_pictures_arrive_in_order_each_once_and_nearly_all(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    numbers, _ = await _watch(peers, pair, evidence)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] < len(numbers) * 1.2


@spec("RFC 3550 5.1")
async def test_times_of_pictures_run_as_fast_as_those_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    numbers, times = await _watch(peers, pair, evidence)
    assert times[-1] - times[0] == pytest.approx((numbers[-1] - numbers[0]) / FPS, rel=0.15)


# --- sound -------------------------------------------------------------------------------------------


async def _hear(received: MediaStreamTrack, count: int = 50) -> list[AudioFrame]:
    """Return so many frames, from half a second after the first that is not silent."""
    async with within(PATIENCE, "sound that can be heard"):
        while np.abs(mono_samples(await _sound(received))).max() < 0.05:
            pass
    for _ in range(25):
        await _sound(received)
    return [await _sound(received) for _ in range(count)]


@spec("RFC 7874 3")
async def test_sound_keeps_its_level(peers: Peers, pair: Pair) -> None:
    await _check_level(peers, pair, RTCConfiguration())


@spec("RFC 7587 7")
@requires(Capability.OPUS_PARAMETERS)
async def test_sound_of_one_channel_is_as_loud_on_either_side(peers: Peers, pair: Pair) -> None:
    await _check_level(peers, pair, RTCConfiguration(opus=OpusParameters(stereo=True)))


LOUDNESS_TOLERANCE: Final = 0.5
"""Decibels: engines come to within 0.1, and one that weighs the channels wrongly is 3 off."""


async def _check_level(peers: Peers, pair: Pair, configuration: RTCConfiguration) -> None:
    sent = track(pair.offerer, "audio", lambda index: tone_frame(index, 440, amplitude=0.4), PTIME)
    (received,) = await _receive(peers, pair, sent, configuration=configuration)
    levels = [np.sqrt(np.mean(mono_samples(frame) ** 2)) for frame in await _hear(received)]
    # Of the frame in the middle: those that conceal a late packet fade, which is no fault in the level.
    level = 20 * np.log10(statistics.median(levels) / (0.4 / np.sqrt(2)))
    assert abs(level) < LOUDNESS_TOLERANCE, f"{level:.1f} dB"


@spec("RFC 3550 5.1", "RFC 7587 4.1")
async def test_sound_has_no_holes(peers: Peers, pair: Pair) -> None:
    sent = track(pair.offerer, "audio", lambda index: tone_frame(index, 440), PTIME)
    (received,) = await _receive(peers, pair, sent)
    frames = await _hear(received)
    span = frames[-1].pts * frames[-1].time_base - frames[0].pts * frames[0].time_base  # type: ignore[operator]
    heard = sum(Fraction(frame.samples, frame.sample_rate) for frame in frames[:-1])
    assert heard == pytest.approx(float(span), rel=0.1)


SWEEP_SECONDS: Final = 8
LEAST_CORRELATION: Final = 0.95
"""A lossy codec leaves 0.999 of the best piece, a jitter buffer that stretches sound on a busy machine 0.98; another
sound, or the same one backwards, stays below 0.3."""


def _sweep() -> Array:
    """Return a tone that rises from 300 to 3000 Hz: no part of it is like another."""
    moments = np.arange(SWEEP_SECONDS * 48000) / 48000
    return 0.4 * np.sin(2 * np.pi * (300 * moments + (3000 - 300) / (2 * SWEEP_SECONDS) * moments**2))


def _correlation(heard: Array, sent: Array) -> float:
    """Return how alike the best matching part of `sent` is, 1 for the same wave; its level does not matter."""
    size = 1 << (len(sent) + len(heard)).bit_length()
    products = np.fft.irfft(np.fft.rfft(sent, size) * np.conj(np.fft.rfft(heard, size)), size)[: len(sent) - len(heard)]
    sums = np.concatenate([[0.0], np.cumsum(sent**2)])
    energy = (sums[len(heard) :] - sums[: -len(heard)])[: len(products)]
    return float(np.max(products / np.sqrt(energy * np.sum(heard**2) + 1e-12)))


@spec("RFC 7874 3", "RFC 6716 2")
async def test_wave_is_the_one_that_was_sent(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    sweep = _sweep()

    def frame_at(index: int) -> AudioFrame:
        samples = np.take(sweep, np.arange(index * 960, (index + 1) * 960), mode="wrap")
        frame = AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, Fraction(1, 48000)
        return frame

    (received,) = await _receive(peers, pair, track(pair.offerer, "audio", frame_at, PTIME))
    sound = np.concatenate([mono_samples(frame) for frame in await _hear(received, 50)])
    # Pieces of 200 ms: where a jitter buffer stretches sound, the pieces beside it are still whole.
    likeness = [_correlation(piece, sweep) for piece in np.array_split(sound, 5)]
    evidence.series("correlation", likeness, "")
    assert max(likeness) >= LEAST_CORRELATION
    assert _correlation(sound[:9600][::-1], sweep) < 0.5


@spec("RFC 7587 7")
@requires(Capability.OPUS_PARAMETERS)
async def test_left_and_right_stay_apart(peers: Peers, pair: Pair) -> None:
    def frame_at(index: int) -> AudioFrame:
        left, right = (tone_frame(index, hz).to_ndarray()[0] for hz in (440, 1000))
        frame = AudioFrame.from_ndarray(np.stack([left, right], axis=1).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, Fraction(1, 48000)
        return frame

    configuration = RTCConfiguration(opus=OpusParameters(stereo=True))
    sent = track(pair.offerer, "audio", frame_at, PTIME)
    (received,) = await _receive(peers, pair, sent, configuration=configuration)
    frames = await _hear(received, 12)
    heard = [pitch([_channel(frame, index) for frame in frames]) for index in range(2)]
    # A jitter buffer may stretch sound when packets come late: that costs precision, but mixes no channels.
    assert heard == pytest.approx([440, 1000], rel=0.03)


def _channel(frame: AudioFrame, index: int) -> AudioFrame:
    samples: Any = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, index]
    single = AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="mono")
    single.sample_rate = frame.sample_rate
    return single
