"""Dispatch: who serves, who replaces whom, and what is written down about it."""

from __future__ import annotations

import logging

import pytest

from conformance.shim_tests.toys import Toy, ToyEngine, ToySink, Watcher, dispatcher_of
from shim._core.dispatch import Dispatcher, get_dispatcher, needs_of
from shim.flags.context import use_backend
from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.engines import BitrateBounds, Certificate, EngineConfig, OpusParameters
from shim.spi.errors import (
    BackendContractError,
    BackendUnavailableError,
    CapabilityError,
    FlagConfigError,
    OperationError,
)
from shim.spi.hookspecs import hookimpl
from shim.spi.records import Decision, ProbeResult

UNABLE = ProbeResult(False, "it needs a newer machine")
ALL = CORE | frozenset(Capability)


def create(
    dispatcher: Dispatcher, config: EngineConfig | None = None, *, backend: str | None = None, key: str | None = None
) -> tuple[ToyEngine, Decision]:
    engine, decision = dispatcher.create_peer(config or EngineConfig(), ToySink(), backend=backend, targeting_key=key)
    assert isinstance(engine, ToyEngine)
    assert engine.backend == decision.backend
    return engine, decision


# --- the plain way -------------------------------------------------------------------------------------


def test_the_default_serves_and_says_why() -> None:
    _, decision = create(dispatcher_of(Toy("native"), Toy("legacy")))
    assert (decision.backend, decision.reason, decision.source) == ("native", "chosen", "default")
    assert decision.fallback_from is decision.fallbackFrom is None
    assert [(step.source, step.value, step.outcome) for step in decision.trace] == [
        ("explicit", None, "says nothing"),
        ("context", None, "says nothing"),
        decided_provider(decision),
        ("environment SHIM_BACKEND_PEER", None, "says nothing"),
        ("environment SHIM_BACKEND", None, "says nothing"),
        ("file", None, "says nothing"),
        ("default", "native", "chosen"),
        ("probe", "native", "available: a toy"),
        ("dispatch", "native", "serves"),
    ]


def decided_provider(decision: Decision) -> tuple[str, str | None, str]:
    """Return the provider's step, which is another when a test before has loaded OpenFeature."""
    step = decision.trace[2]
    assert step.source.startswith("provider")
    return step.source, step.value, step.outcome


def test_the_engine_gets_the_configuration_and_the_sink() -> None:
    config, sink = EngineConfig(bundle_policy="max-bundle"), ToySink()
    engine, _ = dispatcher_of(Toy("native")).create_peer(config, sink)
    assert isinstance(engine, ToyEngine)
    assert engine.config is config
    assert engine.sink is sink


def test_every_plugin_is_told_of_the_decision() -> None:
    watcher = Watcher()
    _, decision = create(dispatcher_of(Toy("native"), watcher))
    assert watcher.decisions == [decision]
    assert watcher.failures == []


def test_a_decision_of_another_component_creates_nothing() -> None:
    toy = Toy("mine", components=frozenset({Component.SURFACE}), capabilities=frozenset())
    watcher = Watcher()
    dispatcher = dispatcher_of(Toy("native"), toy, watcher, environ={"SHIM_BACKEND_SURFACE": "mine"})
    decision = dispatcher.decide(Component.SURFACE)
    assert (decision.component, decision.backend, decision.source) == (Component.SURFACE, "mine", "environment")
    assert watcher.decisions == [decision]


def test_rtp_capabilities_come_from_the_backend_that_would_serve() -> None:
    asked: list[tuple[str, bool]] = []

    class Asked(Toy):
        @hookimpl
        def shim_rtp_capabilities(self, kind: str, sender: bool) -> str:  # type: ignore[override]
            asked.append((kind, sender))
            return self.info.name

    dispatcher = dispatcher_of(Asked("native"), Asked("legacy"))
    assert str(dispatcher.rtp_capabilities("audio", sender=True)) == "native"
    assert str(dispatcher.rtp_capabilities("video", sender=False, backend="legacy")) == "legacy"
    assert asked == [("audio", True), ("video", False)]


def test_the_dispatcher_of_the_process_is_one() -> None:
    assert get_dispatcher() is get_dispatcher()


# --- a wish that cannot be served ----------------------------------------------------------------------

