"""The recipes for other people's CI: what they call exists, and does what they expect."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "conformance.yml"
GUIDE = ROOT / "docs" / "conformance.md"

pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="the recipes are in the repository, not in the wheel")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())
    return found


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each command of ours says of itself."""
    commands = ("doctor", "conformance run", "conformance show")
    return {command: _help(command) for command in commands}


def _help(command: str) -> str:
    arguments = [sys.executable, "-m", "shim", *command.split(), "--help"]
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def scripts_of(workflow: dict[str, Any]) -> dict[str, str]:
    steps = workflow["jobs"]["conformance"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def inputs_of(workflow: dict[Any, Any]) -> dict[str, Any]:
    triggers: dict[str, Any] = next(value for key, value in workflow.items() if key is True)  # YAML 1.1's `on`
    inputs: dict[str, Any] = triggers["workflow_call"]["inputs"]
    return inputs


def commands_in(text: str) -> list[tuple[str, list[str]]]:
    """Return (command, options) for each call of ours."""
    calls = re.findall(r"(?:^|[ `])shim (conformance run|conformance show|doctor)\b([^\n|;}]*)", text, re.M)
    return [(command, re.findall(r"(?<=[ (\"])--?[a-z][a-z-]*", rest.partition(" -- ")[0])) for command, rest in calls]


def test_every_command_of_the_workflow_exists(workflow: dict[str, Any], helps: dict[str, str]) -> None:
    text = "\n".join(scripts_of(workflow).values())
    found = commands_in(text)
    assert {command for command, _ in found} == set(helps)
    for command, options in found:
        for option in options:
            assert option in helps[command], f"shim {command} has no {option}"
    for option in re.findall(r'\("(--[a-z-]+)=', text):
        assert option in helps["conformance run"]


def test_every_command_of_the_guide_exists(helps: dict[str, str]) -> None:
    found = commands_in(GUIDE.read_text())
    assert len(found) > 4
    for command, options in found:
        for option in options:
            assert option in helps[command], f"shim {command} has no {option}"


def test_scripts_are_valid_and_safe(workflow: dict[str, Any]) -> None:
    variables = set(workflow["jobs"]["conformance"]["env"]) | {"GITHUB_STEP_SUMMARY", "options", "packages", "name"}
    for name, script in scripts_of(workflow).items():
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)
        assert "${{" not in script, f"{name}: what a caller passes must not become part of a script"
        assert set(re.findall(r"\$\{?([A-Za-z_]+)", script)) <= variables


def test_every_input_is_used_and_every_use_declared(workflow: dict[str, Any]) -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", WORKFLOW.read_text()))
    assert used == set(inputs_of(workflow))


def test_recipes_have_ten_lines_and_pass_known_inputs(workflow: dict[str, Any]) -> None:
    recipes = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.S)
    assert len(recipes) == 2
    inputs = inputs_of(workflow)
    for recipe in recipes:
        assert len(recipe.splitlines()) <= 10
        job = yaml.safe_load(recipe)["jobs"]["conformance"]
        assert job["uses"].partition("@")[0].endswith("/.github/workflows/conformance.yml")
        for name, value in job["with"].items():
            assert isinstance(value, {"string": str, "number": int}[inputs[name]["type"]])


def test_recipe_that_names_legacy_installs_it() -> None:
    recipes = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(), re.S)
    told = [yaml.safe_load(recipe)["jobs"]["conformance"]["with"] for recipe in recipes]
    (given,) = [words for words in told if "legacy" in words["backends"].split()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = re.fullmatch(rf"{project['name']}\[(.*)\]", given["shim"])
    assert asked is not None
    assert {"conformance", "legacy"} == set(asked[1].split(",")) <= set(project["optional-dependencies"])
    needed = re.search(r"^packages=\((.*)\)", (ROOT / ".ci" / "setup-legacy").read_text(), re.M)
    assert needed is not None
    assert set(given["apt"].split()) == set(needed[1].split())


def test_the_scripts_run_the_suite_and_tell_the_verdict(workflow: dict[str, Any], tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    scripts = scripts_of(workflow)
    for name in ("Run the suite", "Put the verdict on the run's page"):
        ended = _run(scripts[name], tmp_path, environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "NOT PROVEN: nothing failed" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize(
    ("backends", "required", "status"),
    [
        ("native absent", "", 2),
        ("native absent", "absent", 2),
        ("native absent", "native", 0),
        ("native absent", "-", 0),
    ],
)
def test_named_backend_must_run_unless_said_otherwise(
    workflow: dict[str, Any], tmp_path: Path, backends: str, required: str, status: int
) -> None:
    environment = _environment(tmp_path) | {"BACKENDS": backends, "REQUIRED": required}
    ended = _run(scripts_of(workflow)["Run the suite"], tmp_path, environment)
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert ("backend absent is required" in ended.stderr) == bool(status)


def _environment(folder: Path) -> dict[str, str]:
    """Return what the scripts find: the interpreter of this environment, and inputs for a short run."""
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(_launcher(folder))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SHIM_", "PYTEST_"))}
    return kept | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-k test_dtls",
        "BACKENDS": "native", "REQUIRED": "", "PAIRS": "same", "TIER": "core", "WORKERS": "1",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }  # fmt: skip


def _run(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def _launcher(folder: Path) -> Path:
    """Return a program that is the interpreter of this environment; a link to it would lose the environment."""
    launcher = folder / "launcher"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    launcher.chmod(0o755)
    return launcher


def test_make_calls_what_exists(helps: dict[str, str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert commands_in(makefile.replace("$(BIN)/shim", " shim")) != []
    for command, options in commands_in(makefile.replace("$(BIN)/shim", " shim")):
        assert all(option in helps[command] for option in options)
    if shutil.which("make"):
        dry = ["make", "--dry-run", "conformance"]
        told = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
        assert "shim conformance run --html out/conformance" in told


def proofs_in(text: str) -> list[tuple[str, str]]:
    """Return (file, test) for each name in the table of coverage; no test is named where it is all of a file."""
    table = text.partition("## What proves what")[2].partition("\n## ")[0]
    return re.findall(r"`((?:shim_tests/)?test_\w+\.py)(?:::(test_\w+))?`", table)


def test_every_test_of_the_table_of_coverage_exists() -> None:
    named = proofs_in(GUIDE.read_text())
    assert len(named) > 80
    for file, test in named:
        folder = ROOT / "conformance" / ("" if "/" in file else "suite")
        assert re.search(rf"def {test or 'test_'}", (folder / file).read_text()), f"{file}::{test}"
