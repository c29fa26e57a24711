"""The jitter buffers: order, completeness, waiting, recovery, bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.native.jitter import AUDIO_CAPACITY, AUDIO_WAIT_MAX, AudioBuffer, MediaFrame, MediaPacket, PtsClock
from backends.native.video_jitter import CAPACITY, KEY_FRAME_PATIENCE, WAIT_MAX, LossTracker, VideoBuffer

STEP = 0.02
OPUS = 96
VP8 = 97


def sound(number: int, first: int = 0) -> MediaPacket:
    """Packet `number` of an audio stream whose first sequence number is `first`."""
    return MediaPacket((first + number) & 0xFFFF, (number * 960 + 4294960000) & 0xFFFFFFFF, OPUS, b"%d" % number)


def picture(frame: int, parts: int, first: int = 0, *, key: bool = False, start: int = 0) -> list[MediaPacket]:
    """The packets of one video frame; `start` is the number of its first packet."""
    return [
        MediaPacket(
            (first + start + i) & 0xFFFF,
            (frame * 3000 + 4294900000) & 0xFFFFFFFF,
            VP8,
            b"%d.%d " % (frame, i),
            marker=i == parts - 1,
            starts=i == 0,
            key=key and i == 0,
        )
        for i in range(parts)
    ]


def film(sizes: list[int], first: int = 0, keys: tuple[int, ...] = (0,)) -> list[MediaPacket]:
    """A stream of frames of so many packets each."""
    packets: list[MediaPacket] = []
    for index, size in enumerate(sizes):
        packets += picture(index, size, first, key=index in keys, start=len(packets))
    return packets


def whole(sizes: list[int]) -> list[bytes]:
    return [b"".join(b"%d.%d " % (index, i) for i in range(size)) for index, size in enumerate(sizes)]


def data(frames: list[MediaFrame]) -> list[bytes]:
    return [frame.data for frame in frames]


def shuffled(packets: list[MediaPacket], window: int, seed: int) -> list[MediaPacket]:
    """Reorder packets so that none moves by `window` places or more; the first one stays."""
    rng = random.Random(seed)
    order = sorted(range(1, len(packets)), key=lambda i: i + rng.random() * window)
    return [packets[0], *(packets[i] for i in order)]


def test_audio_in_order_leaves_at_once() -> None:
    buffer = AudioBuffer(48000)
    for number in range(100):
        assert data(buffer.insert(sound(number), number * STEP)) == [b"%d" % number]
        assert buffer.deadline() is None


def test_audio_that_overtook_waits_for_the_missing_packet_and_no_longer() -> None:
    buffer = AudioBuffer(48000)
    buffer.insert(sound(0), 0.0)
    assert buffer.insert(sound(2), 0.04) == []
    assert data(buffer.insert(sound(1), 0.045)) == [b"1", b"2"]
    assert buffer.deadline() is None


def test_audio_goes_on_after_a_loss_with_the_right_time() -> None:
    buffer = AudioBuffer(48000)
    buffer.insert(sound(0), 0.0)
    buffer.insert(sound(2), 0.04)
    deadline = buffer.deadline()
    assert deadline is not None
    assert deadline <= 0.04 + AUDIO_WAIT_MAX
    frames = buffer.poll(deadline)
    assert [(f.data, f.timestamp, f.gap) for f in frames] == [(b"2", sound(2).timestamp, True)]
    assert buffer.insert(sound(1), deadline + 0.01) == []


def test_what_comes_too_late_is_counted_and_what_comes_twice_is_not() -> None:
    buffer = AudioBuffer(48000)
    for number in (0, 3, 3):
        buffer.insert(sound(number), 0.06)
    buffer.poll(0.06 + AUDIO_WAIT_MAX)
    for number, discarded in ((0, 0), (1, 1), (1, 1), (3, 1), (2, 2)):
        buffer.insert(sound(number), 0.07 + AUDIO_WAIT_MAX)
        assert buffer.discarded == discarded


def test_audio_waits_longer_once_it_has_seen_packets_come_late() -> None:
    buffer = AudioBuffer(48000)
    buffer.insert(sound(0), 0.0)
    buffer.insert(sound(2), 0.04)
    first = buffer.deadline()
    assert first is not None
    buffer.poll(first)
    buffer.insert(sound(1), 0.04 + 0.1)
    buffer.insert(sound(4), 0.2)
    second = buffer.deadline()
    assert second is not None
    assert second - 0.2 > first - 0.04


def test_audio_is_held_for_the_wished_for_delay() -> None:
    buffer = AudioBuffer(48000, target=0.06)
    out: list[tuple[bytes, float]] = []

    def play(until: float) -> None:
        while (deadline := buffer.deadline()) is not None and deadline < until:
            out.extend((frame.data, deadline) for frame in buffer.poll(deadline))

    for number, late in enumerate([0.0, 0.01, 0.05, 0.035, 0.02, 0.0, 0.015]):
        play(number * STEP + late)
        assert buffer.insert(sound(number), number * STEP + late) == []
    play(1.0)
    assert [frame for frame, _ in out] == [b"%d" % n for n in range(7)]
    assert [at for _, at in out] == pytest.approx([0.06 + n * STEP for n in range(7)], abs=0.002)


def test_a_delay_that_is_taken_back_lets_everything_out() -> None:
    buffer = AudioBuffer(48000, target=1.0)
    for number in range(5):
        buffer.insert(sound(number), number * STEP)
    buffer.set_target(0.0)
    assert len(buffer.poll(0.1)) == 5


def test_fillers_leave_no_hole() -> None:
    buffer = AudioBuffer(48000)
    buffer.insert(sound(0), 0.0)
    event = MediaPacket(1, 0, 110, filler=True)
    assert buffer.insert(event, 0.02) == []
    assert data(buffer.insert(sound(2), 0.04)) == [b"2"]


def test_audio_follows_a_stream_that_restarts_elsewhere() -> None:
    buffer = AudioBuffer(48000)
    for number in range(10):
        buffer.insert(sound(number, 5000), number * STEP)
    out = [frame for number in range(10) for frame in buffer.insert(sound(number, 1000), 1 + number * STEP)]
    assert data(out) == [b"%d" % n for n in range(10)]
    assert out[0].gap


@given(
    count=st.integers(1, 80),
    first=st.sampled_from([0, 1, 65500, 65535]),
    window=st.integers(1, 20),
    seed=st.integers(0, 10_000),
    copies=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_reordering_within_the_wait_gives_all_audio_in_order(
    count: int, first: int, window: int, seed: int, copies: bool
) -> None:
    buffer = AudioBuffer(48000)
    packets = shuffled([sound(number, first) for number in range(count)], window, seed)
    out: list[MediaFrame] = []
    for index, packet in enumerate(packets):
        out += buffer.insert(packet, index * 0.0005)
        if copies:
            out += buffer.insert(packet, index * 0.0005)
    assert data(out) == [b"%d" % n for n in range(count)]
    assert len(buffer) == 0


@given(arrivals=st.lists(st.tuples(st.integers(0, 0xFFFF), st.floats(0, 0.1)), max_size=300), hold=st.booleans())
@settings(deadline=None, max_examples=60)
def test_no_input_makes_the_audio_buffer_grow_or_repeat(arrivals: list[tuple[int, float]], hold: bool) -> None:
    buffer, now = AudioBuffer(48000, 0.1 if hold else 0.0), 0.0
    for sequence, passed in arrivals:
        now += passed
        buffer.insert(MediaPacket(sequence, sequence * 960, OPUS, b"x"), now)
        assert len(buffer) <= 2 * AUDIO_CAPACITY + 512
    while (deadline := buffer.deadline()) is not None:
        now = max(now, deadline)
        buffer.poll(now)
    assert len(buffer) == 0


def test_a_video_frame_leaves_with_its_last_packet() -> None:
    buffer = VideoBuffer()
    first = picture(0, 3, key=True)
    assert buffer.insert(first[0], 0.0) == []
    assert buffer.insert(first[1], 0.0) == []
    assert data(buffer.insert(first[2], 0.0)) == [b"0.0 0.1 0.2 "]


def test_a_video_frame_without_marker_leaves_when_the_next_one_starts() -> None:
    buffer = VideoBuffer()
    frame = picture(0, 2, key=True)
    frame[1].marker = False
    for packet in frame:
        assert buffer.insert(packet, 0.0) == []
    assert data(buffer.insert(picture(1, 2, start=2)[0], 0.03)) == [b"0.0 0.1 "]


def test_a_gap_that_is_filled_releases_all_that_waited() -> None:
    buffer = VideoBuffer()
    packets = film([3, 2, 2, 2])
    out = [frame for packet in packets if packet.sequence != 1 for frame in buffer.insert(packet, 0.0)]
    assert out == []
    assert data(buffer.insert(packets[1], 0.05)) == whole([3, 2, 2, 2])


def test_a_missing_packet_is_asked_for_at_once_then_again_then_no_more() -> None:
    buffer = VideoBuffer()
    for packet in film([1, 4]):
        if packet.sequence != 2:
            buffer.insert(packet, 0.0)
    asked, now = buffer.losses.due(0.0), 0.0
    assert asked == [2]
    assert buffer.losses.due(0.0) == []
    times = 0
    while (deadline := buffer.losses.deadline()) is not None:
        now = deadline
        times += len(buffer.losses.due(now))
    assert 2 <= times < 10


def test_after_a_loss_a_key_frame_is_asked_for_and_waited_for() -> None:
    buffer = VideoBuffer()
    packets = film([1, 2, 1, 1, 1], keys=(0, 4))
    out = [frame for packet in packets[:4] if packet.sequence != 1 for frame in buffer.insert(packet, 0.0)]
    assert len(out) == 1
    deadline = WAIT_MAX + 0.01
    assert buffer.poll(deadline) == []
    assert buffer.key_frame_due(deadline)
    assert not buffer.key_frame_due(deadline)
    assert buffer.insert(packets[4], deadline) == []
    recovered = buffer.insert(packets[5], deadline)
    assert [(f.data, f.key, f.gap) for f in recovered] == [(b"4.0 ", True, True)]
    assert not buffer.key_frame_due(deadline + 10)


def test_a_sender_that_sends_no_key_frame_is_shown_damaged_in_the_end() -> None:
    buffer = VideoBuffer()
    packets = film([1] * 200)
    out, now = [], 0.0
    for packet in packets:
        now += 1 / 30
        if packet.sequence != 10:
            out += buffer.insert(packet, now)
    assert out[-1].data == b"199.0 "
    assert len(out) >= 200 - 30 * (KEY_FRAME_PATIENCE + WAIT_MAX) - 2


def test_the_first_frame_may_come_in_any_order() -> None:
    buffer = VideoBuffer()
    packets = picture(0, 4, 65534, key=True)
    out = [frame for i in (2, 3, 1, 0) for frame in buffer.insert(packets[i], 0.0)]
    assert data(out) == [b"0.0 0.1 0.2 0.3 "]


def test_padding_after_a_frame_holds_nothing_up() -> None:
    buffer = VideoBuffer()
    buffer.insert(picture(0, 1, key=True)[0], 0.0)
    buffer.insert(MediaPacket(1, picture(0, 1)[0].timestamp, VP8, filler=True), 0.0)
    assert data(buffer.insert(picture(1, 1, start=2)[0], 0.03)) == [b"1.0 "]


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=25),
    first=st.sampled_from([0, 65500, 65535]),
    window=st.integers(1, 40),
    seed=st.integers(0, 10_000),
    copies=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_reordering_within_the_wait_gives_all_video_in_order(
    sizes: list[int], first: int, window: int, seed: int, copies: bool
) -> None:
    buffer = VideoBuffer()
    packets = shuffled(film(sizes, first), window, seed)
    out: list[MediaFrame] = []
    for index, packet in enumerate(packets):
        out += buffer.insert(packet, index * 0.0002)
        if copies:
            out += buffer.insert(packet, index * 0.0002)
    assert data(out) == whole(sizes)
    assert len(buffer) == 0
    assert len(buffer.losses) == 0


@given(
    sizes=st.lists(st.integers(1, 6), min_size=5, max_size=40),
    lost=st.sets(st.integers(0, 100), max_size=20),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_with_losses_what_leaves_is_whole_and_in_order(sizes: list[int], lost: set[int], seed: int) -> None:
    buffer, now = VideoBuffer(), 0.0
    out: list[MediaFrame] = []
    for index, packet in enumerate(shuffled(film(sizes, keys=tuple(range(0, 40, 5))), 5, seed)):
        now = index * 0.01
        if index not in lost:
            out += buffer.insert(packet, now)
    for _ in range(50):
        now += 0.1
        out += buffer.poll(now)
    complete = whole(sizes)
    numbers = [int(frame.data.split(b".")[0]) for frame in out]
    assert numbers == sorted(set(numbers))
    assert all(frame.data == complete[number] for frame, number in zip(out, numbers, strict=True) if not frame.gap)


@given(
    packets=st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 5), st.booleans(), st.sampled_from([True, False, None])),
        max_size=300,
    )
)
@settings(deadline=None, max_examples=60)
def test_no_input_makes_the_video_buffer_grow(packets: list[tuple[int, int, bool, bool | None]]) -> None:
    buffer, now = VideoBuffer(), 0.0
    for sequence, frame, marker, starts in packets:
        now += 0.01
        buffer.insert(MediaPacket(sequence, frame * 3000, VP8, b"x", marker, starts, bool(starts)), now)
        buffer.losses.due(now)
        assert len(buffer) <= 2 * CAPACITY
        assert len(buffer.losses) <= CAPACITY


def test_times_start_at_zero_wrap_and_survive_a_restart() -> None:
    clock = PtsClock()
    assert clock.map(0xFFFFFF00, 48000, 1.0) == 0
    assert clock.map(0xFFFFFF00 + 960 & 0xFFFFFFFF, 48000, 1.02) == 960
    clock.restart()
    assert clock.map(12345, 48000, 1.04) == pytest.approx(1920, abs=10)
    assert clock.map(12345 + 960, 48000, 1.06) == pytest.approx(2880, abs=10)
    assert clock.map(7, 8000, 1.08) == pytest.approx(640, abs=10)


def test_packets_that_tend_to_come_late_are_not_asked_for_too_soon() -> None:
    losses, asked = LossTracker(), []
    for number in range(0, 40, 2):
        now = number * 0.01
        losses.note_gap(number, number + 1, now)
        asked += losses.due(now + 0.005)
        losses.note_arrival(MediaPacket(number, 0, VP8), number, now + 0.01)
    assert asked == [0]
    losses.note_gap(50, 51, 1.0)
    assert losses.due(1.02) == [50]
