"""What a description must hold before an engine sees it: the same checks, and the same errors, on every backend."""

from __future__ import annotations

import re
from typing import Final

from shim.api.sdp_descriptions import MediaDescription, SessionDescription
from shim.api.sdp_parser import split_lines
from shim.api.sdp_values import excerpt
from shim.spi.errors import InvalidModificationError, SdpSyntaxError

UFRAG_LENGTH: Final = range(4, 257)
"""Characters of an ICE username fragment (RFC 8839 section 5.4)."""
PASSWORD_LENGTH: Final = range(22, 257)
"""Characters of an ICE password."""

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+")


def canonical(text: str) -> str:
    """Return a description with CRLF after every line and without blank lines, as every engine reads it."""
    return "".join(f"{line}\r\n" for line in split_lines(text) if line)


def validate(text: str, type: str) -> SessionDescription:
    """Check a description that is about to be applied, and return it parsed.

    :param text: the description.
    :param type: ``"offer"``, ``"pranswer"`` or ``"answer"``.
    :raises SdpSyntaxError: the grammar is violated, or something that WebRTC demands is missing
        (RFC 9429 section 5.8). Names the line.
    """
    if not isinstance(text, str):
        raise SdpSyntaxError(f"a session description must be a string, not {text.__class__.__name__}")
    _check_order(text)
    description = SessionDescription.parse(text)
    description.type = type
    _check_mids(description)
    for index, media in enumerate(description.media):
        if not media.rejected:
            _check_section(_Section(index, media), type)
    return description


def check_answer_matches(offer: SessionDescription, answer: SessionDescription) -> None:
    """Check that an answer has the sections of the offer, in its order (RFC 9429 section 5.3.1).

    :raises InvalidModificationError: it has not.
    """
    offered = [(media.kind, media.rtp.muxId) for media in offer.media]
    answered = [(media.kind, media.rtp.muxId) for media in answer.media]
    if offered != answered:
        raise InvalidModificationError(
            f"Media sections in answer do not match offer: the offer has {_outline(offered)}, "
            f"the answer {_outline(answered)}. Answer the latest offer, and keep its m= lines and mids."
        )


def _outline(sections: list[tuple[str, str]]) -> str:
    shown = ", ".join(f"{kind[:20]} (mid {mid[:20] or 'missing'})" for kind, mid in sections[:8])
    return f"{shown}{', ...' if len(sections) > 8 else ''}" or "none"


# --- grammar (RFC 8866 section 5) --------------------------------------------------------------------


def _check_order(text: str) -> None:
    lines = [(index, line) for index, line in enumerate(split_lines(text), 1) if line]
    for (index, line), start in zip(lines, ("v=0", "o=", "s="), strict=False):
        if not line.startswith(start) or (start == "v=0" and line.rstrip() != start):
            raise SdpSyntaxError(f"line {index}: expected {start!r} here, found {excerpt(line)}", line=index)
    if len(lines) < 3:
        raise SdpSyntaxError(f"a session description starts with v=, o= and s=; this is all of it: {excerpt(text)}")
    _check_session_part(lines)


def _check_session_part(lines: list[tuple[int, str]]) -> None:
    timed = False
    for index, line in lines:
        if line.startswith("m="):
            break
        timed = timed or line.startswith("t=")
        if line.startswith("o=") and len(line.split()) != 6:
            raise SdpSyntaxError(f"line {index}: an origin has six fields: {excerpt(line)}", line=index)
    if not timed:
        raise SdpSyntaxError(f"line {lines[-1][0]}: no t= line in the session part", line=lines[-1][0])


# --- sections ----------------------------------------------------------------------------------------


class _Section:
    """A section with its place, for messages."""

    def __init__(self, index: int, media: MediaDescription) -> None:
        self.index = index
        self.media = media

    def error(self, problem: str, remedy: str) -> SdpSyntaxError:
        media = self.media
        place = f"m= section {self.index} ({media.kind[:20]}, line {media.line})"
        return SdpSyntaxError(f"{problem}: {place} {remedy}", line=media.line)


def _check_mids(description: SessionDescription) -> None:
    bundles = [group for group in description.group if group.semantic == "BUNDLE"]
    if not bundles:
        return
    seen: set[int | str] = set()
    for index, media in enumerate(description.media):
        mid = media.rtp.muxId
        if mid and mid in seen:
            raise _Section(index, media).error("Duplicate mid", f"has mid {excerpt(mid)} as an earlier one does")
        seen.add(mid)
    for group in bundles:
        for item in group.items:
            if item not in seen:
                raise SdpSyntaxError(f"a=group:BUNDLE names mid {excerpt(str(item))}, which no m= section has")


def _check_section(section: _Section, type: str) -> None:
    _check_ice(section)
    _check_dtls(section, is_answer=type != "offer")
    if section.media.kind in {"audio", "video"} and not section.media.rtcp_mux:
        raise section.error("RTCP mux is not enabled", "needs a=rtcp-mux (RFC 9429 section 4.1.1)")


def _check_ice(section: _Section) -> None:
    ufrag, password = section.media.ice.usernameFragment, section.media.ice.password
    if not ufrag or not password:
        raise section.error("ICE username fragment or password is missing", "needs a=ice-ufrag and a=ice-pwd")
    if len(ufrag) not in UFRAG_LENGTH:
        raise section.error("ICE username fragment has a wrong length", "needs one of 4 to 256 characters")
    if len(password) not in PASSWORD_LENGTH:
        raise section.error("ICE password has a wrong length", "needs one of 22 to 256 characters")


def _check_dtls(section: _Section, *, is_answer: bool) -> None:
    dtls = section.media.dtls
    if is_answer and (dtls is None or dtls.role == "auto"):
        raise section.error(
            "DTLS setup attribute must be 'active' or 'passive' for an answer", "needs a=setup:active or passive"
        )
    if dtls is None:
        raise section.error("DTLS setup attribute is missing", "needs a=setup:actpass")
    if not dtls.fingerprints:
        raise section.error("DTLS fingerprint is missing", "needs a=fingerprint")
    for fingerprint in dtls.fingerprints:
        if not _FINGERPRINT.fullmatch(fingerprint.value):
            raise section.error("DTLS fingerprint is malformed", f"has {excerpt(fingerprint.value)}")
