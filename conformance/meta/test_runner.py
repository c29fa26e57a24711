"""The runner, as somebody sees it who wrote a backend in a distribution of their own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 200
"""Seconds for one run: a bound for what hangs."""
pytestmark = pytest.mark.timeout(3 * LIMIT)

PLUGIN = '''
"""The native engine under another name, with what the environment says is wrong with it."""

import os
from dataclasses import replace

from backends.native import plugin as native
from shim.spi.capabilities import Capability, Component
from shim.spi.hookspecs import hookimpl

left = []


@hookimpl
def shim_backend_info():
    info = native.shim_backend_info()
    off = {Capability(name) for name in os.environ.get("MINE_LACKS", "").split()}
    peer = frozenset({Component.PEER})
    return replace(info, name="mine", engine="engine of mine", components=peer, capabilities=info.capabilities - off)


@hookimpl
def shim_probe():
    return native.shim_probe()


@hookimpl
def shim_rtp_capabilities(kind, sender):
    return native.shim_rtp_capabilities(kind=kind, sender=sender)


@hookimpl
def shim_create_peer_engine(config, sink):
    if "MINE_MAKES_NOTHING" in os.environ:
        raise RuntimeError("there is no engine")
    if "MINE_LEAKS" in os.environ:
        left.append(os.open(os.devnull, os.O_RDONLY))
    if "MINE_IGNORES_PORTS" in os.environ:
        config = replace(config, port_range=None)
    return native.shim_create_peer_engine(config=config, sink=sink)
'''
ENTRY = """
[[divergence]]
id = "{id}"
component = "peer"
tests = ["{tests}"]
kind = "engine"
reason = "the engine picks its ports itself"
since = 2020-01-01
expires = {expires}
"""
PORTS_TEST = "test_configuration::test_candidates_keep_to_the_port_range"
PORTS = "test_configuration.py::test_candidates_keep_to_the_port_range"
SHOWS_PORTS = "assert .*ports"
SCALE_TEST = "test_scale::test_a_thousand_channels_work_side_by_side"


class ThirdParty:
    """A distribution with a backend ``mine``, installed in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        package, metadata = folder / "mine_backend", folder / "mine-1.0.dist-info"
        package.mkdir()
        metadata.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(PLUGIN)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[shim.backends]\nmine = mine_backend.plugin\n")

    def register(
        self, id: str = "mine-ports", tests: str = PORTS, expires: str = "2999-12-31", shows: str | None = None
    ) -> None:
        """Write a register with one divergence."""
        text = ENTRY.format(id=id, tests=tests, expires=expires) + (f"shows = '{shows}'\n" if shows else "")
        (self._folder / "mine_backend" / "divergences.toml").write_text(text)

    def write(self, name: str, text: str) -> None:
        """Write a file into the folder that tests are called from."""
        (self._folder / name).write_text(text)

    def test(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run pytest with arguments, away from our project and its settings."""
        return self.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], **environment)

    def run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command where the backend is installed."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "SHIM_"))}
        return subprocess.run(
            command,
            cwd=self._folder,
            env={**inherited, "PYTHONPATH": str(self._folder), **environment},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )


@pytest.fixture
def mine(tmp_path: Path) -> ThirdParty:
    """Install the backend."""
    return ThirdParty(tmp_path)


def _suite(test: str, *options: str) -> tuple[str, ...]:
    return (*options, "--pyargs", f"conformance.suite.{test}")


def test_suite_runs_on_a_backend_of_somebody_else(mine: ThirdParty) -> None:
    ended = mine.test(*_suite("test_jsep", "--backend=mine"))
    assert ended.returncode == 0, ended.stdout
    assert " passed" in ended.stdout


def test_pairs_of_two_backends_run_in_both_orders(mine: ThirdParty) -> None:
    listed = mine.test(
        *_suite("test_jsep::test_glare_is_resolved_by_the_side_that_gives_way"),
        "--collect-only", "-q", "--backend=mine", "--backend=native", "--pairs=cross",
    )  # fmt: skip
    assert set(re.findall(r"\[(.*)\]", listed.stdout)) == {"mine-native", "native-mine"}


def test_header_names_engine_platform_and_seed(mine: ThirdParty) -> None:
    printed = mine.test(*_suite("test_divergences", "--backend=mine", "--conformance-seed=42")).stdout
    assert "seed 42" in printed
    assert "backend mine: engine of mine" in printed


def test_run_of_other_tests_loads_no_backend(mine: ThirdParty, tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text("def test_app():\n    import sys\n    assert 'shim' not in sys.modules\n")
    ended = mine.test("test_app.py")
    assert ended.returncode == 0, ended.stdout
    assert "conformance:" not in ended.stdout


def test_missing_capability_is_a_skip_that_names_it(mine: ThirdParty) -> None:
    test = "test_parameters::test_tones_are_told_one_by_one_and_at_the_end"
    ended = mine.test(*_suite(test, "--backend=mine", "-rs"), MINE_LACKS="rtp.dtmf")
    assert (ended.returncode, "1 skipped" in ended.stdout) == (0, True), ended.stdout
    assert "backend mine does not declare the capability rtp.dtmf" in ended.stdout


def test_backend_that_the_machine_lacks_is_a_skip(mine: ThirdParty) -> None:
    ended = mine.test(*_suite("test_events::test_state_is_set_before_its_event", "--backend=absent", "-rs"))
    assert (ended.returncode, "1 skipped" in ended.stdout) == (0, True), ended.stdout
    assert "this machine lacks backend absent" in ended.stdout


def test_required_backend_that_the_machine_lacks_is_an_error(mine: ThirdParty) -> None:
    ended = mine.test(*_suite("test_events::test_state_is_set_before_its_event", "--require-backend=absent"))
    assert ended.returncode == 1, ended.stdout
    assert "backend absent is required, but this machine lacks it" in ended.stdout


def test_registered_divergence_is_an_expected_failure(mine: ThirdParty) -> None:
    mine.register()
    ended = mine.test(*_suite("test_configuration", "--backend=mine", "-rx"), MINE_IGNORES_PORTS="1")
    assert (ended.returncode, "1 xfailed" in ended.stdout) == (0, True), ended.stdout
    assert "mine: mine-ports (engine): the engine picks its ports itself" in ended.stdout


@pytest.mark.parametrize(
    ("shows", "wrong", "outcome"),
    [
        (SHOWS_PORTS, "MINE_IGNORES_PORTS", "1 xfailed"),
        (SHOWS_PORTS, "MINE_MAKES_NOTHING", "1 failed"),
        ("the moon", "MINE_IGNORES_PORTS", "1 failed"),
    ],
)
def test_divergence_that_shows_otherwise_is_a_failure(mine: ThirdParty, shows: str, wrong: str, outcome: str) -> None:
    mine.register(shows=shows)
    ended = mine.test(*_suite(PORTS_TEST, "--backend=mine"), **{wrong: "1"})
    assert outcome in ended.stdout, ended.stdout
    told = f"failed otherwise than registered (mine: mine-ports shows {shows!r})"
    assert (told in ended.stdout) == (outcome == "1 failed")


def test_divergence_that_is_gone_fails_the_run(mine: ThirdParty) -> None:
    mine.register()
    ended = mine.test(*_suite("test_configuration", "--backend=mine"))
    assert (ended.returncode, "XPASS(strict)" in ended.stdout) == (1, True), ended.stdout


def test_expired_divergence_excuses_nothing(mine: ThirdParty) -> None:
    mine.register(expires="2020-01-02")
    ended = mine.test(
        "--backend=mine", "--pyargs", "conformance.suite", "-k", "port_range or register", MINE_IGNORES_PORTS="1"
    )
    assert "mine-ports expired on 2020-01-02" in ended.stdout
    assert "2 failed" in ended.stdout


def test_divergence_that_matches_no_test_fails_the_run(mine: ThirdParty) -> None:
    mine.register(tests="test_configuration.py::test_that_was_renamed")
    ended = mine.test("--backend=mine", "--pyargs", "conformance.suite", "-k", "register")
    assert (ended.returncode, "mine-ports is stale" in ended.stdout) == (1, True), ended.stdout


def test_stale_entry_is_not_claimed_where_its_file_was_not_collected(mine: ThirdParty) -> None:
    mine.register(tests="test_configuration.py::test_that_was_renamed")
    assert mine.test(*_suite("test_divergences", "--backend=mine")).returncode == 0


def test_leak_fails_a_test_that_passed(mine: ThirdParty) -> None:
    ended = mine.test(*_suite(PORTS_TEST, "--backend=mine"), MINE_LEAKS="1")
    assert "1 passed, 1 error" in ended.stdout
    assert "left behind: descriptors" in ended.stdout


def test_leak_of_a_test_that_failed_is_a_consequence(mine: ThirdParty) -> None:
    ended = mine.test(*_suite(PORTS_TEST, "--backend=mine"), MINE_LEAKS="1", MINE_IGNORES_PORTS="1")
    assert "1 failed" in ended.stdout
    assert "error" not in ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        pytest.param(("test_configuration", "--pairs=same"), "MINE_IGNORES_PORTS", id="of a file"),
        pytest.param((SCALE_TEST, "--pairs=same", "-m", "slow or not slow"), "MINE_MAKES_NOTHING", id="slow"),
        pytest.param((PORTS_TEST, "-c", "ours.ini", "--hypothesis-profile=ci"), "MINE_IGNORES_PORTS", id="settings"),
    ],
)
def test_failure_prints_a_command_that_repeats_it(mine: ThirdParty, asked: tuple[str, ...], wrong: str) -> None:
    mine.write("ours.ini", "[pytest]\n")
    mine.write("pytest.ini", "[pytest]\naddopts = --no-such-option\n" if "-c" in asked else "[pytest]\n")
    failed = mine.test(*_suite(asked[0], "--backend=mine", *asked[1:]), **{wrong: "1"})
    assert "1 failed" in failed.stdout, failed.stdout
    command = _printed_command(failed.stdout)
    assert {word for word in asked if word.startswith("--hypothesis")} <= set(command)
    again = mine.run(command, **{wrong: "1"})
    assert "1 failed" in again.stdout, again.stdout
    assert _failed_in(again.stdout) == _failed_in(failed.stdout)


def test_stale_entry_prints_a_command_that_finds_it_again(mine: ThirdParty) -> None:
    mine.register(tests="test_configuration.py::test_that_was_renamed")
    failed = mine.test("--backend=mine", "--pyargs", "conformance.suite", "-k", "register")
    again = mine.run(_printed_command(failed.stdout))
    assert "mine-ports is stale" in again.stdout, again.stdout


def _printed_command(output: str) -> list[str]:
    printed = next(line for line in output.splitlines() if line.startswith("python -m pytest"))
    return [sys.executable, *shlex.split(printed)[1:]]


def _failed_in(output: str) -> list[str]:
    return re.findall(r"^FAILED .*?::(\S+)", output, re.M)


def test_seed_decides_what_is_drawn(mine: ThirdParty) -> None:
    by_default, one, two = (_drawn(mine, *seed) for seed in ((), ("--conformance-seed=1",), ("--conformance-seed=2",)))
    assert len(one) > 20
    assert by_default == one != two


def _drawn(mine: ThirdParty, *seed: str) -> list[str]:
    """Return what hypothesis says that it tries."""
    test = _suite("test_datachannels::test_any_valid_option_is_accepted", "--backend=mine", "--pairs=same", *seed)
    said = mine.test(*test, "-s", "--hypothesis-verbosity=verbose").stdout
    return re.findall(r"RTCDataChannelParameters\(.*", said)


def test_suite_runs_in_parallel(mine: ThirdParty) -> None:
    pytest.importorskip("xdist")
    ended = mine.test(*_suite("test_jsep", "--backend=mine", "-n2"))
    assert ended.returncode == 0, ended.stdout


def test_state_table_is_core_but_for_what_may_be_lacking(mine: ThirdParty) -> None:
    ended = mine.test(
        *_suite("test_jsep", "--backend=mine", "--conformance-tier=core"), MINE_LACKS="sdp.pranswer sdp.rollback"
    )
    assert ended.returncode == 0, ended.stdout
    assert "skipped" not in ended.stdout
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    assert int(passed[1]) >= 30
