"""Putting received video packets together to frames, asking again for what is missing.

Pure, as :mod:`backends.native.jitter` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backends.native.jitter import HoldQueue, MediaFrame, MediaPacket, PacketWindow, TransitClock

CAPACITY: Final = 2048
WAIT_MIN: Final = 0.1
WAIT_MAX: Final = 0.5
KEY_FRAME_PATIENCE: Final = 2.0
PLI_INTERVAL: Final = 0.5
NACK_LIMIT: Final = 8
NACK_INTERVAL: Final = 0.05
REORDERING_MAX: Final = 0.1
FORGET: Final = 0.999
"""Per packet: how fast reordering that was seen is forgotten."""


@dataclass(slots=True)
class _Missing:
    since: float
    next_nack: float
    nacks: int = 0


class LossTracker:
    """Knows which packets are missing and when to ask for them again (RFC 4585 section 6.2.1).

    Asks at once, unless packets have been seen to come late by themselves: then after as long as those took.
    """

    def __init__(self) -> None:
        self._missing: dict[int, _Missing] = {}
        self._reordering = 0.0
        self.recovery = 0.1

    @property
    def patience(self) -> float:
        """Seconds that a missing packet gets to come by itself."""
        return min(1.25 * self._reordering, REORDERING_MAX)

    def __len__(self) -> int:
        return len(self._missing)

    def note_gap(self, start: int, stop: int, now: float) -> None:
        """Note that packets `start` up to, not including, `stop` have not come."""
        for number in range(start, stop):
            self._missing[number] = _Missing(now, now + self.patience)

    def note_arrival(self, packet: MediaPacket, number: int, now: float) -> None:
        """Learn from a packet how long missing ones take."""
        self._reordering *= FORGET
        missing = self._missing.pop(number, None)
        if missing is None:
            return
        if packet.resent or missing.nacks:
            self.recovery = max(now - missing.since, 0.95 * self.recovery)
        if not packet.resent:
            self._reordering = max(now - missing.since, self._reordering)

    def forget_before(self, number: int) -> None:
        """Give up packets before a number."""
        if self._missing:
            self._missing = {n: m for n, m in self._missing.items() if n >= number}

    def due(self, now: float) -> list[int]:
        """Return the sequence numbers to ask for now, and count them as asked."""
        numbers = []
        for number, missing in self._missing.items():
            if missing.nacks < NACK_LIMIT and missing.next_nack <= now:
                missing.nacks += 1
                missing.next_nack = now + max(NACK_INTERVAL, self.recovery)
                numbers.append(number & 0xFFFF)
        return sorted(numbers)

    def deadline(self) -> float | None:
        return min((m.next_nack for m in self._missing.values() if m.nacks < NACK_LIMIT), default=None)


class VideoBuffer:
    """Puts video packets in order and joins them to frames, which leave when their last packet is there.

    A missing packet is asked for and waited for (0.1 to 0.5 s, by how long recovery takes); then frames up to the
    next key frame are dropped, and a key frame is asked for. If none comes within 2 s, decoding goes on with
    what there is: a sender that ignores requests is better seen damaged than not at all.

    :param clock_rate: RTP ticks per second.
    :param target: wished-for delay in seconds.
    """

    def __init__(self, clock_rate: int = 90000, target: float = 0.0) -> None:
        self._clock = TransitClock(clock_rate)
        self._hold = HoldQueue(self._clock, target)
        self._window = PacketWindow(CAPACITY)
        self._parts: list[MediaPacket] = []
        self._started = False
        self._gap = False
        self._key_wanted_since: float | None = None
        self._next_pli = 0.0
        self.losses = LossTracker()
        self.dropped = 0
        self.frozen = True

    @property
    def discarded(self) -> int:
        """How many packets came too late to be used."""
        return self._window.discarded

    def set_target(self, seconds: float) -> None:
        """Wish for another delay."""
        self._hold.target = seconds

    def __len__(self) -> int:
        return len(self._window) + len(self._parts) + len(self._hold)

    def insert(self, packet: MediaPacket, now: float) -> list[MediaFrame]:
        """Take a packet; return the frames that can be decoded now, in order."""
        packet.arrived = now
        if not packet.filler:
            self._clock.observe(packet.timestamp, now)
        self._make_room_before(packet)
        highest = self._window.highest
        number = self._window.put(packet)
        if self._window.jumped:
            self._restart(now)
        elif number is not None:
            self.losses.note_arrival(packet, number, now)
            if self._started and number > highest + 1:
                self.losses.note_gap(highest + 1, number, now)
        return self.poll(now)

    def poll(self, now: float) -> list[MediaFrame]:
        """Return the frames that can be decoded now, in order. Call at `deadline()`."""
        frames = self._contiguous(now)
        since = self._window.blocked_since()
        while since is not None and since + self._wait() <= now:
            self._skip(now)
            frames += self._contiguous(now)
            since = self._window.blocked_since()
        return self._hold.pass_on(frames, now)

    def deadline(self) -> float | None:
        """Return when to call `poll()`, `losses.due()` and `key_frame_due()` if nothing arrives before."""
        since = self._window.blocked_since()
        times = [self._hold.deadline(), self.losses.deadline(), None if since is None else since + self._wait()]
        if self._key_wanted_since is not None:
            times.append(self._next_pli)
        return min((t for t in times if t is not None), default=None)

    def want_key_frame(self, now: float) -> None:
        """Ask for a key frame, and go on meanwhile."""
        self._next_pli = min(self._next_pli, now)
        if self._key_wanted_since is None:
            self._key_wanted_since = self._next_pli = now

    def key_frame_due(self, now: float) -> bool:
        """Tell whether to send a picture loss indication now, and count it as sent."""
        if self._key_wanted_since is None or now < self._next_pli:
            return False
        if now - self._key_wanted_since > 10 * KEY_FRAME_PATIENCE:
            self._key_wanted_since = None
            return False
        self._next_pli = now + PLI_INTERVAL
        return True

    def _wait(self) -> float:
        return min(max(3 * self.losses.recovery + self.losses.patience, self._hold.target, WAIT_MIN), WAIT_MAX)

    def _make_room_before(self, packet: MediaPacket) -> None:
        """Until the first frame starts, its earlier packets may still come."""
        window = self._window
        if self._started or window.next is None:
            return
        ahead = (window.next - packet.sequence) & 0xFFFF
        if 0 < ahead <= 100:
            window.next -= ahead

    def _restart(self, now: float) -> None:
        self._window.jumped = False
        self._parts.clear()
        self.losses = LossTracker()
        self._freeze(now)

    def _freeze(self, now: float) -> None:
        self._gap = self.frozen = True
        self.want_key_frame(now)

    def _contiguous(self, now: float) -> list[MediaFrame]:
        if not self._may_start():
            return []
        frames: list[MediaFrame] = []
        while (packet := self._window.pop()) is not None:
            if self._parts and packet.timestamp != self._parts[0].timestamp:
                frames += self._finish(now)
            if not packet.filler:
                self._parts.append(packet)
            if packet.marker:
                frames += self._finish(now)
        return frames

    def _may_start(self) -> bool:
        if not self._started and self._window.next is not None:
            first = self._window.get(self._window.next)
            self._started = first is not None and first.starts is not False
        return self._started

    def _finish(self, now: float) -> list[MediaFrame]:
        parts, self._parts = self._parts, []
        if not parts:
            return []
        key = any(part.key for part in parts)
        if parts[0].starts is False:
            self._freeze(now)
        if key and parts[0].starts is not False:
            self.frozen, self._key_wanted_since = False, None
        elif self._still_frozen(now) or parts[0].starts is False:
            self.dropped += 1
            return []
        first, gap, self._gap = parts[0], self._gap, False
        data = parts[0].data if len(parts) == 1 else b"".join([part.data for part in parts])
        return [MediaFrame(first.timestamp, first.payload_type, data, key, gap, first.arrived)]

    def _still_frozen(self, now: float) -> bool:
        if not self.frozen:
            return False
        self.want_key_frame(now)
        assert self._key_wanted_since is not None
        self.frozen = now - self._key_wanted_since < KEY_FRAME_PATIENCE
        return self.frozen

    def _skip(self, now: float) -> None:
        """Give up the frame that is incomplete, and what was stored of it."""
        if self._parts or self._started:
            self.dropped += 1
        self._started = True
        lost = self._parts[0].timestamp if self._parts else None
        self._parts = []
        first = self._window.first()
        self._window.skip_to(self._next_start(first, lost))
        assert self._window.next is not None
        self.losses.forget_before(self._window.next)
        self._freeze(now)

    def _next_start(self, number: int, lost: int | None) -> int:
        """Return the first stored number from which a frame may begin."""
        while (packet := self._window.get(number)) is not None:
            if packet.starts is not False and packet.timestamp != lost:
                return number
            number += 1
        return number
