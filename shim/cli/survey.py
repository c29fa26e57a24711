"""What there is on this machine: the facts that ``shim doctor`` prints."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass

from shim._core.dispatch import Explanation, get_dispatcher
from shim._core.registry import KNOWN_INSTALLS, BrokenPlugin, Registry
from shim.api.shared import SHARED
from shim.cli.version import distribution_version
from shim.flags.configfile import ConfigFile
from shim.flags.names import suggestion
from shim.spi.capabilities import Component
from shim.spi.errors import ShimError

PACKAGES = ("webrtc-shim", "webrtc-shim-legacy", "aiortc", "av", "pluggy", "livekit", "openfeature-sdk")
VARIABLES = (
    "SHIM_BACKEND",
    "SHIM_BLOCK_BACKENDS",
    "SHIM_CONFIG",
    "SHIM_DEBUG",
    "SHIM_FALLBACK",
    *(f"SHIM_{kind}_{component.upper()}" for kind in ("BACKEND", "ROLLOUT") for component in Component),
)


@dataclass(frozen=True, slots=True)
class BackendReport:
    """One backend as it is found here; empty where it is not installed.

    :param state: ``"available"``, or why not.
    :param install: how to get it.
    """

    name: str
    available: bool
    state: str
    version: str = ""
    engine: str = ""
    components: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that ``shim doctor`` prints.

    :param variables: flags that are set in the environment.
    :param config_file: path of the configuration file that applies.
    :param notes: things that look wrong, one line each.
    :param shared: what is the same with every backend, and its class.
    :param peer: the decision for a peer connection that asks for nothing.
    """

    system: dict[str, str]
    packages: dict[str, str]
    backends: tuple[BackendReport, ...]
    broken: tuple[BrokenPlugin, ...]
    variables: dict[str, str]
    config_file: str | None
    notes: tuple[str, ...]
    shared: dict[str, str]
    peer: Explanation


def take_survey() -> Survey:
    """Look at this machine; probes every backend, so their libraries get loaded."""
    dispatcher = get_dispatcher()
    registry = dispatcher.registry
    file = dispatcher.resolver.sources.file()
    return Survey(
        system={
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": platform.platform(),
            "machine": platform.machine(),
            "cores": str(os.cpu_count()),
        },
        packages={name: distribution_version(name) for name in PACKAGES},
        backends=tuple(_report(registry, name) for name in sorted({*registry.names(), *KNOWN_INSTALLS})),
        broken=registry.broken,
        variables={name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
        config_file=str(file.path) if file else None,
        notes=(*_misspelt(os.environ), *_complaints(file)),
        shared=dict(SHARED),
        peer=dispatcher.explain(Component.PEER),
    )


def _report(registry: Registry, name: str) -> BackendReport:
    try:
        info, probe = registry.info(name), registry.probe(name)
    except ShimError as exc:
        return BackendReport(name, False, str(exc), install=KNOWN_INSTALLS.get(name, ""))
    state = ": ".join(filter(None, ("available" if probe.available else "cannot run here", probe.reason)))
    return BackendReport(
        name,
        probe.available,
        state,
        info.version,
        info.engine,
        tuple(sorted(info.components)),
        tuple(sorted(info.capabilities)),
        info.install,
    )


def _complaints(file: ConfigFile | None) -> list[str]:
    return [f"{file.path}: {problem}" for problem in file.problems] if file else []


def _misspelt(names: Iterable[str]) -> list[str]:
    strange = [name for name in names if name.startswith("SHIM_") and name not in VARIABLES]
    return [
        f"the environment variable {name} means nothing.{hint}"
        for name in sorted(strange)
        if (hint := suggestion(name, VARIABLES, cutoff=0.85))
    ]
