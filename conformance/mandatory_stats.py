"""Statistics that every implementation has (webrtc-pc section 8.6), and what an engine's report lacks of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

_STREAM: Final = ("ssrc", "kind", "transportId", "codecId")
_RECEIVED: Final = (*_STREAM, "packetsReceived", "packetsLost", "jitter")
_SENT: Final = (*_STREAM, "packetsSent", "bytesSent")
_CANDIDATE: Final = ("address", "port", "protocol", "candidateType")

# Not among them, because an object may do without: `sdpFmtpLine` (a codec without parameters), `issuerCertificateId` (a
# certificate that signs itself), `nackCount` of received sound (nothing is asked for again unless that was agreed on:
# libwebrtc leaves it out), and `roundTripTime` and `currentRoundTripTime` before anything was measured.
MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "codec": ("payloadType", "mimeType", "clockRate"),
    "inbound-rtp": (*_RECEIVED, "trackIdentifier", "bytesReceived", "packetsDiscarded"),
    "outbound-rtp": (*_SENT, "nackCount"),
    "remote-inbound-rtp": (*_RECEIVED, "localId"),
    "remote-outbound-rtp": (*_SENT, "localId", "remoteTimestamp"),
    "media-source": ("trackIdentifier", "kind"),
    "peer-connection": ("dataChannelsOpened", "dataChannelsClosed"),
    "data-channel": (
        "label",
        "protocol",
        "dataChannelIdentifier",
        "state",
        "messagesSent",
        "bytesSent",
        "messagesReceived",
        "bytesReceived",
    ),
    "transport": (
        "bytesSent",
        "bytesReceived",
        "selectedCandidatePairId",
        "localCertificateId",
        "remoteCertificateId",
    ),
    "candidate-pair": (
        "transportId",
        "localCandidateId",
        "remoteCandidateId",
        "state",
        "nominated",
        "bytesSent",
        "bytesReceived",
        "totalRoundTripTime",
        "responsesReceived",
    ),
    "local-candidate": _CANDIDATE,
    "remote-candidate": _CANDIDATE,
    "certificate": ("fingerprint", "fingerprintAlgorithm", "base64Certificate"),
}
"""Type -> members that each of its objects has."""

MEMBERS_OF_SOME: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("codec", "audio"): ("channels",),
    ("inbound-rtp", "audio"): ("totalAudioEnergy", "totalSamplesDuration"),
    ("inbound-rtp", "video"): ("framesDecoded", "framesDropped", "framesReceived", "nackCount"),
    ("outbound-rtp", "video"): ("framesEncoded", "framesSent"),
    ("media-source", "audio"): ("totalAudioEnergy", "totalSamplesDuration"),
    ("media-source", "video"): ("width", "height", "framesPerSecond"),
    ("local-candidate", "srflx"): ("url",),
    ("local-candidate", "relay"): ("url",),
}
"""Type and kind, of media or of candidate -> members that only these objects have."""


def lacking(report: Mapping[str, Any], reported: Collection[int]) -> list[str]:
    """Return what is not there, as ``type.member``, with the kind of what is about media here.

    A source is looked at if something of it is sent: it needs no figures before it is attached to a sender.

    :param reported: SSRCs of streams that reports of both ends have been exchanged about: theirs are in the report.
    """
    sources = {getattr(entry, "mediaSourceId", None) for entry in report.values()}
    entries = [entry for id, entry in report.items() if entry.type != "media-source" or id in sources]
    return sorted({_name(entry, member) for entry in entries for member in _absent(entry, reported)})


def _absent(entry: Any, reported: Collection[int]) -> Iterable[str]:
    needed = [*MEMBERS.get(entry.type, ()), *MEMBERS_OF_SOME.get((entry.type, _kind(entry)), ())]
    if entry.type in {"inbound-rtp", "outbound-rtp"} and entry.ssrc in reported:
        needed.append("remoteId")
    return (member for member in needed if getattr(entry, member, None) is None)


def _kind(entry: Any) -> str:
    told = (getattr(entry, name, None) for name in ("kind", "candidateType", "mimeType"))
    return next((str(value).partition("/")[0] for value in told if value), "")


def _name(entry: Any, member: str) -> str:
    # What the remote tells of either kind comes when it wants: such names would depend on the time.
    is_told = entry.type.startswith("remote-") or _kind(entry) not in {"audio", "video"}
    return f"{entry.type}.{member}" if is_told else f"{entry.type}.{member} of {_kind(entry)}"
