"""DTMF at the ear: keys that are sent are heard as their tones, in order, each as long as it was asked for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any, Final

import numpy as np
import pytest

from conformance.asserts import Arrivals, connect, link, negotiate
from conformance.media import COLUMNS, KEYS, PTIME, ROWS, key_of, mono_samples, strength, tone_frame, tone_track, track
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import Capability, RTCDTMFSender, RTCPeerConnection

PATIENCE: Final = 12.0
SILENCE: Final = 10
"""Pieces of 20 ms without a tone after which a sequence is over."""


class Ear:
    """Listens to a received track in pieces of 20 ms.

    :param received: the track.
    """

    def __init__(self, received: Any) -> None:
        self._received = received
        self._sound: list[np.ndarray[Any, Any]] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []

    async def listen(self, count: int, patience: float = PATIENCE) -> list[str]:
        """Return the next keys: until so many have been heard, and silence follows."""
        begin = len(self.keys)
        async with asyncio.timeout(patience):
            while len(self.heard(begin)) < count or any(self.keys[-SILENCE:]):
                self._take(await self._received.recv())
        return self.heard(begin)

    def heard(self, begin: int = 0) -> list[str]:
        """Return the keys from a piece on. Where one is torn by a packet that came late, it stays one."""
        found: list[str] = []
        silence = SILENCE
        for key, pieces in groupby(self.keys[begin:]):
            length = len(list(pieces))
            if key is None:
                silence += length
            else:
                if silence >= SILENCE or found[-1] != key:
                    found.append(key)
                silence = 0
        return found

    def _take(self, frame: Any) -> None:
        self.times.append(float(frame.pts * frame.time_base))
        self._sound.append(mono_samples(frame))
        piece, waiting = round(frame.sample_rate * PTIME), np.concatenate(self._sound)
        while len(waiting) >= piece:
            self.keys.append(key_of(waiting[:piece], frame.sample_rate))
            waiting = waiting[piece:]
        self._sound = [waiting]


async def _dial(peers: Peers, pair: Pair, hz: float = 0.0) -> tuple[RTCDTMFSender, Ear]:
    """Connect, sending a quiet tone or silence; return what sends keys, and an ear that hears already."""
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    sent = track(pair.offerer, "audio", lambda index: tone_frame(index, hz, amplitude=0.05 if hz else 0.0), PTIME)
    sender = offerer.addTrack(sent)
    await connect(offerer, answerer)
    received = await arriving.next()
    for _ in range(10):  # jitter buffers settle
        await asyncio.wait_for(received.recv(), PATIENCE)
    assert sender.dtmf is not None
    return sender.dtmf, Ear(received)


@spec("RFC 4733 2.5.2", "webrtc-pc 7.2")
@requires(Capability.DTMF, of="offerer")
@pytest.mark.parametrize("keys", ["159D", "0*#A"])
async def test_keys_are_heard_in_order(peers: Peers, pair: Pair, keys: str) -> None:
    dtmf, ear = await _dial(peers, pair)
    dtmf.insertDTMF(keys, duration=100, interToneGap=100)
    assert await ear.listen(len(keys)) == list(keys)


@spec("RFC 4733 2.5.1.2", "webrtc-pc 7.2")
@requires(Capability.DTMF, of="offerer")
async def test_key_that_is_repeated_is_heard_each_time(peers: Peers, pair: Pair) -> None:
    """What a busy machine tears or swallows is sent once more; who joins or drops keys fails both times."""
    dtmf, ear = await _dial(peers, pair)
    heard: list[list[str]] = []
    while len(heard) < 2 and ["7", "7"] not in heard:
        begin = len(ear.keys)
        dtmf.insertDTMF("77", duration=100, interToneGap=400)
        with suppress(TimeoutError):
            await ear.listen(2, PATIENCE / 2)
        heard.append(ear.heard(begin))
    assert heard[-1] == ["7", "7"], heard


LENGTH_TOLERANCE: Final = 45.0
"""Milliseconds: two pieces that a tone fills in part, and what a jitter buffer may stretch."""
TIMES: Final = 5
"""How often a key may be sent until one is of the right length: on a busy machine some are torn or stretched."""


@spec("RFC 4733 2.5.1.2", "RFC 4733 2.5.1.4")
@requires(Capability.DTMF, of="offerer")
@pytest.mark.parametrize("milliseconds", [60, 240])
async def test_key_is_heard_as_long_as_it_was_asked_for(
    peers: Peers, pair: Pair, evidence: Evidence, milliseconds: int
) -> None:
    dtmf, ear = await _dial(peers, pair)
    lengths: list[float] = []
    while len(lengths) < TIMES and not (lengths and abs(lengths[-1] - milliseconds) <= LENGTH_TOLERANCE):
        before = ear.keys.count("5")
        dtmf.insertDTMF("5", duration=milliseconds, interToneGap=50)
        await ear.listen(1)
        lengths.append((ear.keys.count("5") - before) * PTIME * 1000)
    evidence.figure("length", lengths[-1], "ms", expected=milliseconds, tolerance=LENGTH_TOLERANCE)
    assert abs(lengths[-1] - milliseconds) <= LENGTH_TOLERANCE, lengths


@spec("RFC 4733 2.5.1.4")
@requires(Capability.DTMF, of="offerer")
async def test_sound_goes_on_after_a_key_and_times_rise(peers: Peers, pair: Pair) -> None:
    dtmf, ear = await _dial(peers, pair, hz=440)
    dtmf.insertDTMF("3", duration=80, interToneGap=50)
    assert await ear.listen(1) == ["3"]
    assert ear.times == sorted(set(ear.times))


@spec("webrtc-pc 7.2 (canInsertDTMF)", "webrtc-pc 4.3.3")
@requires(Capability.DTMF)
async def test_keys_are_taken_as_soon_as_connected(peers: Peers, pair: Pair) -> None:
    """Who dials from the handler of ``connectionstatechange`` is not refused: nothing else has to be awaited."""
    offerer, answerer = peers.open_pair(pair)
    senders = {pc: pc.addTrack(tone_track(at)) for pc, at in ((offerer, pair.offerer), (answerer, pair.answerer))}
    dialled: asyncio.Queue[bool] = asyncio.Queue()

    def dial(pc: RTCPeerConnection) -> None:
        dtmf = senders[pc].dtmf
        if pc.connectionState == "connected" and dtmf is not None:
            dialled.put_nowait(dtmf.canInsertDTMF)

    for pc in senders:
        pc.on("connectionstatechange", partial(dial, pc))
    await connect(offerer, answerer)
    assert [await asyncio.wait_for(dialled.get(), PATIENCE) for _ in senders] == [True, True]


@spec("webrtc-pc 7.2 (canInsertDTMF)")
@requires(Capability.DTMF)
async def test_keys_are_taken_as_soon_as_sound_is_agreed_on(peers: Peers, pair: Pair) -> None:
    """A sender that joins a connected pair needs its answer, and nothing else."""
    connected = await link(peers, pair)
    sender = connected.offerer.addTrack(tone_track(pair.offerer))
    await negotiate(connected.offerer, connected.answerer)
    assert sender.dtmf is not None
    assert sender.dtmf.canInsertDTMF


# --- the ear itself --------------------------------------------------------------------------------------


@spec("ITU-T Q.23", "RFC 4733 3.2")
@pytest.mark.parametrize("rate", [8000, 48000])
def test_ear_knows_every_key_and_nothing_else(target: Target, rate: int) -> None:
    """The measuring instrument is tested with sound that was made by the book."""
    moments = np.arange(round(rate * PTIME)) / rate
    waves = {hz: 0.15 * np.sin(2 * np.pi * hz * moments) for hz in (*ROWS, *COLUMNS, 440)}
    assert "".join(str(key_of(waves[row] + waves[column], rate)) for row in ROWS for column in COLUMNS) == KEYS
    assert {key_of(wave, rate) for wave in waves.values()} == {None}
    assert strength(waves[697], 697, rate) == pytest.approx(0.15, rel=0.05)
