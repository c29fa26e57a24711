"""Toy backends and observers for the tests of the decision machinery: real plugins without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from shim._core.dispatch import Dispatcher
from shim._core.registry import Registry
from shim.flags.resolver import Resolver
from shim.flags.sources import Sources
from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.engines import EngineConfig, EventSink, Kind, PeerEngine, RtpCapabilities
from shim.spi.events import Event
from shim.spi.hookspecs import hookimpl
from shim.spi.records import BackendInfo, Decision, ProbeResult

WELL = ProbeResult(True, "a toy")


class ToySink:
    """Takes events and forgets them."""

    def post(self, event: Event) -> None: ...


class ToyEngine:
    """What a toy creates: it knows who made it, and of what."""

    def __init__(self, backend: str, config: EngineConfig, sink: EventSink) -> None:
        self.backend = backend
        self.config = config
        self.sink = sink


class Toy:
    """A backend.

    :param probe: what its probe says; an exception is raised.
    :param failure: raised by its factory.
    """

    def __init__(
        self,
        name: str = "native",
        *,
        components: frozenset[Component] = frozenset({Component.PEER}),
        capabilities: frozenset[Capability] = CORE,
        probe: ProbeResult | Exception = WELL,
        failure: Exception | None = None,
    ) -> None:
        self.info = BackendInfo(name, "1.0", "toy 1.0", components, capabilities, f"pip install toy-{name}")
        self.probe = probe
        self.failure = failure
        self.probes = 0

    @hookimpl
    def shim_backend_info(self) -> BackendInfo:
        return self.info

    @hookimpl
    def shim_probe(self) -> ProbeResult:
        self.probes += 1
        if isinstance(self.probe, Exception):
            raise self.probe
        return self.probe

    @hookimpl
    def shim_create_peer_engine(self, config: EngineConfig, sink: EventSink) -> PeerEngine:
        if self.failure:
            raise self.failure
        return cast("PeerEngine", ToyEngine(self.info.name, config, sink))

    @hookimpl
    def shim_create_surface(self, title: str) -> object:
        return f"{self.info.name} {title}"

    @hookimpl
    def shim_rtp_capabilities(self, kind: Kind, sender: bool) -> RtpCapabilities:
        return RtpCapabilities((), ())


class Watcher:
    """An observer: remembers what it is told."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.failures: list[tuple[str, Component, str]] = []

    @hookimpl
    def shim_decided(self, decision: Decision) -> None:
        self.decisions.append(decision)

    @hookimpl
    def shim_backend_failed(self, backend: str, component: Component, error: Exception) -> None:
        self.failures.append((backend, component, type(error).__name__))


def registry_of(*plugins: object) -> Registry:
    """Return a registry with these plugins and nothing that is installed."""
    registry = Registry(lambda: [])
    for plugin in plugins:
        registry.register(plugin)
    return registry


def dispatcher_of(*plugins: object, environ: Mapping[str, str] | None = None) -> Dispatcher:
    """Return a dispatcher over these plugins, in this environment and no other, without a configuration file."""
    return Dispatcher(registry_of(*plugins), Resolver(Sources(environ or {}, Path("/"))))
