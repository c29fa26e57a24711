"""How each platform's screen is opened. Only X11 is run here (conformance/suite/test_screen_capture.py)."""

from __future__ import annotations

import pytest

from backends.native.screen import Device, device_for
from shim.spi.engines import CaptureSettings
from shim.spi.errors import CapabilityError

REGION = CaptureSettings(region=(10, 20, 300, 200), framerate=12.5, cursor=False)


def test_x11_takes_the_display_of_the_session_or_another() -> None:
    assert device_for(CaptureSettings(), "linux", {"DISPLAY": ":3"}) == Device(
        "x11grab", ":3", {"framerate": "30", "draw_mouse": "1", "probesize": "32"}
    )
    assert device_for(CaptureSettings(display=":7"), "linux", {"DISPLAY": ":3"}).file == ":7"
    assert device_for(REGION, "freebsd14", {"DISPLAY": ":3"}).options == {
        "framerate": "12.5",
        "draw_mouse": "0",
        "probesize": "32",
        "grab_x": "10",
        "grab_y": "20",
        "video_size": "300x200",
    }


def test_avfoundation_is_described_but_not_run_here() -> None:
    assert device_for(CaptureSettings(framerate=60), "darwin", {}) == Device(
        "avfoundation",
        "Capture screen 0:none",
        {"framerate": "60", "capture_cursor": "1", "pixel_format": "bgr0"},
    )
    with pytest.raises(CapabilityError, match="crop the pictures"):
        device_for(REGION, "darwin", {})


def test_gdigrab_is_described_but_not_run_here() -> None:
    assert device_for(REGION, "win32", {}) == Device(
        "gdigrab",
        "desktop",
        {"framerate": "12.5", "draw_mouse": "0", "offset_x": "10", "offset_y": "20", "video_size": "300x200"},
    )
    assert device_for(CaptureSettings(display="title=Slides"), "win32", {}).file == "title=Slides"


@pytest.mark.parametrize(
    ("platform", "environment", "advice"),
    [
        ("linux", {}, "Xvfb :99"),
        ("linux", {"DISPLAY": ""}, "Set DISPLAY"),
        ("linux", {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland", "WAYLAND_DISPLAY": "wayland-0"}, "X11 session"),
        ("emscripten", {}, "emscripten"),
    ],
    ids=["no display", "empty display", "wayland", "elsewhere"],
)
def test_what_cannot_be_captured_says_what_to_do(platform: str, environment: dict[str, str], advice: str) -> None:
    with pytest.raises(CapabilityError, match=advice):
        device_for(CaptureSettings(), platform, environment)


def test_wayland_can_still_capture_a_display_that_is_named() -> None:
    environment = {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}
    assert device_for(CaptureSettings(display=":0"), "linux", environment).file == ":0"