CANNOT: list[tuple[str, tuple[Toy, ...], dict[str, str], type[Exception], str]] = [
    ("missing", (Toy("native"),), {}, BackendUnavailableError, "Install it with: pip install webrtc-shim-legacy"),
    ("blocked", (Toy("legacy"), Toy("native")), {"SHIM_BLOCK_BACKENDS": "legacy"}, BackendUnavailableError, "blocked"),
    ("probe", (Toy("legacy", probe=UNABLE), Toy("native")), {}, BackendUnavailableError, "needs a newer machine"),
    ("crash", (Toy("legacy", failure=OSError("boom")), Toy("native")), {}, BackendUnavailableError, "OSError: boom"),
    ("error", (Toy("legacy", failure=OperationError("no")), Toy("native")), {}, OperationError, "^no$"),
    (
        "component",
        (Toy("legacy", components=frozenset({Component.SURFACE})), Toy("native")),
        {},
        CapabilityError,
        "does not implement the component peer. Backend 'native' can",
    ),
]
CASES = pytest.mark.parametrize(
    ("plugins", "environ", "error", "message"), [case[1:] for case in CANNOT], ids=[case[0] for case in CANNOT]
)


@CASES
def test_an_explicit_wish_is_obeyed_or_fails(
    plugins: tuple[Toy, ...], environ: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        create(dispatcher_of(*plugins, environ=environ), backend="legacy")


@CASES
def test_a_wish_by_context_is_obeyed_or_fails(
    plugins: tuple[Toy, ...], environ: dict[str, str], error: type[Exception], message: str
) -> None:
    with use_backend("legacy"), pytest.raises(error, match=message):
        create(dispatcher_of(*plugins, environ=environ))


@CASES
def test_a_wish_of_the_environment_falls_back(
    plugins: tuple[Toy, ...], environ: dict[str, str], error: type[Exception], message: str
) -> None:
    watcher = Watcher()
    dispatcher = dispatcher_of(*plugins, watcher, environ={**environ, "SHIM_BACKEND": "legacy"})
    _, decision = create(dispatcher)
    assert (decision.backend, decision.reason, decision.source) == ("native", "fallback", "environment")
    assert decision.fallbackFrom == "legacy"
    assert any(step.value == "legacy" and step.outcome.startswith("cannot serve") for step in decision.trace)
    assert watcher.failures == [("legacy", Component.PEER, error.__name__)]


@CASES
def test_a_policy_lets_an_explicit_wish_fall_back(
    plugins: tuple[Toy, ...], environ: dict[str, str], error: type[Exception], message: str
) -> None:
    dispatcher = dispatcher_of(*plugins, environ={**environ, "SHIM_FALLBACK": "legacy,native"})
    _, decision = create(dispatcher, backend="legacy")
    assert (decision.backend, decision.reason, decision.source) == ("native", "fallback", "explicit")


@CASES
def test_never_is_a_policy(
    plugins: tuple[Toy, ...], environ: dict[str, str], error: type[Exception], message: str
) -> None:
    dispatcher = dispatcher_of(*plugins, environ={**environ, "SHIM_BACKEND": "legacy", "SHIM_FALLBACK": "never"})
    with pytest.raises(error, match=message):
        create(dispatcher)


def test_the_cause_of_a_failed_creation_is_kept() -> None:
    boom = OSError("boom")
    with pytest.raises(BackendUnavailableError) as caught:
        create(dispatcher_of(Toy("native", failure=boom)), backend="native")
    assert caught.value.__cause__ is boom
    assert (caught.value.backend, caught.value.component) == ("native", "peer")


def test_a_factory_that_returns_nothing_breaks_the_contract() -> None:
    class Empty(Toy):
        @hookimpl
        def shim_create_peer_engine(self) -> None:  # type: ignore[override]
            return None

    with pytest.raises(BackendContractError, match="shim_create_peer_engine or its like returned nothing"):
        create(dispatcher_of(Empty("native")), backend="native")


def test_a_misspelt_explicit_wish_names_the_choices() -> None:
    with pytest.raises(FlagConfigError, match=r"'lagacy' is not known\. Choices: 'legacy', 'native'.*'legacy'\?"):
        create(dispatcher_of(Toy("native")), backend="lagacy")


# --- fallback ------------------------------------------------------------------------------------------


def test_native_is_tried_first_then_the_others_by_name() -> None:
    toys = [Toy(name, probe=UNABLE) for name in ("zeta", "native", "alpha", "legacy")]
    watcher = Watcher()
    dispatcher = dispatcher_of(*toys, watcher, environ={"SHIM_BACKEND": "zeta"})
    with pytest.raises(BackendUnavailableError) as caught:
        create(dispatcher)
    assert [failure[0] for failure in watcher.failures] == ["zeta", "native", "alpha", "legacy"]
    assert str(caught.value).startswith("backend 'zeta' cannot run here: it needs a newer machine. (Re)install it with")
    assert "No other backend could serve either: backend 'native'" in str(caught.value)
    assert caught.value.backend == "zeta"


def test_a_configured_order_is_followed() -> None:
    toys = [Toy(name) for name in ("native", "alpha", "legacy")]
    environ = {"SHIM_BLOCK_BACKENDS": "native", "SHIM_FALLBACK": "legacy, alpha"}
    assert create(dispatcher_of(*toys, environ=environ))[1].backend == "legacy"


def test_a_blocked_default_falls_to_the_next() -> None:
    dispatcher = dispatcher_of(Toy("native"), Toy("legacy"), environ={"SHIM_BLOCK_BACKENDS": "native"})
    _, decision = create(dispatcher)
    assert (decision.backend, decision.source, decision.fallback_from) == ("legacy", "default", "native")


def test_a_fallback_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = dispatcher_of(Toy("native", probe=UNABLE), Toy("legacy"))
    with caplog.at_level(logging.WARNING):
        create(dispatcher)
        create(dispatcher)
    assert [record.getMessage() for record in caplog.records] == [
        "peer: backend native could not serve, legacy does instead; `shim explain` says why"
    ]


def test_a_failing_watcher_does_not_keep_an_engine_from_being_created(caplog: pytest.LogCaptureFixture) -> None:
    class Grumpy:
        @hookimpl
        def shim_decided(self) -> None:
            raise ValueError("not today")

    assert create(dispatcher_of(Toy("native"), Grumpy()))[1].backend == "native"
    assert "not today" in caplog.text


# --- capabilities --------------------------------------------------------------------------------------

NEEDS = {
    Capability.PORT_RANGE: EngineConfig(port_range=(5000, 5100)),
    Capability.MTU: EngineConfig(mtu=1280),
    Capability.ICE_RELAY: EngineConfig(ice_transport_policy="relay"),
    Capability.CERTIFICATES: EngineConfig(certificates=(Certificate("key", "certificate"),)),
    Capability.BITRATE_BOUNDS: EngineConfig(bitrate=BitrateBounds(max=1_000_000)),
    Capability.OPUS_PARAMETERS: EngineConfig(opus=OpusParameters(fec=False)),
    Capability.JITTER_TARGET: EngineConfig(jitter_target=0.1),
}


def test_a_plain_configuration_needs_nothing() -> None:
    assert needs_of(EngineConfig()) == frozenset()


@pytest.mark.parametrize(("capability", "config"), NEEDS.items())
def test_a_setting_needs_its_capability(capability: Capability, config: EngineConfig) -> None:
    assert needs_of(config) == {capability}
    dispatcher = dispatcher_of(Toy("native"), Toy("legacy", capabilities=ALL))
    with pytest.raises(CapabilityError, match=f"'native' cannot do.*{capability}. Backend 'legacy' can"):
        create(dispatcher, config, backend="native")
    assert create(dispatcher, config)[1].fallback_from == "native"
    assert create(dispatcher, config, backend="legacy")[1].backend == "legacy"


def test_a_setting_that_nobody_can_do_says_so() -> None:
    with pytest.raises(CapabilityError, match=r"transport\.mtu\. Leave the setting at its default"):
        create(dispatcher_of(Toy("native")), EngineConfig(mtu=1280))


# --- explanations --------------------------------------------------------------------------------------


def test_explaining_tells_nobody_and_keeps_the_trace_of_a_failure() -> None:
    watcher = Watcher()
    dispatcher = dispatcher_of(Toy("native", probe=UNABLE), watcher, environ={"SHIM_FALLBACK": "never"})
    explanation = dispatcher.explain(Component.PEER)
    assert explanation.decision is None
    assert isinstance(explanation.error, BackendUnavailableError)
    assert explanation.trace[-1].outcome.startswith("cannot serve: backend 'native' cannot run here")
    assert watcher.failures == []


def test_explaining_a_typo_ends_with_the_typo() -> None:
    explanation = dispatcher_of(Toy("native")).explain(Component.PEER, backend="nativ")
    assert isinstance(explanation.error, FlagConfigError)
    assert [(step.source, step.value, step.outcome) for step in explanation.trace] == [("explicit", "nativ", "refused")]
