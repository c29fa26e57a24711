"""ICE that ignores what it was told, or does not tell what happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, SinkProxy
from shim.spi import events as ev
from shim.spi.engines import EngineConfig, IceCandidate, SessionDescription, TransportInfo
from shim.spi.errors import OperationError

CONFIGURATION: Final = "test_configuration.py"
TOPIC: Final = Topic("ICE", "test_ice.py", CONFIGURATION, "test_relay.py", "test_mtu.py")


@TOPIC.proxy
class PortRangeIgnored(EngineProxy):
    """Use any local port."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, port_range=None)


@TOPIC.proxy
class TransportPolicyIgnored(EngineProxy):
    """Use host candidates although only relayed ones are allowed."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, ice_transport_policy="all")


@TOPIC.proxy
class TrickledCandidatesDropped(EngineProxy):
    """Use only the candidates within descriptions."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        pass


@TOPIC.proxy
class EndOfCandidatesRefused(EngineProxy):
    """Refuse to hear that there are no more candidates."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is None:
            raise OperationError("end of candidates is not understood")
        await super().add_ice_candidate(candidate)


@TOPIC.proxy
class EndOfCandidatesIgnored(EngineProxy):
    """Do not hear that there are no more candidates."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        if candidate is not None:
            await super().add_ice_candidate(candidate)


@TOPIC.proxy
class CandidatesOfOfferDropped(EngineProxy):
    """Use no trickled candidate of whoever offers."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        remote = self.inner.local_state().current_remote
        if candidate is None or remote is None or remote.type != "offer":
            await super().add_ice_candidate(candidate)


@TOPIC.proxy
class UselessCandidateKills(EngineProxy):
    """Close when a candidate arrives late."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        if any(transport.dtls_state == "connected" for transport in self.transports()):
            await self.inner.close()
        else:
            await super().add_ice_candidate(candidate)


@TOPIC.description
def description_without_candidates(description: SessionDescription) -> SessionDescription:
    """Keep candidates out of descriptions."""
    lines = description.sdp.split("\r\n")
    return replace(description, sdp="\r\n".join(line for line in lines if not line.startswith("a=candidate:")))


@TOPIC.proxy
class RestartKeepsCredentials(EngineProxy):
    """Restart with the old credentials."""

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        return await super().create_offer()

    def restart_ice(self) -> None:
        pass


@TOPIC.proxy
class EveryOfferRestarts(EngineProxy):
    """Restart with every offer."""

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        return await super().create_offer(ice_restart=True)


@TOPIC.proxy
class DeathNotNoticed(SinkProxy):
    """Stay connected whatever becomes of the peer."""

    def tell(self, event: ev.Event) -> None:
        if not (
            isinstance(event, ev.IceConnectionChanged | ev.ConnectionChanged)
            and event.state in {"disconnected", "failed"}
        ):
            super().tell(event)


@TOPIC.proxy
class DisconnectedNotTold(SinkProxy):
    """Go from "connected" to "failed" at once."""

    def tell(self, event: ev.Event) -> None:
        if event not in {ev.ConnectionChanged("disconnected"), ev.IceConnectionChanged("disconnected")}:
            super().tell(event)


@TOPIC.proxy
class TimeoutsIgnored(EngineProxy):
    """Wait half a minute before giving a silent peer up."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, ice_disconnected_after=5.0, ice_failed_after=30.0)


@TOPIC.proxy
class RolesConfused(EngineProxy):
    """Say "controlled" when controlling, and the other way round."""

    def transports(self) -> tuple[TransportInfo, ...]:
        other = {"controlling": "controlled", "controlled": "controlling"}
        return tuple(replace(t, ice_role=other.get(t.ice_role, t.ice_role)) for t in super().transports())  # type: ignore[arg-type]


@TOPIC.proxy
class SelectedPairUnknown(EngineProxy):
    """Never say which candidates are in use."""

    def transports(self) -> tuple[TransportInfo, ...]:
        return tuple(replace(t, selected_local=None, selected_remote=None) for t in super().transports())


@TOPIC.proxy
class DataSectionNotOffered(EngineProxy):
    """Offer data channels only once there are some, whatever the configuration says."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, always_negotiate_data_channels=False)


@TOPIC.proxy
class ServerErrorsNotTold(SinkProxy):
    """Never tell that a STUN or TURN server has failed."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.CandidateFailed):
            super().tell(event)


@TOPIC.proxy
class MtuIgnored(EngineProxy):
    """Send packets of any size."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, mtu=None)


TOPIC.on("legacy", "death-not-noticed", "port-range-ignored")
