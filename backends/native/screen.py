"""The screen as a source of pictures, by FFmpeg's devices: x11grab, avfoundation, gdigrab.

Only x11grab is run in the tests of this project; the other two are described as FFmpeg documents them.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av

from shim.spi.engines import CaptureSettings, MediaSink
from shim.spi.errors import CapabilityError, InvalidMediaError, OperationError, ShimError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

logger = logging.getLogger(__name__)

JOIN_SECONDS: Final = 2.0
FORMAT: Final = "bgra"
"""What is delivered: the devices give nearly that, and nothing is lost of text before an encoder halves its colours."""


@dataclass(frozen=True, slots=True)
class Device:
    """How FFmpeg opens a screen.

    :param format: of libavdevice.
    :param file: which screen.
    """

    format: str
    file: str
    options: Mapping[str, str]


def device_for(settings: CaptureSettings, platform: str, environment: Mapping[str, str]) -> Device:
    """Choose the device of a platform.

    :param platform: as in `sys.platform`.
    :raises CapabilityError: there is none, or the session has no screen that it could capture.
    """
    if platform.startswith("linux") or "bsd" in platform:
        return _x11(settings, environment)
    if platform == "darwin":
        return _macos(settings)
    if platform == "win32":
        return _windows(settings)
    raise _lacking(f"there is no way to capture the screen of {platform}; X11, macOS and Windows have one")


def _x11(settings: CaptureSettings, environment: Mapping[str, str]) -> Device:
    display = settings.display or environment.get("DISPLAY")
    if settings.display is None and environment.get("XDG_SESSION_TYPE") == "wayland":
        raise _lacking(
            "this is a Wayland session, which lets no program read the screen over X11. Log in to an X11 session, or "
            "name an X display (display=':1') such as that of Xvfb or Xwayland to capture what runs there"
        )
    if not display:
        raise _lacking(
            "this session has no X display. Set DISPLAY, or name one: ScreenCapture(display=':0'); without a monitor, "
            "run `Xvfb :99 -screen 0 1280x720x24` and use display=':99'"
        )
    # FFmpeg would look at pictures for 150 ms to learn what it knows, and deliver them late.
    options = {"framerate": _rate(settings), "draw_mouse": str(int(settings.cursor)), "probesize": "32"}
    if settings.region is not None:
        left, top, width, height = settings.region
        options |= {"grab_x": str(left), "grab_y": str(top), "video_size": f"{width}x{height}"}
    return Device("x11grab", display, options)


def _macos(settings: CaptureSettings) -> Device:
    if settings.region is not None:
        raise _lacking("avfoundation captures whole screens: leave `region` out, and crop the pictures")
    screen = settings.display or "Capture screen 0"
    options = {"framerate": _rate(settings), "capture_cursor": str(int(settings.cursor)), "pixel_format": "bgr0"}
    return Device("avfoundation", f"{screen}:none", options)


def _windows(settings: CaptureSettings) -> Device:
    options = {"framerate": _rate(settings), "draw_mouse": str(int(settings.cursor))}
    if settings.region is not None:
        left, top, width, height = settings.region
        options |= {"offset_x": str(left), "offset_y": str(top), "video_size": f"{width}x{height}"}
    return Device("gdigrab", settings.display or "desktop", options)


def _rate(settings: CaptureSettings) -> str:
    return f"{settings.framerate:g}"


def _lacking(reason: str) -> CapabilityError:
    return CapabilityError(f"screen capture: {reason}", backend="native", component="screen_capture")


class NativeScreenCapturer:
    """Implements ScreenCapturer: reads a device on a thread of its own, which waits between pictures."""

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._quit = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, sink: MediaSink) -> None:
        """Open the device and deliver from now on."""
        device = device_for(self._settings, sys.platform, os.environ)
        if device.format not in av.formats_available:
            raise _lacking(f"the FFmpeg inside this PyAV has no {device.format}. Install a PyAV wheel from PyPI")
        container = self._open(device)
        self._thread = threading.Thread(target=self._run, args=(container, sink), name="native-screen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; waits for the picture that is being taken."""
        self._quit.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def _open(self, device: Device) -> InputContainer:
        try:
            return av.open(device.file, format=device.format, options=dict(device.options))
        except (av.FFmpegError, OSError) as exc:
            raise self._refusal(device, exc) from exc

    def _refusal(self, device: Device, exc: OSError | av.FFmpegError) -> ShimError:
        told = f"screen capture: {device.format} cannot capture "
        settings = {"backend": "native", "component": "screen_capture"}
        if exc.errno == errno.EINVAL and self._settings.region is not None:
            left, top, width, height = self._settings.region
            return InvalidMediaError(
                f"{told}{width}x{height} from {left},{top} of {device.file!r}: that is not all on the screen. "
                "Choose a region within it.",
                **settings,
            )
        return OperationError(
            f"{told}{device.file!r}: {exc}. Is that display there, and may this user see it (xhost, XAUTHORITY)?",
            **settings,
        )

    def _run(self, container: InputContainer, sink: MediaSink) -> None:
        try:
            self._deliver(container, sink)
        except Exception as exc:
            # As text: a log that is kept would keep the device.
            if not self._quit.is_set():
                logger.warning("screen capture ends: %s", str(exc))
        finally:
            container.close()
            if not self._quit.is_set():
                sink.end()

    def _deliver(self, container: InputContainer, sink: MediaSink) -> None:
        first: int | None = None
        for frame in container.decode(video=0):
            if self._quit.is_set():
                return
            moment = frame.pts or 0
            first = moment if first is None else first
            sink.put(_finished(frame, moment - first))


def _finished(frame: VideoFrame, pts: int) -> VideoFrame:
    picture = frame.reformat(format=FORMAT)
    picture.pts, picture.time_base = pts, frame.time_base
    return picture
