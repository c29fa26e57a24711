"""Offer and answer that lead to the wrong state."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, SinkProxy
from shim.spi import events as ev
from shim.spi.engines import SessionDescription, SessionState, SignalingState, TransceiverState

TOPIC: Final = Topic("JSEP", "test_jsep.py", "test_states.py")


@TOPIC.proxy
class RollbackKeepsTransceivers(SinkProxy):
    """Keep the transceivers of an offer that was rolled back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seen: dict[object, TransceiverState] = {}

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged):
            self._seen.update({state.engine: state for state in event.state.transceivers})
            event = ev.SessionChanged(replace(event.state, transceivers=tuple(self._seen.values())))
        super().tell(event)


@TOPIC.proxy
class RollbackKeepsMids(SinkProxy):
    """Keep the mids that a description gave, though it was rolled back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._mids: dict[object, str] = {}

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged):
            self._mids |= {t.engine: t.mid for t in event.state.transceivers if t.mid is not None}
            kept = tuple(replace(t, mid=self._mids.get(t.engine)) for t in event.state.transceivers)
            event = ev.SessionChanged(replace(event.state, transceivers=kept))
        super().tell(event)


@TOPIC.proxy
class RollbackIgnored(EngineProxy):
    """Roll nothing back, and say nothing."""

    async def set_local_description(self, description: SessionDescription) -> None:
        if description.type != "rollback":
            await super().set_local_description(description)


@TOPIC.session
def provisional_answer_is_final(state: SessionState) -> SessionState:
    """Be stable after a provisional answer."""
    stable: SignalingState = "stable" if "pranswer" in state.signaling_state else state.signaling_state
    return replace(state, signaling_state=stable)


@TOPIC.session
def provisional_answer_not_told(state: SessionState) -> SessionState:
    """Stay in the state of the offer after a provisional answer."""
    states: dict[SignalingState, SignalingState] = {
        "have-local-pranswer": "have-remote-offer",
        "have-remote-pranswer": "have-local-offer",
    }
    return replace(state, signaling_state=states.get(state.signaling_state, state.signaling_state))


@TOPIC.session
def pending_not_cleared(state: SessionState) -> SessionState:
    """Keep descriptions pending after the answer."""
    return replace(
        state,
        pending_local=state.pending_local or state.current_local,
        pending_remote=state.pending_remote or state.current_remote,
    )


@TOPIC.session
def current_lost_while_pending(state: SessionState) -> SessionState:
    """Forget the current descriptions while there are pending ones."""
    return replace(state, current_local=None, current_remote=None) if state.pending_local else state


@TOPIC.session
def remote_never_pending(state: SessionState) -> SessionState:
    """Make remote descriptions current at once."""
    return replace(state, current_remote=state.pending_remote or state.current_remote, pending_remote=None)


@TOPIC.session
def local_description_regenerated(state: SessionState) -> SessionState:
    """Apply another description than the one that was created."""
    pending = state.pending_local
    changed = pending and replace(pending, sdp=pending.sdp.replace("a=ice-pwd:", "a=ice-pwd:another"))
    return replace(state, pending_local=changed)


@TOPIC.proxy
class MidChangesOnRenegotiation(SinkProxy):
    """Say other mids in the second local description."""

    def tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged) and event.state.current_local and event.state.pending_local:
            pending = event.state.pending_local
            sdp = re.sub(r"(a=mid:|a=group:BUNDLE )(.*)", r"\1another-\2", pending.sdp)
            event = ev.SessionChanged(replace(event.state, pending_local=replace(pending, sdp=sdp)))
        super().tell(event)


TOPIC.on("legacy", "pending-not-cleared")
