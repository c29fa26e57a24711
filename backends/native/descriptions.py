"""Builds the media sections of offers and answers as aiortc spells them, and renders descriptions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from aiortc.codecs import is_rtx
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.rtcicetransport import RTCIceCandidate, RTCIceParameters
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription, SsrcDescription

from backends.native.legs import Credentials, DtlsRole, Leg
from backends.native.negotiation import sends
from backends.native.parsing import Parsed, Section
from backends.native.records import DataSection, TransceiverRecord
from shim.spi.engines import Direction

DISCARD_HOST: Final = "0.0.0.0"
DISCARD_PORT: Final = 9
SCTP_PORT: Final = 5000
SCTP_STREAMS: Final = 65535

Candidates = Callable[[int, str], tuple[list[RTCIceCandidate], bool]]
"""Given a leg's id and a username fragment: the candidates gathered so far, and whether these are all."""


def new_description(kind: str) -> SessionDescription:
    """Start an empty offer or answer."""
    description = SessionDescription()
    description.msid_semantic.append(GroupDescription(semantic="WMS", items=["*"]))
    description.type = kind
    return description


def media_section(
    record: TransceiverRecord,
    mid: str,
    direction: Direction,
    codecs: Sequence[RTCRtpCodecParameters],
    extensions: Sequence[RTCRtpHeaderExtensionParameters],
    cname: str,
) -> MediaDescription:
    """Describe a transceiver; transport attributes come later.

    What was sent once is named as before whatever the direction is now (RFC 9429 section 5.2.2), until it is stopped.
    """
    media = MediaDescription(
        kind=record.kind,
        port=DISCARD_PORT,
        profile="UDP/TLS/RTP/SAVPF",
        fmt=[codec.payloadType for codec in codecs],
    )
    sender = record.sender
    media.direction = direction
    media.rtp = RTCRtpParameters(codecs=list(codecs), headerExtensions=list(extensions), muxId=mid)
    media.rtcp_host, media.rtcp_port, media.rtcp_mux = DISCARD_HOST, DISCARD_PORT, True
    # Receivers of libwebrtc that lose sight of a stream during a hold stay silent when it comes back, and peers like
    # aiortc cannot find one that comes back under another SSRC.
    if not sends(direction) and not record.negotiated.described:
        return media
    media.msid = "\r\na=msid:".join(f"{stream} {sender.source_id}" for stream in sender.stream_ids or ("-",))
    media.ssrc = [SsrcDescription(ssrc=sender.ssrc, cname=cname)]
    if any(is_rtx(codec) for codec in codecs):
        media.ssrc.append(SsrcDescription(ssrc=sender.rtx_ssrc, cname=cname))
        media.ssrc_group = [GroupDescription(semantic="FID", items=[sender.ssrc, sender.rtx_ssrc])]
    return media


def data_section(data: DataSection, mid: str) -> MediaDescription:
    """Describe the data channels' section (RFC 8841), in the old form if the remote uses that."""
    if data.legacy:
        media = MediaDescription(kind="application", port=DISCARD_PORT, profile="DTLS/SCTP", fmt=[SCTP_PORT])
        media.sctpmap[SCTP_PORT] = f"webrtc-datachannel {SCTP_STREAMS}"
    else:
        media = MediaDescription(
            kind="application", port=DISCARD_PORT, profile="UDP/DTLS/SCTP", fmt=["webrtc-datachannel"]
        )
        media.sctp_port = SCTP_PORT
    media.rtp.muxId = mid
    media.sctpCapabilities = RTCSctpCapabilities(RTCSctpTransport.getCapabilities().maxMessageSize)
    return media


def rejected_section(kind: str, protocol: str, formats: Sequence[str], mid: str) -> MediaDescription:
    """Describe a section that is not used (RFC 9429 section 5.3.1)."""
    media = MediaDescription(kind=kind, port=0, profile=protocol, fmt=list(formats))
    media.host = DISCARD_HOST
    media.direction = "inactive"
    media.rtp.muxId = mid
    media.ice = RTCIceParameters()
    return media


def add_transport(
    media: MediaDescription, leg: Leg, fingerprints: Sequence[RTCDtlsFingerprint], role: DtlsRole
) -> None:
    """Add ICE credentials, fingerprints and the setup attribute."""
    media.host, media.port = DISCARD_HOST, DISCARD_PORT
    media.ice = RTCIceParameters(usernameFragment=leg.local.ufrag, password=leg.local.password)
    media.ice_options = "trickle"
    media.dtls = RTCDtlsParameters(fingerprints=list(fingerprints), role=role)


class Origin:
    """Keeps the o= lines of one session: one id, and a version that rises with each change (RFC 9429 section 5.2.2)."""

    def __init__(self) -> None:
        self._id = secrets.randbits(62)
        self._version = 1
        self._last = ""

    def stamp(self, description: SessionDescription) -> None:
        """Write the o= line of a description that is complete but for its candidates."""
        description.origin = None
        content = str(description)
        if content != self._last:
            self._last = content
            self._version += 1
        description.origin = f"- {self._id} {self._version} IN IP4 0.0.0.0"


def bundle(description: SessionDescription, mids: Sequence[str]) -> None:
    """Group sections (RFC 8843); peers refuse a group of none."""
    if mids:
        description.group.append(GroupDescription(semantic="BUNDLE", items=list(mids)))


def with_candidates(
    description: SessionDescription, leg_of: Callable[[str], int | None], candidates: Candidates
) -> str:
    """Render a local description with the candidates gathered so far."""
    for media in description.media:
        leg = leg_of(media.rtp.muxId)
        if media.port == 0 or leg is None or media.ice is None or media.ice.usernameFragment is None:
            continue
        media.ice_candidates, media.ice_candidates_complete = candidates(leg, media.ice.usernameFragment)
        if media.ice_candidates:
            media.host, media.port = media.ice_candidates[0].ip, media.ice_candidates[0].port
        else:
            media.host, media.port = DISCARD_HOST, DISCARD_PORT
    return str(description)


def with_trickled(parsed: Parsed, added: Sequence[tuple[int, str]]) -> str:
    """Return a remote description with the candidates that came after it.

    :param added: (index of the section, line without ``a=``).
    """
    if not added:
        return parsed.text
    newline = "\r\n" if "\r\n" in parsed.text else "\n"
    lines: list[str] = []
    index = -1
    for line in [*parsed.text.splitlines(), "m="]:
        if line.startswith("m="):
            lines += [f"a={extra}" for where, extra in added if where == index]
            index += 1
        lines.append(line)
    return newline.join(lines[:-1]) + newline


def credentials_of(section: Section) -> Credentials:
    """Read the ICE credentials; `validate` has checked that there are some."""
    ice = section.media.ice
    assert ice is not None
    return Credentials(ice.usernameFragment or "", ice.password or "")


def fingerprints_of(section: Section) -> tuple[tuple[str, str], ...]:
    """Read the fingerprints."""
    dtls = section.media.dtls
    return tuple((item.algorithm, item.value) for item in dtls.fingerprints) if dtls else ()


def role_of(section: Section) -> DtlsRole:
    """Read the DTLS role of whoever wrote an answer."""
    return "client" if section.media.dtls is not None and section.media.dtls.role == "client" else "server"
