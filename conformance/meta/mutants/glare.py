"""Sides that lose something when both offer at once."""

from __future__ import annotations

from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import DataChannelEngine, DataChannelInit, SessionDescription

TOPIC: Final = Topic("glare", "test_glare.py", "test_differential.py")


@TOPIC.proxy
class ChannelsLostInGlare(EngineProxy):
    """Close the channels that are not open yet when an own offer is rolled back."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        channel = super().create_data_channel(init)
        self._waiting = [*getattr(self, "_waiting", []), channel]
        return channel

    async def set_local_description(self, description: SessionDescription) -> None:
        await super().set_local_description(description)
        if description.type == "rollback":
            for channel in getattr(self, "_waiting", []):
                channel.close()

    async def set_remote_description(self, description: SessionDescription) -> None:
        glare = description.type == "offer" and self.local_state().signaling_state == "have-local-offer"
        await super().set_remote_description(description)
        if glare:
            for channel in getattr(self, "_waiting", []):
                channel.close()
