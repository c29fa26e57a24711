"""Tracks and transceivers that do not do what they were told, or say something untrue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import MediaSourceProxy, TransceiverProxy
from shim.spi.engines import Direction, MediaSource, SessionState

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

TOPIC: Final = Topic("tracks", "test_media.py", "test_encoded_send.py")


@TOPIC.proxy
class ReplacementIgnored(TransceiverProxy):
    """Go on sending the first track."""

    def replace_source(self, source: MediaSource | None) -> None:
        pass


@TOPIC.proxy
class DirectionIgnored(TransceiverProxy):
    """Keep the direction of the beginning."""

    def set_direction(self, direction: Direction) -> None:
        pass


@TOPIC.proxy
class StopIgnored(TransceiverProxy):
    """Go on after a transceiver was stopped."""

    def stop(self) -> None:
        pass


@TOPIC.proxy
class MuteIgnored(MediaSourceProxy):
    """Send a track although it is disabled."""

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        track: Any = getattr(self.inner, "track", self.inner)
        frame: AudioFrame | VideoFrame | Packet[Any] = await track.recv()
        return frame


@TOPIC.session
def track_id_invented(state: SessionState) -> SessionState:
    """Give remote tracks ids of our own."""
    return replace(
        state,
        transceivers=tuple(
            replace(t, receive_track_id=t.receive_track_id and f"track-{t.mid}") for t in state.transceivers
        ),
    )


@TOPIC.session
def track_never_announced(state: SessionState) -> SessionState:
    """Tell of no remote track."""
    return replace(state, transceivers=tuple(replace(t, receive_track_id=None) for t in state.transceivers))


@TOPIC.session
def current_direction_as_wished(state: SessionState) -> SessionState:
    """Report the wished direction as the negotiated one."""
    return replace(
        state,
        transceivers=tuple(
            replace(t, current_direction=t.current_direction and t.direction) for t in state.transceivers
        ),
    )
