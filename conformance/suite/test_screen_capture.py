"""The screen as a track: what a real X client draws is what arrives, here and at the other end of a call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest
from av import VideoFrame

from conformance.asserts import Arrivals, connect
from conformance.requirements import NOT_DECLARED, spec
from conformance.screen import HEIGHT, HOW_TO_GET, WIDTH, Painter, Rectangle, VirtualScreen
from conformance.targets import Pair, Peers, Target
from shim import CapabilityError, Component, InvalidMediaError, MediaStreamError, OperationError, ScreenCapture

PATIENCE: Final = 12.0
COLOURS: Final = (0xC03020, 0x30A040, 0x2040C0, 0xD0D0D0)
HALF: Final = (WIDTH // 2, HEIGHT // 2)
QUARTERS: Final = [
    Rectangle(HALF[0] * (index % 2), HALF[1] * (index // 2), *HALF, colour) for index, colour in enumerate(COLOURS)
]


@pytest.fixture(scope="module")
def screen() -> Iterator[VirtualScreen]:
    """Run an X server with the quarters of its screen in different colours."""
    if not VirtualScreen.is_installed():
        pytest.skip(HOW_TO_GET)
    with VirtualScreen() as screen:
        screen.draw(QUARTERS)
        yield screen


def _capture(target: Target, screen: VirtualScreen, **options: Any) -> ScreenCapture:
    _require(target)
    return ScreenCapture(screen.display, backend=target.name, **options)


def _require(target: Target) -> None:
    if Component.SCREEN_CAPTURE not in target.info.components:
        pytest.skip(f"backend {target} {NOT_DECLARED} of the component {Component.SCREEN_CAPTURE}")


async def _picture(track: Any) -> VideoFrame:
    frame = await asyncio.wait_for(track.recv(), PATIENCE)
    assert isinstance(frame, VideoFrame)
    return frame


def _colours(frame: VideoFrame, count: int = 2) -> np.ndarray[Any, Any]:
    """Return the colours in the middle of `count` by `count` parts."""
    pixels = frame.to_ndarray(format="rgb24")
    rows, columns = (np.linspace(0, side, 2 * count + 1).astype(int)[1::2] for side in pixels.shape[:2])
    found: np.ndarray[Any, Any] = pixels[np.ix_(rows, columns)].reshape(-1, 3).astype(int)
    return found


def _rgb(*colours: int) -> np.ndarray[Any, Any]:
    return np.array([(c >> 16, c >> 8 & 255, c & 255) for c in colours])


# --- pictures ----------------------------------------------------------------------------------------


@spec("screen-capture 5.1")
async def test_all_of_the_screen_is_seen_exactly(target: Target, screen: VirtualScreen) -> None:
    track = _capture(target, screen, cursor=False)
    frame = await _picture(track)
    track.stop()
    assert (track.kind, frame.width, frame.height) == ("video", WIDTH, HEIGHT)
    assert np.array_equal(_colours(frame), _rgb(*COLOURS))
    assert track.backendDecision.backend == target.name


@spec("screen-capture 5.1")
@pytest.mark.parametrize(
    "region",
    [(0, 0, 64, 48), (HALF[0] - 20, HALF[1] - 10, 40, 20), (WIDTH - 33, HEIGHT - 17, 33, 17)],
    ids=["corner", "middle", "odd end"],
)
async def test_region_is_cut_out_where_it_is(
    target: Target, screen: VirtualScreen, region: tuple[int, int, int, int]
) -> None:
    track = _capture(target, screen, region=region, cursor=False)
    frame = await _picture(track)
    track.stop()
    left, top, width, height = region
    assert (frame.width, frame.height) == (width, height)
    middles = [(left + x * width // 4, top + y * height // 4) for y in (1, 3) for x in (1, 3)]
    expected = [COLOURS[(x >= HALF[0]) + 2 * (y >= HALF[1])] for x, y in middles]
    assert np.array_equal(_colours(frame), _rgb(*expected))


@spec("screen-capture 5.1")
async def test_what_changes_on_the_screen_is_seen(target: Target, screen: VirtualScreen) -> None:
    track = _capture(target, screen, region=(0, 0, 32, 32), framerate=60, cursor=False)
    await _picture(track)
    try:
        screen.draw([Rectangle(0, 0, 32, 32, 0x00FFFF)])
        await _becomes(track, lambda frame: np.array_equal(_colours(frame, 1), _rgb(0x00FFFF)))
    finally:
        screen.draw(QUARTERS)
        track.stop()


async def _becomes(track: Any, condition: Callable[[VideoFrame], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition(await _picture(track)):
            pass


@spec("screen-capture 5.1")
async def test_times_begin_at_zero_and_follow_the_rate(target: Target, screen: VirtualScreen) -> None:
    track = _capture(target, screen, region=(0, 0, 16, 16), framerate=50)
    track.setQueuePolicy("drop_oldest", 30)
    frames = [await _picture(track) for _ in range(11)]
    track.stop()
    times = [float(frame.pts * frame.time_base) for frame in frames if frame.pts is not None and frame.time_base]
    assert times[0] < 0.2
    assert all(np.diff(times) > 0)
    # Never faster; a busy machine may be late.
    assert times[-1] - times[0] > 10 / 50 * 0.8


@spec("screen-capture 5.1")
async def test_screen_is_shown_at_the_other_end_of_a_call(peers: Peers, pair: Pair, screen: VirtualScreen) -> None:
    capable = [each for each in pair.targets if Component.SCREEN_CAPTURE in each.info.components]
    track = _capture((capable or [pair.offerer])[0], screen, framerate=15, cursor=False)
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(track)
    await connect(offerer, answerer)
    (received,) = await arriving.take(1)
    await _becomes(received, lambda frame: bool(np.abs(_colours(frame) - _rgb(*COLOURS)).max() < 25))


# --- its end -----------------------------------------------------------------------------------------


@spec("mediacapture-streams 4.3")
async def test_stopped_capture_ends_the_track(target: Target, screen: VirtualScreen) -> None:
    track = _capture(target, screen)
    await _picture(track)
    track.stop()
    track.stop()
    assert track.readyState == "ended"
    with pytest.raises(MediaStreamError):
        await track.recv()


@spec("docs/media.md ScreenCapture")
async def test_capture_that_nobody_holds_ends(target: Target, screen: VirtualScreen) -> None:
    """The fixture that looks for threads left behind is what checks it."""
    track = _capture(target, screen)
    await _picture(track)
    del track
    gc.collect()


@spec("screen-capture 5.1", "mediacapture-streams 4.3")
async def test_track_ends_with_its_display(target: Target) -> None:
    _require(target)
    if not VirtualScreen.is_installed():
        pytest.skip(HOW_TO_GET)
    with VirtualScreen() as screen:
        track = _capture(target, screen)
        await _picture(track)
    with pytest.raises(MediaStreamError):
        await _becomes(track, lambda _: False)
    track.stop()


# --- what cannot be ----------------------------------------------------------------------------------


@spec("docs/media.md ScreenCapture")
async def test_display_that_is_not_there_is_told(target: Target) -> None:
    _require(target)
    with pytest.raises(OperationError, match=":4321") as caught:
        ScreenCapture(":4321", backend=target.name)
    assert (caught.value.backend, caught.value.component) == (target.name, "screen_capture")


@spec("docs/media.md ScreenCapture")
@pytest.mark.parametrize("region", [(WIDTH - 10, 0, 20, 20), (0, 0, WIDTH, HEIGHT + 1)], ids=["right", "below"])
async def test_region_off_the_screen_is_refused(target: Target, screen: VirtualScreen, region: Any) -> None:
    with pytest.raises(InvalidMediaError, match="region within"):
        _capture(target, screen, region=region)


@spec("docs/media.md ScreenCapture")
@pytest.mark.parametrize(
    "options",
    [
        {"region": (0, 0, 0, 10)},
        {"region": (-1, 0, 10, 10)},
        {"region": (0, 0, 10)},
        {"region": (0, 0, 10.5, 10)},
        {"region": (0, 0, 20000, 10)},
        {"framerate": 0},
        {"framerate": float("nan")},
        {"framerate": 241},
    ],
    ids=str,
)
async def test_impossible_options_are_refused(target: Target, options: Any) -> None:
    _require(target)
    with pytest.raises(InvalidMediaError, match="ScreenCapture"):
        ScreenCapture(":0", backend=target.name, **options)


@spec("docs/media.md ScreenCapture")
async def test_session_without_display_says_what_to_do(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    _require(target)
    for name in ("DISPLAY", "XDG_SESSION_TYPE", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CapabilityError, match="Xvfb"):
        ScreenCapture(backend=target.name)


@spec("docs/media.md ScreenCapture")
def test_the_painter_tells_what_the_server_refuses(screen: VirtualScreen) -> None:
    with Painter(screen.display) as painter:
        painter._root = 1
        painter.fill(QUARTERS[0])
        with pytest.raises(RuntimeError, match="reports error"):
            painter.finish()
