"""Offer/answer without any network: the pure session."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest
from aiortc.rtcdtlstransport import RTCDtlsFingerprint

from backends.native.encoders import codecs_for, header_extensions_for
from backends.native.negotiation import with_remote_parameters
from backends.native.records import TransceiverRecord
from backends.native.session import Session, SessionPorts
from shim.spi.engines import Codec, Direction, Kind, OpusParameters, TransceiverEngine
from shim.spi.errors import InvalidModificationError, InvalidStateError, SdpSyntaxError


@dataclass(frozen=True)
class Identity:
    ssrc: int = 1234
    rtx_ssrc: int = 5678
    source_id: str = "track"
    stream_ids: tuple[str, ...] = ("stream",)


def record(kind: Kind, direction: Direction = "sendrecv") -> TransceiverRecord:
    return TransceiverRecord(kind, direction, Identity(), cast("TransceiverEngine", object()))


def created(kind: Kind) -> TransceiverRecord:
    made = record(kind, "recvonly")
    made.pinned = False
    return made


def session(*kinds: Kind, data: bool = False, data_first: bool = False) -> Session:
    ports = SessionPorts(
        codecs=codecs_for,
        extensions=header_extensions_for,
        fingerprints=[RTCDtlsFingerprint("sha-256", "AA:BB")],
        create=created,
        candidates=lambda leg, ufrag: ([], False),
        cname="cname",
    )
    made = Session(ports, data_first=data_first)
    for kind in kinds:
        made.add(record(kind))
    if data:
        made.want_data()
    return made


def offer(offerer: Session, answerer: Session, edit: Callable[[str], str] = str) -> str:
    text = offerer.create_offer(restart=False)
    offerer.apply("offer", text, local=True)
    answerer.apply("offer", edit(text), local=False)
    return text


def answer(offerer: Session, answerer: Session, edit: Callable[[str], str] = str) -> str:
    text = answerer.create_answer()
    answerer.apply("answer", text, local=True)
    offerer.apply("answer", edit(text), local=False)
    return text


def mlines(text: str) -> list[str]:
    return re.findall(r"m=(\w+) ", text)


def ports_of(text: str) -> list[int]:
    return [int(port) for port in re.findall(r"m=\w+ (\d+)", text)]


def origin_of(text: str) -> tuple[int, int]:
    session_id, version = re.findall(r"o=- (\d+) (\d+) IN", text)[0]
    return int(session_id), int(version)


def test_sections_are_numbered_and_bundled() -> None:
    text = session("audio", "video", data=True).create_offer(restart=False)
    assert mlines(text) == ["audio", "video", "application"]
    assert re.findall(r"a=mid:(\w+)", text) == ["0", "1", "2"]
    assert "a=group:BUNDLE 0 1 2\r\n" in text


def test_data_comes_first_when_always_negotiated() -> None:
    assert mlines(session("audio", data_first=True).create_offer(restart=False)) == ["application", "audio"]


def test_an_offer_changes_nothing() -> None:
    a = session("audio")
    first = a.create_offer(restart=False)
    a.add(record("video"))
    a.apply("offer", first, local=True)
    assert [r.negotiated.mid for r in a.values.records] == ["0", None]


def test_negotiation_agrees_on_everything() -> None:
    a, b = session("audio", "video", data=True), session()
    offer(a, b)
    b.values.records[0].direction = "sendrecv"
    answer(a, b)
    assert [r.negotiated.current_direction for r in a.values.records] == ["sendrecv", "sendonly"]
    assert [r.negotiated.current_direction for r in b.values.records] == ["sendrecv", "recvonly"]
    assert a.values.signaling == b.values.signaling == "stable"
    assert a.values.legs[0].role == "server"
    assert b.values.legs[0].role == "client"
    assert a.values.legs[0].controlling
    assert not b.values.legs[0].controlling
    assert set(a.values.leg_of.values()) == {0}


def test_a_section_that_does_not_send_names_no_track() -> None:
    a, b = session("audio"), session()
    assert "a=msid:stream track\r\n" in offer(a, b)
    text = answer(a, b)
    assert "a=msid:" not in text
    assert "a=ssrc" not in text


def test_new_sections_follow_the_old_ones() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    answer(a, b)
    b.add(record("video"))
    text = offer(b, a)
    answer(b, a)
    assert mlines(text) == ["audio", "video"]
    assert [r.negotiated.mid for r in a.values.records] == ["0", "1"]


def test_payload_types_keep_their_meaning_in_a_later_offer() -> None:
    a, b = session("audio", "video"), session()
    offer(a, b, lambda text: text.replace("96 opus", "111 opus").replace("AVPF 96 ", "AVPF 111 "))
    text = b.create_answer()
    assert "a=rtpmap:111 opus/48000/2" in text
    b.apply("answer", text, local=True)
    assert "a=rtpmap:111 opus/48000/2" in b.create_offer(restart=False)


def test_payload_types_of_the_lower_range_are_answered() -> None:
    """Chromium numbers AV1 from 35 to 63, which are dynamic too (RFC 3551 section 3, RFC 5761 section 4)."""
    a, b = session("audio"), session()
    offer(a, b, lambda text: text.replace("96 opus", "45 opus").replace("AVPF 96 ", "AVPF 45 "))
    assert "a=rtpmap:45 opus/48000/2" in b.create_answer()


def test_unknown_sections_and_codecs_are_rejected_in_place() -> None:
    a, b = session("audio", "video", data=True), session()

    def strange(text: str) -> str:
        return re.sub(r"VP8|VP9|AV1|H264|rtx", "X-NEW", text).replace("m=application", "m=text", 1)

    offer(a, b, strange)
    assert ports_of(b.create_answer()) == [9, 0, 0]


def test_a_rejected_section_stops_its_transceiver() -> None:
    a, b = session("audio", "video"), session()
    offer(a, b, lambda text: re.sub(r"VP8|VP9|AV1|H264|rtx", "X-NEW", text))
    answer(a, b)
    assert [r.negotiated.stopped for r in a.values.records] == [False, True]
    a.add(record("video"))
    text = offer(a, b)
    assert ports_of(text) == [9, 9]
    answer(a, b)
    assert a.values.records[2].negotiated.mid == "2"


def test_a_stopped_transceiver_is_offered_as_rejected() -> None:
    a, b = session("audio", "video"), session()
    offer(a, b)
    answer(a, b)
    a.values.records[0].stopping = True
    assert ports_of(offer(a, b)) == [0, 9]
    answer(a, b)
    assert [r.negotiated.stopped for r in a.values.records] == [True, False]
    assert [r.negotiated.stopped for r in b.values.records] == [True, False]
    assert a.values.legs[0].connect


def test_stop_between_offer_and_answer_ends_media_but_not_the_section() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    b.values.records[0].stopping = True
    text = answer(a, b)
    assert ports_of(text) == [9]
    assert "a=inactive" in text
    assert ports_of(offer(b, a)) == [0]


def test_an_offer_with_nothing_to_bundle_has_no_group() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    answer(a, b)
    a.values.records[0].stopping = True
    assert "BUNDLE" not in offer(a, b)
    assert "BUNDLE" not in answer(a, b)


def test_the_version_rises_only_with_changes_and_the_id_stays() -> None:
    a, b = session("audio"), session()
    first = origin_of(offer(a, b))
    answer(a, b)
    assert origin_of(a.create_offer(restart=False)) == origin_of(a.create_offer(restart=False))
    a.add(record("video"))
    second = origin_of(a.create_offer(restart=False))
    assert second[0] == first[0]
    assert second[1] > first[1]
    assert origin_of(b.create_offer(restart=False))[0] != first[0]


def test_codec_preferences_order_offer_and_answer() -> None:
    a, b = session("audio"), session("audio")
    a.values.records[0].preferences = (Codec("audio/PCMA", 8000, 1), Codec("audio/opus", 48000, 2))
    assert "AVPF 8 96\r\n" in offer(a, b)
    b.values.records[0].preferences = (Codec("audio/opus", 48000, 2),)
    assert "AVPF 96\r\n" in answer(a, b)


def test_opus_wishes_are_told_and_heard_but_do_not_change_the_format() -> None:
    a, b = session("audio"), session("audio")
    wishes = OpusParameters(stereo=True, dtx=True, ptime=40)
    a.ports = replace(a.ports, codecs=lambda kind: codecs_for(kind, wishes))
    a.values.records[0].preferences = (Codec("audio/opus", 48000, 2),)
    text = offer(a, b)
    assert "a=fmtp:96 stereo=1;sprop-stereo=1;usedtx=1;ptime=40;minptime=10\r\n" in text
    agreed = b.values.records[0].negotiated
    assert agreed.codecs[0].parameters == {}
    assert with_remote_parameters(agreed.codecs, agreed.remote)[0].parameters["ptime"] == "40"
    assert "a=fmtp:96" not in answer(a, b)
    assert "AVPF 96\r\n" in a.create_offer(restart=False)


def test_rolling_back_a_local_offer_forgets_mids() -> None:
    a = session("audio", data=True)
    text = a.create_offer(restart=False)
    a.apply("offer", text, local=True)
    a.roll_back()
    assert a.values.signaling == "stable"
    assert a.values.pending_local is None
    assert a.values.records[0].negotiated.mid is None
    assert not a.values.legs[0].gather
    assert mlines(a.create_offer(restart=False)) == ["audio", "application"]


def test_rolling_back_a_remote_offer_removes_what_it_created() -> None:
    a, b = session("audio", "video"), session("audio")
    offer(a, b)
    assert len(b.values.records) == 2
    b.roll_back()
    assert [r.kind for r in b.values.records] == ["audio"]
    assert b.values.records[0].negotiated.mid is None


def test_rolling_back_keeps_a_transceiver_in_use() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    b.values.records[0].pinned = True
    b.roll_back()
    assert len(b.values.records) == 1


def test_a_remote_offer_rolls_back_ours() -> None:
    a, b = session("audio"), session("video")
    text = a.create_offer(restart=False)
    a.apply("offer", text, local=True)
    b.apply("offer", b.create_offer(restart=False), local=True)
    b.apply("offer", text, local=False)
    answer(a, b)
    assert a.values.signaling == b.values.signaling == "stable"


def test_restart_changes_credentials_once() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    answer(a, b)
    before = a.values.legs[0], b.values.legs[0]
    a.restart_wanted = True
    offer(a, b)
    answer(a, b)
    after = a.values.legs[0], b.values.legs[0]
    assert all(old.local != new.local for old, new in zip(before, after, strict=True))
    assert after[0].remote == after[1].local
    assert not a.restart_wanted
    assert a.create_offer(restart=False).count(after[0].local.ufrag) == 1


def test_an_answer_without_bundle_splits_the_transports() -> None:
    a, b = session("audio", "video"), session()
    offer(a, b, lambda text: text.replace("a=group:BUNDLE 0 1\r\n", ""))
    answer(a, b)
    assert a.values.leg_of == b.values.leg_of == {"0": 0, "1": 1}
    assert a.values.legs[1].local == a.values.legs[0].local
    assert b.values.legs[1].local != b.values.legs[0].local


def test_rolling_back_an_offer_that_drops_a_section_keeps_its_transport() -> None:
    a, b = session("audio", "video"), session()
    offer(a, b, lambda text: text.replace("a=group:BUNDLE 0 1\r\n", ""))
    answer(a, b)
    before = b.values.legs, b.values.leg_of
    a.values.records[1].stopping = True
    offer(a, b)
    assert set(b.values.legs) == {0, 1}
    b.roll_back()
    assert (b.values.legs, b.values.leg_of) == before
    a.roll_back()
    offer(a, b)
    answer(a, b)
    assert set(a.values.legs) == set(b.values.legs) == {0}


def test_a_restart_by_the_remote_gathers_when_the_answer_is_set() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    answer(a, b)
    a.restart_wanted = True
    offer(a, b)
    assert not b.values.legs[0].gather
    answer(a, b)
    assert b.values.legs[0].gather


BAD_OFFERS: list[tuple[Callable[[str], str], type[Exception]]] = [
    (lambda text: "", SdpSyntaxError),
    (lambda text: "nonsense", SdpSyntaxError),
    (lambda text: text.replace("a=setup:actpass", "a=setup:sideways"), SdpSyntaxError),
    (lambda text: text.replace("AVPF 96", "AVPF 300"), SdpSyntaxError),
    (lambda text: text.replace("m=audio 9", "m=audio nine"), SdpSyntaxError),
    (lambda text: text.replace("a=mid:1", "a=mid:0"), InvalidModificationError),
    (lambda text: text.replace("BUNDLE 0 1", "BUNDLE 0 7"), InvalidModificationError),
    (lambda text: re.sub(r"a=ice-pwd:\S+\r\n", "", text), InvalidModificationError),
    (lambda text: re.sub(r"a=fingerprint:.*\r\n", "", text), InvalidModificationError),
    (lambda text: text.replace("a=rtcp-mux\r\n", ""), InvalidModificationError),
]


@pytest.mark.parametrize(("spoil", "error"), BAD_OFFERS)
def test_a_bad_offer_changes_nothing(spoil: Callable[[str], str], error: type[Exception]) -> None:
    text = session("audio", "video").create_offer(restart=False)
    b = session("audio")
    before = b.values
    with pytest.raises(error):
        b.apply("offer", spoil(text), local=False)
    assert b.values == before
    assert b.values.records[0].negotiated.mid is None
    offer(session("audio"), b)


BAD_ANSWERS: list[Callable[[str], str]] = [
    lambda text: text[: text.index("m=video")],
    lambda text: text.replace("a=mid:1", "a=mid:5").replace("BUNDLE 0 1", "BUNDLE 0 5"),
    lambda text: text.replace("m=video", "m=audio"),
    lambda text: text.replace("a=setup:active", "a=setup:actpass"),
    lambda text: text.replace("opus", "tupus").replace("PCM", "PCX").replace("G722", "G999"),
]


@pytest.mark.parametrize("spoil", BAD_ANSWERS)
def test_a_bad_answer_changes_nothing(spoil: Callable[[str], str]) -> None:
    a, b = session("audio", "video"), session()
    offer(a, b)
    text = b.create_answer()
    before = a.values
    with pytest.raises(InvalidModificationError):
        a.apply("answer", spoil(text), local=False)
    assert a.values == before
    a.apply("answer", text, local=False)


def test_descriptions_in_the_wrong_state_are_refused() -> None:
    a, b = session("audio"), session()
    text = a.create_offer(restart=False)
    with pytest.raises(InvalidStateError):
        a.apply("answer", text, local=False)
    with pytest.raises(InvalidStateError):
        b.create_answer()
    with pytest.raises(InvalidStateError):
        a.roll_back()


def test_a_provisional_answer_can_be_followed_by_a_final_one() -> None:
    a, b = session("audio"), session()
    offer(a, b)
    text = b.create_answer()
    b.apply("pranswer", text, local=True)
    a.apply("pranswer", text, local=False)
    assert (a.values.signaling, b.values.signaling) == ("have-remote-pranswer", "have-local-pranswer")
    b.apply("answer", b.create_answer(), local=True)
    a.apply("answer", text, local=False)
    assert a.values.signaling == b.values.signaling == "stable"


def test_a_large_description_is_read_quickly_or_refused() -> None:
    text = session("audio").create_offer(restart=False)
    session().apply("offer", text + "a=ssrc:1 cname:x\r\n" * 50_000, local=False)
    with pytest.raises(SdpSyntaxError):
        session().apply("offer", text + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 30_000, local=False)
