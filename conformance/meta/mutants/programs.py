"""Sessions that go wrong after some steps: what the programs of the differential tests come across."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import SessionDescription, SessionState

TOPIC: Final = Topic("programs", "test_differential.py")


@TOPIC.session
def rejected_section_goes_on(state: SessionState) -> SessionState:
    """Keep the transceivers of sections that an offer rejects."""
    return replace(state, transceivers=tuple(replace(t, stopped=False) for t in state.transceivers))


@TOPIC.proxy
class ChannelsNotOfferedAgain(EngineProxy):
    """Leave data channels out of offers once one was rolled back."""

    _rolled_back = False

    async def set_local_description(self, description: SessionDescription) -> None:
        await super().set_local_description(description)
        self._rolled_back = self._rolled_back or description.type == "rollback"

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        offer = await super().create_offer(ice_restart=ice_restart)
        kept = [part for part in re.split(r"(?m)^(?=m=)", offer.sdp) if not part.startswith("m=application")]
        return replace(offer, sdp="".join(kept)) if self._rolled_back else offer


@TOPIC.session
def wished_direction_is_what_was_agreed(state: SessionState) -> SessionState:
    """Take the direction that was agreed for the one that is wished."""
    return replace(
        state,
        transceivers=tuple(replace(t, direction=t.current_direction or t.direction) for t in state.transceivers),
    )
