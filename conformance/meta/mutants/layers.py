"""Simulcast with layers that are missing or alike. Inside is libwebrtc: native has no layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import Direction, Encoding, Kind, MediaSource, TransceiverEngine

TOPIC: Final = Topic("layers", "test_truth.py")


class _Layering(EngineProxy):
    """Sends other layers than it was told."""

    GOOD_BACKEND: ClassVar = "legacy"

    def layers(self, encodings: Sequence[Encoding]) -> Sequence[Encoding]:
        """Return what is sent."""
        raise NotImplementedError

    def add_transceiver(
        self,
        kind: Kind,
        direction: Direction,
        source: MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[Encoding] = (),
    ) -> TransceiverEngine:
        return super().add_transceiver(kind, direction, source, stream_ids, self.layers(encodings))


@TOPIC.proxy
class LayersOfOneSize(_Layering):
    """Send all layers as large as the source."""

    def layers(self, encodings: Sequence[Encoding]) -> Sequence[Encoding]:
        return [replace(each, scale_resolution_down_by=1.0) for each in encodings]


@TOPIC.proxy
class OneLayerOff(_Layering):
    """Send nothing of the smallest layer."""

    def layers(self, encodings: Sequence[Encoding]) -> Sequence[Encoding]:
        return [replace(each, active=each.rid != "q") for each in encodings]
