"""Changes during a call that are made wrongly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, MediaSourceProxy, Report, TransceiverProxy
from shim.spi.engines import Codec, Direction, SessionDescription

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

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


@TOPIC.proxy
class SecondCodecIgnored(TransceiverProxy):
    """Keep to the codecs that were preferred first."""

    _chosen = False

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        if not self._chosen:
            super().set_codec_preferences(codecs)
        self._chosen = True


@TOPIC.proxy
class SilentAfterHold(TransceiverProxy):
    """Send nothing any more once a transceiver was on hold."""

    def set_direction(self, direction: Direction) -> None:
        super().set_direction(direction)
        if direction == "inactive":
            self.inner.replace_source(None)


@TOPIC.proxy
class HoldIsForGood(TransceiverProxy):
    """Stay on hold."""

    _held = False

    def set_direction(self, direction: Direction) -> None:
        self._held = self._held or direction == "inactive"
        super().set_direction("inactive" if self._held else direction)


@TOPIC.proxy
class MutedPictureStands(MediaSourceProxy):
    """Go on showing the last picture of a muted track."""

    _last: Any = None

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        frame: Any = await self.inner.recv()
        track: Any = getattr(self.inner, "track", self.inner)
        if self.kind != "video" or not hasattr(frame, "to_ndarray"):
            return frame  # type: ignore[no-any-return]
        if track.enabled or self._last is None:
            self._last = frame.to_ndarray()
            return frame  # type: ignore[no-any-return]
        made = type(frame).from_ndarray(self._last, format=frame.format.name)
        made.pts, made.time_base = frame.pts, frame.time_base
        return made  # type: ignore[no-any-return]


TOPIC.on("legacy", "held-streams-not-named")
