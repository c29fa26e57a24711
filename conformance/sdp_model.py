"""What an answer owes to its offer, and a description to itself: the rules that need more than one line to be seen.

A description is read as far as these rules look at it, by code that shares nothing with the parsers of any backend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

DIRECTIONS: Final = ("inactive", "sendonly", "recvonly", "sendrecv")
"""By what they allow: bit 0 to send, bit 1 to receive."""
OPPOSITE: Final = {"sendonly": "recvonly", "recvonly": "sendonly", "send": "recv", "recv": "send"}
_STATIC: Final = {"0": "pcmu/8000", "8": "pcma/8000", "9": "g722/8000", "13": "cn/8000"}
"""Formats that need no rtpmap (RFC 3551 section 6), of those that WebRTC knows."""


@dataclass(frozen=True, slots=True)
class Section:
    """One media section.

    :param lines: without line ends, the m= line first.
    :param inherited: lines of the session part, which hold where the section says nothing itself.
    """

    lines: tuple[str, ...]
    inherited: tuple[str, ...] = field(repr=False)

    @property
    def kind(self) -> str:
        """``audio``, ``video`` or ``application``."""
        return self._media[0]

    @property
    def port(self) -> int:
        """0 if the section is rejected, or offered in a bundle only."""
        return int(self._media[1].partition("/")[0])

    @property
    def protocol(self) -> str:
        """Of the m= line."""
        return self._media[2]

    @property
    def formats(self) -> list[str]:
        """What the m= line lists, in its order: payload types of audio and video."""
        return self._media[3:]

    @property
    def is_rejected(self) -> bool:
        """Whether it is not used (RFC 9429 section 5.3.1, RFC 8843 section 6)."""
        return self.port == 0 and not self.has("bundle-only")

    @property
    def is_rtp(self) -> bool:
        """Whether it carries sound or pictures."""
        return self.kind in {"audio", "video"}

    @property
    def mid(self) -> str | None:
        """Its identification (RFC 5888 section 4)."""
        return next(iter(self.values("mid")), None)

    @property
    def direction(self) -> str:
        """As its author sees it; both ways if it does not say (RFC 8866 section 6.7)."""
        found = [line[2:] for line in (*self.lines, *self.inherited) if line[2:] in DIRECTIONS]
        return found[0] if found else "sendrecv"

    @property
    def codecs(self) -> dict[str, str]:
        """Meaning of each payload type of the m= line: name/rate/channels, in lower case, one channel left out."""
        mapped = dict(value.split(None, 1) for value in self.values("rtpmap"))
        known = {**_STATIC, **mapped}
        return {number: known[number].lower().removesuffix("/1") for number in self.formats if number in known}

    @property
    def parameters(self) -> dict[str, dict[str, str]]:
        """Format parameters by payload type."""
        return {number: _parameters(text) for number, _, text in (v.partition(" ") for v in self.values("fmtp"))}

    @property
    def extensions(self) -> dict[str, str]:
        """URI of each header extension by its id (RFC 8285 section 8)."""
        found = (value.split() for value in self.values("extmap", inherit=True))
        return {words[0].partition("/")[0]: words[1] for words in found}

    @property
    def rids(self) -> dict[str, str]:
        """``send`` or ``recv`` by the id of the restriction (RFC 8851)."""
        return {words[0]: words[1] for words in (value.split() for value in self.values("rid"))}

    def extension_direction(self, number: str) -> str:
        """Return which way a header extension goes, as the author sees it."""
        for value in self.values("extmap", inherit=True):
            found, _, direction = value.split()[0].partition("/")
            if found == number and direction:
                return direction
        return "sendrecv"

    def feedback(self, number: str) -> set[str]:
        """Return what may be fed back about a payload type (RFC 4585 section 4.2)."""
        found = (value.partition(" ") for value in self.values("rtcp-fb"))
        return {told.strip() for whose, _, told in found if whose in {"*", number}}

    def has(self, name: str) -> bool:
        """Tell whether an attribute without a value is there."""
        return f"a={name}" in self.lines

    def values(self, name: str, *, inherit: bool = False) -> list[str]:
        """Return what each attribute of a name says.

        :param inherit: take the session's if the section has none.
        """
        prefix = f"a={name}:"
        found = [line.removeprefix(prefix) for line in self.lines if line.startswith(prefix)]
        if found or not inherit:
            return found
        return [line.removeprefix(prefix) for line in self.inherited if line.startswith(prefix)]

    @property
    def _media(self) -> list[str]:
        return self.lines[0][2:].split()


@dataclass(frozen=True, slots=True)
class Description:
    """An offer or an answer.

    :param session: lines of the session part.
    """

    session: tuple[str, ...]
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, sdp: str) -> Description:
        """Read a description, which must be one: its spelling is not looked at."""
        head, *rest = (tuple(part.split("\n")) for part in re.split(r"\n(?=m=)", sdp.replace("\r\n", "\n").strip()))
        return cls(head, tuple(Section(lines, head) for lines in rest))

    @property
    def bundles(self) -> list[list[str]]:
        """Mids of each BUNDLE group, in its order."""
        return [line.split()[1:] for line in self.session if line.startswith("a=group:BUNDLE")]

    @property
    def bundled(self) -> set[str]:
        """Mids of all BUNDLE groups."""
        return {mid for group in self.bundles for mid in group}

    @property
    def used(self) -> list[Section]:
        """The sections that are not rejected."""
        return [section for section in self.sections if not section.is_rejected]


def contradictions_in(sdp: str) -> list[str]:
    """Say where a description refers to what it does not have, or gives one name twice."""
    description = Description.of(sdp)
    mids = [section.mid for section in description.sections if section.mid is not None]
    found = [f"mid {mid} is given twice (RFC 5888 4)" for mid in set(mids) if mids.count(mid) > 1]
    found += [f"BUNDLE names mid {mid}, which no section has (RFC 8843 7)" for mid in description.bundled - set(mids)]
    for section in description.used:
        found += [f"section {section.mid}: {fault}" for fault in _contradictions(section)]
    return found


def answer_faults(offer: str, answer: str) -> list[str]:
    """Say what an answer does that its offer does not allow (RFC 3264 section 6, RFC 9429 section 5.3.1)."""
    offered, answered = Description.of(offer), Description.of(answer)
    if len(offered.sections) != len(answered.sections):
        return [f"{len(answered.sections)} sections answer {len(offered.sections)} (RFC 3264 6)"]
    return [
        *_bundle_faults(offered, answered),
        *(
            f"section {theirs.mid}: {fault}"
            for theirs, ours in zip(offered.sections, answered.sections, strict=True)
            for fault in _section_faults(theirs, ours)
        ),
    ]


# --- one description ---------------------------------------------------------------------------------


def _contradictions(section: Section) -> Iterator[str]:
    formats = section.formats
    if section.is_rtp:
        numbers = [value.split()[0] for value in section.values("rtpmap")]
        yield from (f"payload type {n} is mapped twice (RFC 8866 6.6)" for n in set(numbers) if numbers.count(n) > 1)
        yield from (f"payload type {n} is not explained (RFC 8866 6.6)" for n in formats if n not in section.codecs)
        told = [(name, v.split()[0]) for name in ("rtpmap", "fmtp", "rtcp-fb") for v in section.values(name)]
        yield from (
            f"a={name} of {n}, which m= does not list (RFC 8866 6)" for name, n in told if n not in {*formats, "*"}
        )
        yield from _dangling_retransmissions(section)
    ids = [value.split()[0].partition("/")[0] for value in section.values("extmap")]
    yield from (f"extmap id {n} is given twice (RFC 8285 5)" for n in set(ids) if ids.count(n) > 1)
    yield from (f"extmap id {n} is not in 1-14 or 16-255 (RFC 8285 4)" for n in ids if int(n) not in _EXTENSION_IDS)
    yield from _dangling_layers(section)
    sources = {value.split()[0] for value in section.values("ssrc")}
    grouped = [source for value in section.values("ssrc-group") for source in value.split()[1:]]
    yield from (f"ssrc-group names {s}, which has no a=ssrc (RFC 5576 4.2)" for s in grouped if s not in sources)


_EXTENSION_IDS: Final = frozenset(range(1, 256)) - {15}


def _dangling_retransmissions(section: Section) -> Iterator[str]:
    for number, codec in section.codecs.items():
        if codec.startswith("rtx/") and section.parameters.get(number, {}).get("apt") not in section.codecs:
            yield f"rtx {number} repeats a payload type that is not there (RFC 4588 8.1)"


def _dangling_layers(section: Section) -> Iterator[str]:
    for value in section.values("simulcast"):
        words = value.split()
        for direction, streams in zip(words[::2], words[1::2], strict=True):
            for rid in re.findall(r"[^~;,]+", streams):
                if section.rids.get(rid) != direction:
                    yield f"simulcast names the rid {rid}, which is not there to {direction} (RFC 8853 5.2)"


# --- an answer and its offer -------------------------------------------------------------------------


def _bundle_faults(offered: Description, answered: Description) -> Iterator[str]:
    for group in answered.bundles:
        if not any(set(group) <= set(candidate) for candidate in offered.bundles):
            yield f"BUNDLE {group} is part of no group that was offered (RFC 8843 7.3)"
    rejected = {section.mid for section in answered.sections if section.is_rejected}
    yield from (f"BUNDLE names the rejected section {mid} (RFC 8843 7.3.3)" for mid in answered.bundled & rejected)


def _section_faults(theirs: Section, ours: Section) -> Iterator[str]:
    for name in ("kind", "protocol", "mid"):
        before, after = getattr(theirs, name), getattr(ours, name)
        if before != after and not (name == "mid" and before is None):
            yield f"{name} {before} is answered as {after} (RFC 3264 6, RFC 9429 5.3.1)"
    if ours.is_rejected:
        return
    if theirs.is_rejected:
        yield "is accepted, though it was rejected in the offer (RFC 3264 6)"
        return
    yield from _transport_faults(theirs, ours)
    if ours.is_rtp:
        yield from _direction_faults(theirs, ours)
        yield from _codec_faults(theirs, ours)
        yield from _extension_faults(theirs, ours)
        yield from _layer_faults(theirs, ours)


def _transport_faults(theirs: Section, ours: Section) -> Iterator[str]:
    setup = ours.values("setup", inherit=True)[:1]
    allowed = {"active": ["passive"], "passive": ["active"]}.get(
        next(iter(theirs.values("setup", inherit=True)), "actpass"), ["active", "passive"]
    )
    if not setup or setup[0] not in allowed:
        yield f"a=setup is {setup}, not one of {allowed} (RFC 8842 5.3)"
    for name in ("rtcp-mux", "rtcp-rsize"):
        if ours.has(name) and not theirs.has(name):
            yield f"a={name} was not offered (RFC 5761 5.1.1, RFC 5506 5)"


def _direction_faults(theirs: Section, ours: Section) -> Iterator[str]:
    allowed = DIRECTIONS.index(OPPOSITE.get(theirs.direction, theirs.direction))
    if DIRECTIONS.index(ours.direction) & ~allowed:
        yield f"{theirs.direction} is answered with {ours.direction} (RFC 3264 6.1)"


def _codec_faults(theirs: Section, ours: Section) -> Iterator[str]:
    offered = theirs.codecs
    if not ours.codecs:
        yield "is accepted without a codec (RFC 3264 6.1)"
    for number, codec in ours.codecs.items():
        if number not in theirs.formats:
            yield f"{codec} has the payload type {number}, which was not offered (RFC 9429 5.3.1)"
        elif offered.get(number) != codec:
            yield f"payload type {number} was {offered.get(number)} and is {codec} (RFC 3264 6.1)"
        else:
            yield from _format_faults(number, theirs, ours)


def _format_faults(number: str, theirs: Section, ours: Section) -> Iterator[str]:
    unasked = ours.feedback(number) - theirs.feedback(number)
    yield from (f"feedback {told} about {number} was not offered (RFC 4585 4.2)" for told in sorted(unasked))
    before, after = (section.parameters.get(number, {}).get("apt") for section in (theirs, ours))
    if before != after:
        yield f"rtx {number} repeated {before} and repeats {after} (RFC 4588 8.1)"


def _extension_faults(theirs: Section, ours: Section) -> Iterator[str]:
    offered = theirs.extensions
    for number, uri in ours.extensions.items():
        if offered.get(number) != uri:
            yield f"extmap {number} is {uri}, and was {offered.get(number)} in the offer (RFC 8285 7)"
            continue
        before = theirs.extension_direction(number)
        allowed = DIRECTIONS.index(OPPOSITE.get(before, before))
        if DIRECTIONS.index(ours.extension_direction(number)) & ~allowed:
            yield f"extmap {number} goes {ours.extension_direction(number)} where {before} was offered (RFC 8285 7)"


def _layer_faults(theirs: Section, ours: Section) -> Iterator[str]:
    for rid, direction in ours.rids.items():
        if theirs.rids.get(rid) != OPPOSITE[direction]:
            yield f"rid {rid} to {direction} was not offered (RFC 8851 6.2)"


def _parameters(text: str) -> dict[str, str]:
    pairs: Sequence[str] = [part.strip() for part in text.split(";")]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
