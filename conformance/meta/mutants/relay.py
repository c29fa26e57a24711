"""Relayed candidates that are none, or that are not used."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import EngineConfig, SessionDescription

TOPIC: Final = Topic("relay", "test_relay.py")


@TOPIC.proxy
class HostBesideRelay(EngineProxy):
    """Gather host candidates although only relayed ones are wanted."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, ice_transport_policy="all")


@TOPIC.description
def relay_called_host(description: SessionDescription) -> SessionDescription:
    """Call relayed candidates those of the host."""
    return replace(description, sdp=description.sdp.replace(" typ relay", " typ host"))


@TOPIC.proxy
class RelayForgotten(EngineProxy):
    """Ask no TURN server."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, ice_servers=())
