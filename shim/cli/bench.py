"""``shim bench``: the engines measured against each other. The suite is a package of its own, ``benchmarks``."""

from __future__ import annotations

from importlib import import_module

import typer

CONTEXT_SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""Every argument is the suite's own, ``--help`` too."""


def bench(context: typer.Context) -> None:
    """Measure; the suite says how, with ``--help``.

    :raises NotSupportedError: the suite is not installed.
    """
    from shim.spi.errors import NotSupportedError

    try:
        suite = import_module("benchmarks.command")
    except ImportError as exc:
        raise NotSupportedError(
            f"`shim bench` cannot start: {exc}. Reinstall it with: pip install 'webrtc-shim[bench]'"
        ) from exc
    raise typer.Exit(suite.main(context.args))
