"""Turns libwebrtc's statistics into the dictionaries of webrtc-stats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

OBSOLETE_TYPES: Final = frozenset({"track", "stream"})
OBSOLETE_MEMBERS: Final = frozenset({"trackId", "mediaType", "isRemote", "ip", "networkId"})


def w3c_stats(reports: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, object]]:
    """Return id -> dictionary: today's types and members only, timestamps in milliseconds."""
    return {str(item["id"]): _entry(item) for item in reports if item["type"] not in OBSOLETE_TYPES}


def _entry(item: Mapping[str, Any]) -> dict[str, object]:
    entry = {key: value for key, value in item.items() if key not in OBSOLETE_MEMBERS}
    # libwebrtc of this age counts microseconds since the epoch.
    entry["timestamp"] = float(item["timestamp"]) / 1000
    if entry.get("roundTripTimeMeasurements") == 0:
        entry.pop("roundTripTime", None)  # it says 0 until it has measured
    return entry
