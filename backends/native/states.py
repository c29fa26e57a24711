"""Aggregates the states of transports into those of the connection (webrtc-pc section 4.3). Pure."""

from __future__ import annotations

from collections.abc import Collection

from shim.spi.engines import ConnectionState, DtlsState, IceConnectionState, IceGatheringState


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
