"""Descriptions that lack something, or say something else than they should."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import EngineConfig, SessionDescription

TOPIC: Final = Topic(
    "SDP",
    "test_sdp.py",
    "test_sdp_grammar.py",
    "test_sdp_answers.py",
    "test_bundle.py",
    "test_sdp_honoured.py",
    "test_sdp_field.py",
)


def _edited(
    description: SessionDescription, pattern: str, by: str | Callable[[re.Match[str]], str]
) -> SessionDescription:
    return replace(description, sdp=re.sub(pattern, by, description.sdp))


def _without(description: SessionDescription, line: str) -> SessionDescription:
    return _edited(description, rf"(?m)^{line}.*\r\n", "")


@TOPIC.description
def line_feeds_only(description: SessionDescription) -> SessionDescription:
    """End lines with LF alone."""
    return replace(description, sdp=description.sdp.replace("\r\n", "\n"))


@TOPIC.description
def timing_missing(description: SessionDescription) -> SessionDescription:
    """Leave out the t= line."""
    return _without(description, "t=")


@TOPIC.description
def mid_repeated(description: SessionDescription) -> SessionDescription:
    """Call every section by the same mid."""
    return _edited(description, r"a=mid:\S+", "a=mid:0")


@TOPIC.description
def bundle_missing(description: SessionDescription) -> SessionDescription:
    """Leave out the BUNDLE group."""
    return _without(description, "a=group:BUNDLE")


@TOPIC.description
def bundle_incomplete(description: SessionDescription) -> SessionDescription:
    """Leave the last section out of the BUNDLE group."""
    return _edited(description, r"(a=group:BUNDLE .*) \S+\r\n", "\\1\r\n")


@TOPIC.description
def rtcp_mux_missing(description: SessionDescription) -> SessionDescription:
    """Leave out rtcp-mux."""
    return _without(description, "a=rtcp-mux")


@TOPIC.description
def fingerprint_missing(description: SessionDescription) -> SessionDescription:
    """Leave out the fingerprints."""
    return _without(description, "a=fingerprint")


@TOPIC.description
def fingerprint_truncated(description: SessionDescription) -> SessionDescription:
    """Leave out the last byte of each fingerprint."""
    return _edited(description, r"(a=fingerprint:.*):..\r\n", "\\1\r\n")


@TOPIC.description
def ice_password_short(description: SessionDescription) -> SessionDescription:
    """Use ICE passwords of 16 characters."""
    return _edited(description, r"(a=ice-pwd:\S{16})\S*", r"\1")


@TOPIC.description
def ice_options_missing(description: SessionDescription) -> SessionDescription:
    """Do not say that candidates trickle."""
    return _without(description, "a=ice-options")


@TOPIC.description
def offer_takes_a_role(description: SessionDescription) -> SessionDescription:
    """Offer to be the DTLS client only."""
    return _edited(description, "a=setup:actpass", "a=setup:active")


@TOPIC.description
def answer_leaves_the_role_open(description: SessionDescription) -> SessionDescription:
    """Answer that any DTLS role will do."""
    return _edited(description, "a=setup:(active|passive)", "a=setup:actpass")


@TOPIC.description
def direction_always_both(description: SessionDescription) -> SessionDescription:
    """Offer and answer to send and receive, always."""
    return _edited(description, "a=(sendonly|recvonly|inactive)\r\n", "a=sendrecv\r\n")


@TOPIC.description
def answer_direction_not_mirrored(description: SessionDescription) -> SessionDescription:
    """Confuse sending and receiving in answers."""
    if description.type != "answer":
        return description
    return _edited(description, "a=(send|recv)only", lambda match: f"a={'recv' if match[1] == 'send' else 'send'}only")


@TOPIC.description
def mandatory_codec_missing(description: SessionDescription) -> SessionDescription:
    """Offer no PCMU."""
    return _edited(description, r"a=rtpmap:0 PCMU/8000\r\n", "")


@TOPIC.description
def payload_type_unexplained(description: SessionDescription) -> SessionDescription:
    """Leave out the rtpmap of the second video codec."""
    return _edited(description, r"a=rtpmap:\d+ (?i:rtx)/90000\r\n", "")


@TOPIC.description
def extension_ids_repeated(description: SessionDescription) -> SessionDescription:
    """Give every header extension the same id."""
    return _edited(description, r"a=extmap:\d+", "a=extmap:1")


@TOPIC.description
def sctp_port_missing(description: SessionDescription) -> SessionDescription:
    """Leave out the SCTP port."""
    return _without(description, "a=sctp-port")


@TOPIC.description
def stream_not_announced(description: SessionDescription) -> SessionDescription:
    """Leave out the ids of streams and tracks."""
    return _without(description, "a=(ssrc:.* )?msid:")


@TOPIC.description
def session_version_static(description: SessionDescription) -> SessionDescription:
    """Keep the version of the session whatever changes."""
    return _edited(description, r"o=(\S+) (\S+) \S+", r"o=\1 \2 2")


@TOPIC.description
def origin_of_another_address_type(description: SessionDescription) -> SessionDescription:
    """Call the address of the o= line one of IPv6."""
    return _edited(description, r"(?m)^(o=.* IN) IP4", r"\1 IP6")


@TOPIC.description
def candidate_without_a_type(description: SessionDescription) -> SessionDescription:
    """Leave out of candidates that a type follows."""
    return _edited(description, r"(a=candidate:.*) typ", r"\1")


@TOPIC.description
def lines_out_of_order(description: SessionDescription) -> SessionDescription:
    """Write the address of a section after its first attribute."""
    return _edited(description, r"(c=.*\r\n)(a=.*\r\n)", r"\2\1")


def _answer_edited(
    description: SessionDescription, pattern: str, by: str | Callable[[re.Match[str]], str]
) -> SessionDescription:
    return _edited(description, pattern, by) if description.type == "answer" else description


@TOPIC.description
def answer_adds_a_codec(description: SessionDescription) -> SessionDescription:
    """Answer with a codec that nobody offered."""
    added = r"\1 77\r\n\2a=rtcp-mux\r\na=rtpmap:77 x-of-nobody/8000\r\n"
    return _answer_edited(description, r"(m=audio [^\r]*)\r\n((?:[^m].*\r\n)*?)a=rtcp-mux\r\n", added)


@TOPIC.description
def answer_changes_a_codec(description: SessionDescription) -> SessionDescription:
    """Answer with another clock rate than the payload type was offered with."""
    return _answer_edited(description, "G722/8000", "G722/16000")


@TOPIC.description
def answer_renumbers_extensions(description: SessionDescription) -> SessionDescription:
    """Answer with ids of header extensions that were not offered so."""
    return _answer_edited(description, r"a=extmap:(\d+)", lambda match: f"a=extmap:{int(match[1]) + 6}")


@TOPIC.description
def answer_adds_feedback(description: SessionDescription) -> SessionDescription:
    """Answer with feedback that nobody offered."""
    return _answer_edited(description, r"(a=rtpmap:(\d+) VP8/90000\r\n)", "\\1a=rtcp-fb:\\2 x-of-nobody\r\n")


@TOPIC.description
def answer_accepts_what_it_cannot_use(description: SessionDescription) -> SessionDescription:
    """Answer a section that is rejected with a port."""
    return _answer_edited(description, r"(m=\w+) 0 ", r"\1 9 ")


@TOPIC.proxy_of("legacy")
class BundlePolicyIgnored(EngineProxy):
    """Bundle as usual, whatever policy is configured."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, bundle_policy="balanced")


