"""Which telephone-event codec libwebrtc is shown, so that its DTMF tones are as long as they were asked for."""

from __future__ import annotations

import re
from typing import Final

_MAP: Final = re.compile(r"^a=rtpmap:(\d+) ([^/\s]+)/(\d+)", re.MULTILINE)
_AUXILIARY: Final = frozenset({"telephone-event", "cn", "red"})
STATIC_CLOCK: Final = 8000
"""Ticks per second of the audio codecs that need no rtpmap (RFC 3551)."""


def with_tones_of_its_clock(sdp: str) -> str:
    """Return a remote description in which telephone events have no other clock than the sound.

    libwebrtc (M109) sends events with the lowest clock it is offered, but counts their length in ticks of the
    sound's clock: beside Opus, a tone in events of 8000 Hz would be six times too short (RFC 4733 section 2.1).
    """
    parts = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    return "".join(_mended(part) if part.startswith("m=audio ") else part for part in parts)


def _mended(section: str) -> str:
    """Return a section of sound without the events of other clocks, if it has some of the right one."""
    codecs = {number: (name.lower(), int(clock)) for number, name, clock in _MAP.findall(section)}
    events = {number: clock for number, (name, clock) in codecs.items() if name == "telephone-event"}
    clock = _clock_of_sound(section.partition("\n")[0].split()[3:], codecs)
    if clock not in events.values():
        return section
    for number in (number for number, its_own in events.items() if its_own != clock):
        section = re.sub(rf"^a=(?:rtpmap|fmtp|rtcp-fb):{number} .*\r?\n?", "", section, flags=re.MULTILINE)
        section = re.sub(rf"^(m=audio .*?) {number}\b", r"\1", section, count=1)
    return section


def _clock_of_sound(payload_types: list[str], codecs: dict[str, tuple[str, int]]) -> int:
    """Return the clock of the codec that libwebrtc sends: the first that the remote names."""
    for number in payload_types:
        name, clock = codecs.get(number, ("", STATIC_CLOCK))
        if name not in _AUXILIARY:
            return clock
    return STATIC_CLOCK
