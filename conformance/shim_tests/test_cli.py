"""The command line, in this process over toy backends, and as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import shim.cli
from conformance.shim_tests.toys import Toy, registry_of
from shim._core import registry as registry_module
from shim._core.dispatch import get_dispatcher
from shim._core.registry import Registry
from shim.cli.survey import VARIABLES
from shim.spi.capabilities import CORE, Capability
from shim.spi.errors import FlagConfigError
from shim.spi.hookspecs import ENTRY_POINT_GROUP
from shim.spi.records import ProbeResult

UNABLE = ProbeResult(False, "it needs a newer machine")
Use = Callable[[Registry], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Use]:
    """Return a function that makes a registry that of the process; no flag is set anywhere."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    get_dispatcher.cache_clear()

    def use(registry: Registry) -> None:
        monkeypatch.setattr(registry_module, "_registry", registry)

    yield use
    get_dispatcher.cache_clear()


def shim_command(*arguments: str) -> int:
    """Run the command line here; returns its exit status."""
    with pytest.raises(SystemExit) as caught:
        shim.cli.main(arguments)
    code = caught.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def run_python(*arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("SHIM_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**env, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- doctor --------------------------------------------------------------------------------------------


def test_doctor_shows_backends_and_capabilities_side_by_side(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native", capabilities=CORE | {Capability.MTU}), Toy("mine")))
    assert shim_command("doctor") == 0
    output = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    assert ["native", "1.0", "toy 1.0", "available", "peer"] in rows
    assert ["legacy", "-", "-", "no, see below", "-"] in rows
    assert ["transport.mtu", "", "-", "yes"] in rows
    assert ["stats", "core", "yes", "yes"] in rows
    assert "backend 'legacy' is not installed. Install it with: pip install webrtc-shim-legacy" in output
    assert "the same with every backend: audio_mix (AudioMixer)" in output
    assert "peer: native serves, because nobody asked for another, and it is the default." in output


def test_doctor_fails_when_a_plain_connection_would(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native", probe=UNABLE)))
    assert shim_command("doctor") == 1
    assert "native: cannot run here: it needs a newer machine" in capsys.readouterr().out


def test_doctor_is_content_with_a_fallback(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native", probe=UNABLE), Toy("legacy")))
    assert shim_command("doctor") == 0
    assert (
        "peer: legacy serves in place of native, which was asked for by default and cannot serve."
        in capsys.readouterr().out
    )


def test_doctor_shows_what_is_broken_or_misspelt(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry = Registry(lambda: [EntryPoint("lost", "no_such_module_anywhere", ENTRY_POINT_GROUP)])
    registry.register(Toy("native"))
    use(registry)
    monkeypatch.setenv("SHIM_BACKND", "native")
    monkeypatch.setenv("SHIM_FALLBACK", "never")
    (tmp_path / "shim.toml").write_text("bakend = 1")
    assert shim_command("doctor") == 0
    output = capsys.readouterr().out
    assert "broken entry point lost = no_such_module_anywhere: ModuleNotFoundError" in output
    assert "the environment variable SHIM_BACKND means nothing. Did you mean 'SHIM_BACKEND'?" in output
    assert "environment SHIM_FALLBACK=never" in output
    assert "shim.toml: the key 'bakend' is not known. Did you mean 'backend'?" in output


def test_doctor_speaks_json(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native")))
    assert shim_command("doctor", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"] is True
    assert facts["decision"]["backend"] == "native"
    by_name = {backend["name"]: backend for backend in facts["backends"]}
    assert by_name["native"]["capabilities"] == sorted(CORE)
    assert facts["shared"]["audio_mix"] == "AudioMixer"
    assert by_name["legacy"]["available"] is False
    assert facts["system"]["python"].endswith(".".join(map(str, sys.version_info[:3])))


# --- explain -------------------------------------------------------------------------------------------


def test_explain_tells_every_step(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(registry_of(Toy("native"), Toy("legacy")))
    monkeypatch.setenv("SHIM_ROLLOUT_PEER", "legacy=100")
    assert shim_command("explain", "--key", "ann") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "1. explicit says nothing"
    assert "5. environment SHIM_ROLLOUT_PEER legacy=100: key 'ann' falls on 46.50 % of legacy=100: legacy" in lines
    assert lines[-1] == "peer: legacy serves, because the environment says so (drawn by a rollout)."


def test_explain_ends_with_what_is_wrong(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native")))
    assert shim_command("explain", "--backend", "legacy") == 2
    output = capsys.readouterr()
    assert "cannot serve: backend 'legacy' is not installed" in output.out
    assert output.err == ("shim: backend 'legacy' is not installed. Install it with: pip install webrtc-shim-legacy\n")


def test_explain_speaks_json(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native", components=frozenset())))
    assert shim_command("explain", "--component", "surface", "--json") == 2
    explanation = json.loads(capsys.readouterr().out)
    assert explanation["decision"] is None
    assert "does not implement the component surface" in explanation["error"]
    assert explanation["trace"][0] == {"source": "explicit", "value": None, "outcome": "says nothing"}


# --- errors --------------------------------------------------------------------------------------------


def test_an_error_of_ours_is_one_line(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(registry_of(Toy("native")))
    assert shim_command("explain", "--component", "pear") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("shim: component 'pear' is not known. Choices: 'audio_process'")


def test_debugging_shows_the_traceback(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(registry_of(Toy("native")))
    monkeypatch.setenv("SHIM_DEBUG", "1")
    with pytest.raises(FlagConfigError):
        shim.cli.main(["explain", "--component", "pear"])


def test_a_command_that_cannot_be_loaded_says_so(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(shim.cli.COMMANDS, "nothing", "Do nothing.")
    assert shim_command("nothing") == 2
    assert "`shim nothing` cannot start: No module named 'shim.cli.nothing'" in capsys.readouterr().err


def test_a_misspelt_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert shim_command("docter") == 2
    assert "'doctor'" in capsys.readouterr().err


# --- as a command --------------------------------------------------------------------------------------


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys, shim.cli\n"
        "try: shim.cli.main(['--help'])\n"
        "finally: print('LOADED', *(m for m in sys.modules if m.startswith(('shim.', 'av', 'aiortc', 'pluggy'))))"
    )
    done = run_python("-c", code)
    text, _, loaded = done.stdout.partition("LOADED")
    assert all(name in text for name in shim.cli.COMMANDS)
    assert not {name for name in loaded.split() if not name.startswith(("shim.cli", "shim.spi"))}
    assert not {name for name in loaded.split() if name.startswith("shim.cli.")}


def test_the_version() -> None:
    done = run_python("-m", "shim", "version")
    assert done.returncode == 0
    assert done.stdout.startswith("webrtc-shim ")


APP = "import sys\nprint('ran', __name__, sys.argv)\n"


def test_run_passes_everything_after_the_program_on(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    arguments = ["--backend", "legacy", "-x", "--help", "--", "y"]
    done = run_python("-m", "shim", "run", "app.py", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"ran __main__ {['app.py', *arguments]}\n"


def test_run_hands_on_the_exit_status_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit(7)")
    assert run_python("-m", "shim", "run", "app.py", cwd=tmp_path).returncode == 7


def test_run_sets_the_fallback_policy(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os; print(os.environ['SHIM_FALLBACK'])")
    done = run_python("-m", "shim", "run", "--fallback", "never", "app.py", cwd=tmp_path)
    assert done.stdout == "never\n"


DECIDE = """
import asyncio, threading
from shim._core.dispatch import decide
from shim.spi.capabilities import Component

def show():
    decision = decide(Component.PEER)
    print(decision.backend, decision.source)

async def main():
    show()

asyncio.run(main())
thread = threading.Thread(target=show)
thread.start()
thread.join()
"""


def test_a_backend_on_the_command_line_beats_the_environment(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(registry_of(Toy("native"), Toy("legacy"), Toy("mine")))
    monkeypatch.setenv("SHIM_BACKEND", "mine")
    monkeypatch.setenv("SHIM_BACKEND_PEER", "native")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "app.py").write_text(DECIDE)
    assert shim_command("run", "--backend", "legacy", "app.py") == 0
    assert capsys.readouterr().out.splitlines() == ["legacy context", "legacy environment"]


@pytest.mark.parametrize("option", ["--backend", "--fallback"])
def test_run_refuses_a_misspelt_backend_before_the_program_starts(tmp_path: Path, option: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = run_python("-m", "shim", "run", option, "nativ", "app.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'nativ' is not known" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mistake_of_the_program_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from shim.spi.errors import InvalidStateError\nraise InvalidStateError('closed')")
    done = run_python("-m", "shim", "run", "app.py", cwd=tmp_path)
    assert done.returncode == 1
    assert 'app.py", line 2' in done.stderr


def test_a_flag_that_fails_inside_the_program_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from shim._core.dispatch import decide\nfrom shim.spi.capabilities import Component\n"
        "decide(Component.PEER, backend='nativ')"
    )
    done = run_python("-m", "shim", "run", "app.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("shim: peer, explicit value: backend 'nativ' is not known")
