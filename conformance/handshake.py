"""The handshake as it crosses a simulated network: packets told apart by stage, and one of them as a trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from conformance.netsim import Network, Packet, Verdict

Stage = Literal["any", "checks", "flights", "data", "media"]
_APPLICATION_DATA: Final = 23
"""Content type of DTLS records that hold SCTP (RFC 8446 section 5.1); those of DTLS 1.3 hide theirs above 31."""
_HIDDEN: Final = 32


@dataclass(frozen=True, slots=True)
class Point:
    """A packet of the handshake, of either direction.

    :param stage: what is counted: STUN checks, flights of DTLS (packets of one side until it is the other one's turn),
        packets of SCTP, packets of media, or any.
    :param number: which of them, from 1.
    """

    stage: Stage
    number: int

    def __str__(self) -> str:
        return f"{self.stage} {self.number}"


class Trigger:
    """Acts when a certain packet crosses the network, once.

    :param act: what to do; called before the packet is handed over.
    """

    def __init__(self, network: Network, point: Point, act: Callable[[], None]) -> None:
        self._point = point
        self._act = act
        self._count = 0
        self._turn = ""
        self._removers = [pipe.on_packet(self._see) for pipe in (network.a_to_b, network.b_to_a)]

    def _see(self, packet: Packet, _: Verdict) -> None:
        if not self._counts(packet):
            return
        self._count += 1
        if self._count == self._point.number:
            for remove in self._removers:
                remove()
            self._act()

    def _counts(self, packet: Packet) -> bool:
        match self._point.stage:
            case "checks":
                return packet.kind == "stun"
            case "flights":
                return packet.kind == "dtls" and self._begins_flight(packet)
            case "data":
                return packet.kind == "dtls" and _is_application_data(packet)
            case "media":
                return packet.kind in {"rtp", "rtcp"}
        return True

    def _begins_flight(self, packet: Packet) -> bool:
        before, self._turn = self._turn, packet.direction
        return before != packet.direction


def _is_application_data(packet: Packet) -> bool:
    return packet.data[0] == _APPLICATION_DATA or packet.data[0] >= _HIDDEN
