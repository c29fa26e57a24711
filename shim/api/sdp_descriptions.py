"""The session description as objects (RFC 8866, RFC 9429), with aiortc's attribute names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shim.api.parameters import RTCRtpCodecParameters, RTCRtpParameters
from shim.api.sdp_values import (
    DTLS_ROLE_SETUP,
    SSRC_INFO_ATTRS,
    GroupDescription,
    SsrcDescription,
    candidate_to_sdp,
    ipaddress_to_sdp,
    parameters_to_sdp,
)
from shim.api.values import RTCDtlsParameters, RTCIceCandidate, RTCIceParameters, RTCSctpCapabilities


class MediaDescription:
    """One media section.

    :param kind: ``"audio"``, ``"video"`` or ``"application"``.
    :param port: 0 if the section is rejected (or bundle-only).
    :param profile: e.g. ``"UDP/TLS/RTP/SAVPF"``.
    :param fmt: payload types, or other formats as text.
    """

    def __init__(self, kind: str, port: int, profile: str, fmt: Sequence[int | str]) -> None:
        self.kind = kind
        self.port = port
        self.host: str | None = None
        self.profile = profile
        self.direction: str | None = None
        self.msid: str | None = None
        self.bundle_only = False
        self.line: int | None = None

        self.rtcp_port: int | None = None
        self.rtcp_host: str | None = None
        self.rtcp_mux = False

        self.ssrc: list[SsrcDescription] = []
        self.ssrc_group: list[GroupDescription] = []

        self.fmt = fmt
        self.rtp = RTCRtpParameters()

        self.sctpCapabilities: RTCSctpCapabilities | None = None
        self.sctpmap: dict[int, str] = {}
        self.sctp_port: int | None = None

        self.dtls: RTCDtlsParameters | None = None

        self.ice: RTCIceParameters = RTCIceParameters()
        self.ice_candidates: list[RTCIceCandidate] = []
        self.ice_candidates_complete = False
        self.ice_options: str | None = None

    @property
    def rejected(self) -> bool:
        """Whether the section carries nothing (RFC 9429 section 5.3.1)."""
        return self.port == 0 and not self.bundle_only

    def __str__(self) -> str:
        parts = (self._media_lines(), self._rtp_lines(), self._sctp_lines(), self._ice_lines(), self._dtls_lines())
        return "".join(f"{line}\r\n" for lines in parts for line in lines)

    def _media_lines(self) -> Iterator[str]:
        yield f"m={self.kind} {self.port} {self.profile} {' '.join(map(str, self.fmt))}"
        if self.host is not None:
            yield f"c={ipaddress_to_sdp(self.host)}"
        if self.direction is not None:
            yield f"a={self.direction}"
        for header in self.rtp.headerExtensions:
            yield f"a=extmap:{header.id} {header.uri}"
        if self.rtp.muxId:
            yield f"a=mid:{self.rtp.muxId}"
        if self.msid:
            yield f"a=msid:{self.msid}"

    def _rtp_lines(self) -> Iterator[str]:
        if self.rtcp_port is not None:
            address = "" if self.rtcp_host is None else f" {ipaddress_to_sdp(self.rtcp_host)}"
            yield f"a=rtcp:{self.rtcp_port}{address}"
            if self.rtcp_mux:
                yield "a=rtcp-mux"
        for group in self.ssrc_group:
            yield f"a=ssrc-group:{group}"
        for source in self.ssrc:
            for name in SSRC_INFO_ATTRS:
                if (value := getattr(source, name)) is not None:
                    yield f"a=ssrc:{source.ssrc} {name}:{value}"
        for codec in self.rtp.codecs:
            yield from _codec_lines(codec)

    def _sctp_lines(self) -> Iterator[str]:
        for port, description in self.sctpmap.items():
            yield f"a=sctpmap:{port} {description}"
        if self.sctp_port is not None:
            yield f"a=sctp-port:{self.sctp_port}"
        if self.sctpCapabilities is not None:
            yield f"a=max-message-size:{self.sctpCapabilities.maxMessageSize}"

    def _ice_lines(self) -> Iterator[str]:
        for candidate in self.ice_candidates:
            yield f"a=candidate:{candidate_to_sdp(candidate)}"
        if self.ice_candidates_complete:
            yield "a=end-of-candidates"
        if self.ice.usernameFragment is not None:
            yield f"a=ice-ufrag:{self.ice.usernameFragment}"
        if self.ice.password is not None:
            yield f"a=ice-pwd:{self.ice.password}"
        if self.ice_options is not None:
            yield f"a=ice-options:{self.ice_options}"

    def _dtls_lines(self) -> Iterator[str]:
        if self.dtls is not None:
            for fingerprint in self.dtls.fingerprints:
                yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
            yield f"a=setup:{DTLS_ROLE_SETUP[self.dtls.role]}"


def _codec_lines(codec: RTCRtpCodecParameters) -> Iterator[str]:
    yield f"a=rtpmap:{codec.payloadType} {codec}"
    for feedback in codec.rtcpFeedback:
        parameter = f" {feedback.parameter}" if feedback.parameter else ""
        yield f"a=rtcp-fb:{codec.payloadType} {feedback.type}{parameter}"
    if parameters := parameters_to_sdp(codec.parameters):
        yield f"a=fmtp:{codec.payloadType} {parameters}"


class SessionDescription:
    """A whole description."""

    def __init__(self) -> None:
        self.version = 0
        self.origin: str | None = None
        self.name = "-"
        self.time = "0 0"
        self.host: str | None = None
        self.group: list[GroupDescription] = []
        self.msid_semantic: list[GroupDescription] = []
        self.media: list[MediaDescription] = []
        self.type: str | None = None

    @classmethod
    def parse(cls, sdp: str) -> SessionDescription:
        """Parse a description, in time linear in its length. Attributes that are not known are skipped.

        :raises SdpSyntaxError: names the line that is malformed.
        """
        from shim.api.sdp_parser import SdpParser

        return SdpParser(cls()).parse(sdp)

    def webrtc_track_id(self, media: MediaDescription) -> str | None:
        """Return the id of the track that a section announces, if it belongs to a WebRTC stream.

        :raises ValueError: `media` is not a section of this description.
        """
        if media not in self.media:
            raise ValueError("webrtc_track_id: the media section belongs to another description")
        if media.msid is None or " " not in media.msid:
            return None
        stream_id, track_id = media.msid.split()[:2]
        for group in self.msid_semantic:
            if group.semantic == "WMS" and (stream_id in group.items or "*" in group.items):
                return track_id
        return None

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self._session_lines()) + "".join(map(str, self.media))

    def _session_lines(self) -> Iterator[str]:
        yield f"v={self.version}"
        yield f"o={self.origin}"
        yield f"s={self.name}"
        if self.host is not None:
            yield f"c={ipaddress_to_sdp(self.host)}"
        yield f"t={self.time}"
        if any(media.ice.iceLite for media in self.media):
            yield "a=ice-lite"
        for group in self.group:
            yield f"a=group:{group}"
        for group in self.msid_semantic:
            yield f"a=msid-semantic:{group}"
