"""Records that describe backends and decisions. All frozen: they are handed to applications."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shim.spi.capabilities import Capability, Component, Tier

Source = Literal["explicit", "context", "provider", "environment", "file", "default"]
"""Where a flag's value came from, in order of precedence."""

Reason = Literal["chosen", "rollout", "fallback"]
"""Why this backend serves: asked for by a source, drawn by a rollout, or second choice after a failure."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What a backend says of itself.

    :param name: flag value, e.g. ``"native"``; lower case letters, digits, ``_`` and ``-``.
    :param version: version of the backend's own distribution.
    :param engine: the library inside, with its version, e.g. ``"aiortc 1.16.0"``.
    :param components: components it has an implementation of.
    :param capabilities: what it can do; contains those of its tier in :data:`~shim.spi.capabilities.TIERS` if it
        serves ``peer``.
    :param install: one line that installs it, e.g. ``"pip install webrtc-shim-legacy"``.
    :param tier: ``"process"`` if its peers reach only each other, in one process: a toy, or a fake for tests.
    """

    name: str
    version: str
    engine: str
    components: frozenset[Component]
    capabilities: frozenset[Capability]
    install: str
    tier: Tier = "network"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Whether a backend can run here.

    :param available: true if its engines can be created in this process.
    :param reason: why not, or what was found; one line.
    """

    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step on the way to a decision: which source was asked, what it said, what came of it."""

    source: str
    value: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Which backend serves an object, and why. Made once per object, then pinned.

    :param component: the component decided on.
    :param backend: the backend that serves.
    :param reason: why this one.
    :param source: the source whose value won.
    :param fallback_from: the backend that was to serve but could not, if any.
    :param trace: every step, in order.
    """

    component: Component
    backend: str
    reason: Reason
    source: Source
    fallback_from: str | None = None
    trace: tuple[TraceStep, ...] = field(default=())

    @property
    def fallbackFrom(self) -> str | None:  # noqa: N802 - the application-facing spelling
        """Same as ``fallback_from``, as applications spell it."""
        return self.fallback_from
