"""What libwebrtc says of a connection, told in the events of the seam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backends.legacy.channel import CLOSED, Channels, announce_channel
from backends.legacy.connection import Connection
from backends.legacy.eventqueue import EventStruct
from backends.legacy.sdp import LARGEST_MESSAGE
from backends.legacy.transceiver import TransceiverTable
from shim.spi.engines import (
    ConnectionState,
    EventSink,
    IceCandidate,
    IceConnectionState,
    IceGatheringState,
    SctpState,
)
from shim.spi.events import (
    CandidateFailed,
    CandidateFound,
    ConnectionChanged,
    IceConnectionChanged,
    IceGatheringChanged,
    SctpChanged,
    ToneChanged,
    TransportsChanged,
)

ICE_GATHERING_STATE: Final = 11
ICE_CONNECTION_STATE: Final = 12
CONNECTION_STATE: Final = 13
CANDIDATE: Final = 14
CANDIDATE_ERROR: Final = 15
DATACHANNEL: Final = 17
TRACK: Final = 18
TRACK_REMOVED: Final = 19
SELECTED_PAIR: Final = 21
DTLS_STATE: Final = 22
SCTP_STATE: Final = 23
DTMF_TONE: Final = 24

DTLS_CLOSED: Final = 3

GATHERING: Final[tuple[IceGatheringState, ...]] = ("new", "gathering", "complete")
ICE: Final[tuple[IceConnectionState, ...]] = (
    "new",
    "checking",
    "connected",
    "completed",
    "failed",
    "disconnected",
    "closed",
)
CONNECTION: Final[tuple[ConnectionState, ...]] = (
    "new",
    "connecting",
    "connected",
    "disconnected",
    "failed",
    "closed",
)
SCTP: Final[tuple[SctpState, ...]] = ("connecting", "connecting", "connected", "closed")


class ConnectionObserver:
    """Receives the events of one native connection and posts what they mean."""

    def __init__(self, connection: Connection, sink: EventSink, transceivers: TransceiverTable) -> None:
        self._connection = connection
        self._sink = sink
        self._transceivers = transceivers
        self._gathering: IceGatheringState = "new"
        self._ice: IceConnectionState = "new"
        self._remote_closed = False
        self.channels: Channels = {}
        self._handlers: dict[int, Callable[[EventStruct], None]] = {
            ICE_GATHERING_STATE: self._on_gathering,
            ICE_CONNECTION_STATE: self._on_ice,
            CONNECTION_STATE: self._on_connection,
            CANDIDATE: self._on_candidate,
            CANDIDATE_ERROR: self._on_candidate_error,
            DATACHANNEL: self._on_channel,
            TRACK: self._on_track,
            TRACK_REMOVED: self._on_track_removed,
            SELECTED_PAIR: self._on_transports,
            DTLS_STATE: self._on_dtls,
            SCTP_STATE: self._on_sctp,
            DTMF_TONE: self._on_tone,
        }
        connection.queue.subscribe(connection.owner, self)

    def on_event(self, event: EventStruct) -> None:
        """Handle one event; what the seam has no word for is ignored."""
        handler = self._handlers.get(event.type)
        if handler is not None and not self._connection.closed:
            handler(event)

    # --- ICE -----------------------------------------------------------------------------------------

    def _on_gathering(self, event: EventStruct) -> None:
        self._gathering = GATHERING[event.i0]
        self._sink.post(IceGatheringChanged(self._gathering))
        self._complete_ice()

    def _on_ice(self, event: EventStruct) -> None:
        state = ICE[event.i0]
        if state == self._ice or (state == "connected" and self._ice == "completed"):
            return
        self._ice = state
        self._sink.post(IceConnectionChanged(state))
        self._complete_ice()

    def _complete_ice(self) -> None:
        # libwebrtc's standardized state comes to "completed" late on the controlling side and never on the other.
        # aiortc's applications wait for it, and it is true as soon as a pair works and no further local candidate
        # will come.
        if self._ice == "connected" and self._gathering == "complete":
            self._ice = "completed"
            self._sink.post(IceConnectionChanged("completed"))

    def _on_candidate(self, event: EventStruct) -> None:
        text = self._connection.library.text
        line = text(event.data, event.len)
        mid, ufrag = text(event.data2, event.len2), text(event.data3, event.len3)
        self._sink.post(CandidateFound(IceCandidate(line, mid, event.i0, ufrag or None) if line else None))

    def _on_candidate_error(self, event: EventStruct) -> None:
        text = self._connection.library.text
        self._sink.post(
            CandidateFailed(
                url=text(event.data2, event.len2),
                error_code=event.i0,
                error_text=text(event.data, event.len),
                address=text(event.data3, event.len3) or None,
                port=event.i1 or None,
            )
        )

    # --- transports ----------------------------------------------------------------------------------

    def _on_connection(self, event: EventStruct) -> None:
        state = CONNECTION[event.i0]
        if self._remote_closed:
            return
        if state == "connected":
            self._transceivers.connect()
        self._sink.post(ConnectionChanged(state))

    def _on_transports(self, event: EventStruct) -> None:
        self._sink.post(TransportsChanged())

    def _on_dtls(self, event: EventStruct) -> None:
        self._sink.post(TransportsChanged())
        if event.i0 == DTLS_CLOSED and not self._remote_closed and self._all_closed():
            self._end_by_remote()

    def _all_closed(self) -> bool:
        # A transport that bundling made superfluous closes as well.
        handle = self._connection.lib.rtc_pc_transports(self._connection.handle)
        if handle < 0:
            return False
        states = [item["dtlsState"] for item in self._connection.library.take_json(handle)["transports"]]
        return all(state == "closed" for state in states)

    def _end_by_remote(self) -> None:
        """The remote said goodbye (DTLS close_notify): end what it carried, as aiortc does."""
        self._remote_closed = True
        for channel in tuple(self.channels.values()):
            channel.enter(CLOSED)
        self._connection.end_media()
        self._sink.post(SctpChanged("closed"))
        self._sink.post(ConnectionChanged("closed"))

    def _on_sctp(self, event: EventStruct) -> None:
        if self._remote_closed:
            return
        size = min(event.i1, LARGEST_MESSAGE) if event.i1 > 0 else None
        self._sink.post(SctpChanged(SCTP[event.i0], size, event.i2 if event.i2 > 0 else None))

    # --- what the remote makes -----------------------------------------------------------------------

    def _on_channel(self, event: EventStruct) -> None:
        announce_channel(self._connection, self._sink, self.channels, event)

    def _on_track(self, event: EventStruct) -> None:
        self._transceivers.receiving.add(event.object)

    def _on_track_removed(self, event: EventStruct) -> None:
        self._transceivers.receiving.discard(event.object)

    def _on_tone(self, event: EventStruct) -> None:
        transceiver = self._transceivers.find(event.object)
        if transceiver is not None:
            self._sink.post(ToneChanged(transceiver, self._connection.library.text(event.data, event.len)))
