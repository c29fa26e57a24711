"""``shim run``: an unmodified aiortc program on this SDK."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

CONTEXT_SETTINGS = {"allow_interspersed_args": False}
"""Everything after the program's path is the program's own, options too."""


def run(
    program: Annotated[str, typer.Argument(help="Python file of the program.", metavar="APP.PY")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on untouched.", metavar="[ARGS]...")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Backend of every connection.")] = None,
    fallback: Annotated[
        str | None, typer.Option(help="What may replace it: 'never', or backends in order, e.g. 'native,legacy'.")
    ] = None,
) -> None:
    """Run a program in which ``import aiortc`` gives this SDK.

    :raises FlagConfigError: `backend` or `fallback` names no backend.
    :raises BackendUnavailableError: `backend` cannot serve, and nothing may replace it.
    """
    if fallback is not None:
        _check_names(fallback)
        os.environ["SHIM_FALLBACK"] = fallback
    if backend is not None:
        _check_serves(backend)
    _execute(program, arguments or [], backend)


def _check_names(fallback: str) -> None:
    from shim._core.registry import get_registry
    from shim.flags.resolver import unknown_backend
    from shim.spi.errors import FlagConfigError

    choices = get_registry().known_names()
    for name in [] if fallback == "never" else fallback.split(","):
        if name.strip() not in choices:
            raise FlagConfigError(f"--fallback takes 'never' or backends: {unknown_backend(name, choices)}")


def _check_serves(backend: str) -> None:
    """Fail before the program starts: inside it the same error may end in a task that nobody awaits."""
    from shim._core.dispatch import get_dispatcher
    from shim.spi.capabilities import Component

    error = get_dispatcher().explain(Component.PEER, backend=backend).error
    if error:
        raise error


def _wish(backend: str | None) -> AbstractContextManager[object]:
    """Let a wish on the command line beat a provider and every variable; threads see the variable alone."""
    from shim.flags.context import use_backend

    if backend is None:
        return nullcontext()
    os.environ["SHIM_BACKEND_PEER"] = backend
    return use_backend(backend)


def _execute(program: str, arguments: list[str], backend: str | None) -> None:
    from shim.compat.runner import run_program
    from shim.spi.errors import BackendUnavailableError, FlagConfigError, ShimError

    try:
        with _wish(backend):
            run_program(program, arguments, backend)
    except (BackendUnavailableError, FlagConfigError):
        raise
    except ShimError:
        # The program's own mistake: it wants the traceback that `python app.py` would have given.
        traceback.print_exc()
        sys.exit(1)
