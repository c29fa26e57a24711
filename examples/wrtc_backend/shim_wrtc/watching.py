"""Listening to wrtc's objects without keeping alive who listens: wrtc keeps objects with handlers until their end."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


def watch(emitter: Any, name: str, method: Callable[[Any], None]) -> None:  # noqa: ANN401 - any object of wrtc
    """Call a bound method for each event, as long as its object lives. Needs a running loop."""
    weak = weakref.WeakMethod(method)

    def handle(event: Any) -> None:  # noqa: ANN401
        if (alive := weak()) is not None:
            alive(event)

    emitter.on(name, handle)
