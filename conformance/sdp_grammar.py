"""The grammar of session descriptions: each line against the ABNF of its RFC, and the order of lines.

It reads nothing into a description: that a line may stand where it does, and is spelt as it must be, is all that it
says. What an answer owes to its offer is in :mod:`conformance.sdp_model`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

Level = Literal["session", "media", "both"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One line that the grammar does not allow.

    :param number: of the line, from 1; of the one after the last, if something is missing at the end.
    :param line: as it was written; empty at the end.
    :param rule: what it should be, and which section of which RFC says so.
    """

    number: int
    line: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.number} {self.line[:200]!r}: {self.rule}"


class GrammarError(ValueError):
    """A description is not what the grammar allows.

    :param faults: all of them, in the order of lines.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def check(sdp: str) -> None:
    """Demand that a description follows the grammar.

    :param sdp: an offer or an answer, as it is handed to the other side.
    :raises GrammarError: it does not; the message names the number of each wrong line, the line, and the rule.
    """
    if found := faults_of(sdp):
        raise GrammarError(found)


def faults_of(sdp: str) -> list[Fault]:
    """Return every line that breaks a rule, in order (RFC 8866 sections 5 and 9)."""
    lines, found = _lines(sdp)
    for part in _parts(lines):
        found += [*_spelling(part), *_order(part), *_attributes(part)]
    return sorted(found, key=lambda fault: fault.number)


# --- pieces of the ABNF ------------------------------------------------------------------------------

_TOKEN_CHAR: Final = r"[!#-'*+\-.0-9A-Z^-~]"
_TOKEN: Final = rf"{_TOKEN_CHAR}+"
_TEXT: Final = r"[^\0\r\n]+"
_WORD: Final = r"[!-~\x80-\U0010ffff]+"
_ICE: Final = r"[A-Za-z0-9+/]"
_ID: Final = r"[A-Za-z0-9_-]+"
_NUMBER: Final = r"[0-9]+"
_POSITIVE: Final = r"(?:[1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]*[1-9])"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_PORT: Final = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
_SSRC: Final = r"[0-9]{1,10}"
_FQDN: Final = r"(?=[A-Za-z0-9.-]*[A-Za-z])[A-Za-z0-9.-]{4,}"
_IP4: Final = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_IP6: Final = rf"(?=[^ ]*:[^ ]*:)[0-9A-Fa-f:]+(?:{_IP4})?"
_ADDRESS: Final = rf"(?:{_IP4}|{_IP6}|{_FQDN})"
_TYPED: Final = rf"IN (?:IP4 (?:{_IP4}|{_FQDN})|IP6 (?:{_IP6}|{_FQDN}))"
_SHARED: Final = (
    rf"IN (?:IP4 (?:{_IP4}(?:/[0-9]{{1,3}}(?:/{_NUMBER})?)?|{_FQDN})|IP6 (?:{_IP6}(?:/{_NUMBER})?|{_FQDN}))"
)
_SIMULCAST_ID: Final = rf"~?{_ID}"
_ALTERNATIVES: Final = rf"{_SIMULCAST_ID}(?:,{_SIMULCAST_ID})*"
_STREAMS: Final = rf"{_ALTERNATIVES}(?:;{_ALTERNATIVES})*"
_RESTRICTION: Final = (
    rf"(?:max-width={_NUMBER}|max-height={_NUMBER}|max-fps={_POSITIVE}|max-fs={_NUMBER}|max-br={_NUMBER}"
    rf"|max-pps={_NUMBER}|max-bpp={_POSITIVE}|depend={_ID}(?:,{_ID})*|(?!pt=|max-|depend=)[a-z][a-z0-9-]*(?:=[^;\s]+)?)"
)
_RESTRICTIONS: Final = rf"{_RESTRICTION}(?:;{_RESTRICTION})*"
_FORMATS: Final = rf"pt={_TOKEN}(?:,{_TOKEN})*"


# --- types of lines ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """How something is spelt.

    :param pattern: what follows the ``=`` of a line, or the ``:`` of an attribute; of an attribute without, nothing.
    :param source: RFC and section.
    :param level: where an attribute may stand.
    :param repeats: whether there may be several of it in one place.
    """

    pattern: str
    source: str
    level: Level = "media"
    repeats: bool = False
    compiled: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", re.compile(self.pattern))

    def allows(self, value: str) -> bool:
        return self.compiled.fullmatch(value) is not None


_LINES: Final = {
    "v": _Rule("0", "RFC 8866 5.1"),
    "o": _Rule(rf"{_WORD} {_NUMBER} {_NUMBER} {_TYPED}", "RFC 8866 5.2"),
    "s": _Rule(_TEXT, "RFC 8866 5.3"),
    "i": _Rule(_TEXT, "RFC 8866 5.4"),
    "u": _Rule(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", "RFC 8866 5.5"),
    "e": _Rule(_TEXT, "RFC 8866 5.6"),
    "p": _Rule(_TEXT, "RFC 8866 5.6"),
    "c": _Rule(_SHARED, "RFC 8866 5.7"),
    "b": _Rule(rf"{_TOKEN}:{_NUMBER}", "RFC 8866 5.8"),
    "t": _Rule(r"(?:0|[1-9][0-9]{9,}) (?:0|[1-9][0-9]{9,})", "RFC 8866 5.9"),
    "r": _Rule(r"[0-9]+[dhms]?(?: [0-9]+[dhms]?){2,}", "RFC 8866 5.10"),
    "z": _Rule(r"[0-9]+ -?[0-9]+[dhms]?(?: [0-9]+ -?[0-9]+[dhms]?)*", "RFC 8866 5.11"),
    "k": _Rule(r"(?:prompt|clear:.+|base64:.+|uri:.+)", "RFC 8866 5.12"),
    "a": _Rule(rf"{_TOKEN}(?::{_TEXT})?", "RFC 8866 5.13"),
    "m": _Rule(rf"{_TOKEN} {_PORT}(?:/{_NUMBER})? {_TOKEN}(?:/{_TOKEN})*(?: {_TOKEN})+", "RFC 8866 5.14"),
}
_SESSION_ORDER: Final = ("v", "o", "s", "i", "u", "e", "p", "c", "b", "tr", "z", "k", "a")
_MEDIA_ORDER: Final = ("m", "i", "c", "b", "k", "a")
_MANDATORY: Final = {"v", "o", "s", "t"}
_REPEATED: Final = {"session": set("epbtra"), "media": set("cba")}

# --- attributes --------------------------------------------------------------------------------------

_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")
_ATTRIBUTES: Final[dict[str, _Rule]] = {
    "group": _Rule(rf"{_TOKEN}(?: {_TOKEN})*", "RFC 5888 5, RFC 8843 7", "session", repeats=True),
    "mid": _Rule(_TOKEN, "RFC 5888 4"),
    "bundle-only": _Rule("", "RFC 8843 6"),
    "ice-lite": _Rule("", "RFC 8839 5.3", "session"),
    "ice-ufrag": _Rule(rf"{_ICE}{{4,256}}", "RFC 8839 5.4", "both"),
    "ice-pwd": _Rule(rf"{_ICE}{{22,256}}", "RFC 8839 5.4", "both"),
    "ice-pacing": _Rule(r"[0-9]{1,10}", "RFC 8839 5.5", "session"),
    "ice-options": _Rule(rf"{_ICE}+(?: {_ICE}+)*", "RFC 8839 5.6", "both"),
    "candidate": _Rule(
        rf"{_ICE}{{1,32}} [0-9]{{1,3}} {_TOKEN} [0-9]{{1,10}} {_ADDRESS} {_PORT} typ {_TOKEN}"
        rf"(?: raddr {_ADDRESS})?(?: rport {_PORT})?(?: {_TOKEN} [!-~]*)*",
        "RFC 8839 5.1",
        repeats=True,
    ),
    "remote-candidates": _Rule(
        rf"[0-9]{{1,3}} {_ADDRESS} {_PORT}(?: [0-9]{{1,3}} {_ADDRESS} {_PORT})*", "RFC 8839 5.2"
    ),
    "end-of-candidates": _Rule("", "RFC 8840 8.2", "both"),
    "fingerprint": _Rule(rf"{_TOKEN} [0-9A-F]{{2}}(?::[0-9A-F]{{2}})*", "RFC 8122 5", "both", repeats=True),
    "setup": _Rule("active|passive|actpass|holdconn", "RFC 8842 5.3, RFC 4145 4", "both"),
    "tls-id": _Rule(r"[A-Za-z0-9+/_-]{20,255}", "RFC 8842 4", "both"),
    "rtcp": _Rule(rf"{_PORT}(?: {_TYPED})?", "RFC 3605 2.1"),
    "rtcp-mux": _Rule("", "RFC 5761 8"),
    "rtcp-mux-only": _Rule("", "RFC 8858 3"),
    "rtcp-rsize": _Rule("", "RFC 5506 5"),
    "rtpmap": _Rule(rf"[0-9]{{1,3}} {_TOKEN}/{_NUMBER}(?:/[1-9][0-9]*)?", "RFC 8866 6.6", repeats=True),
    "fmtp": _Rule(rf"{_TOKEN} {_TEXT}", "RFC 8866 6.15", repeats=True),
    "ptime": _Rule(_POSITIVE, "RFC 8866 6.4"),
    "maxptime": _Rule(_POSITIVE, "RFC 8866 6.5"),
    "rtcp-fb": _Rule(rf"(?:\*|{_TOKEN}) {_ID}(?: {_TOKEN}(?: {_TEXT})?)?", "RFC 4585 4.2", repeats=True),
    "extmap": _Rule(
        rf"[0-9]{{1,5}}(?:/(?:{'|'.join(_DIRECTIONS)}))? [A-Za-z][A-Za-z0-9+.-]*:[!-~]+(?: {_TEXT})?",
        "RFC 8285 8",
        "both",
        repeats=True,
    ),
    "extmap-allow-mixed": _Rule("", "RFC 8285 6", "both"),
    "msid": _Rule(rf"{_TOKEN_CHAR}{{1,64}}(?: {_TOKEN_CHAR}{{1,64}})?", "RFC 8830 2", repeats=True),
    "ssrc": _Rule(rf"{_SSRC} {_TOKEN}(?::{_TEXT})?", "RFC 5576 4.1", repeats=True),
    "ssrc-group": _Rule(rf"{_TOKEN}(?: {_SSRC})*", "RFC 5576 4.2", repeats=True),
    "rid": _Rule(
        rf"{_ID} (?:send|recv)(?: (?:{_FORMATS}(?:;{_RESTRICTIONS})?|{_RESTRICTIONS}))?", "RFC 8851 10", repeats=True
    ),
    "simulcast": _Rule(
        rf"(?:send {_STREAMS}(?: recv {_STREAMS})?|recv {_STREAMS}(?: send {_STREAMS})?)", "RFC 8853 5.1"
    ),
    "sctp-port": _Rule(_PORT, "RFC 8841 5.1"),
    "max-message-size": _Rule(_NUMBER, "RFC 8841 6.1"),
    **{direction: _Rule("", "RFC 8866 6.7", "both") for direction in _DIRECTIONS},
}
"""Attributes that a description of WebRTC consists of; others need to be spelt as attributes only (RFC 8866 5.13)."""


# --- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """The session part, or one media section.

    :param first: number of its first line.
    """

    level: Literal["session", "media"]
    first: int
    lines: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.lines, self.first)

    def attributes(self) -> Iterator[tuple[int, str, str, str | None]]:
        """Yield number, line, name, and the value if there is one."""
        for number, line in self:
            if line.startswith("a="):
                name, colon, value = line[2:].partition(":")
                yield number, line, name, value if colon else None


def _lines(sdp: str) -> tuple[list[str], list[Fault]]:
    """Return the lines, and what is wrong with their ends."""
    *lines, rest = sdp.split("\n")
    ended = [
        Fault(number, line, "ends with CRLF (RFC 8866 9)") for number, line in enumerate(lines, 1) if line[-1:] != "\r"
    ]
    if rest:
        ended.append(Fault(len(lines) + 1, rest, "ends with CRLF (RFC 8866 9)"))
    return [line.removesuffix("\r") for line in [*lines, *filter(None, [rest])]], ended


def _parts(lines: Sequence[str]) -> Iterator[_Part]:
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    ends = [*starts, len(lines)]
    yield _Part("session", 1, tuple(lines[: ends[0]]))
    for begin, end in pairwise(ends):
        yield _Part("media", begin + 1, tuple(lines[begin:end]))


def _spelling(part: _Part) -> Iterator[Fault]:
    """Yield lines that are not spelt as their type."""
    for number, line in part:
        rule = _LINES.get(line[:1]) if line[1:2] == "=" else None
        if rule is None:
            yield Fault(number, line, "is <type>=<value> with a type that RFC 8866 5 knows")
        elif not rule.allows(line[2:]) and _name_of(line) not in _ATTRIBUTES:
            yield Fault(number, line, f"is not spelt as {line[0]}= must be ({rule.source})")


def _order(part: _Part) -> Iterator[Fault]:
    """Yield lines that stand where others should, or twice, and say what is missing."""
    order = _SESSION_ORDER if part.level == "session" else _MEDIA_ORDER
    rank, seen = 0, set[str]()
    for number, line in part:
        kind = line[:1]
        place = next((index for index, kinds in enumerate(order) if kind and kind in kinds), None)
        if place is None:
            if kind in _LINES:
                yield Fault(number, line, f"does not belong into the {part.level} part (RFC 8866 5)")
            continue
        if place < rank:
            yield Fault(number, line, f"stands before the lines {'= '.join(order[place + 1 :])}= (RFC 8866 5)")
        elif kind in seen and kind not in _REPEATED[part.level]:
            yield Fault(number, line, "stands once only (RFC 8866 5)")
        rank = max(rank, place)
        seen.add(kind)
    if part.level == "session":
        for kind in sorted(_MANDATORY - seen):
            yield Fault(part.first + len(part.lines), "", f"{kind}= is missing in the session part (RFC 8866 5)")


def _attributes(part: _Part) -> Iterator[Fault]:
    """Yield attributes that are not spelt as their RFC says, stand in the wrong place or too often."""
    counted = Counter[str]()
    for number, line, name, value in part.attributes():
        rule, kind = _ATTRIBUTES.get(name), "direction" if name in _DIRECTIONS else name
        if rule is None:
            continue
        counted[kind] += 1
        if rule.level not in {part.level, "both"}:
            yield Fault(number, line, f"a={name} belongs to the {rule.level} level ({rule.source})")
        if (value is None) != (not rule.pattern) or not rule.allows(value or ""):
            told = "is not spelt as" if rule.pattern else "is without a value, as"
            yield Fault(number, line, f"{told} a={name} must be ({rule.source})")
        if counted[kind] == 2 and not rule.repeats:
            yield Fault(number, line, f"stands once only ({rule.source})")


def _name_of(line: str) -> str | None:
    return line[2:].partition(":")[0] if line.startswith("a=") else None
