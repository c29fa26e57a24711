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
    "soxr": "soxr",
}
"""Every subject, and how it is called in the report."""
QUICK_SUBJECTS = ("native", "legacy")
"""Of a quick run, which adds those whom a target of the metric names."""


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
    if name == "soxr":
        from benchmarks.subjects.soxr import SoxrSubject

        return SoxrSubject()
    raise ValueError(f"no subject is called {name!r}. There are: {', '.join(TITLES)}")
