"""Which backend is asked for: explicit > context > provider > environment > file > default."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from shim.flags.names import listed, suggestion
from shim.flags.rollout import process_key
from shim.flags.sources import Answer, Sources
from shim.spi.capabilities import Component
from shim.spi.errors import FlagConfigError
from shim.spi.records import Reason, Source, TraceStep

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend asked for, before anybody has looked whether it can serve."""

    backend: str
    source: Source
    reason: Reason


@dataclass(frozen=True, slots=True)
class Policy:
    """What may replace a choice.

    :param fallback: backends to try next, in order; empty for none; `None` if nobody said.
    :param blocked: backends that may not serve, whoever asks.
    """

    fallback: tuple[str, ...] | None
    blocked: frozenset[str]


class Resolver:
    """Turns flags into a choice, and says in the trace how.

    An impossible value is an error where the application gave it (explicitly or by context); anywhere else it is
    logged once, kept in the trace, and skipped.

    :param sources: everything below the explicit argument.
    """

    def __init__(self, sources: Sources | None = None) -> None:
        self.sources = sources or Sources()
        self._warned: set[str] = set()

    def resolve(
        self,
        component: Component,
        choices: Collection[str],
        trace: list[TraceStep],
        *,
        backend: str | None = None,
        targeting_key: str | None = None,
    ) -> Choice:
        """Choose a backend.

        :param choices: names that mean something, installed or not.
        :param trace: takes one step per source asked.
        :param backend: the explicit wish.
        :param targeting_key: what a rollout is sticky to, e.g. a user id; `None` for one random key per process.
        :raises FlagConfigError: an explicit or context value names no backend.
        """
        choice = self._weigh(Answer("explicit", "explicit", backend), component, choices, trace, targeting_key)
        if choice:
            return choice
        for answer in self.sources.answers(component, targeting_key):
            choice = self._weigh(answer, component, choices, trace, targeting_key)
            if choice:
                return choice
        raise FlagConfigError(f"no source names a backend for {component}", component=component)

    def policy(self, choices: Collection[str], trace: list[TraceStep]) -> Policy:
        """Read ``SHIM_BLOCK_BACKENDS``, ``SHIM_FALLBACK`` and the file's ``fallback``."""
        blocked = self._names("SHIM_BLOCK_BACKENDS", self.sources.variable("SHIM_BLOCK_BACKENDS"), choices, trace)
        fallback = self._fallback("SHIM_FALLBACK", self.sources.variable("SHIM_FALLBACK"), choices, trace)
        if fallback is None:
            file = self.sources.file()
            if file:
                fallback = self._fallback(f"file {file.path} fallback", file.table.get("fallback"), choices, trace)
        return Policy(fallback, frozenset(blocked))

    def _weigh(
        self,
        answer: Answer,
        component: Component,
        choices: Collection[str],
        trace: list[TraceStep],
        targeting_key: str | None,
    ) -> Choice | None:
        if answer.problem:
            self._skip(answer.origin, answer.value, answer.problem, trace)
            return None
        if answer.rollout:
            return self._draw(answer, component, choices, trace, targeting_key)
        if answer.value is None:
            trace.append(TraceStep(answer.origin, None, "says nothing"))
            return None
        if answer.value in choices:
            trace.append(TraceStep(answer.origin, answer.value, "chosen"))
            return Choice(answer.value, answer.source, "chosen")
        complaint = unknown_backend(answer.value, choices)
        if answer.source in {"explicit", "context"}:
            trace.append(TraceStep(answer.origin, answer.value, "refused"))
            raise FlagConfigError(f"{component}, {answer.origin} value: {complaint}", component=component)
        self._skip(answer.origin, answer.value, complaint, trace)
        return None

    def _draw(
        self,
        answer: Answer,
        component: Component,
        choices: Collection[str],
        trace: list[TraceStep],
        targeting_key: str | None,
    ) -> Choice | None:
        assert answer.rollout is not None
        unknown = [name for name, _ in answer.rollout.shares if name not in choices]
        if unknown:
            self._skip(answer.origin, answer.value, unknown_backend(unknown[0], choices), trace)
            return None
        key = process_key() if targeting_key is None else targeting_key
        whose = "this process's random key" if targeting_key is None else "key"
        name = answer.rollout.draw(component, key)
        mark = answer.rollout.mark(component, key)
        outcome = f"{whose} {key!r} falls on {mark / 100:.2f} % of {answer.rollout}: {name}"
        trace.append(TraceStep(answer.origin, answer.value, outcome))
        return Choice(name, answer.source, "rollout")

    def _fallback(
        self, origin: str, value: object, choices: Collection[str], trace: list[TraceStep]
    ) -> tuple[str, ...] | None:
        if value is None:
            return None
        if value == "never":
            trace.append(TraceStep(origin, "never", "no fallback"))
            return ()
        return self._names(origin, value, choices, trace) or None

    def _names(self, origin: str, value: object, choices: Collection[str], trace: list[TraceStep]) -> tuple[str, ...]:
        if value is None:
            return ()
        written = value.split(",") if isinstance(value, str) else value
        if not isinstance(written, list):
            self._skip(origin, str(value), f"{value!r} is not a list of backends", trace)
            return ()
        names = [name.strip() if isinstance(name, str) else str(name) for name in written]
        good = tuple(dict.fromkeys(name for name in names if name in choices))
        for name in names:
            if name and name not in choices:
                self._skip(origin, name, unknown_backend(name, choices), trace)
        if good:
            trace.append(TraceStep(origin, ",".join(good), "read"))
        return good

    def _skip(self, origin: str, value: str | None, problem: str, trace: list[TraceStep]) -> None:
        trace.append(TraceStep(origin, value, f"skipped: {problem}"))
        line = f"{origin} = {value}: {problem}" if value is not None else f"{origin}: {problem}"
        if line not in self._warned:
            self._warned.add(line)
            logger.warning("skipped %s", line)


def unknown_backend(name: str, choices: Collection[str]) -> str:
    """Say that a backend's name means nothing, and what would."""
    return (
        f"backend {name!r} is not known. Choices: {listed(choices)}.{suggestion(name, choices)} "
        "A backend of another package must be installed first; `shim doctor` lists them."
    )
