"""The pytest plugin: options, what the header says, and the command that repeats a failure.

It is installed with the SDK, so it touches nothing outside the suite, and loads nothing before it is used: the
fixtures and the runner of its coroutine tests live in the suite's own ``conftest``.
"""

from __future__ import annotations

import platform
import random
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from conformance.netsim import NetworkMaker
    from conformance.report.evidence import Evidence

DEFAULT_SEED: Final = 1
NIGHTLY: Final = "nightly"
"""The profile of hypothesis with many examples."""
SUITE: Final = Path(__file__).parent / "suite"
MARKERS: Final = (
    "requires(*capabilities, of='both'): skip where a backend declares that it cannot do this",
    "spec(*sections): the sections of a specification that the test checks",
    "slow: longer than ten seconds; the suite leaves it out unless -m says otherwise",
    "judges_collection: about what was collected, which the command that repeats it collects again",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("webrtc-conformance", "conformance of WebRTC backends")
    group.addoption(
        "--backend", action="append", default=[], metavar="NAME", help="test this backend (repeatable; default: all)"
    )
    group.addoption(
        "--pairs", choices=("all", "same", "cross"), default="all", help="which ordered pairs of backends to run"
    )
    group.addoption(
        "--require-backend",
        action="append",
        default=[],
        metavar="NAME",
        help="test this backend, and fail if this machine lacks it (repeatable)",
    )
    group.addoption(
        "--conformance-seed",
        type=int,
        default=None,
        metavar="N",
        help=f"seed of the tests' random choices, hypothesis' too (default: {DEFAULT_SEED}; a nightly run draws one)",
    )
    group.addoption(
        "--conformance-tier",
        choices=("core", "full"),
        default="full",
        help="run only what every backend must do, or everything",
    )
    group.addoption(
        "--conformance-report", default=None, metavar="DIR", help="write report.html, .json and junit.xml there"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if config.option.conformance_seed is None:
        drawn = getattr(config, "workerinput", {}).get("conformance_seed")
        config.option.conformance_seed = _default_seed(config) if drawn is None else drawn
    if _concerns_us(config):
        _set_up_hypothesis(config)
    if config.option.conformance_report is not None:
        from conformance.report.registration import register_report

        register_report(config, Path(config.option.conformance_report))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    # A worker of pytest-xdist is given the command line, but not what was drawn since.
    node.workerinput["conformance_seed"] = node.config.option.conformance_seed


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.conformance_tier == "core":
        from conformance.requirements import leave_out_optional

        leave_out_optional(config, items)


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not _concerns_us(config):
        return []  # backends are not loaded in a run of somebody else's tests
    from conformance.targets import Target, references_for

    lines = [f"conformance: {platform.platform()}, seed {config.option.conformance_seed}, pairs {config.option.pairs}"]
    names = backend_names(config)
    for name in names:
        absence = Target(name).absence()
        told = f"missing: {absence}" if absence else Target(name).info.engine
        lines.append(f"conformance: backend {name}: {told}")
    for reference in references_for(names):
        absence = reference.absence()
        told = f"missing: {absence}" if absence else reference.version
        lines.append(f"conformance: reference peer {reference}: {told}")
    return lines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report: pytest.TestReport = yield
    if report.failed and is_of_suite(item):
        report.sections.append(("repeat it with", repeat_command(item)))
    return report


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Take what the test puts on record for the report. See docs/conformance.md."""
    from conformance.report.evidence import evidence_of

    return evidence_of(request.node)


@pytest.fixture
def netsim(request: pytest.FixtureRequest) -> Iterator[NetworkMaker]:
    """Make simulated networks between peers; they are closed when the test ends. See docs/netsim.md."""
    from conformance.divergence import name_of
    from conformance.netsim import NetworkMaker
    from conformance.running import seeded

    maker = NetworkMaker(seeded(request.config, name_of(request.node)).getrandbits(64))
    yield maker
    maker.close()


def _default_seed(config: pytest.Config) -> int:
    """Return the same for every run, so that a failure here is a failure everywhere; a nightly run looks further."""
    is_nightly = getattr(config.option, "hypothesis_profile", None) == NIGHTLY
    return random.SystemRandom().randrange(2**32) if is_nightly else DEFAULT_SEED


def _set_up_hypothesis(config: pytest.Config) -> None:
    """Have hypothesis draw by our seed, and know our profiles. Its own plugin reads its options after this."""
    if getattr(config.option, "hypothesis_seed", "") is None:
        config.option.hypothesis_seed = str(config.option.conformance_seed)
    if getattr(config.option, "hypothesis_profile", None):
        from conformance.strategies import register_profiles

        register_profiles()


def _concerns_us(config: pytest.Config) -> bool:
    asked = config.option.backend or config.option.require_backend
    return bool(asked) or any(SUITE.parent.name in argument for argument in config.args)


def backend_names(config: pytest.Config) -> list[str]:
    """Return the backends under test: those asked for, or all that can run here."""
    from conformance.targets import available

    asked = [*config.option.backend, *config.option.require_backend]
    return list(dict.fromkeys(asked)) if config.option.backend else list(dict.fromkeys([*available(), *asked]))


def is_of_suite(item: pytest.Item) -> bool:
    """Tell whether a test belongs to the conformance suite."""
    return item.path.parent == SUITE


def repeat_command(item: pytest.Item) -> str:
    """Return the one command that runs a test again as it ran."""
    option = item.config.option
    options = [f"--backend={name}" for name in backend_names(item.config)]
    options += [f"--require-backend={name}" for name in option.require_backend]
    options += [f"--pairs={option.pairs}", f"--conformance-seed={option.conformance_seed}"]
    options += ["-m", "slow"] if item.get_closest_marker("slow") else []  # it would be left out
    return shlex.join(["python", "-m", "pytest", *options, *settings_of(item.config), "--pyargs", *_place_of(item)])


def settings_of(config: pytest.Config) -> list[str]:
    """Return the options under which tests run: the settings file, pytest's plugins, and what hypothesis was told."""
    option = config.option
    found = ["-c", option.inifilename] if option.inifilename else []
    found += [f"--rootdir={option.rootdir}"] if option.rootdir else []
    for name in option.plugins:
        found += ["-p", name]
    profile, seed = (getattr(option, f"hypothesis_{name}", None) for name in ("profile", "seed"))
    found += [f"--hypothesis-profile={profile}"] if profile else []
    # Unless it was given another, hypothesis has ours.
    return found + ([f"--hypothesis-seed={seed}"] if seed not in (None, str(option.conformance_seed)) else [])


def _place_of(item: pytest.Item) -> list[str]:
    """Return the words that choose a test, with all others collected too if it is about them."""
    package = f"{SUITE.parent.name}.{SUITE.name}"
    if item.get_closest_marker("judges_collection"):
        return [package, "-k", item.name]
    return [f"{package}.{item.path.stem}::{item.nodeid.partition('::')[2]}"]
