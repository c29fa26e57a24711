"""Playing received telephone events as the tones they stand for (RFC 4733, ITU-T Q.23)."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from av import AudioFrame

from backends.native.dtmf import EVENTS, SEGMENT_MAX

PAYLOAD_BYTES: Final = 4
FRAME_SECONDS: Final = 0.02
FULL_SCALE_DBM0: Final = 3.14
"""Level of the loudest sine that samples can hold (ITU-T G.711)."""
ROWS: Final = (697, 770, 852, 941)
COLUMNS: Final = (1209, 1336, 1477, 1633)
KEYS: Final = "123A456B789C*0#D"
_KEY_OF: Final = {code: key for key, code in EVENTS.items()}


class TonePlayout:
    """Makes sound of the events of one stream, as much as each packet adds: what is repeated adds nothing."""

    def __init__(self) -> None:
        self._code, self._start, self._until, self._ended = -1, 0, 0, True

    def play(self, payload: bytes, pts: int, clock_rate: int, rate: int, layout: str) -> list[AudioFrame]:
        """Return the sound from where the last packet of this event left off, in frames of up to 20 ms.

        :param payload: of a telephone event; anything else than a DTMF digit is silent.
        :param pts: when the event, or this segment of a long one, began; ticks of `clock_rate`.
        :param rate: samples per second of the frames.
        :param layout: ``"mono"`` or ``"stereo"`` of the frames.
        """
        if len(payload) < PAYLOAD_BYTES:
            return []
        code, flags, duration = struct.unpack_from("!BBH", payload)
        if (code, pts) != (self._code, self._start):
            goes_on = code == self._code and pts == self._start + SEGMENT_MAX and not self._ended
            self._until = self._until if goes_on else pts
            self._code, self._start, self._ended = code, pts, False
        begin, end = self._until, pts + duration
        if self._ended or end <= begin or code not in _KEY_OF:
            return []
        self._until, self._ended = end, bool(flags & 0x80)
        start, stop = (ticks * rate // clock_rate for ticks in (begin, end))
        return list(_frames(_KEY_OF[code], flags & 0x3F, start, stop, rate, layout))


def _frames(key: str, volume: int, start: int, stop: int, rate: int, layout: str) -> Iterator[AudioFrame]:
    step, channels = round(rate * FRAME_SECONDS), 2 if layout == "stereo" else 1
    for first in range(start, stop, step):
        positions = range(first, min(first + step, stop))
        samples = array("h", (sample for sample in _samples(key, volume, positions, rate) for _ in range(channels)))
        frame = AudioFrame(format="s16", layout=layout, samples=len(positions))
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        yield frame


def _samples(key: str, volume: int, positions: range, rate: int) -> Iterator[int]:
    """Yield both tones of a key at `volume` dB below 0 dBm0, together; `positions` keep the phase across packets."""
    row, column = divmod(KEYS.index(key), len(COLUMNS))
    # Half of the power each: 3 dB less.
    amplitude = 32767 * 10 ** (-(volume + FULL_SCALE_DBM0 + 3) / 20)
    low, high = (2 * math.pi * hz / rate for hz in (ROWS[row], COLUMNS[column]))
    # No numpy: its import would add 11 MB to every call.
    return (int(amplitude * (math.sin(low * at) + math.sin(high * at))) for at in positions)
