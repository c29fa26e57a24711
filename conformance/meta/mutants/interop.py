"""Faults of which only others suffer: two of a kind agree on them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import ChannelProxy, EngineProxy
from shim.spi.engines import DataChannelEngine, DataChannelInit, SessionDescription

TOPIC: Final = Topic("interop", "test_interop.py")


@TOPIC.proxy
class ProtocolUnsaid(EngineProxy):
    """Keep the protocol of a channel to itself."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        return super().create_data_channel(replace(init, protocol=""))


@TOPIC.proxy
class EmptyMessagesUnsaid(ChannelProxy):
    """Send no message that is empty."""

    def send(self, data: bytes | str) -> None:
        if data:
            super().send(data)


@TOPIC.proxy
class CloseUnsaid(EngineProxy):
    """Go away without a word."""

    async def close(self) -> None:
        pass


@TOPIC.proxy
class AnyFingerprintOfOthers(EngineProxy):
    """Expect of a forged description the certificate that the peer will show."""

    async def set_remote_description(self, description: SessionDescription) -> None:
        lines = re.sub(r"a=fingerprint:\S+ (?:00:){31}00\r\n", "", description.sdp)
        await super().set_remote_description(replace(description, sdp=lines))


@TOPIC.description
def direction_said_wrongly(description: SessionDescription) -> SessionDescription:
    """Say in a description that what is on hold goes on."""
    return replace(description, sdp=description.sdp.replace("a=inactive", "a=sendrecv"))
