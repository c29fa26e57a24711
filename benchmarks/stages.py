"""Where the time of a frame goes on the native path: marks set at its seams, frame by frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.metric import AnyFrame
from benchmarks.pacing import Pace

STAGES: Final = ("capture", "encode", "packetise", "network", "reorder", "decode", "delivery")
"""In order. A frame that comes encoded is not encoded: that stage is then what taking it over costs."""


@dataclass(slots=True)
class Marks:
    """When a frame passed each seam; seconds of one clock.

    :param due: when it should have been there.
    :param captured: the sender has got it.
    :param encoded: its payloads go to the RTP stream.
    :param sent: its last packet is with the system.
    :param arrived: its last packet has come, SRTP taken off.
    :param released: the decoder has it: an encoded frame comes out here.
    :param decoded: the sink of the SDK gets it.
    :param delivered: the application has it.
    """

    due: float = 0.0
    captured: float = 0.0
    encoded: float = 0.0
    sent: float = 0.0
    arrived: float = 0.0
    released: float = 0.0
    decoded: float = 0.0
    delivered: float = 0.0

    def stages(self) -> dict[str, float]:
        """Return the seconds of each stage."""
        moments = [getattr(self, name) for name in self.__slots__]
        return {name: b - a for name, a, b in zip(STAGES, moments, moments[1:], strict=False)}

    @property
    def added(self) -> float:
        """Seconds from an encoded frame in to an encoded frame out."""
        return self.released - self.captured


@dataclass
class Tracer:
    """Collects the marks of one stream.

    :param done: frames that came out.
    """

    done: list[Marks] = field(default_factory=list)
    current: Marks = field(default_factory=Marks)
    _flying: dict[int, Marks] = field(default_factory=dict)
    _decoded: deque[Marks] = field(default_factory=deque)
    _decoding: Marks | None = None

    def delivered(self, frame: AnyFrame, now: float) -> None:
        """Note that the application got the next frame."""
        if self._decoded:
            marks = self._decoded.popleft()
            marks.delivered = now
            self.done.append(marks)

    def note_packet(self, data: bytes) -> None:
        """Note an RTP packet that is about to be sent."""
        if not 192 <= data[1] <= 223:
            self._flying[int.from_bytes(data[4:8], "big")] = self.current

    def note_sent(self) -> None:
        """Note that all packets of the current frame have been sent."""
        self.current.sent = time.perf_counter()

    def note_arrival(self, timestamp: int) -> None:
        """Note a packet that came."""
        marks = self._flying.get(timestamp)
        if marks is not None:
            marks.arrived = time.perf_counter()

    def note_release(self, timestamp: int) -> None:
        """Note that the decoder gets a frame."""
        self._decoding = self._flying.pop(timestamp & 0xFFFFFFFF, None)
        if self._decoding is not None:
            self._decoding.released = time.perf_counter()

    def note_decoded(self) -> None:
        """Note that a frame has been decoded."""
        if self._decoding is not None:
            self._decoding.decoded = time.perf_counter()
            self._decoded.append(self._decoding)


class TracedPace(Pace):
    """A pace that tells a tracer of each frame."""

    def __init__(self, source: Any, tracer: Tracer) -> None:  # noqa: ANN401 - any source
        super().__init__(source)
        self._tracer = tracer

    async def next(self) -> AnyFrame:
        """Return the next frame when its time has come."""
        frame = await super().next()
        self._tracer.current = Marks(self.due(self._index), time.perf_counter())
        return frame


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    """Set marks on everything that the native engine carries meanwhile: one stream, please.

    :raises AttributeError: the engine has no such seam any more; this function must follow it.
    """
    from backends.native.decoding import FrameDecoder, Outlet
    from backends.native.receiver import MediaReceiver
    from backends.native.rtp_stream import RtpStream
    from backends.native.sender import MediaSender

    def send_frame(original: Callable[..., Any]) -> Callable[..., Any]:
        async def replaced(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            tracer.current.encoded = time.perf_counter()
            await original(self, *args, **kwargs)
            tracer.note_sent()

        return replaced

    with ExitStack() as stack:
        _wrap(stack, RtpStream, "send_frame", send_frame)
        _wrap(stack, MediaSender, "send_packet", _before(lambda _, data: tracer.note_packet(data)))
        _wrap(stack, MediaReceiver, "on_rtp", _before(lambda _, packet, *__: tracer.note_arrival(packet.timestamp)))
        _wrap(stack, FrameDecoder, "decode", _before(lambda _, __, frame, ___: tracer.note_release(frame.timestamp)))
        _wrap(stack, Outlet, "put", _before(lambda *_: tracer.note_decoded()))
        yield


def _before(note: Callable[..., None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def replaced(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            note(*args)
            return original(*args, **kwargs)

        return replaced

    return wrapper


def _wrap(
    stack: ExitStack, owner: type, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    inherited = name not in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, wrapper(original))
    stack.callback(delattr if inherited else setattr, *((owner, name) if inherited else (owner, name, original)))
