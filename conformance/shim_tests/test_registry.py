"""The registry: what it accepts, refuses, and how it keeps plugins apart."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from conformance.shim_tests.toys import Toy, ToyEngine, ToySink, Watcher, registry_of
from shim._core.registry import Registry, get_registry
from shim.spi.capabilities import CORE, Capability, Component
from shim.spi.engines import EngineConfig, EventSink, PeerEngine
from shim.spi.errors import BackendContractError, BackendUnavailableError, FlagConfigError
from shim.spi.hookspecs import ENTRY_POINT_GROUP, hookimpl
from shim.spi.records import BackendInfo, ProbeResult

GOOD_MODULE = """
from conformance.shim_tests.toys import Toy
toy = Toy("{name}")
"""


def entry_point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, ENTRY_POINT_GROUP)


# --- entry points --------------------------------------------------------------------------------------


def test_entry_points_are_loaded_on_first_use_and_once() -> None:
    calls = []

    def find() -> list[EntryPoint]:
        calls.append(1)
        return []

    registry = Registry(find)
    assert calls == []
    registry.names()
    registry.names()
    assert calls == [1]


def test_a_broken_entry_point_breaks_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good_backend.py").write_text(GOOD_MODULE.format(name="good"))
    (tmp_path / "bad_backend.py").write_text("raise RuntimeError('no such\\nlibrary')")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry(
        lambda: [
            entry_point("bad", "bad_backend"),
            entry_point("good", "good_backend:toy"),
            entry_point("lost", "no_such_module_anywhere"),
        ]
    )
    assert registry.names() == ("good",)
    assert [(plugin.name, plugin.value) for plugin in registry.broken] == [
        ("bad", "bad_backend"),
        ("lost", "no_such_module_anywhere"),
    ]
    assert registry.broken[0].error == "RuntimeError: no such library"
    assert "bad_backend is broken" in caplog.text
    with pytest.raises(BackendUnavailableError, match="'bad' is installed but broken: RuntimeError: no such library"):
        registry.info("bad")


def test_an_entry_point_whose_name_is_not_the_backends_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alias_backend.py").write_text(GOOD_MODULE.format(name="mine"))
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry(lambda: [entry_point("yours", "alias_backend:toy")])
    assert "registered as 'yours' but calls itself 'mine'" in registry.broken[0].error


def test_threads_that_come_together_load_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threaded_backend.py").write_text(GOOD_MODULE.format(name="threaded"))
    monkeypatch.syspath_prepend(tmp_path)
    calls: list[int] = []
    gate = threading.Barrier(8)
    seen: list[tuple[str, ...]] = []

    def find() -> list[EntryPoint]:
        calls.append(1)
        return [entry_point("threaded", "threaded_backend:toy")]

    registry = Registry(find)

    def look() -> None:
        gate.wait(10)
        registry.probe("threaded")
        seen.append(registry.names())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert calls == [1]
    assert seen == [("threaded",)] * 8


def test_the_registry_of_the_process_is_one() -> None:
    assert get_registry() is get_registry()


def test_importing_the_machinery_loads_no_backend_and_no_metadata() -> None:
    code = "import sys, shim._core.dispatch; print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"aiortc", "av", "backends", "openfeature", "typer"} & set(loaded.stdout.split())


# --- the contract --------------------------------------------------------------------------------------


class Misspelt(Toy):
    @hookimpl
    def shim_prob(self) -> ProbeResult:
        return ProbeResult(True)


class WrongSignature(Toy):
    @hookimpl
    def shim_create_peer_engine(self, config: EngineConfig, sinc: EventSink) -> PeerEngine:
        raise NotImplementedError


class Unhashable(Toy):
    __hash__ = None  # type: ignore[assignment]


class NoProbe:
    @hookimpl
    def shim_backend_info(self) -> BackendInfo:
        return Toy("lazy").info


class NoInfo(Toy):
    @hookimpl
    def shim_backend_info(self) -> BackendInfo:
        raise OSError("disk on fire")


class JunkInfo(Toy):
    @hookimpl
    def shim_backend_info(self) -> BackendInfo:
        return "a backend"  # type: ignore[return-value]


REFUSED: list[tuple[object, str]] = [
    (Misspelt("mine"), r"unknown hook 'shim_prob'.*Did you mean 'shim_probe'"),
    (WrongSignature("mine"), r"(?s)hookimpl definition: shim_create_peer_engine\(config.*sinc"),
    (Unhashable("mine"), "unhashable"),
    (NoProbe(), "it has no hook shim_probe"),
    (NoInfo(), "raised OSError: disk on fire"),
    (JunkInfo(), "returned 'a backend', not a BackendInfo"),
    (Toy("Mine"), "its name must be lower case"),
    (Toy("mine", capabilities=CORE - {Capability.STATS}), "without the core capabilities stats"),
    (Toy("mine", capabilities=CORE | {"telepathy"}), "capabilities.*telepathy.*unknown"),  # type: ignore[arg-type]
    (Toy("mine", components=frozenset({Component.VIDEO_ENCODE})), "it has no hook shim_create_video_encoder"),
]


@pytest.mark.parametrize(("plugin", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_a_plugin_that_breaks_the_contract_is_refused_and_leaves_no_trace(plugin: object, message: str) -> None:
    registry = registry_of(Toy("native"))
    with pytest.raises(BackendContractError, match=message):
        registry.register(plugin)
    assert registry.names() == ("native",)
    registry.register(Toy("mine"))
    assert registry.names() == ("mine", "native")


def test_a_backend_without_peer_needs_no_core_capability() -> None:
    registry = registry_of(Toy("screen", components=frozenset({Component.SURFACE}), capabilities=frozenset()))
    assert registry.names() == ("screen",)


def test_a_second_backend_of_the_same_name_is_refused() -> None:
    registry = registry_of(Toy("mine"))
    with pytest.raises(BackendContractError, match="another backend has this name"):
        registry.register(Toy("mine"))


def test_the_same_plugin_twice_is_refused_and_stays() -> None:
    toy = Toy("mine")
    registry = registry_of(toy)
    with pytest.raises(BackendContractError, match="already registered"):
        registry.register(toy)
    assert registry.names() == ("mine",)
    assert registry.probe("mine").available


def test_unregistering_forgets_the_probe() -> None:
    registry = registry_of(Toy("mine", probe=ProbeResult(False, "no")))
    assert not registry.probe("mine").available
    registry.unregister("mine")
    assert registry.names() == ()
    registry.register(Toy("mine"))
    assert registry.probe("mine").available
    with pytest.raises(BackendUnavailableError, match="no plugin 'yours'"):
        registry.unregister("yours")


# --- who is asked --------------------------------------------------------------------------------------


class Wrapper:
    """Watches creations, as a tracing plugin does."""

    def __init__(self) -> None:
        self.created: list[object] = []

    @hookimpl(wrapper=True)
    def shim_create_peer_engine(self, config: EngineConfig) -> Generator[None, object, object]:
        engine = yield
        self.created.append(engine)
        return engine


def test_a_hook_reaches_the_chosen_backend_alone_and_wrappers_still_run() -> None:
    wrapper = Wrapper()
    registry = registry_of(Toy("native"), Toy("legacy"), Toy("mine"), wrapper)
    for name in ("native", "legacy", "mine"):
        engine = registry.hook_for(name).shim_create_peer_engine(config=EngineConfig(), sink=ToySink())
        assert isinstance(engine, ToyEngine)
        assert engine.backend == name
    assert len(wrapper.created) == 3
    assert registry.names() == ("legacy", "mine", "native")


def test_a_backend_that_arrives_later_is_narrowed_away_too() -> None:
    registry = registry_of(Toy("native"))
    hooks = registry.hook_for("native")
    registry.register(Toy("legacy"))
    assert hooks.shim_backend_info().name == "native"


def test_a_probe_is_asked_once() -> None:
    toy = Toy("native")
    registry = registry_of(toy)
    assert registry.probe("native") is registry.probe("native")
    assert toy.probes == 1


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (OSError("libfoo.so.1 is missing"), "its probe raised OSError: libfoo.so.1 is missing"),
        (replace(ProbeResult(False), reason="no CPU"), "no CPU"),
    ],
)
def test_a_probe_that_raises_means_unavailable(probe: ProbeResult | Exception, reason: str) -> None:
    result = registry_of(Toy("native", probe=probe)).probe("native")
    assert (result.available, result.reason) == (False, reason)


def test_a_probe_that_returns_junk_means_unavailable() -> None:
    assert "not a ProbeResult" in registry_of(Toy("native", probe=None)).probe("native").reason  # type: ignore[arg-type]


def test_a_missing_backend_of_ours_says_how_to_get_it() -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        registry_of(Toy("native")).info("legacy")
    assert str(caught.value) == "backend 'legacy' is not installed. Install it with: pip install webrtc-shim-legacy"
    assert caught.value.backend == "legacy"


def test_a_name_that_nobody_knows_is_a_flag_error() -> None:
    with pytest.raises(FlagConfigError, match=r"Choices: 'legacy', 'native'\. Did you mean 'native'"):
        registry_of(Toy("native")).info("natve")


# --- notifications -------------------------------------------------------------------------------------


class Grumpy(Watcher):
    @hookimpl
    def shim_shadow_result(self, component: Component, same: bool, detail: str) -> None:
        raise ValueError("not today")


class Shadow:
    def __init__(self) -> None:
        self.details: list[str] = []

    @hookimpl
    def shim_shadow_result(self, component: Component, same: bool, detail: str) -> None:
        self.details.append(detail)


def test_every_plugin_is_told_though_others_raise(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Shadow(), Shadow()
    registry = registry_of(first, Grumpy(), second, Grumpy())
    registry.tell("shim_shadow_result", component=Component.PEER, same=True, detail="equal")
    assert (first.details, second.details) == (["equal"], ["equal"])
    assert caplog.text.count("ValueError: not today") == 2


def test_the_example_of_a_backend_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples" / "toy_backend")
    registry = Registry(lambda: [entry_point("toy", "shim_toy")])
    assert (registry.names(), registry.broken) == (("toy",), ())
    assert registry.probe("toy").available
