"""Where flags come from: each source says what it knows about a component, and never raises."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shim.flags.configfile import ConfigFile, ConfigReader
from shim.flags.context import context_backend
from shim.flags.rollout import Rollout
from shim.spi.capabilities import Component
from shim.spi.records import Source

DEFAULT_BACKEND = "native"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says.

    :param source: which source.
    :param origin: where exactly, e.g. ``"environment SHIM_BACKEND"``.
    :param value: as it is written there; `None` if it says nothing.
    :param rollout: the shares, if it is a rollout.
    :param problem: what is wrong with it, if something is.
    """

    source: Source
    origin: str
    value: str | None = None
    rollout: Rollout | None = None
    problem: str | None = None


def flag_key(component: Component) -> str:
    """Return the key under which a flag service knows a component."""
    return f"shim.backend.{component}"


class Sources:
    """The sources below the explicit argument, in order of precedence.

    :param environ: the environment; `None` for that of the process, read at each decision.
    :param directory: where the search for a file starts; `None` for the current directory at each decision.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> None:
        self._environ = environ
        self._directory = directory
        self._reader = ConfigReader()

    def variable(self, name: str) -> str | None:
        """Return an environment variable; an empty one counts as unset."""
        environ = os.environ if self._environ is None else self._environ
        return environ.get(name, "").strip() or None

    def file(self) -> ConfigFile | None:
        """Return the configuration file that applies."""
        return self._reader.find(self._directory, self.variable("SHIM_CONFIG"))

    def answers(self, component: Component, targeting_key: str | None) -> Iterator[Answer]:
        """Yield what each source says, best first. Sources are asked as the iterator advances."""
        yield Answer("context", "context", context_backend(component))
        yield _ask_provider(component, targeting_key)
        yield from self._environment(component)
        yield from self._file(component)
        yield Answer("default", "default", DEFAULT_BACKEND)

    def _environment(self, component: Component) -> Iterator[Answer]:
        own, shares = f"SHIM_BACKEND_{component.upper()}", f"SHIM_ROLLOUT_{component.upper()}"
        yield Answer("environment", f"environment {own}", self.variable(own))
        if text := self.variable(shares):
            yield _rollout_answer("environment", f"environment {shares}", text, lambda: Rollout.parse(text))
        yield Answer("environment", "environment SHIM_BACKEND", self.variable("SHIM_BACKEND"))

    def _file(self, component: Component) -> Iterator[Answer]:
        file = self.file()
        if file is None:
            yield Answer("file", "file")
            return
        origin = f"file {file.path}"
        for problem in file.problems:
            yield Answer("file", origin, problem=problem)
        yield _text_answer(f"{origin} components.{component}", file.section("components").get(component))
        shares = file.section("rollout").get(component)
        if shares is not None:
            yield _rollout_answer("file", f"{origin} rollout.{component}", str(shares), lambda: _table_rollout(shares))
        yield _text_answer(f"{origin} backend", file.table.get("backend"))


def _text_answer(origin: str, value: object) -> Answer:
    if value is None or isinstance(value, str):
        return Answer("file", origin, value)
    return Answer("file", origin, str(value), problem=f"{value!r} is not the name of a backend")


def _rollout_answer(source: Source, origin: str, text: str, read: Callable[[], Rollout]) -> Answer:
    try:
        return Answer(source, origin, text, rollout=read())
    except ValueError as exc:
        return Answer(source, origin, text, problem=str(exc))


def _table_rollout(shares: object) -> Rollout:
    if isinstance(shares, str):
        return Rollout.parse(shares)
    if isinstance(shares, dict):
        return Rollout.of(shares)
    raise ValueError(f"{shares!r} is not a table of backend = percent")


def _ask_provider(component: Component, targeting_key: str | None) -> Answer:
    """Ask OpenFeature, if the application uses it: it is never imported on our account."""
    api = sys.modules.get("openfeature.api")
    if api is None:
        return Answer("provider", "provider")
    key = flag_key(component)
    origin = f"provider {key}"
    try:
        context = importlib.import_module("openfeature.evaluation_context")
        details = api.get_client().get_string_details(key, "", context.EvaluationContext(targeting_key))
        missing = str(details.error_code or "").endswith("FLAG_NOT_FOUND")
        problem = None if missing or not details.error_code else f"{details.error_code}: {details.error_message}"
        return Answer("provider", origin, details.value or None, problem=problem)
    except Exception as exc:
        return Answer("provider", origin, problem=f"it raised {type(exc).__name__}: {exc}")
