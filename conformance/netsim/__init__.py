"""A network to test with: a seeded UDP relay between any two engines, with delay, loss and all that goes wrong."""

from __future__ import annotations

from conformance.netsim.fixture import NetworkMaker
from conformance.netsim.model import Burst, Impairment, Link
from conformance.netsim.network import Network
from conformance.netsim.packets import (
    Corruption,
    DirectionName,
    DropReason,
    Packet,
    PacketKind,
    Verdict,
    kind_of,
)
from conformance.netsim.pipe import Counters, Pipe
from conformance.netsim.relay import Side
from conformance.netsim.virtual import Arrival, VirtualClock, VirtualPipe

__all__ = [
    "Arrival",
    "Burst",
    "Corruption",
    "Counters",
    "DirectionName",
    "DropReason",
    "Impairment",
    "Link",
    "Network",
    "NetworkMaker",
    "Packet",
    "PacketKind",
    "Pipe",
    "Side",
    "Verdict",
    "VirtualClock",
    "VirtualPipe",
    "kind_of",
]
