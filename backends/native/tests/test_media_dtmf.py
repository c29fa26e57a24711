"""DTMF: the packets of a tone, and tones within a call."""

from __future__ import annotations

import asyncio
import itertools
import struct

import numpy as np
import pytest
from av import AudioFrame

from backends.native.dtmf import SEGMENT_MAX, tone_events
from backends.native.encoders import codecs_for
from backends.native.tests.loopback import LossySender, call, run, sound
from backends.native.tones import COLUMNS, ROWS, TonePlayout

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
            played = await parts.sink.take(6)
            assert [frame.samples for frame in played] == [960] * 6
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


# --- receiving -----------------------------------------------------------------------------------------


def strength(frames: list[AudioFrame], hz: float) -> float:
    """Return the amplitude of one frequency (Goertzel), 1 for full scale."""
    wave = np.concatenate([frame.to_ndarray()[0, :: len(frame.layout.channels)] for frame in frames]) / 32768
    turns = np.exp(-2j * np.pi * hz / frames[0].sample_rate * np.arange(len(wave)))
    return float(2 * abs(wave @ turns) / len(wave))


def heard_of(tone: str, seconds: float, playout: TonePlayout, rate: int = 48000) -> list[AudioFrame]:
    """Return what is heard of a tone that starts at 1 s."""
    frames: list[AudioFrame] = []
    for event in tone_events(tone, seconds, rate):
        frames += playout.play(event.payload, rate + event.offset, rate, rate, "stereo")
    return frames


@pytest.mark.parametrize(
    ("tone", "low", "high"), [("1", 697, 1209), ("0", 941, 1336), ("#", 941, 1477), ("A", 697, 1633)]
)
def test_a_tone_is_played_at_its_two_frequencies(tone: str, low: int, high: int) -> None:
    frames = heard_of(tone, 0.2, TonePlayout())
    for hz in (*ROWS, *COLUMNS):
        assert strength(frames, hz) == pytest.approx(0.156 if hz in (low, high) else 0, abs=0.02)


@pytest.mark.parametrize("seconds", [0.04, 0.05, 3.0])
def test_a_tone_is_as_long_as_its_event_however_often_its_end_comes(seconds: float) -> None:
    frames = heard_of("5", seconds, TonePlayout())
    assert sum(frame.samples for frame in frames) == round(seconds * 48000)
    assert [frame.pts for frame in frames] == list(
        itertools.accumulate((f.samples for f in frames[:-1]), initial=48000)
    )


def test_tones_of_the_same_key_are_played_each() -> None:
    playout = TonePlayout()
    first = [frame for event in tone_events("1", 0.04, 8000) for frame in play(playout, event.payload, 8000)]
    second = [frame for event in tone_events("1", 0.04, 8000) for frame in play(playout, event.payload, 9000)]
    assert sum(frame.samples for frame in first) == sum(frame.samples for frame in second) == 320


def test_lost_updates_are_made_up_for_by_the_next() -> None:
    playout = TonePlayout()
    payloads = [event.payload for event in tone_events("1", 0.1, 8000)]
    frames = [*play(playout, payloads[0], 8000), *play(playout, payloads[-1], 8000)]
    assert sum(frame.samples for frame in frames) == 800


def play(playout: TonePlayout, payload: bytes, pts: int) -> list[AudioFrame]:
    return playout.play(payload, pts, 8000, 8000, "mono")


@pytest.mark.parametrize(
    "payload", [b"", b"\x01\x8a\x00", struct.pack("!BBH", 16, 10, 160), struct.pack("!BBH", 1, 10, 0)]
)
def test_what_is_no_tone_is_silent(payload: bytes) -> None:
    assert play(TonePlayout(), payload, 8000) == []
