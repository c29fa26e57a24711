"""The screen as a track: :class:`ScreenCapture`. See docs/media.md."""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING, Final

from shim.api.component import serving
from shim.api.tracks import RemoteTrack
from shim.spi.capabilities import Component
from shim.spi.engines import CaptureSettings
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

    from shim.spi.engines import ScreenCapturer
    from shim.spi.records import Decision

MAX_SIDE: Final = 16384
MAX_FRAMERATE: Final = 240


class ScreenCapture(RemoteTrack):
    """A video track of the screen: what getDisplayMedia is to browsers, without asking.

    Pictures are ``bgra``; whoever reads slowly gets the newest one (`setQueuePolicy` changes that). `stop()` ends it.

    :param display: which one, as the system names it: ``":0"`` (X11), ``"Capture screen 1"`` (macOS), ``"desktop"`` or
        ``"title=..."`` (Windows); `None` for that of the session.
    :param region: left, top, width and height in pixels; `None` for all of it.
    :param framerate: pictures per second, above 0, at most 240.
    :param cursor: show the pointer.
    :param backend: ``"native"``, ...; `None` leaves it to the flags.
    :raises InvalidMediaError: a figure is impossible, or the region is not on the screen.
    :raises OperationError: the display cannot be opened.
    :raises CapabilityError: there is no screen that can be captured, as on Wayland. Says what to do.
    :raises BackendUnavailableError: no backend that captures can run here.
    """

    def __init__(
        self,
        display: str | None = None,
        *,
        region: tuple[int, int, int, int] | None = None,
        framerate: float = 30,
        cursor: bool = True,
        backend: str | None = None,
    ) -> None:
        from shim._core.dispatch import get_dispatcher

        settings = CaptureSettings(display, _checked_region(region), _checked_framerate(framerate), bool(cursor))
        super().__init__("video", policy="latest")
        self._engine: ScreenCapturer
        self._engine, self._decision = get_dispatcher().create(
            Component.SCREEN_CAPTURE,
            lambda hooks: hooks.shim_create_screen_capturer(settings=settings),
            backend=backend,
        )
        with serving(self._decision, "ScreenCapture"):
            self._engine.start(_Outlet(self))
        # The engine's thread does not hold the track: dropping it ends the capture.
        self._finalizer = weakref.finalize(self, self._engine.close)

    @property
    def backendDecision(self) -> Decision:
        """Which backend captures, and why that one."""
        return self._decision

    def stop(self) -> None:
        """End the track and the capture."""
        super().stop()
        self._finalizer()


class _Outlet:
    """Where the engine puts pictures while somebody holds the track."""

    def __init__(self, track: ScreenCapture) -> None:
        self._track = weakref.ref(track)

    def put(self, frame: AudioFrame | VideoFrame) -> None:
        if (track := self._track()) is not None:
            track.put(frame)

    def end(self) -> None:
        if (track := self._track()) is not None:
            track.end()


def _checked_region(region: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
    if region is None:
        return None
    if len(region) != 4 or not all(isinstance(number, int) for number in region):
        raise InvalidMediaError(f"ScreenCapture: region {region!r} is not left, top, width and height in whole pixels")
    left, top, width, height = region
    if left < 0 or top < 0 or not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise InvalidMediaError(
            f"ScreenCapture: a region of {width}x{height} from {left},{top} is impossible; choose 1x1 to "
            f"{MAX_SIDE}x{MAX_SIDE} from 0,0 on"
        )
    return left, top, width, height


def _checked_framerate(framerate: float) -> float:
    if not math.isfinite(framerate) or not 0 < framerate <= MAX_FRAMERATE:
        raise InvalidMediaError(
            f"ScreenCapture: {framerate} pictures per second are impossible; choose above 0, at most {MAX_FRAMERATE}"
        )
    return float(framerate)