class _Reads(EngineProxy):
    """Reads remote descriptions in its own way."""

    async def set_remote_description(self, description: SessionDescription) -> None:
        await super().set_remote_description(self.read(description))

    def read(self, description: SessionDescription) -> SessionDescription:
        return description


@TOPIC.proxy
class RemoteLimitIgnored(_Reads):
    """Read over the bandwidth that the remote wants to receive."""

    def read(self, description: SessionDescription) -> SessionDescription:
        return _without(description, "b=")


@TOPIC.proxy
class RemoteOrderIgnored(_Reads):
    """Take the codecs of the remote in the order of their rtpmap lines."""

    def read(self, description: SessionDescription) -> SessionDescription:
        return _edited(description, r"(m=(?:audio|video) \S+ \S+) [\d ]+\r\n((?:[^m].*\r\n)+)", self._sorted)

    @staticmethod
    def _sorted(match: re.Match[str]) -> str:
        numbers = re.findall(r"a=rtpmap:(\d+)", match[2])
        return f"{match[1]} {' '.join(numbers)}\r\n{match[2]}"


class _Offers(EngineProxy):
    """Counts its offers."""

    _offers = 0

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        self._offers += 1
        description = await super().create_offer(ice_restart=ice_restart)
        told = self.numbered(description, self._offers)
        self._originals[told.sdp] = self._originals[description.sdp]
        return told

    def numbered(self, description: SessionDescription, number: int) -> SessionDescription:
        return description


@TOPIC.proxy
class StoppedSectionStaysAlive(_Offers):
    """Go on offering the section of a stopped transceiver."""

    def numbered(self, description: SessionDescription, number: int) -> SessionDescription:
        return _edited(description, r"(m=(?:audio|video)) 0 ", r"\1 9 ")


TOPIC.on("legacy", "bundle-missing", "session-version-static")
