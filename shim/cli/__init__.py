"""The command line: ``shim`` or ``python -m shim``. One file per subcommand, loaded when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

COMMANDS = {
    "bench": "Measure the engines against each other, in turn.",
    "call": "Make a real call with audio, video and data, record it, and measure it.",
    "conformance": "Test that backends behave the same, and read the report.",
    "doctor": "Show every backend: what is inside, whether it runs here, what it can do.",
    "explain": "Tell which backend would serve now, and why.",
    "run": "Run an unmodified aiortc program on this SDK.",
    "version": "Print the version.",
}
"""Subcommand -> summary. The command is the function, or the group of commands, of that name in ``shim.cli.<name>``."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An error of the SDK is one line on the standard error output and exit status 2; with ``SHIM_DEBUG=1`` in the
    environment it is a traceback.

    :param arguments: without the program's name; `None` for those of the process.
    """
    from shim.spi.errors import ShimError

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _application(given[0] if given else None)(args=given, prog_name="shim")
    except ShimError as exc:
        if os.environ.get("SHIM_DEBUG") == "1":
            raise
        print(f"shim: {exc}", file=sys.stderr)
        sys.exit(2)


def _application(wanted: str | None) -> typer.Typer:
    import typer

    application = typer.Typer(
        help="One WebRTC SDK, interchangeable engines.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, summary in COMMANDS.items():
        # Only the command that runs is imported: the others are there for the list of `--help`.
        command, settings = _load(name) if name == wanted else (_listed, None)
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name, help=summary)
        else:
            application.command(name, help=summary, context_settings=settings)(command)
    return application


def _listed() -> None: ...


def _load(name: str) -> tuple[Callable[..., object] | typer.Typer, dict[Any, Any] | None]:
    from shim.spi.errors import NotSupportedError

    try:
        module = importlib.import_module(f"shim.cli.{name}")
    except ImportError as exc:
        raise NotSupportedError(
            f"`shim {name}` cannot start: {exc}. Reinstall it with: pip install webrtc-shim"
        ) from exc
    return getattr(module, name), getattr(module, "CONTEXT_SETTINGS", None)
