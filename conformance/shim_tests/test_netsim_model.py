"""The model of a network: in virtual time, against what its parameters promise."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.netsim import Burst, Impairment, Link, Packet, Verdict, kind_of

MANY = 20_000
EXAMPLES = settings(max_examples=60, deadline=None, database=None, derandomize=True)
SEEDS = st.integers(0, 2**64)
SHARES = st.floats(0, 1)
TIMES = st.lists(st.floats(0, 0.05), min_size=1, max_size=60)
SIZES = st.integers(1, 1500)


def run(link: Link, count: int = MANY, *, seed: int = 1, gap: float = 0.001, size: int = 1000) -> list[Verdict]:
    """Send so many packets, one every `gap` seconds."""
    model = Impairment(link, seed, "a_to_b")
    return [model.decide(number * gap, size) for number in range(count)]


def links(**fixed: object) -> st.SearchStrategy[Link]:
    """Links with every impairment, except where fixed."""
    parameters: dict[str, st.SearchStrategy[object]] = {
        "delay": st.floats(0, 1),
        "jitter": st.floats(0, 0.5),
        "distribution": st.sampled_from(["uniform", "normal"]),
        "overtaking": st.booleans(),
        "loss": SHARES,
        "burst": st.none() | st.builds(Burst, SHARES, SHARES, SHARES, SHARES),
        "reordering": SHARES,
        "held_back": st.floats(0, 0.5),
        "duplication": SHARES,
        "corruption": SHARES,
        "rate": st.none() | st.floats(1e4, 1e8),
        "bucket": st.integers(0, 10_000),
        "queue": st.integers(0, 100_000),
    }
    return st.builds(Link, **(parameters | {name: st.just(value) for name, value in fixed.items()}))


def bounds(share: float, count: int) -> tuple[float, float]:
    """Return five standard deviations around how often something of this probability happens."""
    spread = 5 * math.sqrt(count * share * (1 - share))
    return count * share - spread, count * share + spread


# --- chance ------------------------------------------------------------------------------------------


@given(links(), SEEDS, TIMES, SIZES)
@EXAMPLES
def test_same_seed_gives_the_same_decisions(link: Link, seed: int, gaps: list[float], size: int) -> None:
    one, two = (Impairment(link, seed, "a_to_b") for _ in range(2))
    now = 0.0
    for gap in gaps:
        now += gap
        assert one.decide(now, size) == two.decide(now, size)


@given(links(rate=None, overtaking=True), SEEDS, SIZES, SIZES)
@EXAMPLES
def test_decision_depends_on_the_number_of_the_packet_alone(link: Link, seed: int, first: int, second: int) -> None:
    one, two = (Impairment(link, seed, "a_to_b") for _ in range(2))
    for number in range(20):
        early, late = one.decide(0.0, first), two.decide(float(number), second)
        assert early.dropped == late.dropped
        assert [moment + number for moment in early.deliveries] == pytest.approx(late.deliveries)


def test_seeds_and_directions_differ() -> None:
    link = Link(loss=0.5)
    runs = {
        tuple(model.decide(0.0, 1).dropped for _ in range(100))
        for model in (Impairment(link, seed, name) for seed in (1, 2) for name in ("a_to_b", "b_to_a"))
    }
    assert len(runs) == 4


def test_change_of_the_link_does_not_shift_the_numbers() -> None:
    steady = run(Link(loss=0.3), 200)
    model = Impairment(Link(loss=0.3), 1, "a_to_b")
    changed = []
    for number in range(200):
        model.link = Link(delay=1, jitter=0.5, duplication=0.5) if 50 <= number < 100 else Link(loss=0.3)
        changed.append(model.decide(number * 0.001, 1000))
    dropped = [[verdict.dropped for verdict in verdicts] for verdicts in (steady, changed)]
    assert dropped[0][:50] == dropped[1][:50]
    assert dropped[0][100:] == dropped[1][100:]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_loss_is_what_was_asked(share: float, seed: int) -> None:
    lost = sum(verdict.dropped == "loss" for verdict in run(Link(loss=share), seed=seed))
    low, high = bounds(share, MANY)
    assert low <= lost <= high


@pytest.mark.parametrize("share", [0.01, 0.2, 1.0])
def test_duplication_is_what_was_asked(share: float) -> None:
    twice = sum(len(verdict.deliveries) == 2 for verdict in run(Link(duplication=share)))
    low, high = bounds(share, MANY)
    assert low <= twice <= high


@pytest.mark.parametrize("share", [0.01, 0.2, 1.0])
def test_corruption_is_what_was_asked(share: float) -> None:
    damaged = [verdict.corruption for verdict in run(Link(corruption=share), size=100) if verdict.corruption]
    low, high = bounds(share, MANY)
    assert low <= len(damaged) <= high
    if share == 1:
        assert {corruption.offset for corruption in damaged} == set(range(100))
        assert {corruption.mask for corruption in damaged} == set(range(1, 256))


@given(st.binary(min_size=1, max_size=50), SEEDS)
@EXAMPLES
def test_corruption_changes_one_byte(data: bytes, seed: int) -> None:
    corruption = Impairment(Link(corruption=1), seed, "a_to_b").decide(0, len(data)).corruption
    assert corruption is not None
    assert sum(one != two for one, two in zip(data, corruption.apply(data), strict=True)) == 1


def test_losses_are_independent_without_bursts() -> None:
    lost = [verdict.dropped is not None for verdict in run(Link(loss=0.2))]
    pairs = sum(one and two for one, two in pairwise(lost))
    low, high = bounds(0.04, MANY)
    assert low <= pairs <= high


def test_bursts_have_the_length_and_share_that_were_asked() -> None:
    burst = Burst(enter=0.01, leave=0.2)
    lost = "".join("x" if verdict.dropped == "burst" else "." for verdict in run(Link(burst=burst), 100_000))
    runs = [run for run in lost.split(".") if run]
    assert sum(map(len, runs)) / len(runs) == pytest.approx(1 / burst.leave, rel=0.1)
    assert lost.count("x") / len(lost) == pytest.approx(0.01 / 0.21, rel=0.15)


def test_burst_can_lose_a_part_and_leave_a_rest() -> None:
    link = Link(burst=Burst(enter=0.5, leave=0.5, loss=0.6, residual=0.2))
    lost = sum(verdict.dropped == "burst" for verdict in run(link))
    low, high = bounds(0.4, MANY)
    assert low <= lost <= high


def test_only_damaging_packets_are_damaged() -> None:
    model = Impairment(Link(delay=1, loss=1), 1, "a_to_b")
    assert model.decide(0, 100, damaging=False).deliveries == (1.0,)
    assert model.decide(0, 100, damaging=True).dropped == "loss"


# --- time --------------------------------------------------------------------------------------------


def test_perfect_wire_delivers_at_once() -> None:
    assert Impairment(Link(), 1, "a_to_b").decide(7.0, 1000) == Verdict((7.0,))


@given(links(), SEEDS, TIMES, SIZES)
@EXAMPLES
def test_nothing_arrives_before_it_was_sent(link: Link, seed: int, gaps: list[float], size: int) -> None:
    model, now = Impairment(link, seed, "a_to_b"), 0.0
    for gap in gaps:
        now += gap
        verdict = model.decide(now, size)
        assert all(moment >= now for moment in verdict.deliveries)
        assert list(verdict.deliveries) == sorted(verdict.deliveries)
        assert bool(verdict.deliveries) == (verdict.dropped is None)


@given(links(overtaking=False, reordering=0.0), SEEDS, TIMES, SIZES)
@EXAMPLES
def test_order_is_kept_without_overtaking(link: Link, seed: int, gaps: list[float], size: int) -> None:
    arrivals: list[float] = []
    model, now = Impairment(link, seed, "a_to_b"), 0.0
    for gap in gaps:
        now += gap
        arrivals += model.decide(now, size).deliveries
    assert arrivals == sorted(arrivals)


def test_jitter_can_overtake_if_it_may() -> None:
    arrivals = [verdict.deliveries[0] for verdict in run(Link(delay=0.1, jitter=0.05, overtaking=True), 100)]
    assert arrivals != sorted(arrivals)


def test_uniform_jitter_fills_its_range() -> None:
    link = Link(delay=0.1, jitter=0.05, overtaking=True)
    delays = [verdict.deliveries[0] - number * 0.001 for number, verdict in enumerate(run(link))]
    assert min(delays) == pytest.approx(0.05, abs=0.001)
    assert max(delays) == pytest.approx(0.15, abs=0.001)
    assert sum(delays) / len(delays) == pytest.approx(0.1, abs=0.002)


def test_normal_jitter_has_its_deviation_and_an_end() -> None:
    link = Link(delay=0.2, jitter=0.05, distribution="normal", overtaking=True)
    delays = [verdict.deliveries[0] - number * 0.001 for number, verdict in enumerate(run(link))]
    mean = sum(delays) / len(delays)
    assert mean == pytest.approx(0.2, abs=0.002)
    assert math.sqrt(sum((delay - mean) ** 2 for delay in delays) / len(delays)) == pytest.approx(0.05, rel=0.05)
    assert 0.0499 < min(delays) < max(delays) < 0.3501


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_jitter_above_the_delay_never_arrives_early(distribution: str) -> None:
    link = Link(delay=0.01, jitter=0.1, distribution=distribution, overtaking=True)  # type: ignore[arg-type]
    delays = [verdict.deliveries[0] - number * 0.001 for number, verdict in enumerate(run(link, 1000))]
    assert min(delays) == pytest.approx(0.0, abs=1e-9)


def test_reordering_holds_back_the_share_that_was_asked() -> None:
    verdicts = run(Link(delay=0.01, reordering=0.1, held_back=0.0055))
    late = [number for number, verdict in enumerate(verdicts) if verdict.deliveries[0] - number * 0.001 > 0.0101]
    low, high = bounds(0.1, MANY)
    assert low <= len(late) <= high
    overtaken = [number for number in late if number + 1 < MANY and number + 1 not in late]
    assert overtaken
    assert all(verdicts[number + 1].deliveries < verdicts[number].deliveries for number in overtaken)


# --- rate --------------------------------------------------------------------------------------------


@given(st.floats(1e4, 1e7), st.integers(0, 5000), st.integers(0, 50_000), TIMES, SIZES)
@EXAMPLES
def test_rate_holds_over_every_window(rate: float, bucket: int, queue: int, gaps: list[float], size: int) -> None:
    arrivals: list[float] = []
    model, now = Impairment(Link(rate=rate, bucket=bucket, queue=queue), 1, "a_to_b"), 0.0
    for gap in gaps:
        now += gap
        arrivals += model.decide(now, size).deliveries
    for first, start in enumerate(arrivals):
        for count, end in enumerate(arrivals[first:], 1):
            # The last bit of the first packet arrives at `start`: its other bits came before the window.
            assert (count - 1) * size * 8 <= rate * (end - start) + bucket * 8 + 1e-3


def test_rate_is_used_fully() -> None:
    arrivals = [moment for verdict in run(Link(rate=1e6, queue=10_000), 1000) for moment in verdict.deliveries]
    assert (len(arrivals) - 1) * 8000 / (arrivals[-1] - arrivals[0]) == pytest.approx(1e6, rel=0.001)


def test_full_queue_drops_at_the_tail() -> None:
    model = Impairment(Link(rate=8000, queue=3000), 1, "a_to_b")
    verdicts = [model.decide(0.0, 1000) for _ in range(5)]
    assert [verdict.dropped for verdict in verdicts] == [None, None, None, "queue", "queue"]
    assert [verdict.deliveries[0] for verdict in verdicts[:3]] == pytest.approx([1.0, 2.0, 3.0])
    assert model.decide(1.0, 1000).deliveries == pytest.approx((4.0,))


def test_packet_larger_than_the_queue_passes_an_idle_link() -> None:
    assert Impairment(Link(rate=8000, queue=0), 1, "a_to_b").decide(0.0, 1000).deliveries == pytest.approx((1.0,))


def test_bucket_lets_a_burst_pass() -> None:
    model = Impairment(Link(rate=8000, bucket=2000), 1, "a_to_b")
    arrivals = [model.decide(5.0, 1000).deliveries[0] for _ in range(4)]
    assert arrivals == pytest.approx([5.0, 5.0, 6.0, 7.0])


# --- blackout ----------------------------------------------------------------------------------------


def test_blackout_ends_by_itself_or_when_told() -> None:
    model = Impairment(Link(), 1, "a_to_b")
    model.cut(2.0)
    assert [model.decide(now, 1).dropped for now in (0.0, 1.9, 2.0)] == ["blackout", "blackout", None]
    model.cut()
    assert model.decide(1e9, 1).dropped == "blackout"
    model.restore()
    assert model.decide(1e9, 1).dropped is None


# --- parameters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"loss": math.nan},
        {"duplication": 2},
        {"corruption": -1},
        {"reordering": 1.5},
        {"delay": -1},
        {"delay": math.inf},
        {"jitter": -1},
        {"held_back": -1},
        {"rate": 0},
        {"rate": math.inf},
        {"queue": -1},
        {"bucket": -1},
        {"distribution": "poisson"},
    ],
    ids=str,
)
def test_impossible_link_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Link: {next(iter(wrong))}"):
        Link(**wrong)  # type: ignore[arg-type]


def test_impossible_burst_is_refused() -> None:
    with pytest.raises(ValueError, match="Burst: leave"):
        Burst(enter=0.1, leave=1.1)


# --- classification ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "other"),
        (b"\x00\x01", "stun"),
        (b"\x03", "stun"),
        (b"\x04", "other"),
        (b"\x13", "other"),
        (b"\x14\xfe", "dtls"),
        (b"\x16\xfe", "dtls"),
        (b"\x3f", "dtls"),
        (b"\x40\x00", "turn"),
        (b"\x4f", "turn"),
        (b"\x50", "other"),
        (b"\x80\x60", "rtp"),
        (b"\x90\xe0", "rtp"),
        (b"\x80\xc8", "rtcp"),
        (b"\x81\xce", "rtcp"),
        (b"\xbf\x00", "rtp"),
        (b"\xc0", "other"),
    ],
)
def test_kind_is_told_by_the_first_bytes(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_link_chooses_by_kind_or_by_a_function() -> None:
    media, check = Packet("a_to_b", 0, 0.0, b"\x80\x60"), Packet("a_to_b", 1, 0.0, b"\x00\x01")
    by_kind = Link(loss=1, only={"rtp", "rtcp"})
    by_number = Link(loss=1, only=lambda packet: packet.number == 1)
    assert [by_kind.damages(packet) for packet in (media, check)] == [True, False]
    assert [by_number.damages(packet) for packet in (media, check)] == [False, True]
    assert Link(loss=1).damages(media)
