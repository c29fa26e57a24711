"""The private parts of aiortc that :mod:`backends.native.private_sctp` uses.

``tests/test_transfer.py`` fails with the name when an upgrade of aiortc changes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiortc.rtcsctptransport import RTCSctpTransport

NAMES: Final[Mapping[type, Mapping[str, tuple[str, ...]]]] = {
    RTCSctpTransport: {
        "_data_channel_flush": (),
        "_flight_size_decrease": ("chunk",),
        "_flight_size_increase": ("chunk",),
        "_get_extensions": ("params",),
        "_get_inbound_stream": ("stream_id",),
        "_handle_data": ("data",),
        "_receive": ("stream_id", "pp_id", "data"),
        "_receive_chunk": ("chunk",),
        "_receive_data_chunk": ("chunk",),
        "_receive_sack_chunk": ("chunk",),
        "_send": ("stream_id", "pp_id", "user_data", "expiry", "max_retransmits", "ordered"),
        "_send_chunk": ("chunk",),
        "_send_sack": (),
        "_set_extensions": ("params",),
        "_set_state": ("state",),
        "_t3_cancel": (),
        "_t3_expired": (),
        "_t3_restart": (),
        "_t3_start": (),
        "_transmit": (),
        "_update_advanced_peer_ack_point": (),
        "_update_rto": ("R",),
    },
}
"""Methods that are called or overridden, with their parameters."""

ATTRIBUTES: Final[Mapping[type, tuple[str, ...]]] = {
    RTCSctpTransport: (
        "_advertised_rwnd",
        "_association_state",
        "_cwnd",
        "_fast_recovery_exit",
        "_flight_size",
        "_forward_tsn_chunk",
        "_last_received_tsn",
        "_last_sacked_tsn",
        "_local_port",
        "_local_tsn",
        "_local_verification_tag",
        "_outbound_queue",
        "_outbound_stream_seq",
        "_partial_bytes_acked",
        "_reconfig_deferred",
        "_remote_extensions",
        "_remote_port",
        "_remote_verification_tag",
        "_rto",
        "_sack_duplicates",
        "_sack_misordered",
        "_sack_needed",
        "_sent_queue",
        "_ssthresh",
        "_t3_handle",
    ),
}
"""Attributes that are read or set."""
