"""``shim doctor``: every backend side by side."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from shim.cli.survey import BackendReport, Survey


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print what is on this machine. Exit status 1 if a peer connection that asks for nothing would not work."""
    from shim.cli.survey import take_survey

    survey = take_survey()
    if as_json:
        print(_as_json(survey))
    else:
        _print(survey)
    if survey.peer.error:
        sys.exit(1)


def _as_json(survey: Survey) -> str:
    import json
    from dataclasses import asdict

    facts = asdict(survey)
    peer = facts.pop("peer")
    facts["ok"] = survey.peer.error is None
    facts["decision"] = peer["decision"]
    facts["error"] = str(survey.peer.error) if survey.peer.error else None
    return json.dumps(facts, indent=2)


def _print(survey: Survey) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for name, value in {**survey.system, **survey.packages}.items():
        console.print(f"{name:20} {value}", soft_wrap=True)
    console.print()
    console.print(_backend_table(survey.backends))
    for backend in survey.backends:
        if not backend.available:
            console.print(f"{backend.name}: {backend.state}", soft_wrap=True)
    console.print(_capability_table(survey.backends))
    shared = (f"{name} ({role})" for name, role in survey.shared.items())
    console.print(f"the same with every backend: {', '.join(shared)}", soft_wrap=True)
    _print_flags(survey, console)


def _backend_table(backends: tuple[BackendReport, ...]) -> Table:
    from rich.table import Table

    table = Table("backend", "version", "engine inside", "here", "components")
    for backend in backends:
        state = "available" if backend.available else "no, see below"
        table.add_row(
            backend.name, backend.version or "-", backend.engine or "-", state, ", ".join(backend.components) or "-"
        )
    return table


def _capability_table(backends: tuple[BackendReport, ...]) -> Table:
    from rich.table import Table

    from shim.spi.capabilities import CORE, Capability

    installed = [backend for backend in backends if backend.version]
    table = Table("capability", "", *(backend.name for backend in installed))
    for capability in Capability:
        able = ("yes" if capability in backend.capabilities else "-" for backend in installed)
        table.add_row(capability, "core" if capability in CORE else "", *able)
    return table


def _print_flags(survey: Survey, console: Console) -> None:
    from shim.cli.explain import in_words

    for plugin in survey.broken:
        console.print(f"broken entry point {plugin.name} = {plugin.value}: {plugin.error}", soft_wrap=True)
    for name, value in survey.variables.items():
        console.print(f"environment {name}={value}", soft_wrap=True)
    console.print(f"configuration file: {survey.config_file or 'none'}", soft_wrap=True)
    for note in survey.notes:
        console.print(f"note: {note}", soft_wrap=True)
    decision = survey.peer.decision
    console.print(in_words(decision) if decision else f"peer: nothing serves: {survey.peer.error}", soft_wrap=True)
