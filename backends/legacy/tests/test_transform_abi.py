"""Transforms through the C ABI: who waits, who passes, and that nothing stays when a call ends in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from backends.legacy.tests.abi_world import World, check, ffi, lib
from backends.legacy.tests.test_abi import Call, Camera

pytestmark = pytest.mark.skipif(lib is None, reason="backends/legacy/libwebrtc is not built: run its build.py")

WAITING_AT_MOST = 100


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(neteq_fixed_delay_ms=10) as shared:
        yield shared


class Transform:
    """A native transform, and what it posts."""

    def __init__(self, world: World, transceiver: int, *, of_sender: bool) -> None:
        self.owner = next(world.numbers)
        self.handle = check(lib.rtc_transform_new(transceiver, of_sender, world.queue, self.owner))
        self.frames: list[SimpleNamespace] = []
        world.taps.append(self._on_event)

    def _on_event(self, event: SimpleNamespace) -> None:
        if event.owner == self.owner:
            assert event.type == lib.RTC_EV_ENCODED_FRAME
            self.frames.append(event)

    def done(self, frame: SimpleNamespace, data: bytes | None) -> int:
        size = 0 if data is None else len(data)
        return check(lib.rtc_transform_done(self.handle, frame.i0, ffi.NULL if data is None else data, size))

    def counts(self) -> tuple[int, int]:
        passed, dropped = ffi.new("int64_t *"), ffi.new("int64_t *")
        check(lib.rtc_transform_counts(self.handle, passed, dropped))
        return int(passed[0]), int(dropped[0])


def test_frames_wait_for_their_answer_and_go_on_with_it(world: World) -> None:
    call = Call(world)
    out = Transform(world, call.sending_video, of_sender=True)
    came = Transform(world, call.receiving["video"], of_sender=False)
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(out.frames) > 0)
        first = out.frames[0]
        assert first.flags & lib.RTC_FLAG_KEY_FRAME
        assert out.done(first, first.data + b"and more") == 1
        assert out.done(first, first.data) == 0, "it waited no more"
        world.wait_until(lambda: len(came.frames) > 0)
        assert came.frames[0].data == first.data + b"and more"
        assert (came.frames[0].i2, came.frames[0].i3) == (first.i2, first.i3)
        assert len(call.frames) == 0
        assert came.done(came.frames[0], first.data) == 1
        world.wait_until(lambda: len(call.frames) > 0)
    call.free()


def test_answer_gives_up_those_before_it_and_null_drops(world: World) -> None:
    call = Call(world)
    out = Transform(world, call.sending_audio, of_sender=True)
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(out.frames) >= 4)
    first, second, third, fourth = out.frames[:4]
    assert out.done(third, third.data) == 1
    assert (out.done(first, first.data), out.done(second, second.data)) == (0, 0)
    assert (out.done(fourth, None), out.counts()) == (1, (1, 3))
    assert out.done(SimpleNamespace(i0=1 << 40), b"x") == 0
    call.free()


def test_those_that_wait_are_bounded(world: World) -> None:
    call = Call(world)
    out = Transform(world, call.sending_audio, of_sender=True)
    deadline = time.monotonic() + 15
    with Camera(call.audio, call.video):
        while out.counts()[1] < 20 and time.monotonic() < deadline:
            threading.Event().wait(0.05)  # nobody drains: that is the point
    passed, dropped = out.counts()
    assert (passed, dropped >= 20) == (0, True)
    world.drain_all()
    assert len(out.frames) == WAITING_AT_MOST
    assert out.done(out.frames[-1], out.frames[-1].data) == 1
    assert out.counts() == (1, dropped + WAITING_AT_MOST - 1)
    call.free()


def test_inactive_transform_lets_frames_pass_after_those_that_wait(world: World) -> None:
    call = Call(world)
    out = Transform(world, call.sending_video, of_sender=True)
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(out.frames) > 0)
        check(lib.rtc_transform_set_active(out.handle, 0))
        waiting = len(out.frames)
        world.wait_until(lambda: len(out.frames) > waiting)
        assert len(call.frames) == 0, "one overtook those that wait"
        # One answer lets the last one go; what comes now passes as it is.
        while len(call.frames) == 0:
            for frame in out.frames:
                out.done(frame, frame.data)
            out.frames.clear()
            world.drain()
            threading.Event().wait(0.02)
    call.free()


def test_nothing_stays_of_frames_that_wait_when_the_call_ends(world: World) -> None:
    before = lib.rtc_handle_count()
    for _ in range(5):
        call = Call(world)
        transforms = [
            Transform(world, transceiver, of_sender=of_sender)
            for transceiver, of_sender in (
                (call.sending_video, True),
                (call.sending_audio, True),
                (call.receiving["video"], False),
                (call.receiving["audio"], False),
            )
        ]
        with Camera(call.audio, call.video):
            world.wait_until(lambda transforms=transforms: len(transforms[0].frames) > 2)  # type: ignore[misc]
            call.free()
        check(lib.rtc_source_free(call.audio))
        check(lib.rtc_source_free(call.video))
        assert lib.rtc_transform_done(transforms[0].handle, 1, b"x", 1) == lib.RTC_ERR_INVALID_HANDLE
        assert lib.rtc_transform_counts(transforms[0].handle, ffi.NULL, ffi.NULL) == lib.RTC_ERR_INVALID_HANDLE
    assert lib.rtc_handle_count() == before


def test_wrong_handles_give_a_code(world: World) -> None:
    for handle in (0, -1, world.queue, 20 << 48 | 1):
        assert lib.rtc_transform_new(handle, 1, world.queue, 1) == lib.RTC_ERR_INVALID_HANDLE
        assert lib.rtc_transform_done(handle, 1, b"x", 1) == lib.RTC_ERR_INVALID_HANDLE
        assert lib.rtc_transform_set_active(handle, 1) == lib.RTC_ERR_INVALID_HANDLE
        assert lib.rtc_transform_counts(handle, ffi.NULL, ffi.NULL) == lib.RTC_ERR_INVALID_HANDLE
