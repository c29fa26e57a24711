"""What a mutant is, and how one is written: a proxy with one wrong method, under the topic that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, TypeVar

from conformance.meta.components import (
    CapturerProxy,
    ConverterProxy,
    DecoderProxy,
    EncoderProxy,
    ProcessorProxy,
    ResamplerProxy,
)
from conformance.meta.proxies import (
    ChannelProxy,
    EngineProxy,
    MediaSinkProxy,
    MediaSourceProxy,
    Parts,
    SinkProxy,
    TransceiverProxy,
)
from shim.spi.engines import RtpCapabilities, SessionDescription, SessionState

C = TypeVar("C", bound=type[Any])
CONTROL: Final = "control"
"""Name of the proxy with nothing wrong in it."""
GOOD_BACKEND: Final = "native"
_ROLES: Final[dict[type[Any], str]] = {
    EngineProxy: "engine",
    SinkProxy: "sink",
    ChannelProxy: "channel",
    TransceiverProxy: "transceiver",
    MediaSinkProxy: "media_sink",
    MediaSourceProxy: "media_source",
    ConverterProxy: "converter",
    ResamplerProxy: "resampler",
    ProcessorProxy: "processor",
    EncoderProxy: "encoder",
    DecoderProxy: "decoder",
    CapturerProxy: "capturer",
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A backend with one wrong behaviour.

    :param files: the files of the suite that are to catch it.
    :param base: the good backend inside.
    """

    name: str
    topic: str
    description: str
    files: tuple[str, ...]
    parts: Parts
    base: str = GOOD_BACKEND


class Topic:
    """Mutants of one subject. Its methods are decorators; name and docstring of what they decorate describe the mutant.

    :param files: the files of the suite that are to catch them.
    """

    def __init__(self, name: str, *files: str) -> None:
        self.name = name
        self.files = files
        self.mutants: list[Mutant] = []

    def proxy(self, mutated: C) -> C:
        """Add a mutant that is a proxy class; its `GOOD_BACKEND` names the one inside, if that must be another."""
        role = next(role for base, role in _ROLES.items() if issubclass(mutated, base))
        self._add(mutated, Parts(**{role: mutated}))
        return mutated

    def proxy_of(self, base: str) -> Callable[[C], C]:
        """Add a mutant that is a proxy class, around another good backend alone."""

        def add(mutated: C) -> C:
            self.proxy(mutated)
            self.mutants[-1] = replace(self.mutants[-1], base=base)
            return mutated

        return add

    def session(self, mutated: Callable[[SessionState], SessionState]) -> Callable[[SessionState], SessionState]:
        """Add a mutant that changes session states."""
        self._add(mutated, Parts(session=mutated))
        return mutated

    def description(
        self, mutated: Callable[[SessionDescription], SessionDescription]
    ) -> Callable[[SessionDescription], SessionDescription]:
        """Add a mutant that changes local descriptions."""
        self._add(mutated, Parts(description=mutated))
        return mutated

    def capabilities(
        self, mutated: Callable[[RtpCapabilities], RtpCapabilities]
    ) -> Callable[[RtpCapabilities], RtpCapabilities]:
        """Add a mutant that changes capabilities."""
        self._add(mutated, Parts(capabilities=mutated))
        return mutated

    def on(self, base: str, *names: str) -> None:
        """Add mutants that are there already once more, around another good backend."""
        chosen = [mutant for mutant in self.mutants if mutant.name in names]
        self.mutants += [replace(mutant, name=f"{mutant.name}-of-{base}", base=base) for mutant in chosen]

    def _add(self, mutated: Any, parts: Parts) -> None:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", mutated.__name__).lower()
        description = (mutated.__doc__ or "").strip().partition("\n")[0]
        base = getattr(mutated, "GOOD_BACKEND", GOOD_BACKEND)
        self.mutants.append(Mutant(name, self.name, description, self.files, parts, base))


def all_mutants() -> dict[str, Mutant]:
    """Return every mutant by its name."""
    from conformance.meta import mutants

    topics = [import_module(f"{mutants.__name__}.{module.name}").TOPIC for module in iter_modules(mutants.__path__)]
    found = [mutant for topic in topics for mutant in topic.mutants]
    by_name = {mutant.name: mutant for mutant in found}
    if len(by_name) != len(found):
        raise ValueError("two mutants have the same name")
    return by_name


def mutant_named(name: str, base: str = GOOD_BACKEND) -> Mutant:
    """Return a mutant, or the control around `base`.

    :raises KeyError: there is none of this name.
    """
    if name == CONTROL:
        return Mutant(CONTROL, CONTROL, "nothing is wrong", (), Parts(), base)
    return all_mutants()[name]
