"""Links to the sections of specifications that tests name."""

from __future__ import annotations

import re
from typing import Final

_PAGES: Final = {
    "webrtc-pc": "https://www.w3.org/TR/webrtc/",
    "webrtc-stats": "https://www.w3.org/TR/webrtc-stats/",
    "webrtc-extensions": "https://www.w3.org/TR/webrtc-extensions/",
    "webrtc-encoded-transform": "https://www.w3.org/TR/webrtc-encoded-transform/",
    "screen-capture": "https://www.w3.org/TR/screen-capture/",
    "mediacapture-streams": "https://www.w3.org/TR/mediacapture-streams/",
    "WebCodecs": "https://www.w3.org/TR/webcodecs/",
    "aiortc": "https://aiortc.readthedocs.io/en/latest/api.html",
}


def link_of(section: str) -> str | None:
    """Return the address of e.g. ``"RFC 9429 5.6"``; `None` for what is not known.

    The W3C's documents have no address for the number of a section, so theirs leads to the whole.
    """
    if rfc := re.fullmatch(r"RFC (\d+)(?: ([A-Z\d.]+))?", section):
        number, part = rfc.groups()
        kind = "section" if part and part[0].isdigit() else "appendix"
        return f"https://www.rfc-editor.org/rfc/rfc{number}" + (f"#{kind}-{part}" if part else "")
    return _PAGES.get(section.partition(" ")[0])
