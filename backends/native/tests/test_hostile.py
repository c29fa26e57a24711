"""What an authenticated peer may send: nothing of it ends the transport."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

import pylibsrtp
import pytest
from google_crc32c import value as crc32c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.native.channels import Association
from backends.native.private import OpenDtlsTransport
from backends.native.tests.media import Sink, Source
from backends.native.tests.peers import Peer, close, connected_pair, negotiate, run
from shim.spi.engines import Kind
from shim.spi.events import ChannelMessage, ChannelOpened

PACKETS = 300


def dtls_of(peer: Peer) -> OpenDtlsTransport:
    return peer.engine._connection.transports[0].dtls


def association_of(peer: Peer) -> Association:
    association = peer.engine._connection.association
    assert association is not None
    return association


def header_extensions() -> st.SearchStrategy[bytes]:
    """RTP header extensions of either form (RFC 8285), most of them malformed."""
    profile = st.sampled_from([0xBEDE, 0x1000, 0x100F, 0x0000])
    return st.builds(
        lambda profile, words: profile.to_bytes(2, "big") + len(words).to_bytes(2, "big") + b"".join(words),
        profile,
        st.lists(st.binary(min_size=4, max_size=4), max_size=8),
    )


def rtp_packets(ssrcs: list[int], types: list[int]) -> st.SearchStrategy[bytes]:
    """RTP packets of the streams that were negotiated, and of unknown ones that their payload types route."""
    return st.builds(
        lambda bits, kind, number, ssrc, extension, payload: (
            bytes([0x80 | bits & 0x2F | 0x10, kind])
            + number.to_bytes(2, "big")
            + bytes(4)
            + ssrc.to_bytes(4, "big")
            + bytes(4 * (bits & 0xF))
            + extension
            + payload
        ),
        st.integers(0, 255),
        st.sampled_from([*types, *(kind | 0x80 for kind in types)]),
        st.integers(0, 0xFFFF),
        st.one_of(st.sampled_from(ssrcs), st.integers(1, 0xFFFFFFFF)),
        header_extensions(),
        st.binary(max_size=60),
    )


def rtcp_packets(ssrcs: list[int]) -> st.SearchStrategy[bytes]:
    """RTCP packets of every type, with lengths that fit."""

    def build(count: int, kind: int, source: int, media: int, body: bytes) -> bytes:
        body = source.to_bytes(4, "big") + media.to_bytes(4, "big") + body[: len(body) // 4 * 4]
        return bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2, "big") + body

    ssrc = st.sampled_from([*ssrcs, 0])
    return st.builds(build, st.integers(0, 31), st.integers(192, 208), ssrc, ssrc, st.binary(max_size=60))


async def media_pair() -> tuple[Peer, Peer, dict[Kind, Sink]]:
    """Make a connected pair whose second peer receives both kinds, and sends them."""
    a, b = await connected_pair()
    sinks: dict[Kind, Sink] = {"audio": Sink(), "video": Sink()}
    for kind, sink in sinks.items():
        a.engine.add_transceiver(kind, "sendrecv", Source(kind))
        b.engine.add_transceiver(kind, "sendrecv", Source(kind)).attach(sink)
    await negotiate(a, b)
    return a, b, sinks


def ssrcs_and_types(peer: Peer) -> tuple[list[int], list[int]]:
    records = peer.engine._connection.session.values.records
    ssrcs = [ssrc for r in records for ssrc in (r.sender.ssrc, r.sender.rtx_ssrc)]
    return ssrcs, [c.payloadType for r in records for c in r.negotiated.codecs if c.payloadType is not None]


def drawn(strategy: st.SearchStrategy[bytes]) -> list[bytes]:
    """Draw packets outside a property, because one connection serves for all."""
    found: list[bytes] = []

    @settings(max_examples=PACKETS, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(packet: bytes) -> None:
        found.append(packet)

    collect()
    return found


def sctp_packets(association: Association) -> st.SearchStrategy[bytes]:
    """SCTP packets of one or more chunks, with the right ports, tag and checksum."""
    chunk = st.builds(
        lambda kind, flags, excess, body: bytes([kind, flags]) + (4 + len(body) + excess).to_bytes(2, "big") + body,
        st.sampled_from([*range(15), 130, 192, 255]),
        st.integers(0, 255),
        st.sampled_from([0, 0, 0, -1, 1, -4]),
        st.binary(max_size=24).map(lambda body: body + bytes(-len(body) % 4)),
    )
    return st.lists(chunk, min_size=1, max_size=3).map(lambda chunks: sealed(association, b"".join(chunks)))


def sealed(association: Association, chunks: bytes) -> bytes:
    head = struct.pack("!HHL", 5000, 5000, association._local_verification_tag)
    return head + struct.pack("<L", crc32c(head + bytes(4) + chunks)) + chunks


async def still_works(a: Peer, b: Peer) -> None:
    """Check that packets of both kinds are still taken."""
    assert dtls_of(a).state == dtls_of(b).state == "connected"
    channel = a.sink.of(ChannelOpened)[0].channel
    channel.send("still here")
    assert (await b.sink.first(ChannelMessage)).data == "still here"


@pytest.mark.parametrize("what", ["rtp", "rtcp"])
def test_media_packets_that_make_no_sense_are_dropped(what: str) -> None:
    async def scenario() -> None:
        a, b, sinks = await media_pair()
        for sink in sinks.values():
            await asyncio.wait_for(sink.first.wait(), 10)
        ssrcs, types = ssrcs_and_types(a)
        ours = ssrcs + ssrcs_and_types(b)[0]
        for packet in drawn(rtp_packets(ssrcs, types) if what == "rtp" else rtcp_packets(ours)):
            with suppress(pylibsrtp.Error):  # which refuses numbers that jump too far
                await dtls_of(a)._send_rtp(packet)
        await still_works(a, b)
        await close(a, b)

    run(scenario)


def test_chunks_that_make_no_sense_do_not_end_the_transport() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        for packet in drawn(sctp_packets(association_of(b))):
            await dtls_of(a)._send_data(packet)
        sink = Sink()
        a.engine.add_transceiver("audio", "sendonly", Source("audio"))
        await negotiate(a, b)
        b.engine.local_state().transceivers[0].engine.attach(sink)
        await asyncio.wait_for(sink.first.wait(), 10)
        await close(a, b)

    run(scenario)


def test_a_datagram_of_any_size_is_survived() -> None:
    async def scenario() -> None:
        a, b = await connected_pair()
        for first in (0, 20, 23, 64, 128, 191, 255):
            for size in (1, 2, 12, 13, 1500, 20_000):
                await dtls_of(a).transport._send(bytes([first]) * size)
        await still_works(a, b)
        await close(a, b)

    run(scenario)
