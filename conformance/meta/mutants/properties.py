"""Faults with values that nobody thinks of."""

from __future__ import annotations

from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import ChannelProxy, EngineProxy
from shim.spi.engines import IceCandidate
from shim.spi.errors import ShimError

TOPIC: Final = Topic("anything", "test_properties.py")


@TOPIC.proxy
class CandidateErrorOfAnotherType(EngineProxy):
    """Raise an error that is none of ours for a candidate that cannot be used."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        try:
            await super().add_ice_candidate(candidate)
        except ShimError as exc:
            raise KeyError(str(exc)) from exc


@TOPIC.proxy
class RareCharactersLost(ChannelProxy):
    """Send a question mark for what is not in Latin-1."""

    def send(self, data: bytes | str) -> None:
        super().send(data.encode("latin-1", "replace").decode("latin-1") if isinstance(data, str) else data)


@TOPIC.proxy
class ZeroBytesEndMessages(ChannelProxy):
    """End a message at its first zero byte, as C does."""

    def send(self, data: bytes | str) -> None:
        super().send(data.partition(b"\0")[0] if isinstance(data, bytes) else data)
