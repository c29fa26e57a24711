"""DTMF: the packets of a tone, and tones within a call."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest

from backends.native.dtmf import SEGMENT_MAX, tone_events
from backends.native.encoders import codecs_for
from backends.native.tests.loopback import LossySender, call, run, sound

TONES = 110


def fields(payload: bytes) -> tuple[int, bool, int, int]:
    code, flags, duration = struct.unpack("!BBH", payload)
    return code, bool(flags & 0x80), flags & 0x3F, duration


def test_a_tone_is_updated_and_its_end_sent_three_times() -> None:
    events = [fields(event.payload) for event in tone_events("#", 0.1, 8000)]
    assert [duration for _, _, _, duration in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [end for _, end, _, _ in events] == [False] * 4 + [True] * 3
    assert {code for code, _, _, _ in events} == {11}


def test_only_the_first_packet_of_a_tone_has_the_marker() -> None:
    assert [event.marker for event in tone_events("d", 0.06, 48000)] == [True, False, False, False, False]


def test_a_tone_longer_than_its_field_goes_on_in_segments() -> None:
    events = list(tone_events("1", 3.0, 48000))
    assert {event.offset for event in events} == {0, SEGMENT_MAX, 2 * SEGMENT_MAX}
    assert all(0 < fields(event.payload)[3] <= SEGMENT_MAX for event in events)
    assert events[-1].offset + fields(events[-1].payload)[3] == 3 * 48000


@pytest.mark.parametrize(("tone", "code"), [("0", 0), ("9", 9), ("*", 10), ("#", 11), ("A", 12), ("d", 15)])
def test_codes(tone: str, code: int) -> None:
    assert fields(next(tone_events(tone, 0.04, 8000)).payload)[0] == code


def test_opus_stays_the_first_codec() -> None:
    assert codecs_for("audio")[0].name == "opus"


class TappedSender(LossySender):
    """Remembers the telephone events it sent: sequence, timestamp, marker, payload."""

    events: list[tuple[int, int, bool, bytes]]

    def loses(self, data: bytes) -> bool:
        if data[1] & 0x7F == TONES:
            sequence, timestamp = struct.unpack_from("!HL", data, 2)
            self.__dict__.setdefault("events", []).append((sequence, timestamp, bool(data[1] & 0x80), data[-4:]))
        return False


def test_tones_are_played_in_turn_and_audio_goes_on() -> None:
    async def test() -> None:
        async with call("audio", "opus", "telephone-event", sender_class=TappedSender) as parts:
            sender = parts.sender
            assert isinstance(sender, TappedSender)
            assert sender.can_insert_dtmf()
            parts.source.push(sound(0))
            await parts.sink.take(1)
            heard: asyncio.Queue[str] = asyncio.Queue()
            sender.insert_dtmf("1#", 0.06, 0.03, heard.put_nowait)
            told = [await asyncio.wait_for(heard.get(), 5) for _ in range(3)]
            assert told == ["1", "#", ""]
            tones = [list(group) for _, group in itertools.groupby(sender.events, key=lambda event: event[1])]
            assert [fields(tone[0][3])[0] for tone in tones] == [1, 11]
            assert all([marker for _, _, marker, _ in tone] == [True, False, False, False, False] for tone in tones)
            assert (tones[1][0][1] - tones[0][0][1]) & 0xFFFFFFFF >= 0.08 * 48000
            sequences = [event[0] for event in sender.events]
            assert sequences == list(range(sequences[0], sequences[0] + 10))
            parts.source.push(sound(20))
            assert (await parts.sink.next()).pts == 20 * 960
            assert parts.sink.empty

    run(test())


def test_tones_need_a_codec_that_was_agreed_on() -> None:
    async def test() -> None:
        async with call("audio", "opus") as parts:
            assert not parts.sender.can_insert_dtmf()

    run(test())


def test_the_telephone_event_codec_has_the_clock_of_the_audio() -> None:
    async def test() -> None:
        async with call("audio", "PCMU", "telephone-event") as parts:
            assert not parts.sender.can_insert_dtmf()

    run(test())
