"""Flags: precedence, files, context, providers, rollout."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shim.flags.configfile import ConfigFile, ConfigReader
from shim.flags.context import context_backend, use_backend
from shim.flags.resolver import Choice, Resolver
from shim.flags.rollout import BASIS_POINTS, Rollout, process_key
from shim.flags.sources import Sources
from shim.spi.capabilities import Component
from shim.spi.errors import FlagConfigError
from shim.spi.records import TraceStep

CHOICES = ("native", "legacy", "mine", "yours")
PEER = Component.PEER


class Case:
    """A resolver over an environment and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.trace: list[TraceStep] = []
        self.resolver = Resolver(Sources(self.environ, folder))

    def write(self, text: str, name: str = "shim.toml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def resolve(self, component: Component = PEER, *, backend: str | None = None, key: str | None = None) -> Choice:
        self.trace = []
        return self.resolver.resolve(component, CHOICES, self.trace, backend=backend, targeting_key=key)

    def said(self) -> dict[str, str]:
        return {step.source: step.outcome for step in self.trace}

    def skipped(self) -> list[str]:
        return [step.outcome for step in self.trace if step.outcome.startswith("skipped")]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


# --- precedence ----------------------------------------------------------------------------------------


def test_the_default_is_native(case: Case) -> None:
    assert case.resolve() == Choice("native", "default", "chosen")


def test_each_source_beats_those_below(case: Case) -> None:
    case.write('backend = "mine"')
    assert case.resolve() == Choice("mine", "file", "chosen")
    case.environ["SHIM_BACKEND"] = "yours"
    assert case.resolve() == Choice("yours", "environment", "chosen")
    with use_backend("legacy"):
        assert case.resolve() == Choice("legacy", "context", "chosen")
        assert case.resolve(backend="native") == Choice("native", "explicit", "chosen")


def test_sources_below_the_winner_are_not_asked(case: Case) -> None:
    case.environ["SHIM_BACKEND_PEER"] = "legacy"
    case.resolve()
    assert case.trace[-1] == TraceStep("environment SHIM_BACKEND_PEER", "legacy", "chosen")


@pytest.mark.parametrize("component", Component)
def test_a_components_own_variable_beats_the_general_one(case: Case, component: Component) -> None:
    case.environ |= {"SHIM_BACKEND": "yours", f"SHIM_BACKEND_{component.upper()}": "mine"}
    assert case.resolve(component).backend == "mine"
    assert {case.resolve(other).backend for other in Component if other is not component} == {"yours"}


def test_within_a_source_the_more_specific_wins(case: Case) -> None:
    case.environ["SHIM_BACKEND"] = "yours"
    case.environ["SHIM_ROLLOUT_PEER"] = "mine=100"
    assert case.resolve() == Choice("mine", "environment", "rollout")
    case.environ["SHIM_BACKEND_PEER"] = "legacy"
    assert case.resolve() == Choice("legacy", "environment", "chosen")


def test_the_environment_is_read_at_each_decision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    resolver = Resolver(Sources(directory=tmp_path))
    for name in ("mine", "yours"):
        monkeypatch.setenv("SHIM_BACKEND", name)
        assert resolver.resolve(PEER, CHOICES, []).backend == name


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_variable_counts_as_unset(case: Case, blank: str) -> None:
    case.environ["SHIM_BACKEND"] = blank
    assert case.resolve().source == "default"


# --- impossible values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("typo", ["nativ", "Native", "natvie"])
def test_an_explicit_typo_is_an_error_that_names_the_choices(case: Case, typo: str) -> None:
    with pytest.raises(FlagConfigError) as caught:
        case.resolve(backend=typo)
    message = str(caught.value)
    assert f"peer, explicit value: backend {typo!r} is not known" in message
    assert "Choices: 'legacy', 'mine', 'native', 'yours'. Did you mean 'native'?" in message


def test_a_typo_by_context_is_an_error_that_names_the_choices(case: Case) -> None:
    with use_backend("qwerty"), pytest.raises(FlagConfigError, match=r"context value.*'qwerty'.*Choices: 'legacy'"):
        case.resolve()


def test_an_unknown_component_is_an_error_that_names_the_choices() -> None:
    with pytest.raises(FlagConfigError, match=r"component 'pear'.*'peer'.*Did you mean 'peer'\?"):
        use_backend("native", component="pear")


def test_a_bad_value_of_the_environment_is_logged_once_traced_and_skipped(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.environ["SHIM_BACKEND"] = "nativ"
    case.write('backend = "mine"')
    for _ in range(3):
        assert case.resolve() == Choice("mine", "file", "chosen")
        assert "Did you mean 'native'?" in case.said()["environment SHIM_BACKEND"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "skipped environment SHIM_BACKEND = nativ: backend 'nativ' is not known" in caplog.text


BAD_FILES = {
    'backend = "nativ"': "backend 'nativ' is not known",
    "backend = 3": "3 is not the name of a backend",
    "backend = ": "it is not valid TOML",
    'bakend = "mine"': "the key 'bakend' is not known. Did you mean 'backend'?",
    '[components]\npear = "mine"': "components.pear names no component. Did you mean 'peer'?",
    "components = 3": "'components' is not a table",
    "[rollout]\npeer = {native = 30, legacy = 60}": "the shares add up to 90 %, not 100 %",
    "[rollout]\npeer = {native = 30, nobody = 70}": "backend 'nobody' is not known",
    "[rollout]\npeer = 3": "3 is not a table of backend = percent",
    "[rollout]\npeer = {native = true}": "the share of 'native' is True, not a percentage",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_bad_file_is_logged_once_traced_and_skipped(case: Case, text: str, caplog: pytest.LogCaptureFixture) -> None:
    case.write(text)
    for _ in range(2):
        assert case.resolve() == Choice("native", "default", "chosen")
        assert len(case.skipped()) == 1
        assert BAD_FILES[text] in case.skipped()[0]
    assert len(caplog.records) == 1


def test_a_bad_key_does_not_spoil_its_neighbours(case: Case) -> None:
    case.write('nonsense = 1\nbackend = "mine"\n[components]\nsurface = "yours"')
    assert case.resolve().backend == "mine"
    assert case.resolve(Component.SURFACE).backend == "yours"


# --- files ---------------------------------------------------------------------------------------------


def test_the_nearest_file_upwards_applies(case: Case, tmp_path: Path) -> None:
    case.write('backend = "mine"')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert Resolver(Sources({}, below)).resolve(PEER, CHOICES, []).backend == "mine"
    (tmp_path / "a" / "shim.toml").write_text('backend = "yours"')
    assert Resolver(Sources({}, below)).resolve(PEER, CHOICES, []).backend == "yours"


def test_the_search_starts_where_the_process_stands(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.write('backend = "mine"')
    monkeypatch.chdir(case.folder)
    assert Resolver(Sources({})).resolve(PEER, CHOICES, []).source == "file"


def test_pyproject_counts_when_it_has_our_table(case: Case, tmp_path: Path) -> None:
    case.write('[tool.webrtc-shim]\nbackend = "mine"', "pyproject.toml")
    below = tmp_path / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text('[tool.other]\nbackend = "yours"')
    assert Resolver(Sources({}, below)).resolve(PEER, CHOICES, []).backend == "mine"


def test_shim_toml_beats_pyproject_in_one_folder(case: Case) -> None:
    case.write('[tool.webrtc-shim]\nbackend = "mine"', "pyproject.toml")
    case.write('backend = "yours"')
    assert case.resolve().backend == "yours"


def test_a_broken_pyproject_is_the_business_of_others(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.write("this is = = not toml", "pyproject.toml")
    assert case.resolve().source == "default"
    assert caplog.records == []


def test_shim_config_names_the_file(case: Case, tmp_path: Path) -> None:
    case.write('backend = "mine"')
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text('backend = "yours"')
    case.environ["SHIM_CONFIG"] = str(elsewhere)
    assert case.resolve().backend == "yours"


@pytest.mark.parametrize("path", ["missing.toml", "shim.toml/below.toml"])
def test_a_missing_shim_config_is_skipped_and_nothing_else_is_searched(case: Case, path: str) -> None:
    case.write('backend = "mine"')
    case.environ["SHIM_CONFIG"] = str(case.folder / path)
    assert case.resolve().source == "default"
    assert "names a file that does not exist" in case.skipped()[0]


def test_a_file_that_cannot_be_read_is_skipped(case: Case) -> None:
    (case.folder / "shim.toml").mkdir()
    assert case.resolve().source == "default"
    assert "it cannot be read" in case.skipped()[0]


def test_a_file_is_parsed_again_only_when_it_changes(case: Case) -> None:
    reader = ConfigReader()
    path = case.write('backend = "mine"')
    first = reader.find(case.folder, None)
    assert reader.find(case.folder, None) is first
    path.write_text('backend = "yours"')
    stamp = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(stamp, stamp))
    assert reader.find(case.folder, None) == ConfigFile(path, {"backend": "yours"})


def test_nothing_is_read_while_importing(tmp_path: Path) -> None:
    (tmp_path / "shim.toml").write_text("this is = = not toml")
    code = (
        "import os, sys, pathlib\n"
        "def refuse(*args): raise SystemExit(f'read while importing: {args}')\n"
        "os.environ.__class__.get = os.environ.__class__.__getitem__ = refuse\n"
        "pathlib.Path.cwd = refuse\n"
        "import shim.flags.resolver, shim._core.dispatch\n"
        "print('tomllib' in sys.modules, 'openfeature' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[1] == "False"


# --- policies ------------------------------------------------------------------------------------------


def test_nobody_says_anything_about_fallback(case: Case) -> None:
    policy = case.resolver.policy(CHOICES, [])
    assert (policy.fallback, policy.blocked) == (None, frozenset())


@pytest.mark.parametrize(
    ("variable", "file", "expected"),
    [
        ("legacy, native", None, ("legacy", "native")),
        ("never", None, ()),
        (None, 'fallback = ["mine", "native"]', ("mine", "native")),
        (None, 'fallback = "never"', ()),
        ("legacy", 'fallback = "never"', ("legacy",)),
        ("nevr", 'fallback = ["mine"]', ("mine",)),
        ("nobody,mine,mine", None, ("mine",)),
        (None, "fallback = 3", None),
        (None, "fallback = [3]", None),
    ],
)
def test_the_fallback_policy(
    case: Case, variable: str | None, file: str | None, expected: tuple[str, ...] | None
) -> None:
    if variable:
        case.environ["SHIM_FALLBACK"] = variable
    if file:
        case.write(file)
    assert case.resolver.policy(CHOICES, []).fallback == expected


def test_a_typo_in_the_block_list_is_logged(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.environ["SHIM_BLOCK_BACKENDS"] = "nativ, legacy"
    trace: list[TraceStep] = []
    assert case.resolver.policy(CHOICES, trace).blocked == {"legacy"}
    assert "Did you mean 'native'?" in caplog.text
    assert TraceStep("SHIM_BLOCK_BACKENDS", "legacy", "read") in trace


# --- context -------------------------------------------------------------------------------------------


def test_scopes_nest_and_components_keep_apart() -> None:
    with use_backend("native"), use_backend("mine", component="surface"):
        assert (context_backend(PEER), context_backend(Component.SURFACE)) == ("native", "mine")
        with use_backend("legacy"):
            assert (context_backend(PEER), context_backend(Component.SURFACE)) == ("legacy", "mine")
        assert context_backend(PEER) == "native"
    assert context_backend(PEER) is None


def test_a_scope_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), use_backend("native"):
        raise KeyError
    assert context_backend(PEER) is None


def test_tasks_inherit_the_scope_and_do_not_disturb_each_other() -> None:
    shared = use_backend("mine")

    async def inside(scope: use_backend, entered: asyncio.Barrier) -> str | None:
        with scope:
            await entered.wait()
            return context_backend(PEER)

    async def inherited() -> str | None:
        return context_backend(PEER)

    async def main() -> list[str | None]:
        barrier = asyncio.Barrier(3)
        with use_backend("yours"):
            before = asyncio.create_task(inherited())
        scopes = [shared, shared, use_backend("legacy")]
        return [await before, *await asyncio.gather(*(inside(scope, barrier) for scope in scopes)), await inherited()]

    assert asyncio.run(main()) == ["yours", "mine", "mine", "legacy", None]


def test_a_thread_of_asyncio_inherits_the_scope() -> None:
    async def main() -> str | None:
        with use_backend("mine"):
            return await asyncio.to_thread(context_backend, PEER)

    assert asyncio.run(main()) == "mine"


def test_a_function_can_be_decorated() -> None:
    @use_backend("mine")
    def function(depth: int) -> str | None:
        return function(depth - 1) if depth else context_backend(PEER)

    assert function(2) == "mine"
    assert function.__name__ == "function"
    assert context_backend(PEER) is None


def test_a_coroutine_function_can_be_decorated() -> None:
    @use_backend("mine")
    async def function() -> str | None:
        await asyncio.sleep(0)
        return context_backend(PEER)

    async def main() -> list[str | None]:
        return [*await asyncio.gather(function(), function()), context_backend(PEER)]

    assert asyncio.run(main()) == ["mine", "mine", None]


def test_generators_are_refused() -> None:
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    for function in (generator, async_generator):
        with pytest.raises(TypeError, match="use `with` inside it"):
            use_backend("native")(function)


# --- OpenFeature ---------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[dict[str, object]]:
    """Let OpenFeature serve from this dictionary: flag key -> value, or an exception to raise."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    flags: dict[str, object] = {}

    def evaluate(flag: InMemoryFlag[object], context: EvaluationContext) -> object:
        value = flags["shim.backend.peer"]
        if isinstance(value, dict):
            value = value[context.targeting_key]
        if isinstance(value, Exception):
            raise value
        from openfeature.flag_evaluation import FlagResolutionDetails

        return FlagResolutionDetails(value)

    flag: InMemoryFlag[object] = InMemoryFlag("unused", {"unused": ""}, context_evaluator=evaluate)  # type: ignore[arg-type]
    api.set_provider(InMemoryProvider({"shim.backend.peer": flag}))
    yield flags
    api.clear_providers()


def test_a_provider_beats_the_environment_and_loses_to_the_context(case: Case, provider: dict[str, object]) -> None:
    provider["shim.backend.peer"] = "mine"
    case.environ["SHIM_BACKEND"] = "yours"
    assert case.resolve() == Choice("mine", "provider", "chosen")
    with use_backend("legacy"):
        assert case.resolve().source == "context"


def test_a_provider_is_told_the_targeting_key(case: Case, provider: dict[str, object]) -> None:
    provider["shim.backend.peer"] = {"ann": "mine", "bob": "legacy"}
    assert [case.resolve(key=key).backend for key in ("ann", "bob")] == ["mine", "legacy"]


def test_a_flag_that_the_provider_does_not_know_is_no_fault(
    case: Case, provider: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    assert case.resolve(Component.SURFACE) == Choice("native", "default", "chosen")
    assert case.said()["provider shim.backend.surface"] == "says nothing"
    assert "surface" not in caplog.text


@pytest.mark.parametrize("value", [RuntimeError("the service is down"), "nativ", 3])
def test_a_bad_value_of_a_provider_is_logged_once_traced_and_skipped(
    case: Case, provider: dict[str, object], value: object, caplog: pytest.LogCaptureFixture
) -> None:
    provider["shim.backend.peer"] = value
    for _ in range(2):
        assert case.resolve() == Choice("native", "default", "chosen")
        assert case.said()["provider shim.backend.peer"].startswith("skipped")
    ours = [record for record in caplog.records if record.name == "shim.flags.resolver"]
    assert [record.levelname for record in ours] == ["WARNING"]


def test_a_provider_whose_client_raises_is_skipped(
    case: Case, provider: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfeature import api

    def broken() -> None:
        raise RuntimeError("no client today")

    monkeypatch.setattr(api, "get_client", broken)
    assert case.resolve().source == "default"
    assert case.skipped() == ["skipped: it raised RuntimeError: no client today"]


# --- rollout -------------------------------------------------------------------------------------------

keys = st.text(max_size=40)
points = st.integers(0, BASIS_POINTS)


def shares(**parts: int) -> Rollout:
    return Rollout.of({name: f"{part / 100:.2f}" for name, part in parts.items()})


@given(keys, points, points)
def test_raising_a_share_moves_no_key_away(key: str, one: int, other: int) -> None:
    less, more = sorted((one, other))
    before, after = (shares(native=part, legacy=BASIS_POINTS - part) for part in (less, more))
    if before.draw("peer", key) == "native":
        assert after.draw("peer", key) == "native"


@given(keys, points, points, st.data())
def test_raising_one_share_of_three_at_the_cost_of_the_others_moves_no_key_away(
    key: str, one: int, other: int, data: st.DataObject
) -> None:
    low, high = sorted((one, other))
    before = {"a": low, "b": high - low, "c": BASIS_POINTS - high}
    growing = data.draw(st.sampled_from("abc"))
    cut = {name: data.draw(st.integers(0, part)) for name, part in before.items() if name != growing}
    after = {name: part - cut.get(name, 0) for name, part in before.items()}
    after[growing] += sum(cut.values())
    if shares(**before).draw("peer", key) == growing:
        assert shares(**after).draw("peer", key) == growing


@given(keys, points)
def test_the_order_of_writing_means_nothing(key: str, part: int) -> None:
    one = Rollout.parse(f"native={part / 100:.2f},legacy={(BASIS_POINTS - part) / 100:.2f}")
    other = Rollout.parse(f" legacy = {(BASIS_POINTS - part) / 100:.2f} , native = {part / 100:.2f} ")
    assert one == other
    assert one.draw("peer", key) == other.draw("peer", key)


@given(keys)
def test_whole_and_nothing_are_exact(key: str) -> None:
    assert shares(native=0, legacy=BASIS_POINTS).draw("peer", key) == "legacy"
    assert shares(native=BASIS_POINTS, legacy=0).draw("peer", key) == "native"


@settings(max_examples=20)
@given(points)
def test_the_shares_come_out_as_asked(part: int) -> None:
    rollout = shares(native=part, legacy=BASIS_POINTS - part)
    drawn = sum(rollout.draw("peer", f"user-{number}") == "native" for number in range(2000))
    assert abs(drawn / 2000 - part / BASIS_POINTS) < 0.06


def test_a_key_stays_where_it_is_from_release_to_release() -> None:
    rollout = Rollout.parse("native=50,legacy=50")
    marks = [rollout.mark("peer", key) for key in ("ann", "bob", "", "\u00e9\U0001f600")]
    assert marks == [4650, 3726, 4641, 2089]
    assert rollout.mark("surface", "ann") != rollout.mark("peer", "ann")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("native", "'native' is not of the form backend=percent"),
        ("native=30,", "'' is not of the form"),
        ("native=thirty", "the share of 'native' is 'thirty', not a percentage"),
        ("native=30,native=70", "'native' has two shares"),
        ("native=-1,legacy=101", "not between 0 and 100"),
        ("native=nan", "not between 0 and 100"),
        ("native=33.333,legacy=66.667", "two decimals are the most"),
        ("native=30,legacy=60", "add up to 90 %"),
    ],
)
def test_malformed_shares_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rollout.parse(text)


def test_hundredths_of_a_percent_count() -> None:
    assert Rollout.parse("native=0.01,legacy=99.99").shares == (("legacy", 9999), ("native", 1))


def test_without_a_key_a_process_draws_once_and_says_so(case: Case) -> None:
    case.write("[rollout]\npeer = {native = 50, legacy = 50}")
    assert len({case.resolve().backend for _ in range(20)}) == 1
    assert f"this process's random key {process_key()!r} falls on" in case.trace[-1].outcome
    assert case.resolve(key="ann").reason == "rollout"
    assert "key 'ann' falls on" in case.trace[-1].outcome


def test_processes_draw_different_keys() -> None:
    code = "from shim.flags.rollout import process_key; print(process_key())"
    drawn = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert drawn.stdout.strip() != process_key()
