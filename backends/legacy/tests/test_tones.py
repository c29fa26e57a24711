"""Telephone events of one clock: what is left out of remote descriptions, and what is not touched."""

from __future__ import annotations

import pytest

from backends.legacy.tones import with_tones_of_its_clock

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
MAPS = {"96": "opus/48000/2", "9": "G722/8000", "110": "telephone-event/48000", "126": "telephone-event/8000"}


def section(*payload_types: str) -> str:
    maps = [f"a=rtpmap:{number} {MAPS[number]}\r\n" for number in payload_types if number in MAPS]
    events = [f"a=fmtp:{number} 0-16\r\n" for number in payload_types if number in ("110", "126")]
    return "".join([f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(payload_types)}\r\na=mid:0\r\n", *maps, *events])


def test_events_of_another_clock_than_the_sound_are_left_out() -> None:
    assert with_tones_of_its_clock(HEAD + section("96", "9", "126", "110")) == HEAD + section("96", "9", "110")


@pytest.mark.parametrize("first", ["0", "9"])
def test_sound_of_a_telephone_keeps_the_events_of_a_telephone(first: str) -> None:
    assert with_tones_of_its_clock(HEAD + section(first, "96", "110", "126")) == HEAD + section(first, "96", "126")


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "m=",
        "m=audio ",
        "m=audio 9\r\n",
        HEAD + section("96", "126"),
        HEAD + section("96"),
        HEAD + "m=video 9 X 96\r\n",
    ],
)
def test_what_leaves_no_choice_is_not_touched(sdp: str) -> None:
    assert with_tones_of_its_clock(sdp) == sdp
