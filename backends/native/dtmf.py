"""Sending DTMF as telephone events (RFC 4733, webrtc-pc section 7)."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger(__name__)

EVENTS: Final = {tone: code for code, tone in enumerate("0123456789*#ABCD")}
STEP_SECONDS: Final = 0.02
PAUSE_SECONDS: Final = 2.0
VOLUME: Final = 10
SEGMENT_MAX: Final = 0xFFFF
END_PACKETS: Final = 3


@dataclass(frozen=True, slots=True)
class ToneEvent:
    """One packet of a tone.

    :param offset: RTP ticks from the start of the tone to the start of the segment this belongs to.
    :param at: seconds from the start of the tone until it is to be sent.
    """

    payload: bytes
    marker: bool
    offset: int
    at: float


def tone_events(tone: str, seconds: float, clock_rate: int) -> Iterator[ToneEvent]:
    """Yield the packets of one tone: an update every 20 ms, the last one three times.

    :param tone: one of ``0-9 * # A-D``, in either case.
    """
    code, total = EVENTS[tone.upper()], max(1, round(seconds * clock_rate))
    step = round(STEP_SECONDS * clock_rate)
    steps = -(-total // step)
    for index in range(steps):
        played = min(total, (index + 1) * step)
        last = index == steps - 1
        # A duration has 16 bits: a longer tone goes on in another segment (RFC 4733 section 2.5.1.3).
        segment = (played - 1) // SEGMENT_MAX * SEGMENT_MAX
        payload = struct.pack("!BBH", code, (0x80 if last else 0) | VOLUME, played - segment)
        event = ToneEvent(payload, index == 0, segment, index * STEP_SECONDS)
        yield from [event] * (END_PACKETS if last else 1)


class TonePlayer:
    """Plays a buffer of tones.

    :param send: sends one packet; is told the RTP timestamp by `start`.
    :param start: tells the RTP timestamp and clock rate of a tone that starts now, `None` if none can be sent.
    """

    def __init__(
        self,
        send: Callable[[ToneEvent, int], Awaitable[None]],
        start: Callable[[], tuple[int, int] | None],
    ) -> None:
        self._send = send
        self._start = start
        self._tones = ""
        self._duration = self._gap = 0.0
        self._on_tone: Callable[[str], None] = lambda _: None
        self._task: asyncio.Task[None] | None = None
        self.playing = False

    def insert(self, tones: str, duration: float, gap: float, on_tone: Callable[[str], None]) -> None:
        """Replace the buffer. Seconds. `on_tone` is told each tone as it starts, and "" at the end."""
        self._tones, self._duration, self._gap, self._on_tone = tones, duration, gap, on_tone
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop playing. Nothing is told any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._tones:
            tone, self._tones = self._tones[0], self._tones[1:]
            self._on_tone(tone)
            if tone == ",":
                await asyncio.sleep(PAUSE_SECONDS)
            elif (begin := self._start()) is not None:
                await self._play(tone, *begin)
                await asyncio.sleep(self._gap)
        self._on_tone("")

    async def _play(self, tone: str, timestamp: int, clock_rate: int) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.playing = True
        try:
            for event in tone_events(tone, self._duration, clock_rate):
                await asyncio.sleep(max(0.0, started + event.at - loop.time()))
                await self._send(event, timestamp)
            await asyncio.sleep(max(0.0, started + self._duration - loop.time()))
        finally:
            self.playing = False
