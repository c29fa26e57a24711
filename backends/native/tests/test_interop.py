"""A plain aiortc peer on the other side, as offerer and as answerer."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from aiortc.rtcconfiguration import RTCBundlePolicy

from backends.native.tests.media import Sink, Source
from backends.native.tests.peers import TIMEOUT, Peer, run
from shim.spi.engines import DataChannelInit, Kind, SdpType, SessionDescription
from shim.spi.events import ChannelAnnounced, ChannelMessage, ChannelOpened

POLICIES = list(RTCBundlePolicy)
KINDS: tuple[Kind, ...] = ("audio", "video")


def to_shim(description: RTCSessionDescription) -> SessionDescription:
    return SessionDescription(cast("SdpType", description.type), description.sdp)


def to_aiortc(description: SessionDescription | None) -> RTCSessionDescription:
    assert description is not None
    return RTCSessionDescription(sdp=description.sdp, type=description.type)


class Plain:
    """An aiortc peer that sends and receives everything."""

    def __init__(self, policy: RTCBundlePolicy) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=policy))
        self.tracks: list[MediaStreamTrack] = []
        self.channel: asyncio.Future[RTCDataChannel] = asyncio.get_running_loop().create_future()
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.pc.on("track", self.tracks.append)
        self.pc.on("datachannel", self._channel)

    def _channel(self, channel: RTCDataChannel) -> None:
        channel.on("message", self.messages.put_nowait)
        self.channel.set_result(channel)

    def send_media(self) -> None:
        self.pc.addTrack(AudioStreamTrack())
        self.pc.addTrack(VideoStreamTrack())


async def receive_everything(native: Peer, plain: Plain, sinks: list[Sink]) -> None:
    for sink in sinks:
        await asyncio.wait_for(sink.first.wait(), TIMEOUT)
    assert [track.kind for track in plain.tracks] == ["audio", "video"]
    for track in plain.tracks:
        await asyncio.wait_for(track.recv(), TIMEOUT)


@pytest.mark.parametrize("policy", POLICIES)
def test_offers_to_aiortc(policy: RTCBundlePolicy) -> None:
    async def scenario() -> None:
        native, plain = Peer(), Plain(policy)
        await native.engine.start()
        sinks = [Sink(), Sink()]
        for kind, sink in zip(KINDS, sinks, strict=True):
            native.engine.add_transceiver(kind, "sendrecv", Source(kind)).attach(sink)
        channel = native.engine.create_data_channel(DataChannelInit("häm", protocol="é"))
        await native.engine.set_local_description(await native.engine.create_offer())
        await native.gathered()
        await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().pending_local))
        plain.send_media()
        await plain.pc.setLocalDescription(await plain.pc.createAnswer())
        await native.engine.set_remote_description(to_shim(plain.pc.localDescription))
        await receive_everything(native, plain, sinks)
        theirs = await asyncio.wait_for(plain.channel, TIMEOUT)
        assert (theirs.label, theirs.protocol) == ("häm", "é")
        await native.sink.first(ChannelOpened)
        channel.send("ping")
        assert await asyncio.wait_for(plain.messages.get(), TIMEOUT) == "ping"
        theirs.send(b"pong")
        assert (await native.sink.first(ChannelMessage)).data == b"pong"
        await plain.pc.close()
        await native.state("closed")
        for sink in sinks:
            await asyncio.wait_for(sink.ended.wait(), TIMEOUT)
        await native.engine.close()

    run(scenario)


@pytest.mark.parametrize("policy", POLICIES)
def test_answers_aiortc(policy: RTCBundlePolicy) -> None:
    async def scenario() -> None:
        native, plain = Peer(), Plain(policy)
        await native.engine.start()
        plain.send_media()
        theirs = plain.pc.createDataChannel("chat")
        await plain.pc.setLocalDescription(await plain.pc.createOffer())
        await native.engine.set_remote_description(to_shim(plain.pc.localDescription))
        sinks = []
        for transceiver in native.engine.local_state().transceivers:
            sinks.append(Sink())
            transceiver.engine.attach(sinks[-1])
            transceiver.engine.replace_source(Source(transceiver.kind))
            transceiver.engine.set_direction("sendrecv")
        await native.engine.set_local_description(await native.engine.create_answer())
        await native.gathered()
        await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().current_local))
        await receive_everything(native, plain, sinks)
        announced = await native.sink.first(ChannelAnnounced)
        assert announced.init.label == "chat"
        plain._channel(theirs)
        announced.channel.send("hello")
        assert await asyncio.wait_for(plain.messages.get(), TIMEOUT) == "hello"
        await native.engine.close()
        await plain.pc.close()

    run(scenario)


def test_answers_an_offer_without_bundle() -> None:
    async def scenario() -> None:
        native, plain = Peer(), Plain(RTCBundlePolicy.MAX_COMPAT)
        await native.engine.start()
        plain.send_media()
        plain.pc.createDataChannel("chat")
        await plain.pc.setLocalDescription(await plain.pc.createOffer())
        offer = plain.pc.localDescription
        lines = [line for line in offer.sdp.splitlines() if not line.startswith("a=group")]
        await native.engine.set_remote_description(SessionDescription("offer", "\r\n".join(lines) + "\r\n"))
        sinks = []
        for transceiver in native.engine.local_state().transceivers:
            sinks.append(Sink())
            transceiver.engine.attach(sinks[-1])
        await native.engine.set_local_description(await native.engine.create_answer())
        await native.gathered()
        assert len(native.engine.transports()) == 3
        await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().current_local))
        for sink in sinks:
            await asyncio.wait_for(sink.first.wait(), TIMEOUT)
        await native.sink.first(ChannelAnnounced)
        await native.state("connected")
        await native.engine.close()
        await plain.pc.close()

    run(scenario)


def test_answers_the_old_data_profile() -> None:
    async def scenario() -> None:
        native, plain = Peer(), Plain(RTCBundlePolicy.BALANCED)
        await native.engine.start()
        plain.pc._sctpLegacySdp = True
        plain.pc.createDataChannel("chat")
        await plain.pc.setLocalDescription(await plain.pc.createOffer())
        await native.engine.set_remote_description(to_shim(plain.pc.localDescription))
        answer = await native.engine.create_answer()
        assert "DTLS/SCTP 5000\r\n" in answer.sdp
        assert "UDP/DTLS" not in answer.sdp
        await native.engine.set_local_description(answer)
        await native.gathered()
        await plain.pc.setRemoteDescription(to_aiortc(native.engine.local_state().current_local))
        await native.sink.first(ChannelAnnounced)
        await native.engine.close()
        await plain.pc.close()

    run(scenario)
