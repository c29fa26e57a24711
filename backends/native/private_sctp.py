"""SCTP's data transfer on the shortest way: names private parts of aiortc, as :mod:`backends.native.private` does.

aiortc acknowledges each packet with a packet, cuts messages into pieces of some 1150 bytes, and looks at everything in
flight with each acknowledgement. Here acknowledgements wait for a second packet or for data that goes the same way
(RFC 9260 section 6.2), messages go together while they fit, and packets grow to what the path carries (RFC 8899).
Whatever is not plain data or a plain acknowledgement is left to aiortc: losses, partial reliability, resets, the life
of the association. :mod:`backends.native.private_names` lists what is used of it.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from aiortc.rtcsctptransport import (
    SCTP_SUPPORTED_CHUNK_EXT,
    Chunk,
    DataChunk,
    HeartbeatAckChunk,
    HeartbeatChunk,
    RTCSctpTransport,
    SackChunk,
)

from backends.native.deadline import Deadline
from backends.native.path_mtu import PathProber, PathSearch
from backends.native.private_dtls import LARGEST, QuickDtlsTransport, run_now
from backends.native.sctp_packets import (
    COMMON_HEADER,
    DATA_HEADER,
    FIRST,
    IMMEDIATE,
    LAST,
    PAD,
    PLAIN_SACK,
    UNORDERED,
    Data,
    Sack,
    read_plain,
    write_packet,
    write_padding,
    write_sack,
)

logger = logging.getLogger(__name__)

TSN_MASK: Final = 0xFFFFFFFF
HALF: Final = 1 << 31
WHOLE: Final = FIRST | LAST
HEADERS: Final = COMMON_HEADER + DATA_HEADER
BURST: Final = 4
"""Packets that one acknowledgement may set free (RFC 9260 section 6.1, Max.Burst)."""
SACK_DELAY: Final = 0.02
"""Seconds that an acknowledgement waits for company at most: a tenth of what RFC 9260 section 6.2 allows."""
BLACK_HOLE: Final = 2
"""Timeouts in a row after which large packets are taken to be lost for their size."""
PROBE_MARK: Final = b"path"
HEARTBEAT_INFO: Final = 1


class QuickSctpTransport(RTCSctpTransport):
    """An SCTP association that spends little per packet.

    :param fragment: payload bytes of a packet that fits every path.
    :param may_grow: whether larger packets may be tried.
    """

    def __init__(self, transport: QuickDtlsTransport, fragment: int, *, may_grow: bool) -> None:
        super().__init__(transport)
        base = fragment + HEADERS
        search = PathSearch(base, LARGEST if may_grow else base)
        self._path = PathProber(search, self._send_probe, lambda: self._rto)
        self._fragment = fragment
        self._timers = asyncio.get_running_loop()
        self._unacknowledged = 0
        self._retransmitting = False
        self._sack_timer: asyncio.TimerHandle | None = None
        self._deadline = Deadline(self._t3_expired)
        self._silent = 0
        self._holding = False

    @property
    def _link(self) -> QuickDtlsTransport:
        transport = self.transport
        assert isinstance(transport, QuickDtlsTransport)
        return transport

    # --- receiving ---

    async def _take_packet(self, packet: bytes) -> bool:
        """Take a packet that is plain; say whether it was."""
        if self._association_state is not self.State.ESTABLISHED:
            return False
        chunks = read_plain(packet, self._local_verification_tag)
        if chunks is None:
            return False
        at_once = False
        for chunk in chunks:
            if isinstance(chunk, Sack):
                await self._take_sack(chunk)
            else:
                at_once |= await self._take_data(chunk)
        if self._sack_needed:
            await self._acknowledge(at_once=at_once)
        return True

    async def _take_data(self, data: Data) -> bool:
        """Take a chunk; say whether it should be acknowledged at once."""
        assert self._last_received_tsn is not None
        in_order = data.tsn == (self._last_received_tsn + 1) & TSN_MASK
        if not in_order or self._sack_misordered or self._reconfig_deferred is not None:
            await self._receive_data_chunk(DataChunk(data.flags, data.body))
            return True
        self._last_received_tsn = data.tsn
        self._sack_needed = True
        stream = self._get_inbound_stream(data.stream_id)
        is_next = bool(data.flags & UNORDERED) or data.stream_seq == stream.sequence_number
        if data.flags & WHOLE == WHOLE and is_next and not stream.reassembly:
            if not data.flags & UNORDERED:
                stream.sequence_number = (data.stream_seq + 1) & 0xFFFF
            await self._receive(data.stream_id, data.protocol, data.payload)
        else:
            # Nothing came after it yet, so it goes to the end, and completes no message but its own.
            stream.reassembly.append(DataChunk(data.flags, data.body))
            self._advertised_rwnd -= len(data.body) - 12
            await self._complete(data)
        return bool(data.flags & IMMEDIATE)

    async def _complete(self, data: Data) -> None:
        if data.flags & LAST:
            for message in self._get_inbound_stream(data.stream_id).pop_messages():
                self._advertised_rwnd += len(message[2])
                await self._receive(*message)

    async def _acknowledge(self, *, at_once: bool) -> None:
        self._unacknowledged += 1
        if at_once or self._unacknowledged >= 2 or self._sack_misordered or self._sack_duplicates:
            await self._send_sack()
        elif self._sack_timer is None:
            # Never cancelled: one that goes off early acknowledges what has come by then.
            self._sack_timer = self._timers.call_later(SACK_DELAY, self._sack_is_late)

    def _sack_is_late(self) -> None:
        self._sack_timer = None
        if self._sack_needed and self._association_state is self.State.ESTABLISHED:
            self._run(self._send_sack())

    async def _send_sack(self) -> None:
        if self._sack_misordered or self._sack_duplicates:
            await super()._send_sack()
        else:
            await self._send_packet(self._plain_sack())
        self._sack_needed, self._unacknowledged = False, 0

    def _plain_sack(self) -> bytes:
        assert self._last_received_tsn is not None
        return write_sack(self._last_received_tsn, max(0, self._advertised_rwnd))

    # --- acknowledgements of the remote ---

    async def _take_sack(self, sack: Sack) -> None:
        if (sack.cumulative - self._last_sacked_tsn) & TSN_MASK >= HALF:
            return
        if self._fast_recovery_exit is not None:
            chunk = SackChunk()
            chunk.cumulative_tsn, chunk.advertised_rwnd = sack.cumulative, sack.window
            await self._receive_sack_chunk(chunk)
            return
        self._last_sacked_tsn, self._silent = sack.cumulative, 0
        full = self._flight_size >= self._cwnd
        acknowledged = self._release(sack.cumulative)
        if acknowledged and full:
            self._widen(acknowledged)
        if not self._sent_queue:
            self._t3_cancel()
        elif acknowledged:
            self._t3_restart()
        self._update_advanced_peer_ack_point()
        await self._data_channel_flush()
        await self._transmit()

    def _release(self, cumulative: int) -> int:
        """Forget what has arrived; return how many bytes that is."""
        sent, size, first = self._sent_queue, 0, True
        while sent and (cumulative - sent[0].tsn) & TSN_MASK < HALF:
            chunk = sent.popleft()
            size += 0 if chunk._acked else chunk._book_size
            self._flight_size_decrease(chunk)
            if first and chunk._sent_count == 1 and chunk._sent_time is not None:
                self._update_rto(time.time() - chunk._sent_time)
            first = False
        return size

    def _widen(self, acknowledged: int) -> None:
        """Let the congestion window grow (RFC 9260 sections 7.2.1 and 7.2.2)."""
        if self._cwnd <= self._ssthresh:
            self._cwnd += min(acknowledged, self._fragment)
            return
        self._partial_bytes_acked += acknowledged
        if self._partial_bytes_acked >= self._cwnd:
            self._partial_bytes_acked -= self._cwnd
            self._cwnd += self._fragment

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        self._retransmitting, self._silent = True, 0
        await super()._receive_sack_chunk(chunk)

    def _update_advanced_peer_ack_point(self) -> None:
        self._abandon_waiting()
        super()._update_advanced_peer_ack_point()

    def _abandon_waiting(self) -> None:
        """Give up messages that outlived their wait for the window: they have numbers, which the remote must skip."""
        for chunk in self._outbound_queue:
            if chunk._expiry is None or time.time() <= chunk._expiry:
                return
            if not (chunk._abandoned or chunk.flags & FIRST) and self._sent_queue:
                # Part of it is under way (RFC 3758 section 3.5 A3).
                self._maybe_abandon(self._sent_queue[-1])
            chunk._abandoned = True

    # --- sending ---

    async def _send(
        self,
        stream_id: int,
        pp_id: int,
        user_data: bytes,
        expiry: float | None = None,
        max_retransmits: int | None = None,
        ordered: bool = True,
    ) -> None:
        size, room = len(user_data), self._fragment
        if size > room:
            self._search()
        sequence = self._outbound_stream_seq.get(stream_id, 0) if ordered else 0
        for start in range(0, size, room):
            chunk = DataChunk(flags=0 if ordered else UNORDERED)
            chunk.flags |= (FIRST if start == 0 else 0) | (LAST if start + room >= size else 0)
            chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = self._local_tsn, stream_id, sequence, pp_id
            chunk.user_data = user_data[start : start + room] if size > room else user_data
            chunk._book_size, chunk._expiry, chunk._max_retransmits = len(chunk.user_data), expiry, max_retransmits
            chunk._abandoned = chunk._acked = chunk._in_flight = chunk._retransmit = False
            chunk._misses, chunk._sent_count, chunk._sent_time = 0, 0, None
            self._local_tsn = (self._local_tsn + 1) & TSN_MASK
            self._outbound_queue.append(chunk)
        if ordered:
            self._outbound_stream_seq[stream_id] = (sequence + 1) & 0xFFFF
        if not self._holding:
            await self._transmit()

    def hold(self) -> int:
        """Let messages wait for each other until `release_held()`; return how many bytes of them make a packet."""
        self._holding = True
        return self._fragment

    async def release_held(self) -> None:
        """Send what waited, in as few packets as it fits."""
        self._holding = False
        await self._transmit()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            run_now(coroutine)
        except ConnectionError:
            logger.debug("the transport closed while something waited to be sent")
        except struct.error:
            logger.debug("what the remote has sent cannot be acknowledged", exc_info=True)

    async def _transmit(self) -> None:
        if self._retransmitting or self._forward_tsn_chunk is not None or self._fast_recovery_exit is not None:
            await super()._transmit()
            self._retransmitting = any(chunk._retransmit for chunk in self._sent_queue)
            return
        queue, window = self._outbound_queue, min(self._flight_size + BURST * self._fragment, self._cwnd)
        while queue and self._flight_size < window:
            chunks = self._next_packet(window)
            if queue and self._flight_size >= window and len(self._sent_queue) == len(chunks):
                # The acknowledgement would wait for a second packet, and that for the acknowledgement.
                chunks[-1].flags |= IMMEDIATE
            await self._send_data_chunks(*chunks)
            if self._t3_handle is None:
                self._t3_start()
            if queue:
                self._search()

    def _next_packet(self, window: int) -> list[DataChunk]:
        """Take the chunks of the next packet, at least one, while the window has room."""
        queue, now = self._outbound_queue, time.time()
        chunks: list[DataChunk] = []
        room = self._path.size - COMMON_HEADER - (PLAIN_SACK if self._sack_needed else 0)
        while queue and (not chunks or (self._flight_size < window and _size_of(queue[0]) <= room)):
            chunk = queue.popleft()
            room -= _size_of(chunk)
            self._sent_queue.append(chunk)
            self._flight_size_increase(chunk)
            chunk._sent_count += 1
            chunk._sent_time = now
            chunks.append(chunk)
        return chunks

    async def _send_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, DataChunk):
            await self._send_data_chunks(chunk)
        else:
            await self._send_packet(bytes(chunk))

    async def _send_data_chunks(self, *chunks: DataChunk) -> None:
        body = b"".join(map(bytes, chunks))
        fits = COMMON_HEADER + PLAIN_SACK + len(body) <= self._path.size
        if fits and self._sack_needed and not self._sack_misordered:
            body = self._plain_sack() + body
            self._sack_needed, self._unacknowledged = False, 0
        await self._send_packet(body)

    async def _send_packet(self, *chunks: bytes) -> None:
        # Of a transport that has just ended, what a timer still sends is lost, as any datagram may be.
        with suppress(ConnectionError):
            await self._link._send_data(self._packet(*chunks))

    def _packet(self, *chunks: bytes) -> bytes:
        assert self._remote_port is not None
        return write_packet(self._local_port, self._remote_port, self._remote_verification_tag, *chunks)

    # --- the retransmission timer: moved with each acknowledgement, set anew only when it goes off ---

    def _t3_start(self) -> None:
        self._t3_restart()

    def _t3_restart(self) -> None:
        self._t3_handle = self._deadline.move(self._rto)

    def _t3_cancel(self) -> None:
        self._t3_handle = None
        self._deadline.clear()

    def _t3_expired(self) -> None:
        self._retransmitting = True
        self._silent += 1
        if self._silent >= BLACK_HOLE and self._path.fall_back():
            # What is cut already cannot be cut again: the network has to, if it must (RFC 8899 section 6.2).
            self._link.allow_pieces()
            self._adopt_size()
        super()._t3_expired()

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED:
            self._path.close()
            self._deadline.close()
            if self._sack_timer is not None:
                self._sack_timer.cancel()

    # --- the size of packets ---

    def _set_extensions(self, params: list[tuple[int, bytes]]) -> None:
        # Says that padding is understood, and records of any size: aiortc's own reader takes no more than 1500 bytes.
        super()._set_extensions(params)
        for index, (kind, value) in enumerate(params):
            if kind == SCTP_SUPPORTED_CHUNK_EXT:
                params[index] = (kind, value + bytes([PAD]))

    def _search(self) -> None:
        if PAD in self._remote_extensions:
            self._path.begin()

    def _send_probe(self, size: int) -> bool:
        info = HeartbeatChunk()
        info.params = [(HEARTBEAT_INFO, PROBE_MARK + size.to_bytes(4, "big"))]
        heartbeat = bytes(info)
        padding = write_padding(size - COMMON_HEADER - len(heartbeat))
        return self._link.send_whole(self._packet(heartbeat, padding))

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, HeartbeatAckChunk):
            for kind, value in chunk.params:
                if kind == HEARTBEAT_INFO and value[:4] == PROBE_MARK and len(value) == 8:
                    self._path.arrived(int.from_bytes(value[4:], "big"))
                    self._adopt_size()
            return
        await super()._receive_chunk(chunk)

    def _adopt_size(self) -> None:
        self._fragment = self._path.size - HEADERS


def _size_of(chunk: DataChunk) -> int:
    return DATA_HEADER + len(chunk.user_data) + -len(chunk.user_data) % 4
