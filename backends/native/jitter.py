"""Putting received RTP packets back in order, without avoidable delay.

Pure: no I/O, no clock, no thread. Time comes in as seconds of any monotonic clock. What is in order leaves at
once; packets are kept only while one before them is missing, or to honour a wished-for delay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

AUDIO_CAPACITY: Final = 128
AUDIO_WAIT_MIN: Final = 0.02
AUDIO_WAIT_MAX: Final = 0.2
HELD_MAX: Final = 512
FORGET: Final = 0.9995
"""Per packet: after half a minute of order, half of the lateness seen is forgotten."""
STALE_MAX: Final = 64


@dataclass(slots=True)
class MediaPacket:
    """One RTP packet, after its payload header has been read.

    :param data: codec bytes, ready to be joined with those of the frame's other packets.
    :param starts: true if it begins a frame, false if it cannot, `None` if its format does not tell.
    :param key: true if it belongs to a frame that can be decoded on its own.
    :param filler: true if it takes a sequence number but carries no media (padding, unknown codecs).
    :param is_event: true for a telephone event: its timestamp stays that of the event's start.
    :param resent: true if it is known to have been sent again, having been asked for.
    """

    sequence: int
    timestamp: int
    payload_type: int
    data: bytes = b""
    marker: bool = False
    starts: bool | None = None
    key: bool = False
    filler: bool = False
    is_event: bool = False
    resent: bool = False
    arrived: float = 0.0


@dataclass(slots=True)
class MediaFrame:
    """What a decoder takes at once.

    :param timestamp: RTP timestamp, 32 bits.
    :param gap: true if something before it is missing for good.
    :param arrived: when its first packet came.
    """

    timestamp: int
    payload_type: int
    data: bytes
    key: bool = False
    gap: bool = False
    arrived: float = 0.0


def signed(value: int, bits: int) -> int:
    """Return a difference of wrapping counters as a signed number."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


