"""Dispatch: from a wish to an engine, with a record of how it came about."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from shim._core.registry import FACTORIES, Registry, get_registry
from shim.flags.resolver import Choice, Policy, Resolver
from shim.spi.capabilities import Capability, Component
from shim.spi.engines import (
    BitrateBounds,
    EngineConfig,
    EventSink,
    Kind,
    OpusParameters,
    PeerEngine,
    RtpCapabilities,
    VideoCodecs,
)
from shim.spi.errors import BackendContractError, BackendUnavailableError, CapabilityError, ShimError
from shim.spi.hookspecs import Hooks
from shim.spi.records import BackendInfo, Decision, TraceStep

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a decision came out, also when it came to nothing.

    :param decision: `None` if no backend can serve.
    :param error: what would have been raised then.
    :param trace: every step, in order.
    """

    decision: Decision | None
    error: ShimError | None
    trace: tuple[TraceStep, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    component: Component
    backend: str | None
    targeting_key: str | None
    needs: frozenset[Capability]


class Dispatcher:
    """Decides which backend serves, and lets it create.

    :param registry: the backends.
    :param resolver: the flags.
    """

    def __init__(self, registry: Registry, resolver: Resolver) -> None:
        self.registry = registry
        self.resolver = resolver
        self._warned: set[tuple[Component, str | None, str]] = set()

    def create_peer(
        self, config: EngineConfig, sink: EventSink, *, backend: str | None = None, targeting_key: str | None = None
    ) -> tuple[PeerEngine, Decision]:
        """See :func:`create_peer`."""

        def create(hooks: Hooks) -> PeerEngine:
            return hooks.shim_create_peer_engine(config=config, sink=sink)

        return self.create(Component.PEER, create, backend=backend, targeting_key=targeting_key, needs=needs_of(config))

    def create(
        self,
        component: Component,
        create: Callable[[Hooks], T],
        *,
        backend: str | None = None,
        targeting_key: str | None = None,
        needs: frozenset[Capability] = frozenset(),
    ) -> tuple[T, Decision]:
        """Decide, create, and tell the plugins. `create` calls one factory on the hooks it is given."""
        trace: list[TraceStep] = []
        product, decision = self._serve(
            _Wish(component, backend, targeting_key, needs), create, trace, self._tell_failed
        )
        self._tell_decided(decision)
        return product, decision

    def decide(
        self,
        component: Component,
        *,
        backend: str | None = None,
        targeting_key: str | None = None,
        needs: frozenset[Capability] = frozenset(),
    ) -> Decision:
        """See :func:`decide`."""
        _, decision = self.create(
            component, lambda hooks: hooks, backend=backend, targeting_key=targeting_key, needs=needs
        )
        return decision

    def explain(
        self, component: Component, *, backend: str | None = None, targeting_key: str | None = None
    ) -> Explanation:
        """Decide without creating or telling anybody, and keep the trace of a failure too."""
        trace: list[TraceStep] = []
        wish = _Wish(component, backend, targeting_key, frozenset())
        try:
            _, decision = self._serve(wish, lambda hooks: hooks, trace, lambda *_: None)
        except ShimError as exc:
            return Explanation(None, exc, tuple(trace))
        return Explanation(decision, None, tuple(trace))

    def rtp_capabilities(self, kind: Kind, *, sender: bool, backend: str | None = None) -> RtpCapabilities:
        """See :func:`rtp_capabilities`."""

        def ask(hooks: Hooks) -> RtpCapabilities:
            return hooks.shim_rtp_capabilities(kind=kind, sender=sender)

        wish = _Wish(Component.PEER, backend, None, frozenset())
        return self._serve(wish, ask, [], lambda *_: None)[0]

    def video_codecs(self, *, backend: str | None = None) -> VideoCodecs:
        """Return what the backend that would serve now encodes and decodes. Raises as `create` does."""
        wish = _Wish(Component.VIDEO_ENCODE, backend, None, frozenset())
        return self._serve(wish, lambda hooks: hooks.shim_video_codecs(), [], lambda *_: None)[0]

    def _serve(
        self,
        wish: _Wish,
        create: Callable[[Hooks], T],
        trace: list[TraceStep],
        failed: Callable[[str, Component, ShimError], None],
    ) -> tuple[T, Decision]:
        choices = self.registry.known_names()
        choice = self.resolver.resolve(
            wish.component, choices, trace, backend=wish.backend, targeting_key=wish.targeting_key
        )
        policy = self.resolver.policy(choices, trace)
        failures: list[ShimError] = []
        for name in (choice.backend, *self._alternatives(wish.component, choice, policy)):
            try:
                product = self._attempt(name, wish, create, policy, trace)
            except ShimError as exc:
                failures.append(exc)
                trace.append(TraceStep("dispatch", name, f"cannot serve: {exc}"))
                failed(name, wish.component, exc)
                continue
            return product, _decided(wish.component, choice, name, trace)
        raise _combined(failures)

    def _alternatives(self, component: Component, choice: Choice, policy: Policy) -> tuple[str, ...]:
        """Return what to try after the choice: the policy's order, or our own unless the application chose."""
        order = policy.fallback
        if order is None:
            order = () if choice.source in {"explicit", "context"} else self._default_order(component)
        return tuple(name for name in order if name != choice.backend)

    def _default_order(self, component: Component) -> tuple[str, ...]:
        able = [name for name in self.registry.names() if component in self.registry.info(name).components]
        return tuple(sorted(able, key=lambda name: (name != "native", name)))

    def _attempt(
        self, name: str, wish: _Wish, create: Callable[[Hooks], T], policy: Policy, trace: list[TraceStep]
    ) -> T:
        if name in policy.blocked:
            raise BackendUnavailableError(
                f"backend {name!r} is blocked by SHIM_BLOCK_BACKENDS. Choose another one, or take it off that list",
                backend=name,
                component=wish.component,
            )
        self._check_able(self.registry.info(name), wish)
        probe = self.registry.probe(name)
        if not probe.available:
            message = f"backend {name!r} cannot run here: {probe.reason}. {self.registry.how_to_get(name)}".strip()
            raise BackendUnavailableError(message, backend=name, component=wish.component)
        trace.append(TraceStep("probe", name, f"available: {probe.reason}" if probe.reason else "available"))
        product = _created(name, wish.component, create, self.registry.hook_for(name))
        trace.append(TraceStep("dispatch", name, "serves"))
        return product

    def _check_able(self, info: BackendInfo, wish: _Wish) -> None:
        component = wish.component
        if component not in info.components:
            problem = f"backend {info.name!r} does not implement the component {component}"
        elif wish.needs - info.capabilities:
            missing = ", ".join(sorted(wish.needs - info.capabilities))
            problem = f"backend {info.name!r} cannot do what this {component} asks for: {missing}"
        else:
            return
        able = [name for name in self.registry.names() if name != info.name and self._is_able(name, wish)]
        advice = f"Backend {able[0]!r} can" if able else "Leave the setting at its default"
        raise CapabilityError(f"{problem}. {advice}", backend=info.name, component=component)

    def _is_able(self, name: str, wish: _Wish) -> bool:
        info = self.registry.info(name)
        return wish.component in info.components and wish.needs <= info.capabilities

    def _tell_decided(self, decision: Decision) -> None:
        change = (decision.component, decision.fallback_from, decision.backend)
        if decision.fallback_from and change not in self._warned:
            self._warned.add(change)
            logger.warning("%s: backend %s could not serve, %s does instead; `shim explain` says why", *change)
        self.registry.tell("shim_decided", decision=decision)

    def _tell_failed(self, backend: str, component: Component, error: ShimError) -> None:
        logger.info("backend %s cannot serve %s: %s", backend, component, error)
        self.registry.tell("shim_backend_failed", backend=backend, component=component, error=error)


def _created(name: str, component: Component, create: Callable[[Hooks], T], hooks: Hooks) -> T:
    try:
        product = create(hooks)
    except ShimError:
        raise
    except Exception as exc:
        message = f"backend {name!r} failed to create {component}: {type(exc).__name__}: {exc}. Try `shim doctor`"
        raise BackendUnavailableError(message, backend=name, component=component) from exc
    if product is None:
        message = f"backend {name!r} broke the contract: {FACTORIES[component]} or its like returned nothing"
        raise BackendContractError(message, backend=name, component=component)
    return product


def _decided(component: Component, choice: Choice, name: str, trace: list[TraceStep]) -> Decision:
    if name == choice.backend:
        return Decision(component, name, choice.reason, choice.source, None, tuple(trace))
    return Decision(component, name, "fallback", choice.source, choice.backend, tuple(trace))


def _combined(failures: list[ShimError]) -> ShimError:
    """Return the first failure; it is what the wish was answered with. The others are told in its message."""
    first = failures[0]
    if len(failures) == 1:
        return first
    others = "; ".join(str(failure) for failure in failures[1:])
    error = type(first)(f"{first}. No other backend could serve either: {others}")
    error.code, error.backend, error.component = first.code, first.backend, first.component
    error.__cause__ = first.__cause__ or first
    return error


def needs_of(config: EngineConfig) -> frozenset[Capability]:
    """Return the capabilities without which a configuration would not be honoured."""
    asked = {
        Capability.PORT_RANGE: config.port_range is not None,
        Capability.MTU: config.mtu is not None,
        Capability.ICE_RELAY: config.ice_transport_policy == "relay",
        Capability.CERTIFICATES: bool(config.certificates),
        Capability.BITRATE_BOUNDS: config.bitrate != BitrateBounds(),
        Capability.OPUS_PARAMETERS: config.opus != OpusParameters(),
        Capability.JITTER_TARGET: config.jitter_target > 0,
    }
    return frozenset(capability for capability, needed in asked.items() if needed)


@lru_cache(maxsize=1)
def get_dispatcher() -> Dispatcher:
    """Return the dispatcher of this process."""
    return Dispatcher(get_registry(), Resolver())


def create_peer(
    config: EngineConfig, sink: EventSink, *, backend: str | None = None, targeting_key: str | None = None
) -> tuple[PeerEngine, Decision]:
    """Create the engine of a peer connection.

    :param backend: the explicit wish; `None` leaves it to the other sources.
    :param targeting_key: what a rollout is sticky to, e.g. a user id.
    :raises FlagConfigError: an explicit or context value names no backend.
    :raises BackendUnavailableError: no backend that may serve is there, or can run here.
    :raises CapabilityError: the backend cannot do what `config` asks for.
    """
    return get_dispatcher().create_peer(config, sink, backend=backend, targeting_key=targeting_key)


def decide(
    component: Component,
    *,
    backend: str | None = None,
    targeting_key: str | None = None,
    needs: frozenset[Capability] = frozenset(),
) -> Decision:
    """Decide which backend serves an object of a component, and tell the plugins. Raises as `create_peer` does.

    :param needs: capabilities that it must have.
    """
    return get_dispatcher().decide(component, backend=backend, targeting_key=targeting_key, needs=needs)


def rtp_capabilities(kind: Kind, *, sender: bool, backend: str | None = None) -> RtpCapabilities:
    """Return what the backend that would serve now can send or receive (webrtc-pc section 5.2)."""
    return get_dispatcher().rtp_capabilities(kind, sender=sender, backend=backend)


def backend_info(name: str) -> BackendInfo:
    """Return what a backend says of itself.

    :raises BackendUnavailableError: it is not installed, or broken.
    :raises FlagConfigError: nobody knows the name.
    """
    return get_registry().info(name)
