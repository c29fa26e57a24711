"""Aggregates the states of transports into those of the connection (webrtc-pc section 4.3), and tells of changes."""

from __future__ import annotations

from collections.abc import Callable, Collection

from shim.spi.engines import ConnectionState, DtlsState, IceConnectionState, IceGatheringState
from shim.spi.events import CandidateFound, ConnectionChanged, Event, IceConnectionChanged, IceGatheringChanged


class States:
    """The states of a connection as they were posted last.

    :param post: takes an event for each change.
    """

    def __init__(self, post: Callable[[Event], None]) -> None:
        self._post = post
        self._ice: IceConnectionState = "new"
        self._gathering: IceGatheringState = "new"
        self._connection: ConnectionState = "new"

    def set_gathering(self, state: IceGatheringState) -> None:
        """Post the end of candidates before the state that it leads to."""
        if state != self._gathering:
            self._gathering = state
            if state == "complete":
                self._post(CandidateFound(None))
            self._post(IceGatheringChanged(state))

    def set_ice(self, state: IceConnectionState) -> None:
        """Post a change of the ICE state."""
        if state != self._ice:
            self._ice = state
            self._post(IceConnectionChanged(state))

    def set_connection(self, state: ConnectionState) -> None:
        """Post a change of the connection state."""
        if state != self._connection:
            self._connection = state
            self._post(ConnectionChanged(state))


def ice_connection_state(states: Collection[IceConnectionState]) -> IceConnectionState:
    """Aggregate the ICE states of the transports in use (webrtc-pc section 4.3.3)."""
    present = set(states)
    for state in ("failed", "disconnected"):
        if state in present:
            return state
    if present <= {"new", "closed"}:
        return "new"
    if present & {"new", "checking"}:
        return "checking"
    return "completed" if present <= {"completed", "closed"} else "connected"


def gathering_state(states: Collection[IceGatheringState]) -> IceGatheringState:
    """Aggregate the gathering states of the transports in use (webrtc-pc section 4.3.2)."""
    present = set(states)
    if "gathering" in present:
        return "gathering"
    return "complete" if present == {"complete"} else "new"


def connection_state(ice: Collection[IceConnectionState], dtls: Collection[DtlsState]) -> ConnectionState:
    """Aggregate ICE and DTLS states of the transports in use (webrtc-pc section 4.3.4)."""
    ices, present = set(ice), set(ice) | set(dtls)
    if "failed" in present:
        return "failed"
    if "disconnected" in ices:
        return "disconnected"
    if present <= {"new", "closed"}:
        return "new"
    return "connecting" if present & {"new", "checking", "connecting"} else "connected"