class PacketWindow:
    """Packets by sequence number without wraparound, from the next one wanted on.

    :param capacity: how far ahead of the next one a packet may be; bounds memory.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._packets: dict[int, MediaPacket] = {}
        self._suspect: MediaPacket | None = None
        self._stale = 0
        self._given_up: set[int] = set()
        self.discarded = 0
        """How many came after they had been given up."""
        self.next: int | None = None
        self.highest = -1
        self.jumped = False

    def __len__(self) -> int:
        return len(self._packets)

    def put(self, packet: MediaPacket) -> int | None:
        """Store a packet and return its extended number, or `None` if it is a duplicate or came too late.

        Sets `jumped` when the stream went on somewhere else and what was stored has been given up.
        """
        if self.next is None:
            self.next = self.highest = packet.sequence
        number = self.next + signed(packet.sequence - self.next, 16)
        if number < self.next:
            return self._put_late(packet, number)
        if number >= self.next + self._capacity:
            return self._jump(packet)
        return self._store(packet, number)

    def pop(self) -> MediaPacket | None:
        """Return the next packet in order, if it is there."""
        if self.next is None:
            return None
        packet = self._packets.pop(self.next, None)
        if packet is not None:
            self.next += 1
        return packet

    def first(self) -> int:
        """Return the lowest number stored. Something is stored."""
        return min(self._packets)

    def get(self, number: int) -> MediaPacket | None:
        return self._packets.get(number)

    def skip_to(self, number: int) -> None:
        """Give up everything before a number."""
        assert self.next is not None
        missing = {n for n in range(self.next, number) if n not in self._packets}
        self._given_up = {n for n in self._given_up if number - n <= self._capacity} | missing
        for passed in [n for n in self._packets if n < number]:
            del self._packets[passed]
        self.next = number

    def blocked_since(self) -> float | None:
        """Return when it became known that the next packet is missing, `None` if nothing waits."""
        # A dict keeps insertion order: the first value is the earliest arrival beyond the hole.
        for packet in self._packets.values():
            return packet.arrived
        return None

    def _store(self, packet: MediaPacket, number: int) -> int | None:
        self._stale = 0
        if number in self._packets:
            return None
        self._packets[number] = packet
        self.highest = max(self.highest, number)
        return number

    def _put_late(self, packet: MediaPacket, number: int) -> int | None:
        assert self.next is not None
        self._stale += 1
        if self._stale > STALE_MAX:
            return self._jump(packet)
        if self.next - number <= self._capacity:
            self._note_discarded(number)
            return None
        # RFC 3550 appendix A.1: two packets in sequence, far from where we are, are a restarted stream.
        suspect, self._suspect = self._suspect, packet
        if suspect is None or (packet.sequence - suspect.sequence) & 0xFFFF != 1:
            return None
        self._jump(suspect)
        return self.put(packet)

    def _note_discarded(self, number: int) -> None:
        if number in self._given_up:  # and not one that comes a second time
            self._given_up.remove(number)
            self.discarded += 1

    def _jump(self, packet: MediaPacket) -> int | None:
        self._packets.clear()
        self._given_up.clear()
        self._suspect = None
        self.next = self.highest = packet.sequence
        self.jumped = True
        return self._store(packet, packet.sequence)


class TransitClock:
    """Knows how late packets are: their jitter (RFC 3550 section 6.4.1) and when each is due.

    :param clock_rate: RTP ticks per second.
    """

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._origin: int | None = None
        self._ticks = 0
        self._last: float | None = None
        self._base = 0.0
        self.jitter = 0.0

    def observe(self, timestamp: int, now: float) -> None:
        """Note the arrival of a packet."""
        transit = now - self._seconds(timestamp)
        if self._last is None or abs(transit - self._base) > 10:
            self._base = transit
        else:
            self.jitter += (abs(transit - self._last) - self.jitter) / 16
            # The fastest packet tells the path's delay; the small rise follows a drifting clock.
            self._base = min(transit, self._base + 2e-5)
        self._last = transit

    def due(self, timestamp: int, target: float) -> float:
        """Return when media of this time is to leave, to have been delayed by `target` seconds."""
        return self._base + self._seconds(timestamp) + target

    def _seconds(self, timestamp: int) -> float:
        if self._origin is None:
            self._origin = timestamp
        ticks = self._ticks + signed(timestamp - self._origin - self._ticks, 32)
        self._ticks = max(ticks, self._ticks)
        return ticks / self._rate


class HoldQueue:
    """Delays frames that are complete, if a delay is wished for.

    :param target: seconds; 0 lets everything through.
    """

    def __init__(self, clock: TransitClock, target: float) -> None:
        self._clock = clock
        self._held: deque[tuple[float, MediaFrame]] = deque()
        self.target = target

    def __len__(self) -> int:
        return len(self._held)

    def pass_on(self, frames: list[MediaFrame], now: float) -> list[MediaFrame]:
        """Take complete frames in order; return those to decode now, in order."""
        if self.target <= 0 and not self._held:
            return frames
        for frame in frames:
            due = min(self._clock.due(frame.timestamp, self.target), now + self.target)
            self._held.append((due, frame))
        return self._release(now)

    def deadline(self) -> float | None:
        return self._held[0][0] if self._held else None

    def _release(self, now: float) -> list[MediaFrame]:
        ready = []
        while self._held and (self._held[0][0] <= now or self.target <= 0 or len(self._held) > HELD_MAX):
            ready.append(self._held.popleft()[1])
        return ready


class AudioBuffer:
    """Puts audio packets in order; each is a frame.

    A missing packet is waited for only as long as the reordering seen so far, the jitter and the wished-for
    delay suggest (20 to 200 ms); then later frames go on, with their right times.

    :param clock_rate: RTP ticks per second.
    :param target: wished-for delay in seconds.
    """

    def __init__(self, clock_rate: int, target: float = 0.0) -> None:
        self._clock = TransitClock(clock_rate)
        self._hold = HoldQueue(self._clock, target)
        self._window = PacketWindow(AUDIO_CAPACITY)
        self._lateness = 0.0
        self._skipped: dict[int, float] = {}
        self._gap = False

    @property
    def discarded(self) -> int:
        """How many packets came too late to be used."""
        return self._window.discarded

    def set_target(self, seconds: float) -> None:
        """Wish for another delay."""
        self._hold.target = seconds

    def insert(self, packet: MediaPacket, now: float) -> list[MediaFrame]:
        """Take a packet; return the frames that can be decoded now, in order."""
        packet.arrived = now
        self._lateness *= FORGET
        if not (packet.filler or packet.is_event):
            self._clock.observe(packet.timestamp, now)
        blocked = self._window.blocked_since()
        stored = self._window.put(packet)
        if stored is None:
            self._note_late(packet, now)
        elif blocked is not None and stored == self._window.next:
            self._note_lateness(now - blocked)
        return self.poll(now)

    def poll(self, now: float) -> list[MediaFrame]:
        """Return the frames that can be decoded now, in order. Call at `deadline()`."""
        frames = self._contiguous()
        since = self._window.blocked_since()
        while since is not None and since + self._wait() <= now:
            self._skip(since)
            frames += self._contiguous()
            since = self._window.blocked_since()
        return self._hold.pass_on(frames, now)

    def deadline(self) -> float | None:
        """Return when to call `poll()` if nothing arrives before."""
        since = self._window.blocked_since()
        waits = [] if since is None else [since + self._wait()]
        held = self._hold.deadline()
        return min([*waits, held], default=None) if held is not None else (waits[0] if waits else None)

    def __len__(self) -> int:
        return len(self._window) + len(self._hold)

    def _wait(self) -> float:
        wished = max(2 * self._clock.jitter, 1.25 * self._lateness, self._hold.target)
        return min(max(wished, AUDIO_WAIT_MIN), AUDIO_WAIT_MAX)

    def _contiguous(self) -> list[MediaFrame]:
        frames = []
        self._gap = self._gap or self._window.jumped
        self._window.jumped = False
        while (packet := self._window.pop()) is not None:
            if packet.filler:
                continue
            frame = MediaFrame(packet.timestamp, packet.payload_type, packet.data, True, self._gap, packet.arrived)
            frames.append(frame)
            self._gap = False
        return frames

    def _skip(self, since: float) -> None:
        assert self._window.next is not None
        first = self._window.first()
        self._skipped = {number & 0xFFFF: since for number in range(self._window.next, first)}
        self._window.skip_to(first)
        self._gap = True

    def _note_late(self, packet: MediaPacket, now: float) -> None:
        since = self._skipped.pop(packet.sequence, None)
        if since is not None:
            self._note_lateness(now - since)

    def _note_lateness(self, seconds: float) -> None:
        self._lateness = max(seconds, self._lateness)


class PtsClock:
    """Turns RTP timestamps of frames in order into times that start at 0 and never jump when a stream restarts."""

    def __init__(self) -> None:
        self._rate = 0
        self._last_timestamp: int | None = None
        self._pts = 0
        self._at = 0.0

    def restart(self) -> None:
        """Expect the next timestamp to come from another origin."""
        self._last_timestamp = None

    def map(self, timestamp: int, clock_rate: int, now: float) -> int:
        """Return the time of a frame in ticks of `clock_rate`."""
        if clock_rate != self._rate:
            self._pts = self._pts * clock_rate // self._rate if self._rate else 0
            first, self._rate, self._last_timestamp = not self._rate, clock_rate, None
        else:
            first = False
        if self._last_timestamp is not None:
            self._pts += signed(timestamp - self._last_timestamp, 32)
        elif not first:
            self._pts += max(1, round((now - self._at) * clock_rate))
        self._last_timestamp, self._at = timestamp, now
        return self._pts
