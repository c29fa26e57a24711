"""How the suite's tests run: parametrised over backends and pairs, each on a loop of its own that must end clean."""

from __future__ import annotations

import asyncio
import datetime
import gc
import inspect
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from conformance.asserts import PATIENCE, Arrivals, connect
from conformance.divergence import Register, Selection, expect_failure, name_of, register_of
from conformance.media import media_track
from conformance.plugin import backend_names, is_of_suite
from conformance.requirements import LACKED, LACKS, missing_capability
from conformance.targets import Pair, Peers, Target, foreign_pairs_of, pairs_of
from shim.spi.capabilities import Component
from shim.spi.errors import ShimError

LIMIT: Final = 30.0
SLOW_LIMIT: Final = 100.0
"""Seconds that one coroutine test may take: a bound for what hangs."""
_REGISTERS: Final = pytest.StashKey[dict[str, Register]]()
_PROBLEMS: Final = pytest.StashKey[dict[str, list[str]]]()


class LoopErrors(list[dict[str, Any]]):
    """What the event loop's exception handler was told. A test that takes this fixture checks it itself."""


# --- collection --------------------------------------------------------------------------------------


def parametrise(metafunc: pytest.Metafunc) -> None:
    """Give a test its backends or pairs, whichever fixture it names."""
    names, choice = backend_names(metafunc.config), metafunc.config.option.pairs
    values: dict[str, list[Any]] = {
        "target": [Target(name) for name in names],
        "pair": pairs_of(names, choice),
        "foreign_pair": foreign_pairs_of(names),
    }
    for fixture, parameters in values.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, parameters, ids=str)


