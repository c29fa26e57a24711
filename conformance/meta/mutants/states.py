"""Methods that work in some signaling states only, and events in another order than the specification's."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, Report, SinkProxy
from shim.spi import events as ev
from shim.spi.engines import DataChannelEngine, DataChannelInit, IceCandidate, TransceiverEngine
from shim.spi.errors import InvalidStateError

TOPIC: Final = Topic("states", "test_states.py", "test_differential.py")


@TOPIC.proxy
class CandidateRefusedAfterPranswer(EngineProxy):
    """Take no candidate while an answer is provisional."""

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        if "pranswer" in self.local_state().signaling_state:
            raise InvalidStateError("RTCPeerConnection.addIceCandidate: the answer is not final")
        await super().add_ice_candidate(candidate)


@TOPIC.proxy
class StatisticsOnlyWhenStable(EngineProxy):
    """Report nothing while a negotiation is going on."""

    async def get_stats(self, transceiver: TransceiverEngine | None = None) -> Report:
        if self.local_state().signaling_state != "stable":
            raise InvalidStateError("RTCPeerConnection.getStats: a negotiation is going on")
        return await super().get_stats(transceiver)


@TOPIC.proxy
class ChannelRefusedWhileAnswering(EngineProxy):
    """Create no channel while an offer of the remote waits for its answer."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        if self.local_state().signaling_state == "have-remote-offer":
            raise InvalidStateError("RTCPeerConnection.createDataChannel: answer first")
        return super().create_data_channel(init)


@TOPIC.proxy
class TrackAfterSignalingState(SinkProxy):
    """Tell the signaling state before the tracks that led to it."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged):
            silent = tuple(replace(found, receive_track_id=None) for found in event.state.transceivers)
            super().tell(ev.SessionChanged(replace(event.state, transceivers=silent)))
        super().tell(event)


@TOPIC.proxy
class GatheringCompleteTwice(SinkProxy):
    """Tell that gathering is complete, then that it goes on, and again that it is complete."""

    def tell(self, event: ev.Event) -> None:
        super().tell(event)
        if event == ev.IceGatheringChanged("complete"):
            super().tell(ev.IceGatheringChanged("gathering"))
            super().tell(event)


@TOPIC.proxy
class SectionsOutOfPlace(SinkProxy):
    """Say of each transceiver that its section is another's, counted from the end."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged):
            states = event.state.transceivers
            turned = tuple(
                found if found.mline_index is None else replace(found, mline_index=len(states) - found.mline_index)
                for found in states
            )
            event = ev.SessionChanged(replace(event.state, transceivers=turned))
        super().tell(event)
