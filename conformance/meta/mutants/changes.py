"""Changes during a call that are made wrongly."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, Report
from shim.spi.engines import SessionDescription

TOPIC: Final = Topic("changes", "test_changes.py")


@TOPIC.description
def held_streams_not_named(description: SessionDescription) -> SessionDescription:
    """Name no stream in a section that is held."""
    sections = re.split(r"(?m)^(?=m=)", description.sdp)
    return replace(description, sdp="".join(map(_unnamed, sections)))


def _unnamed(section: str) -> str:
    is_held = "a=inactive" in section
    return re.sub(r"(?m)^a=(msid|ssrc|ssrc-group):.*\r\n", "", section) if is_held else section


@TOPIC.proxy
class FiguresFallUnderOneId(EngineProxy):
    """Count what is sent anew after each offer."""

    _offers = 0

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        self._offers += 1
        return await super().create_offer(ice_restart=ice_restart)

    def reported(self, report: Report) -> Report:
        return {key: self._less(dict(entry)) for key, entry in report.items()}

    def _less(self, entry: dict[str, object]) -> dict[str, object]:
        sent = entry.get("packetsSent")
        if entry["type"] == "outbound-rtp" and isinstance(sent, int):
            entry["packetsSent"] = sent // self._offers**4
        return entry


TOPIC.on("legacy", "held-streams-not-named")
