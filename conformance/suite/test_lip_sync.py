"""Sound and pictures that were sent together arrive together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from conformance.asserts import Arrivals, connect
from conformance.media import PTIME, code_of, coded_picture, pitch, tone_frame, track
from conformance.report.evidence import Evidence
from conformance.requirements import spec
from conformance.targets import Pair, Peers
from shim import MediaStreamTrack

PATIENCE: Final = 10.0
STEP: Final = 0.4
"""Seconds for which sound and picture stay the same."""
PITCHES: Final = (400.0, 800.0, 1200.0, 1600.0)
CODES: Final = (0b01010101, 0b10101010, 0b11001100, 0b00110011)
"""Pitch and code of each step, in a cycle that is longer than any delay."""
MARKS: Final = 8
"""Steps whose delay is measured: two cycles."""
SOUND_EARLY, SOUND_LATE = 0.045, 0.125
"""Seconds from which people notice it (ITU-R BT.1359-1). Of each kind the quickest mark counts: by those the engines
are 1 to 10 ms (native) and 7 to 30 ms (libwebrtc) apart, whatever else the machine does. When it is busy, the jitter
buffer of sound answers late packets with up to half a second, as it should: medians would tell of the machine."""


class Marks:
    """When each step was sent first, and noticed first."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._sent: dict[int, float] = {}

    def step(self) -> int:
        """Return the step that is sent now."""
        step = int(time.monotonic() / STEP) % len(PITCHES)
        if step != self._last:
            self._last, self._sent[step] = step, time.monotonic()
        return step

    async def delays(self, received: MediaStreamTrack, step_of: Callable[[Any], int | None]) -> list[float]:
        """Return how many seconds each step was on its way.

        :param step_of: what is seen or heard in a frame; `None` for no step.
        """
        found: list[float] = []
        noticed: int | None = None
        async with asyncio.timeout(PATIENCE):
            while len(found) < MARKS:
                step = step_of(await received.recv())
                if step is not None and step != noticed and step in self._sent:
                    noticed = step
                    found.append(time.monotonic() - self._sent[step])
        return found


def _step_heard(frame: Any) -> int | None:
    hz = pitch([frame])
    return next((step for step, wanted in enumerate(PITCHES) if abs(wanted - hz) < 100), None)


def _step_seen(frame: Any) -> int | None:
    code = code_of(frame)
    return CODES.index(code) if code in CODES else None


@spec("RFC 3550 6.4.1", "ITU-R BT.1359")
async def test_sound_and_pictures_arrive_together(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    sound, pictures = Marks(), Marks()
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    offerer.addTrack(track(pair.offerer, "audio", lambda index: tone_frame(index, PITCHES[sound.step()]), PTIME))
    # Small, so that a busy machine has no trouble to keep up: what it cannot decode in time comes late, wherever it is.
    offerer.addTrack(
        track(pair.offerer, "video", lambda _: coded_picture(CODES[pictures.step()], width=160, height=120), 1 / 15)
    )
    await connect(offerer, answerer)
    received = {one.kind: one for one in await arriving.take(2)}
    heard, seen = await asyncio.gather(
        sound.delays(received["audio"], _step_heard), pictures.delays(received["video"], _step_seen)
    )
    evidence.series("delay of sound", [delay * 1000 for delay in heard], "ms")
    evidence.series("delay of pictures", [delay * 1000 for delay in seen], "ms")
    apart = min(heard) - min(seen)
    evidence.figure("sound after pictures", apart * 1000, "ms", expected=0, tolerance=SOUND_LATE * 1000)
    assert -SOUND_EARLY < apart < SOUND_LATE, f"sound comes {apart:.3f} s after the pictures"
