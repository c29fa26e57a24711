"""What a packet is, by its first bytes (RFC 7983, RFC 5761), and what became of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

PacketKind = Literal["stun", "dtls", "rtp", "rtcp", "turn", "other"]
DirectionName = Literal["a_to_b", "b_to_a"]
DropReason = Literal["loss", "burst", "queue", "blackout", "unreachable"]
"""Why a packet was lost: by chance, in a burst, in a full queue, in a blackout, or because nobody was there."""

_FIRST_BYTES: Final[tuple[tuple[range, PacketKind], ...]] = (
    (range(4), "stun"),
    (range(20, 64), "dtls"),
    (range(64, 80), "turn"),
    (range(128, 192), "rtp"),
)
_KINDS: Final[tuple[PacketKind, ...]] = tuple(
    next((kind for numbers, kind in _FIRST_BYTES if byte in numbers), "other") for byte in range(256)
)


def kind_of(data: bytes) -> PacketKind:
    """Tell the protocol of a datagram. SCTP is inside DTLS and cannot be seen."""
    if not data:
        return "other"
    kind = _KINDS[data[0]]
    if kind == "rtp" and len(data) > 1 and 64 <= data[1] & 0x7F < 96:
        return "rtcp"
    return kind


class Corruption(NamedTuple):
    """A byte that changes on the way.

    :param offset: which one.
    :param mask: bits that flip, 1 to 255.
    """

    offset: int
    mask: int

    def apply(self, data: bytes) -> bytes:
        """Return the damaged datagram."""
        damaged = bytearray(data)
        damaged[self.offset] ^= self.mask
        return bytes(damaged)


class Verdict(NamedTuple):
    """What becomes of one packet.

    :param deliveries: moments at which it arrives, in seconds of the clock that was passed in: none if it is lost,
        two if it is duplicated.
    :param dropped: why it is lost.
    :param corruption: the byte that is damaged.
    """

    deliveries: tuple[float, ...] = ()
    dropped: DropReason | None = None
    corruption: Corruption | None = None


class Packet(NamedTuple):
    """One datagram that entered the network.

    :param direction: ``"a_to_b"`` or ``"b_to_a"``.
    :param number: 0 for the first packet of this direction.
    :param time: when it came in, in seconds of the event loop's clock.
    """

    direction: DirectionName
    number: int
    time: float
    data: bytes

    @property
    def kind(self) -> PacketKind:
        """Its protocol."""
        return kind_of(self.data)

    @property
    def size(self) -> int:
        """Bytes of UDP payload."""
        return len(self.data)
