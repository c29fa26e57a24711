"""Which telephone events libwebrtc is shown, so that its tones are as long as they were asked for."""

from __future__ import annotations

import re
from typing import Final

_MAP: Final = re.compile(r"(?m)^a=rtpmap:(\d+) ([^/\s]+)/(\d+)")
_AUDIO: Final = re.compile(r"(?ms)^m=audio .*?(?=^m=|\Z)")


def with_tones_of_its_clock(sdp: str) -> str:
    """Return a remote description without telephone events of another clock than that of its sound.

    libwebrtc times tones by the clock of the sound but sends them in that of the first events (RFC 4733 section 2.1).
    """
    return _AUDIO.sub(lambda match: _without_strangers(match[0]), sdp)


def _without_strangers(section: str) -> str:
    clocks = {number: (name.lower(), clock) for number, name, clock in _MAP.findall(section)}
    sound = next((clock for name, clock in clocks.values() if name == "opus"), "8000")
    events = {number: clock for number, (name, clock) in clocks.items() if name == "telephone-event"}
    if sound not in events.values():
        return section
    for stranger in (number for number, clock in events.items() if clock != sound):
        section = re.sub(rf"(?m)^(m=audio .*?) {stranger}\b", r"\1", section, count=1)
        section = re.sub(rf"(?m)^a=(?:rtpmap|fmtp|rtcp-fb):{stranger} .*\n", "", section)
    return section
