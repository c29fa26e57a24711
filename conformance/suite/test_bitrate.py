"""Bit rates as they are on the wire: a maximum is kept to and made use of, until it is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np
from av import AudioFrame, VideoFrame

from conformance.asserts import Arrivals
from conformance.media import PTIME, track
from conformance.netsim import NetworkMaker
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from conformance.wire import Wiretap
from shim import (
    BitrateBounds,
    Capability,
    OpusParameters,
    RTCConfiguration,
    RTCRtpEncodingParameters,
    RTCRtpSender,
)

pytestmark = requires(Capability.ICE_HOST)
LIMIT: Final = 150_000
"""Of pictures, in bits per second: less than half of what they take where nothing limits them."""
SOUND: Final = 16_000
"""Of sound: half of what Opus takes of one channel where nobody asks for less."""
AMPLE: Final = RTCConfiguration(bitrate=BitrateBounds(min=4 * LIMIT, start=4 * LIMIT))
"""Of who sends: a receiver on a busy machine thinks little of the network, which is not what is measured here."""
LEAST, MOST = 0.6, 1.15
"""Shares of a limit. In two seconds engines spend 0.75 to 1.1 of it: libwebrtc leaves pictures out to stay below it,
native once the bits are gone. Half of it, as where it is applied twice, is too little, and a fifth too much as well."""
CLEARLY: Final = 1.5
"""Times the limit. Without one it is three times as much, which a receiver's estimate reaches step by step."""
SETTLING: Final = 1.5
"""Seconds that rate control takes to come down: it looks back at its last pictures."""
WINDOWS: Final = 5
"""How often it is measured: a busy machine leaves pictures out now and then, but not every time."""


class Meter:
    """Measures the RTP stream that carries most, without headers and what any cipher of SRTP adds.

    :param tap: on the direction in which is sent.
    """

    def __init__(self, tap: Wiretap) -> None:
        self._tap = tap

    def bits(self) -> int:
        """Return how many bits have been carried until now."""
        return max((8 * max(stream.payload_sizes()) for stream in self._tap.streams.values()), default=0)

    async def rate(self, seconds: float) -> float:
        """Return how many bits per second are carried in the next so many seconds."""
        now = asyncio.get_running_loop().time
        before, began = self.bits(), now()
        await asyncio.sleep(seconds)
        return (self.bits() - before) / (now() - began)

    async def becomes(self, is_right: Callable[[float], bool], seconds: float, windows: int = WINDOWS) -> float:
        """Measure until it is right; return it.

        :param seconds: of one measurement.
        """
        found: list[float] = []
        while not (found and is_right(found[-1])):
            assert len(found) < windows, f"{[round(rate) for rate in found]} bits per second"
            found.append(await self.rate(seconds))
        return found[-1]


async def _sending(
    peers: Peers, pair: Pair, netsim: NetworkMaker, sent: Any, configuration: RTCConfiguration | None, **init: Any
) -> tuple[RTCRtpSender, Meter]:
    """Connect, and wait until something has arrived."""
    network = netsim()
    meter = Meter(Wiretap(network.a_to_b))
    offerer, answerer = peers.open(pair.offerer, configuration), peers.open(pair.answerer)
    arriving = Arrivals(answerer, "track")
    sender = offerer.addTransceiver(sent, **init).sender
    await network.connect(offerer, answerer)
    await asyncio.wait_for((await arriving.next()).recv(), 8)
    return sender, meter


async def _limit(sender: RTCRtpSender, bitrate: int | None) -> None:
    parameters = sender.getParameters()
    parameters.encodings[0].maxBitrate = bitrate
    done: Any = sender.setParameters(parameters)
    await done


def _is_kept(limit: int) -> Callable[[float], bool]:
    return lambda rate: LEAST * limit <= rate <= MOST * limit


def _is_more(rate: float) -> bool:
    return rate > CLEARLY * LIMIT


def _restless(target: Target) -> Any:
    """Return a track whose pictures have nothing in common: no encoder is done with them quickly."""
    random = np.random.default_rng(1)

    def picture(_: int) -> VideoFrame:
        blocks = random.integers(30, 220, (30, 40), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        return VideoFrame.from_ndarray(blocks, format="gray").reformat(format="yuv420p")

    return track(target, "video", picture, 1 / 15)


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_bitrate_falls_to_the_maximum_and_rises_without(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    ample = AMPLE if Capability.BITRATE_BOUNDS in pair.offerer.info.capabilities else None
    sender, meter = await _sending(peers, pair, netsim, _restless(pair.offerer), ample)
    before = await meter.becomes(_is_more, seconds=1)
    await _limit(sender, LIMIT)
    await asyncio.sleep(SETTLING)
    limited = await meter.becomes(_is_kept(LIMIT), seconds=2)
    await _limit(sender, None)
    after = await meter.becomes(_is_more, seconds=1, windows=2 * WINDOWS)
    evidence.series("bits per second before, with and after a limit", [before, limited, after], "bit/s")


@spec("webrtc-pc 5.2.5")
@requires(Capability.SEND_PARAMETERS)
async def test_bitrate_is_kept_by_what_no_encoder_can_squeeze(
    peers: Peers, target: Target, netsim: NetworkMaker
) -> None:
    """White noise takes 170 kbit a picture at the worst quality: only leaving pictures out keeps to the limit."""
    random = np.random.default_rng(1)

    def noise(_: int) -> VideoFrame:
        return VideoFrame.from_ndarray(random.integers(0, 256, (360, 320), np.uint8), format="yuv420p")

    sent, limited = track(target, "video", noise, 1 / 30), [RTCRtpEncodingParameters(maxBitrate=120_000)]
    _, meter = await _sending(peers, Pair(target, target), netsim, sent, None, sendEncodings=limited)
    assert await meter.rate(5) < 120_000 * 1.1


@spec("webrtc-shim: RTCConfiguration.bitrate")
@requires(Capability.BITRATE_BOUNDS, of="offerer")
async def test_bitrate_keeps_to_the_bounds_of_the_connection(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    bounds = BitrateBounds(min=LIMIT, start=LIMIT, max=LIMIT)
    _, meter = await _sending(peers, pair, netsim, _restless(pair.offerer), RTCConfiguration(bitrate=bounds))
    await asyncio.sleep(SETTLING)
    evidence.figure("bit rate", await meter.becomes(_is_kept(LIMIT), seconds=2), "bit/s", expected=LIMIT)


@spec("RFC 7587 6.1")
@requires(Capability.OPUS_PARAMETERS, of="offerer")
async def test_sound_keeps_to_the_bitrate_of_the_configuration(
    peers: Peers, pair: Pair, netsim: NetworkMaker, evidence: Evidence
) -> None:
    random = np.random.default_rng(1)

    def noise(index: int) -> AudioFrame:
        samples = random.integers(-8000, 8000, (1, 960), np.int16)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, Fraction(1, 48000)
        return frame

    configuration = RTCConfiguration(opus=OpusParameters(bitrate=SOUND))
    _, meter = await _sending(peers, pair, netsim, track(pair.offerer, "audio", noise, PTIME), configuration)
    rate = await meter.becomes(_is_kept(SOUND), seconds=2)
    evidence.figure("bit rate", rate, "bit/s", expected=SOUND)
