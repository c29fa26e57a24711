"""The plugin of the backend "mutant": which one it is says the environment, so that other processes agree."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, cast

from conformance.meta.catalogue import CONTROL, GOOD_BACKEND, Mutant, mutant_named
from conformance.meta.proxies import NAME
from shim.spi.capabilities import Component
from shim.spi.hookspecs import ENTRY_POINT_GROUP, hookimpl
from shim.spi.records import BackendInfo, ProbeResult

if TYPE_CHECKING:
    from shim.spi.engines import EngineConfig, EventSink, Kind, PeerEngine, RtpCapabilities
    from shim.spi.hookspecs import Hooks

MUTANT_VARIABLE: Final = "CONFORMANCE_MUTANT"
BASE_VARIABLE: Final = "CONFORMANCE_MUTANT_BASE"


@lru_cache(maxsize=1)
def _mutant() -> Mutant:
    return mutant_named(os.environ.get(MUTANT_VARIABLE, CONTROL), os.environ.get(BASE_VARIABLE, GOOD_BACKEND))


@lru_cache(maxsize=1)
def _base() -> Hooks:
    (point,) = set(entry_points(group=ENTRY_POINT_GROUP, name=_mutant().base))
    return cast("Hooks", point.load())


@hookimpl
def shim_backend_info() -> BackendInfo:
    """Describe the peers of the good backend under another name."""
    info, mutant = _base().shim_backend_info(), _mutant()
    engine = f"{info.engine}; mutant {mutant.name}: {mutant.description}"
    return replace(info, name=NAME, engine=engine, components=frozenset({Component.PEER}))


@hookimpl
def shim_probe() -> ProbeResult:
    """Ask the good backend."""
    return _base().shim_probe()


@hookimpl
def shim_rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Tell what the mutant says it can send or receive."""
    return _mutant().parts.capabilities(_base().shim_rtp_capabilities(kind, sender))


@hookimpl
def shim_create_peer_engine(config: EngineConfig, sink: EventSink) -> PeerEngine:
    """Create a proxy around a peer of the good backend."""
    parts = _mutant().parts
    return parts.engine(_base().shim_create_peer_engine, config, sink, parts)
