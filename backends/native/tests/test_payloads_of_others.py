"""VP9 and AV1 in RTP as any legal sender may write them, by a writer that shares nothing with our packetisers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st

from backends.native.payloads_av1 import assemble, unpack_av1
from backends.native.payloads_vp9 import unpack_vp9

# --- VP9: RFC 9628 section 4.2 -----------------------------------------------------------------------


@dataclass(frozen=True)
class Descriptor:
    """A payload descriptor, and what it says of its frame."""

    written: bytes
    starts: bool
    key: bool


def _bits(*fields: tuple[int, int]) -> bytes:
    """Write (value, width) most significant first; the widths make whole bytes."""
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    assert len(text) % 8 == 0
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


@st.composite
def _picture_ids(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        return _bits((1, 1), (draw(st.integers(0, 0x7FFF)), 15))
    return _bits((0, 1), (draw(st.integers(0, 0x7F)), 7))


@st.composite
def _references(draw: st.DrawFn) -> bytes:
    """One to three differences of picture ids, each saying whether one more follows."""
    differences = draw(st.lists(st.integers(1, 127), min_size=1, max_size=3))
    last = len(differences) - 1
    return b"".join(_bits((difference, 7), (int(at < last), 1)) for at, difference in enumerate(differences))


@st.composite
def _structures(draw: st.DrawFn) -> bytes:
    """A scalability structure: sizes of one to eight layers, and a group of 0 to 255 pictures, or neither."""
    layers, sized, grouped = draw(st.integers(1, 8)), draw(st.booleans()), draw(st.booleans())
    written = _bits((layers - 1, 3), (int(sized), 1), (int(grouped), 1), (0, 3))
    if sized:
        sides = st.integers(1, 0xFFFF)
        written += b"".join(_bits((draw(sides), 16), (draw(sides), 16)) for _ in range(layers))
    if grouped:
        pictures = draw(st.lists(st.lists(st.integers(1, 255), max_size=3), max_size=12))
        written += bytes([len(pictures)]) + b"".join(
            _bits((draw(st.integers(0, 7)), 3), (draw(st.integers(0, 1)), 1), (len(refs), 2), (0, 2)) + bytes(refs)
            for refs in pictures
        )
    return written


@st.composite
def _descriptors(draw: st.DrawFn) -> Descriptor:
    predicted, layered, begins, ends, structured, unused = (draw(st.booleans()) for _ in range(6))
    flexible = draw(st.booleans())
    identified = flexible or draw(st.booleans())  # section 4.2: F set to 1 requires I
    spatial = draw(st.integers(0, 7)) if layered else 0
    flags = (identified, predicted, layered, flexible, begins, ends, structured, unused)
    written = _bits(*((int(flag), 1) for flag in flags))
    if identified:
        written += draw(_picture_ids())
    if layered:
        between = int(spatial > 0 and draw(st.booleans()))
        written += _bits((draw(st.integers(0, 7)), 3), (draw(st.integers(0, 1)), 1), (spatial, 3), (between, 1))
        written += b"" if flexible else bytes([draw(st.integers(0, 255))])
    if predicted and flexible:
        written += draw(_references())
    if structured:
        written += draw(_structures())
    starts = begins and spatial == 0
    return Descriptor(written, starts, starts and not predicted)


@given(_descriptors(), st.binary(min_size=1, max_size=100))
def test_any_legal_vp9_descriptor_is_read(descriptor: Descriptor, frame: bytes) -> None:
    assert unpack_vp9(descriptor.written + frame) == (frame, descriptor.starts, descriptor.key)


@given(_descriptors())
def test_a_vp9_descriptor_cut_short_is_a_value_error_or_read_as_one(descriptor: Descriptor) -> None:
    for length in range(len(descriptor.written)):
        try:
            rest, _, _ = unpack_vp9(descriptor.written[:length])
        except ValueError:
            continue
        raise AssertionError(f"{descriptor.written[:length].hex()} was read, and left {rest.hex()}")


# --- AV1: AOMedia's payload format, section 4 --------------------------------------------------------

DELIMITER: Final = 2
TILE_LIST: Final = 8
KINDS: Final = (1, 3, 4, 5, 6, 7, 15)


@dataclass(frozen=True)
class Obu:
    """An OBU: as it is in a temporal unit, and as a sender put it into RTP."""

    in_unit: bytes
    in_rtp: bytes


def _leb128(value: int, width: int = 1) -> bytes:
    """Write an integer in at least so many bytes: leading zeros are legal (AV1 section 4.10.5)."""
    groups = [value & 0x7F]
    while (value := value >> 7) or len(groups) < width:
        groups.append(value & 0x7F)
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


@st.composite
def _obus(draw: st.DrawFn) -> Obu:
    """With or without an extension and, in RTP, a size field. Receivers ignore delimiters and tile lists."""
    kind = draw(st.sampled_from((*KINDS, DELIMITER, TILE_LIST)))
    body = b"" if kind == DELIMITER else draw(st.binary(max_size=200))
    layers = (draw(st.integers(0, 7)), draw(st.integers(0, 3))) if draw(st.booleans()) else None
    extension = b"" if layers is None else _bits((layers[0], 3), (layers[1], 2), (0, 3))

    def header(sized: bool) -> bytes:
        return _bits((0, 1), (kind, 4), (int(layers is not None), 1), (int(sized), 1), (0, 1)) + extension

    in_unit = header(True) + _leb128(len(body)) + body
    in_rtp = in_unit if draw(st.booleans()) else header(False) + body
    return Obu(b"" if kind in {DELIMITER, TILE_LIST} else in_unit, in_rtp)


@st.composite
def _payloads(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A temporal unit, and the payloads of its packets: cut anywhere, with any W that counts the elements or none."""
    obus = draw(st.lists(_obus(), min_size=1, max_size=6))
    stream = b"".join(obu.in_rtp for obu in obus)
    edges = {0}
    for obu in obus:
        edges.add(max(edges) + len(obu.in_rtp))
    cuts = sorted({0, len(stream)} | draw(st.sets(st.integers(1, len(stream)), max_size=6)))
    payloads: list[bytes] = []
    for start, stop in pairwise(cuts):
        bounds = [start, *sorted(edge for edge in edges if start < edge < stop), stop]
        elements = [stream[a:b] for a, b in pairwise(bounds)]
        counted = len(elements) if len(elements) <= 3 and draw(st.booleans()) else 0
        first = int(not payloads and draw(st.booleans()))
        head = _bits((int(start not in edges), 1), (int(stop not in edges), 1), (counted, 2), (first, 1), (0, 3))
        measured = elements[:-1] if counted else elements
        sizes = [_leb128(len(element), draw(st.integers(1, 3))) for element in measured]
        written = b"".join(size + element for size, element in zip(sizes, measured, strict=True))
        payloads.append(head + written + (elements[-1] if counted else b""))
    return bytes([DELIMITER << 3 | 2, 0]) + b"".join(obu.in_unit for obu in obus), payloads


@given(_payloads())
@example((bytes([0x12, 0, 0x32, 1, 0xAA]), [bytes([0x20, 2, 0x12, 0, 0x30, 0xAA])]))  # a delimiter on the way
def test_any_legal_av1_packets_are_read(sent: tuple[bytes, list[bytes]]) -> None:
    unit, payloads = sent
    read = [unpack_av1(payload) for payload in payloads]
    assert assemble(b"".join(part for part, _, _ in read)) == unit
    assert [starts for _, starts, _ in read] == [not payload[0] & 0x80 for payload in payloads]
    assert [key for _, _, key in read] == [bool(payload[0] & 0x08) for payload in payloads]
