"""What is measured: the two engines behind the SDK, plain aiortc, libwebrtc M152, and the native engine by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.subjects.base import Subject

TITLES = {
    "native": "native",
    "legacy": "legacy",
    "aiortc": "aiortc",
    "wrtc": "libwebrtc M152",
    "bare": "native, no SDK",
}
"""Every subject, and how it is called in the report."""
QUICK_SUBJECTS = ("native", "legacy", "bare")
"""Those of whom something is demanded."""


def get_subject(name: str) -> Subject:
    """Return a subject by its name. Imports none of its libraries.

    :raises ValueError: there is none of this name.
    """
    if name in ("native", "legacy"):
        from benchmarks.subjects.sdk import SdkSubject

        return SdkSubject(name)
    if name == "aiortc":
        from benchmarks.subjects.plain import AiortcSubject

        return AiortcSubject()
    if name == "wrtc":
        from benchmarks.subjects.wrtc import WrtcSubject

        return WrtcSubject()
    if name == "bare":
        from benchmarks.subjects.bare import BareSubject

        return BareSubject()
    raise ValueError(f"no subject is called {name!r}. There are: {', '.join(TITLES)}")
