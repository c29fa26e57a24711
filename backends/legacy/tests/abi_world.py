"""Drives the C ABI directly, without the Python engine: what the ABI tests need, and no more."""

from __future__ import annotations

import importlib
import itertools
import json
import select
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

DEADLINE: Final = 15.0


def load_module() -> Any:  # noqa: ANN401 - cffi modules have no static type
    """The compiled module, or None when it has not been built."""
    try:
        return importlib.import_module("backends.legacy._webrtc_legacy")
    except ImportError:
        return None


MODULE: Final[Any] = load_module()
ffi: Any = MODULE.ffi if MODULE else None
lib: Any = MODULE.lib if MODULE else None


class AbiError(Exception):
    """A negative result, with its code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def last_error() -> str:
    """The text of this thread's last error."""
    buf = ffi.new("char[]", 500)
    lib.rtc_last_error(buf, 500)
    return str(ffi.string(buf).decode())


def check(result: int) -> int:
    """Return the result, or raise what a negative one means."""
    if result < 0:
        raise AbiError(result, last_error())
    return result


def text(handle: int) -> str:
    """Take the text of a string handle."""
    size = ffi.new("size_t *")
    data = lib.rtc_string_data(check(handle), size)
    try:
        return str(ffi.buffer(data, size[0])[:].decode())
    finally:
        check(lib.rtc_string_free(handle))


def parsed(handle: int) -> Any:  # noqa: ANN401
    """Take the JSON of a string handle."""
    return json.loads(text(handle))


def copied(event: Any) -> SimpleNamespace:  # noqa: ANN401
    """An event that outlives the next drain."""
    names = ("type", "flags", "owner", "request", "i0", "i1", "i2", "i3", "time_us", "object")
    copy = SimpleNamespace(**{name: getattr(event, name) for name in names})
    copy.data = ffi.buffer(event.data, event.len)[:]
    copy.data2 = ffi.buffer(event.data2, event.len2)[:]
    copy.data3 = ffi.buffer(event.data3, event.len3)[:]
    return copy


class World:
    """A factory, a queue and whatever is made from them."""

    def __init__(self, media: int = 1, neteq_fixed_delay_ms: int = 0, field_trials: bytes | None = None) -> None:
        trials = ffi.NULL if field_trials is None else ffi.new("char[]", field_trials)
        options = ffi.new("rtc_factory_options *", [media, trials, neteq_fixed_delay_ms, 0])
        self.factory = check(lib.rtc_factory_new(options))
        fd = ffi.new("int *")
        self.queue = check(lib.rtc_queue_new(fd))
        self.fd = fd[0]
        self.numbers = itertools.count(1)
        self.events: deque[SimpleNamespace] = deque()
        self.taps: list[Callable[[SimpleNamespace], None]] = []
        self._batch = ffi.new("rtc_event[]", 256)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        check(lib.rtc_factory_free(self.factory))
        check(lib.rtc_queue_free(self.queue))

    def drain(self) -> None:
        for index in range(check(lib.rtc_queue_drain(self.queue, self._batch, 256))):
            event = copied(self._batch[index])
            for tap in self.taps:
                tap(event)
            self.events.append(event)

    def wait(self, wanted: Callable[[SimpleNamespace], bool], seconds: float = DEADLINE) -> SimpleNamespace:
        """The first event, of those seen or to come, that is wanted; it is taken out."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events:
                if wanted(event):
                    self.events.remove(event)
                    return event
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"waited {seconds} s; have {[(e.type, e.owner, e.data[:60]) for e in self.events]}")
            if select.select([self.fd], [], [], left)[0]:
                self.drain()

    def drain_all(self) -> None:
        """Take what waits now, without waiting for more."""
        while select.select([self.fd], [], [], 0)[0]:
            self.drain()

    def wait_until(self, condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
        """Go on draining until the condition, which taps may change, holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"waited {seconds} s")
            if select.select([self.fd], [], [], left)[0]:
                self.drain()

    def answer(self, call: Callable[..., int], *args: object) -> SimpleNamespace:
        """Make an asynchronous call whose last argument is the request; return its DONE event."""
        request = next(self.numbers)
        check(call(*args, request))
        return self.settled(request)

    def settled(self, request: int) -> SimpleNamespace:
        event = self.wait(lambda e: e.request == request)
        if event.type == lib.RTC_EV_ERROR:
            raise AbiError(event.i0, event.data.decode())
        return event


