"""VP9 and AV1 in RTP: what goes in comes out, whatever the sizes, and damage is a ValueError."""

from __future__ import annotations

import fractions

import av
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.native.decoders import get_decoder
from backends.native.encoders import codecs_for, get_encoder
from backends.native.payloads import unpack
from backends.native.payloads_av1 import (
    DELIMITER,
    N_BIT,
    assemble,
    packetize_av1,
    read_leb128,
    split_obus,
    unpack_av1,
    with_size,
    write_leb128,
)
from backends.native.payloads_vp9 import packetize_vp9, unpack_vp9
from backends.native.video_encoders import Picture, VideoEncoder
from shim.spi.engines import EngineConfig

LIMITS = st.integers(60, 1400)


def encoded(codec: str, options: dict[str, str]) -> list[bytes]:
    """Encode six small pictures, the fourth as a key frame."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.bit_rate = 192, 128, "yuv420p", 200_000
    context.time_base, context.gop_size, context.options = fractions.Fraction(1, 30), 300, options
    units = []
    for index in range(6):
        frame = av.VideoFrame(192, 128, "yuv420p")
        for number, plane in enumerate(frame.planes):
            plane.update(bytes((7 * i * (index + 1) + number) & 0xFF for i in range(plane.buffer_size)))
        frame.pts = index
        frame.pict_type = av.video.frame.PictureType.I if index == 3 else av.video.frame.PictureType.NONE
        units += [bytes(packet) for packet in context.encode(frame)]
    return units


# --- VP9 ---------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=5000), st.integers(0, 0x7FFF), LIMITS, st.booleans())
def test_vp9_frame_comes_back(data: bytes, picture_id: int, limit: int, key: bool) -> None:
    payloads = packetize_vp9(data, picture_id, limit, key=key)
    read = [unpack_vp9(payload) for payload in payloads]
    assert b"".join(part for part, _, _ in read) == data
    assert [starts for _, starts, _ in read] == [True] + [False] * (len(read) - 1)
    assert read[0][2] is key
    assert max(map(len, payloads)) <= limit


@given(st.binary(max_size=40))
def test_vp9_garbage_is_a_value_error(payload: bytes) -> None:
    try:
        data, _, _ = unpack_vp9(payload)
    except ValueError:
        return
    assert payload.endswith(data)


def test_vp9_scalability_structure_and_layers_are_skipped() -> None:
    # I, L, B, E, V; picture id 5; layer indices with TL0PICIDX; one layer of 640x480, one picture in the group.
    header = bytes([0b1010_1110, 0x05, 0x00, 0x07, 0b0001_1000, 2, 128, 1, 224, 1, 0b0000_0100, 1])
    assert unpack_vp9(header + b"frame") == (b"frame", True, True)


def test_vp9_upper_spatial_layer_starts_no_picture() -> None:
    assert unpack_vp9(bytes([0b1011_1000, 0x05, 0b0000_0010]) + b"x") == (b"x", False, False)


# --- AV1 ---------------------------------------------------------------------------------------------

OBUS = st.lists(
    st.tuples(st.sampled_from([1, 3, 4, 5, 6, 7]), st.binary(min_size=1, max_size=3000)), min_size=1, max_size=6
)


@given(OBUS, LIMITS, st.booleans())
def test_av1_temporal_unit_comes_back(obus: list[tuple[int, bytes]], limit: int, key: bool) -> None:
    unit = DELIMITER + b"".join(with_size(bytes([kind << 3]) + body) for kind, body in obus)
    payloads = packetize_av1(unit, limit, key=key)
    read = [unpack_av1(payload) for payload in payloads]
    assert assemble(b"".join(part for part, _, _ in read)) == unit
    assert max(map(len, payloads)) <= limit
    assert [bool(payload[0] & N_BIT) for payload in payloads] == [key] + [False] * (len(payloads) - 1)
    assert read[0][1]


@given(st.binary(max_size=60))
@example(bytes([0x10, 0x04]))  # an OBU that is shorter than its header: its size came out as -1
def test_av1_garbage_is_a_value_error(payload: bytes) -> None:
    try:
        joined, _, _ = unpack_av1(payload)
        assemble(joined)
    except ValueError:
        return


@given(st.binary(max_size=60))
def test_av1_garbage_cannot_be_packed(unit: bytes) -> None:
    try:
        packetize_av1(unit, 100, key=False)
    except ValueError:
        return


@given(st.integers(0, 2**49))
def test_leb128_comes_back(value: int) -> None:
    assert read_leb128(b"x" + write_leb128(value), 1) == (value, 1 + len(write_leb128(value)))


def test_av1_elements_may_be_counted_instead_of_measured() -> None:
    payload = bytes([0x20, 2, 1 << 3, 0xAA, 6 << 3, 0xBB, 0xCC])  # W = 2: the last element has no length
    joined, starts, _ = unpack_av1(payload)
    assert starts
    assert list(split_obus(assemble(joined)))[1:] == [bytes([1 << 3, 0xAA]), bytes([6 << 3, 0xBB, 0xCC])]


def test_av1_fragments_that_do_not_follow_are_refused() -> None:
    unit = DELIMITER + with_size(bytes([6 << 3]) + bytes(500))
    first, *_ = [unpack_av1(payload)[0] for payload in packetize_av1(unit, 100, key=True)]
    with pytest.raises(ValueError, match="missing"):
        assemble(first)
    with pytest.raises(ValueError, match="follow"):
        assemble(first + first)


@pytest.mark.parametrize(
    ("codec", "options"), [("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:rtc=1"})]
)
def test_av1_of_a_real_encoder_is_decoded_after_rtp(codec: str, options: dict[str, str]) -> None:
    decoder = av.CodecContext.create("libdav1d", "r")
    pictures = 0
    for unit in encoded(codec, options):
        parts = [unpack_av1(payload)[0] for payload in packetize_av1(unit, 300, key=False)]
        pictures += len(decoder.decode(av.Packet(assemble(b"".join(parts)))))  # type: ignore[attr-defined]
    pictures += len(decoder.decode(None))  # type: ignore[attr-defined]
    assert pictures == 6


@pytest.mark.parametrize("mime", ["video/VP9", "video/AV1"])
def test_a_picture_goes_from_encoder_to_decoder(mime: str) -> None:
    codec = next(codec for codec in codecs_for("video") if codec.mimeType == mime)
    encoder, decoder = get_encoder(codec, EngineConfig(), payload_size=500), get_decoder(mime.lower())
    assert isinstance(encoder, VideoEncoder)
    keys, levels = [], []
    for index in range(4):
        frame = av.VideoFrame(160, 120, "yuv420p")
        for plane, level in zip(frame.planes, (60 * index + 20, 128, 128), strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        (encoded,) = encoder.encode(frame, 3000 * index, Picture(force_key=index == 2), float(index))
        read = [unpack(mime.lower(), payload) for payload in encoded.payloads]
        keys.append((encoded.key, read[0].key))
        (decoded,) = decoder.decode(b"".join(part.data for part in read), 3000 * index)
        assert isinstance(decoded, av.VideoFrame)
        levels.append(int(decoded.to_ndarray()[:120, :160].mean()))
    assert keys == [(True, True), (False, False), (True, True), (False, False)]
    assert levels == pytest.approx([20, 80, 140, 200], abs=3)