def apply_registers(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark registered divergences, and find out what is wrong with the registers."""
    ours = [item for item in items if is_of_suite(item)]
    names = backend_names(config)
    registers = config.stash.setdefault(_REGISTERS, {name: register_of(name) for name in names})
    for item in ours:
        expect_failure(item, targets_of(item), registers)
    selection = _selection(config, ours)
    collected = [name_of(item) for item in ours]
    today = _today()
    config.stash[_PROBLEMS] = {
        name: register.problems(collected, selection, today) for name, register in registers.items()
    }


def leave_out_slow(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect our slow tests, unless ``-m`` says what is wanted; others' are theirs to leave out."""
    if config.option.markexpr:
        return
    ours = Path(__file__).parent
    slow = [item for item in items if ours in item.path.parents and item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]


def register_problems(config: pytest.Config, backend: str) -> list[str]:
    """Return what is wrong with the register of a backend."""
    return config.stash[_PROBLEMS][backend]


def _selection(config: pytest.Config, items: list[pytest.Item]) -> Selection:
    from shim._core.registry import get_registry

    single_tests = any("::" in argument for argument in config.args)
    return Selection(
        files=frozenset() if single_tests else frozenset(item.path.name for item in items),
        backends=frozenset(backend_names(config)),
        known=get_registry().known_names(),
        is_paired=config.option.pairs == "all",
    )


def _today() -> datetime.date:
    return datetime.datetime.now(tz=datetime.UTC).date()


# --- set-up ------------------------------------------------------------------------------------------


def targets_of(item: pytest.Item) -> tuple[Target, ...]:
    """Return the backends that a test involves."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params if callspec is not None else {}
    target, pair = parameters.get("target"), parameters.get("pair") or parameters.get("foreign_pair")
    if isinstance(pair, Pair):
        return pair.targets
    return (target,) if isinstance(target, Target) else ()


def references_of(item: pytest.Item) -> tuple[Target, ...]:
    """Return the libraries that a test has backends talk to."""
    callspec = getattr(item, "callspec", None)
    pair = callspec and callspec.params.get("foreign_pair")
    if not isinstance(pair, Pair):
        return ()
    return tuple(end for end in (pair.offerer, pair.answerer) if end not in pair.targets)


def check_requirements(item: pytest.Item) -> None:
    """Skip where the machine lacks a backend or a reference peer, or the backend a capability; fail if required."""
    targets = targets_of(item)
    for target in targets:
        if absence := target.absence():
            if target.name in item.config.option.require_backend:
                pytest.fail(f"backend {target} is required, but this machine lacks it: {absence}", pytrace=False)
            pytest.skip(f"{LACKS} backend {target}: {absence}")
    for reference in references_of(item):
        if absence := reference.absence():
            pytest.skip(absence)
    if reason := _out_of_reach(targets):
        pytest.skip(reason)
    if reason := missing_capability(item.iter_markers("requires"), targets, _roles(item)):
        item.stash[LACKED] = reason
        pytest.skip(reason)


def _out_of_reach(targets: tuple[Target, ...]) -> str | None:
    """Return the reason to skip a pair of different backends, one of which reaches nobody else."""
    alone = next((target for target in targets if target.info.tier == "process"), None)
    return f"backend {alone} reaches only its own peers, within one process" if alone and len(targets) > 1 else None


def _roles(item: pytest.Item) -> dict[Target, set[str]]:
    callspec = getattr(item, "callspec", None)
    pair = callspec and (callspec.params.get("pair") or callspec.params.get("foreign_pair"))
    if not isinstance(pair, Pair):
        return {}
    roles: dict[Target, set[str]] = {}
    roles.setdefault(pair.offerer, set()).add("offerer")
    roles.setdefault(pair.answerer, set()).add("answerer")
    return roles


def seeded(config: pytest.Config, test: str) -> random.Random:
    """Return random choices that depend on the run's seed and the test, and on nothing else."""
    return random.Random(f"{config.option.conformance_seed}:{test}")


# --- running -----------------------------------------------------------------------------------------


def run_coroutine_test(item: pytest.Function, limit: float = LIMIT) -> bool:
    """Run a coroutine test on a loop of its own; tell whether it was one.

    :param limit: seconds that it may take.
    """
    if not inspect.iscoroutinefunction(item.obj):
        return False
    arguments = {name: item.funcargs[name] for name in inspect.signature(item.obj).parameters}
    with asyncio.Runner() as runner:
        runner.run(_supervised(lambda: item.obj(**arguments), item.funcargs, limit))
    return True


async def _supervised(test: Callable[[], Coroutine[Any, Any, None]], fixtures: dict[str, Any], limit: float) -> None:
    expected = next((value for value in fixtures.values() if isinstance(value, LoopErrors)), None)
    errors = LoopErrors() if expected is None else expected
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    try:
        async with asyncio.timeout(limit):
            await test()
    finally:
        for value in fixtures.values():
            if isinstance(value, Peers):
                await asyncio.wait_for(value.close(), LIMIT / 3)
    await _check_tasks()
    if expected is None and errors:
        raise errors[0].get("exception") or AssertionError(str(errors[0]))


async def _check_tasks() -> None:
    """Fail if a closed connection left a task; those that are about to end may end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, left = await asyncio.wait(others, timeout=3)
        if left:
            told = ", ".join(str(task.get_coro()) for task in left)
            raise AssertionError(f"{len(left)} tasks left behind: {told}")
    if any(isinstance(task, asyncio.Task) and task.done() for task in others):
        gc.collect()


# --- what stays ---------------------------------------------------------------------------------------


def warm_up(target: Target) -> None:
    """Let a backend create what it keeps for the life of the process, so that no test is blamed for it."""
    if target.absence() is None:
        with suppress(Exception), asyncio.Runner() as runner:  # what is broken is told by the tests of it
            runner.run(_call(target))
        with suppress(ShimError):  # its library may be an extra that is not installed
            _process(target)


def _process(target: Target) -> None:
    from shim import AudioProcessor

    if Component.AUDIO_PROCESS in target.info.components:
        AudioProcessor(backend=target.name)


async def _call(target: Target) -> None:
    peers = Peers()
    offerer, answerer = peers.open_pair(Pair(target, target))
    try:
        for kind in ("audio", "video"):
            offerer.addTrack(media_track(target, kind))
        offerer.createDataChannel("warm-up")
        arriving = Arrivals(answerer, "track")
        await connect(offerer, answerer)
        for track in await arriving.take(2):
            await asyncio.wait_for(track.recv(), PATIENCE)
    finally:
        await peers.close()