class Pc:
    """One connection of a world, which passes its candidates to its peer."""

    def __init__(self, world: World, config: int = 0) -> None:
        self.world = world
        self.owner = next(world.numbers)
        self.handle = check(lib.rtc_pc_new(world.factory, world.queue, config, self.owner))
        self.peer: Pc | None = None
        self.described = False
        self.waiting: list[SimpleNamespace] = []
        world.taps.append(self._on_event)

    def _on_event(self, event: SimpleNamespace) -> None:
        if event.owner == self.owner and event.type == lib.RTC_EV_CANDIDATE and event.data and self.peer:
            self.peer.add(event)

    def add(self, event: SimpleNamespace) -> None:
        if not self.described:
            self.waiting.append(event)
            return
        request = next(self.world.numbers)
        check(lib.rtc_pc_add_ice_candidate(self.handle, event.data2, event.i0, event.data, ffi.NULL, request))

    def offer(self, ice_restart: int = 0) -> bytes:
        request = next(self.world.numbers)
        check(lib.rtc_pc_create_offer(self.handle, request, ice_restart))
        return bytes(self.world.settled(request).data)

    def answer(self) -> bytes:
        return bytes(self.world.answer(lib.rtc_pc_create_answer, self.handle).data)

    def set_local(self, kind: int, sdp: bytes) -> Any:  # noqa: ANN401
        return json.loads(self.world.answer(lib.rtc_pc_set_local, self.handle, kind, sdp).data)

    def set_remote(self, kind: int, sdp: bytes) -> Any:  # noqa: ANN401
        done = self.world.answer(lib.rtc_pc_set_remote, self.handle, kind, sdp)
        self.described = True
        while self.waiting:
            self.add(self.waiting.pop(0))
        return json.loads(done.data)

    def channel(self, label: bytes = b"chat", **options: int) -> int:
        values = {"ordered": 1, "max_retransmits": -1, "max_packet_life_time": -1, "id": -1, "priority": 1, **options}
        handle = lib.rtc_pc_create_channel(
            self.handle, label, len(label), ffi.new("rtc_channel_options *", values), next(self.world.numbers)
        )
        return check(handle)

    def wait_state(self, kind: int, name: bytes) -> None:
        self.world.wait(lambda e: e.owner == self.owner and e.type == kind and e.data == name)

    def snapshot(self) -> Any:  # noqa: ANN401
        return parsed(lib.rtc_pc_snapshot(self.handle))

    def free(self) -> None:
        check(lib.rtc_pc_free(self.handle))
        self.world.taps.remove(self._on_event)


def linked(world: World, config: int = 0) -> tuple[Pc, Pc]:
    a, b = Pc(world, config), Pc(world, config)
    a.peer, b.peer = b, a
    return a, b


def negotiate(a: Pc, b: Pc) -> None:
    offer = a.offer()
    a.set_local(lib.RTC_SDP_OFFER, offer)
    b.set_remote(lib.RTC_SDP_OFFER, offer)
    answer = b.answer()
    b.set_local(lib.RTC_SDP_ANSWER, answer)
    a.set_remote(lib.RTC_SDP_ANSWER, answer)


def opened(world: World, channel: int) -> None:
    if lib.rtc_channel_state(channel) != 1:
        world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_STATE and e.object == channel and e.i0 == 1)


def connected_channels(world: World) -> tuple[Pc, Pc, int, int]:
    """Two connections with an open channel between them: (a, b, channel of a, channel of b)."""
    a, b = linked(world)
    ours = a.channel()
    negotiate(a, b)
    opened(world, ours)
    theirs = world.wait(lambda e: e.type == lib.RTC_EV_DATACHANNEL and e.owner == b.owner).object
    return a, b, ours, theirs
