"""The oracle: what W3C and IETF say, as data, written without looking at any backend or at the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["local", "remote"]
State = Literal[
    "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer", "closed"
]
Kind = Literal["offer", "pranswer", "answer", "rollback"]

STATES: Final[tuple[State, ...]] = (
    "stable",
    "have-local-offer",
    "have-remote-offer",
    "have-local-pranswer",
    "have-remote-pranswer",
    "closed",
)
KINDS: Final[tuple[Kind, ...]] = ("offer", "pranswer", "answer", "rollback")
SIDES: Final[tuple[Side, ...]] = ("local", "remote")

TRANSITIONS: Final[dict[tuple[State, Side, Kind], State]] = {
    ("stable", "local", "offer"): "have-local-offer",
    ("stable", "remote", "offer"): "have-remote-offer",
    ("have-local-offer", "local", "offer"): "have-local-offer",
    ("have-local-offer", "remote", "answer"): "stable",
    ("have-local-offer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-local-offer", "local", "rollback"): "stable",
    ("have-local-offer", "remote", "rollback"): "stable",
    # webrtc-pc section 4.4.1.5: a remote offer here rolls the local one back first.
    ("have-local-offer", "remote", "offer"): "have-remote-offer",
    ("have-remote-offer", "remote", "offer"): "have-remote-offer",
    ("have-remote-offer", "local", "answer"): "stable",
    ("have-remote-offer", "local", "pranswer"): "have-local-pranswer",
    ("have-remote-offer", "local", "rollback"): "stable",
    ("have-remote-offer", "remote", "rollback"): "stable",
    ("have-local-pranswer", "local", "pranswer"): "have-local-pranswer",
    ("have-local-pranswer", "local", "answer"): "stable",
    ("have-remote-pranswer", "remote", "pranswer"): "have-remote-pranswer",
    ("have-remote-pranswer", "remote", "answer"): "stable",
}
"""RFC 9429 section 3.2 and webrtc-pc section 4.4.1.5. What is missing is an InvalidStateError."""

MAY_CREATE_ANSWER: Final[frozenset[State]] = frozenset({"have-remote-offer", "have-local-pranswer"})
"""RFC 9429 section 4.1.9: elsewhere createAnswer fails with InvalidStateError."""

MAY_CREATE_OFFER: Final[frozenset[State]] = frozenset(STATES) - {"closed"}
"""webrtc-pc section 4.4.2: only a closed connection refuses."""

METHODS: Final = (
    "addIceCandidate",
    "addTrack",
    "addTransceiver",
    "close",
    "createDataChannel",
    "direction",
    "getStats",
    "insertDTMF",
    "removeTrack",
    "replaceTrack",
    "restartIce",
    "send",
    "setConfiguration",
    "setParameters",
    "stop",
)
"""Everything but descriptions that may be asked of a connection and its parts, in any signaling state."""

_HARMLESS_WHEN_CLOSED: Final = frozenset({"close", "stop"})
_NEEDS_A_TRANSPORT: Final = frozenset({"insertDTMF", "send"})


def may_call(method: str, state: State) -> bool:
    """Tell whether a method of :data:`METHODS` works in a state, on a connection that has no transport yet.

    Elsewhere it is an InvalidStateError (webrtc-pc sections 4.4.2, 5.1, 5.2, 5.4, 6.2 and 7.2). No signaling state but
    "closed" forbids anything. A closed connection has stopped its transceivers, so that there is nothing left to stop.
    """
    return method not in _NEEDS_A_TRANSPORT and (state != "closed" or method in _HARMLESS_WHEN_CLOSED)


ANSWER_DIRECTIONS: Final[dict[tuple[str, str], str]] = {
    (offered, wanted): direction
    for offered, by_wish in {
        "sendrecv": {"sendrecv": "sendrecv", "sendonly": "sendonly", "recvonly": "recvonly", "inactive": "inactive"},
        "sendonly": {"sendrecv": "recvonly", "sendonly": "inactive", "recvonly": "recvonly", "inactive": "inactive"},
        "recvonly": {"sendrecv": "sendonly", "sendonly": "sendonly", "recvonly": "inactive", "inactive": "inactive"},
        "inactive": {"sendrecv": "inactive", "sendonly": "inactive", "recvonly": "inactive", "inactive": "inactive"},
    }.items()
    for wanted, direction in by_wish.items()
}
"""RFC 3264 section 6.1: (offered, wanted by the answerer) -> direction in the answer."""

CONNECTION_ORDER: Final = ("new", "connecting", "connected", "disconnected", "failed", "closed")
GATHERING_ORDER: Final = ("new", "gathering", "complete")
ICE_ORDER: Final = ("new", "checking", "connected", "completed")

MAX_LABEL_BYTES: Final = 65535
"""webrtc-pc section 6.1: longer labels and protocols are a TypeError (a ValueError in Python)."""

MAX_CHANNEL_ID: Final = 65534
"""RFC 8831 section 6.6: 65535 is reserved."""

DEFAULT_MAX_MESSAGE_SIZE: Final = 65536
"""RFC 8841 section 6.1: what a remote accepts that does not say so."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A dictionary of webrtc-stats.

    :param fields: members that every engine can give, with their types.
    :param references: members that hold the id of another dictionary.
    """

    fields: dict[str, type | tuple[type, ...]]
    references: tuple[str, ...] = ()


NUMBER: Final = (int, float)
STATISTICS: Final[dict[str, Statistic]] = {
    "inbound-rtp": Statistic(
        {"ssrc": int, "kind": str, "packetsReceived": int, "bytesReceived": int, "packetsLost": int},
        ("transportId", "codecId", "remoteId"),
    ),
    "outbound-rtp": Statistic(
        {"ssrc": int, "kind": str, "packetsSent": int, "bytesSent": int},
        ("transportId", "codecId", "remoteId", "mediaSourceId"),
    ),
    "remote-inbound-rtp": Statistic(
        {"ssrc": int, "kind": str, "packetsLost": int, "jitter": NUMBER}, ("localId", "codecId", "transportId")
    ),
    "remote-outbound-rtp": Statistic({"ssrc": int, "kind": str}, ("localId", "codecId", "transportId")),
    "transport": Statistic(
        {"bytesSent": int, "bytesReceived": int, "dtlsState": str},
        ("selectedCandidatePairId", "localCertificateId", "remoteCertificateId"),
    ),
    "data-channel": Statistic(
        {
            "label": str,
            "state": str,
            "messagesSent": int,
            "messagesReceived": int,
            "bytesSent": int,
            "bytesReceived": int,
        }
    ),
    "candidate-pair": Statistic(
        {"state": str, "localCandidateId": str, "remoteCandidateId": str},
        ("transportId", "localCandidateId", "remoteCandidateId"),
    ),
    "local-candidate": Statistic({"candidateType": str, "port": int, "protocol": str}, ("transportId",)),
    "remote-candidate": Statistic({"candidateType": str, "port": int, "protocol": str}, ("transportId",)),
    "codec": Statistic({"mimeType": str, "payloadType": int, "clockRate": int}, ("transportId",)),
    "certificate": Statistic(
        {"fingerprint": str, "fingerprintAlgorithm": str, "base64Certificate": str}, ("issuerCertificateId",)
    ),
    "peer-connection": Statistic({"dataChannelsOpened": int, "dataChannelsClosed": int}),
    "media-source": Statistic({"kind": str, "trackIdentifier": str}),
}
"""webrtc-stats section 6, for the types an engine may report."""

OF_BOTH_ENDS: Final = (
    "candidate-pair",
    "certificate",
    "codec",
    "data-channel",
    "local-candidate",
    "peer-connection",
    "remote-candidate",
    "transport",
)
OF_A_SENDER: Final = ("media-source", "outbound-rtp", "remote-inbound-rtp")
OF_A_RECEIVER: Final = ("inbound-rtp",)
"""Types that must be there (webrtc-pc section 8.6), while sound, pictures and messages are sent one way."""


def next_state(state: State, side: Side, kind: Kind) -> State | None:
    """Return where a description leads; `None` for InvalidStateError."""
    return TRANSITIONS.get((state, side, kind))
