"""Reads the candidates that the remote signals (RFC 8839 section 5.1). Pure."""

from __future__ import annotations

from aioice import Candidate

from backends.native.errors import candidate_errors, operation
from backends.native.parsing import Section
from shim.spi.engines import IceCandidate


def parse_candidate(candidate: IceCandidate) -> Candidate | None:
    """Parse a candidate; `None` for the end of candidates.

    :raises OperationError: it makes no sense.
    """
    if not candidate.candidate:
        return None
    with candidate_errors(candidate.candidate):
        parsed = Candidate.from_sdp(candidate.candidate.removeprefix("candidate:"))
        if not 0 <= parsed.port <= 65535 or parsed.type not in {"host", "srflx", "prflx", "relay"}:
            raise ValueError(f"port {parsed.port} or type {parsed.type!r} is not known")
        return parsed


def is_usable(candidate: Candidate) -> bool:
    """Whether aioice can do something with it."""
    return candidate.component == 1 and candidate.transport.lower() == "udp"


def check_fragment(candidate: IceCandidate, section: Section) -> None:
    """Check that a candidate belongs to the remote description (webrtc-pc section 4.4.1.6).

    :raises OperationError: its username fragment is another one.
    """
    given = candidate.username_fragment or _extension(candidate.candidate, "ufrag")
    known = section.media.ice.usernameFragment if section.media.ice else None
    if given is not None and given != known:
        raise operation(f"addIceCandidate: username fragment {given!r} is not that of the remote description")


def _extension(candidate: str, name: str) -> str | None:
    words = candidate.split()
    pairs = dict(zip(words[8::2], words[9::2], strict=False))
    return pairs.get(name)
