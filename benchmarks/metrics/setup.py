"""How long two peers take to connect, and what it costs."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Final

from benchmarks.figures import median
from benchmarks.metric import Effort, Figure, Metric, Target
from benchmarks.subjects.base import Route, Subject
from benchmarks.subjects.peers import DIRECT

ROUND_TRIP: Final = 0.1
"""Seconds."""


async def connect_once(subject: Subject, route: Route = DIRECT) -> tuple[float, float]:
    """Connect a pair with a data channel; return the milliseconds until both are connected, and until it is open."""
    pair = subject.pair()
    try:
        pair.create_channel()
        began = time.perf_counter()
        await pair.connect(route)
        connected = time.perf_counter()
        await pair.far_channel()
        return (connected - began) * 1000, (time.perf_counter() - began) * 1000
    finally:
        await pair.close()


async def on_loopback(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Connect the first pair of a process, and more."""
    # What imports have left to the collector takes it 15 ms, which would fall to one pair or another by chance.
    gc.collect()
    first, _ = await connect_once(subject)
    before = time.process_time()
    later = [(await connect_once(subject))[0] for _ in range(effort.pick(8, 4))]
    cpu = (time.process_time() - before) / len(later)
    return {"first": first, "later": median(later), "cpu": cpu * 1000}


async def over_network(subject: Subject, effort: Effort) -> Mapping[str, float]:
    """Connect a pair through a network with a delay."""
    from conformance.netsim import Link, Network

    async with Network(a_to_b=Link(delay=ROUND_TRIP / 2)) as network:
        connected, opened = await connect_once(subject, Route(network, delay=ROUND_TRIP / 2))
    return {"connected": connected, "opened": opened}


METRICS = (
    Metric(
        name="setup",
        title="connection setup, loopback",
        group="connection",
        about="From createOffer() until both ends are connected, with one data channel and no ICE server. The first "
        "pair of a process, libraries loaded and garbage collected; then the median of the pairs that follow, and "
        "processor time per pair, both ends and closing included.",
        figures=(
            Figure("first", "first", "ms", targets=(Target(0.67),)),
            Figure("later", "later", "ms", targets=(Target(0.67),)),
            Figure("cpu", "CPU per pair", "ms"),
        ),
        measure=on_loopback,
        rounds=5,
        isolated=True,
    ),
    Metric(
        name="setup_100ms",
        title="connection setup, 100 ms round trip",
        group="connection",
        about="The same through a simulated network with 50 ms in each direction; offer and answer take 50 ms "
        "each, too.",
        figures=(
            Figure("connected", "connected", "ms", targets=(Target(800, over=None), Target(1.0))),
            Figure("opened", "channel open", "ms"),
        ),
        measure=over_network,
        quick_rounds=3,
    ),
)
