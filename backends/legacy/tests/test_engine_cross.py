"""Calls between the legacy engine and the native one, in both directions."""

from __future__ import annotations

import asyncio
import importlib
from types import ModuleType

import pytest

from backends.legacy import plugin
from backends.legacy.tests.engine_world import DEADLINE, Pair, Peer, Picture, Tone, luma, pitch, runs
from shim.spi.engines import DataChannelInit
from shim.spi.events import ChannelMessage, ConnectionChanged, IceConnectionChanged

pytest.importorskip("backends.native.engine")
native = importlib.import_module("backends.native.plugin")


@pytest.mark.parametrize(
    ("offerer", "answerer"), [(plugin, native), (native, plugin)], ids=["legacy-native", "native-legacy"]
)
@runs
async def test_a_whole_call_works(offerer: ModuleType, answerer: ModuleType) -> None:
    async with Pair(Peer(backend=offerer), Peer(backend=answerer)) as pair:
        pair.offerer.engine.add_transceiver("audio", "sendonly", Tone(), ["s"])
        pair.offerer.engine.add_transceiver("video", "sendonly", Picture(), ["s"])
        channel = pair.offerer.engine.create_data_channel(DataChannelInit("d"))
        await pair.offer()
        sinks = pair.receive()
        await pair.answer()
        await asyncio.gather(pair.offerer.connected(), pair.answerer.connected())
        audio = (await sinks["audio"].count(40))[15:40]
        assert pitch(audio) == pytest.approx(440, rel=0.03)
        assert {(f.samples, f.sample_rate, f.layout.name, f.format.name) for f in audio} == {
            (960, 48000, "stereo", "s16")
        }
        await sinks["video"].until(lambda frame: frame.width == 320 and abs(luma(frame)[0] - 160) < 10)
        channel.send("across")
        assert (await pair.answerer.log.until(ChannelMessage)).data == "across"
        for peer in (pair.offerer, pair.answerer):
            await peer.log.until(IceConnectionChanged, lambda event: event.state == "completed")


@pytest.mark.parametrize(("first", "second"), [(plugin, native), (native, plugin)], ids=["legacy", "native"])
@runs
async def test_either_side_closing_ends_the_other(first: ModuleType, second: ModuleType) -> None:
    async with Pair(Peer(backend=first), Peer(backend=second)) as pair:
        await pair.channels(DataChannelInit("d"))
        await pair.offerer.engine.close()
        async with asyncio.timeout(DEADLINE):
            await pair.answerer.log.until(ConnectionChanged, lambda event: event.state == "closed")
