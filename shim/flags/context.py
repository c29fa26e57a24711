"""The context source: ``with shim.use_backend("legacy"): ...``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from shim.flags.names import as_component
from shim.spi.capabilities import Component

P = ParamSpec("P")
R = TypeVar("R")

_scopes: ContextVar[tuple[use_backend, ...]] = ContextVar("shim_use_backend", default=())


class use_backend:  # noqa: N801 - used like a function, as contextlib's own are
    """Choose the backend of every object that is created inside a ``with`` block or a decorated function.

    The choice follows the context (PEP 567): tasks started inside inherit it, tasks outside never see it, a thread
    started inside does so only with ``asyncio.to_thread`` or a copied context. The innermost scope wins. Objects that
    exist already keep their backend. A generator cannot be decorated: put the ``with`` inside it.

    :param name: backend, e.g. ``"native"``; checked when an object is created.
    :param component: the part of the SDK that it applies to.
    :raises FlagConfigError: the component is unknown; at the creation of an object: the backend is unknown.
    """

    def __init__(self, name: str, *, component: Component | str = Component.PEER) -> None:
        self.name = name
        self.component = as_component(component)

    def __enter__(self) -> use_backend:
        _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        scopes = list(_scopes.get())
        # No token: one scope may be entered by many tasks, each in its own context.
        for index in range(len(scopes) - 1, -1, -1):
            if scopes[index] is self:
                del scopes[index]
                break
        _scopes.set(tuple(scopes))

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"use_backend cannot decorate the generator {function.__qualname__}: use `with` inside it")
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._decorate_coroutine(function))
        return self._decorate_function(function)

    def _decorate_function(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return inside

    def _decorate_coroutine(self, function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        async def inside(*args: object, **kwargs: object) -> object:
            with self:
                return await function(*args, **kwargs)  # type: ignore[misc]

        return inside


def context_backend(component: Component) -> str | None:
    """Return what the innermost scope asks for, or `None`."""
    for scope in reversed(_scopes.get()):
        if scope.component is component:
            return scope.name
    return None
