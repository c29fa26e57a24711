"""What hypothesis draws: damaged descriptions, options of data channels, names in any Unicode."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from shim import RTCDataChannelParameters

NIGHTLY: Final = "nightly"
EXAMPLES: Final = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""Few, and the same in every run: a failure here is a failure everywhere."""


def register_profiles() -> None:
    """Let ``--hypothesis-profile`` choose: ``dev`` and ``ci`` are :data:`EXAMPLES`, ``nightly`` is many new ones."""
    for name in ("dev", "ci"):
        settings.register_profile(name, EXAMPLES)
    settings.register_profile(NIGHTLY, EXAMPLES, max_examples=1000, stateful_step_count=40, derandomize=False)


def chosen_settings() -> settings:
    """Return the settings of the run: :data:`EXAMPLES`, unless ``--hypothesis-profile=nightly`` is given."""
    is_nightly = settings.get_current_profile_name() == NIGHTLY
    return settings.get_profile(NIGHTLY) if is_nightly else EXAMPLES


def names() -> st.SearchStrategy[str]:
    """Labels and protocols: anything that UTF-8 can encode, of any script."""
    return st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def channel_options(draw: st.DrawFn) -> RTCDataChannelParameters:
    """Options that a data channel must accept (webrtc-pc section 6.1)."""
    limit = st.integers(0, 65535)
    lifetime, retransmits = draw(
        st.one_of(st.just((None, None)), limit.map(lambda n: (n, None)), limit.map(lambda n: (None, n)))
    )
    return RTCDataChannelParameters(
        label=draw(names()),
        protocol=draw(names()),
        ordered=draw(st.booleans()),
        maxPacketLifeTime=lifetime,
        maxRetransmits=retransmits,
    )


def mutilations(sdp: str) -> st.SearchStrategy[str]:
    """A description with a few lines dropped, doubled, swapped, cut or given another value."""
    lines = sdp.splitlines()
    return st.lists(_damage(len(lines)), min_size=1, max_size=4).map(lambda damages: _damaged(lines, damages))


def _damage(count: int) -> st.SearchStrategy[tuple[str, int, Any]]:
    place = st.integers(0, count - 1)
    return st.one_of(
        st.tuples(st.just("drop"), place, st.none()),
        st.tuples(st.just("double"), place, st.none()),
        st.tuples(st.just("swap"), place, place),
        st.tuples(st.just("cut"), place, st.integers(0, 20)),
        st.tuples(st.just("value"), place, st.text(st.characters(codec="utf-8"), max_size=30)),
        st.tuples(st.just("number"), place, st.integers(-(2**65), 2**65)),
    )


def _damaged(lines: list[str], damages: list[tuple[str, int, Any]]) -> str:
    result = list(lines)
    for what, place, extra in damages:
        if place < len(result):
            _apply(result, what, place, extra)
    return "\r\n".join(result) + "\r\n"


def _apply(lines: list[str], what: str, place: int, extra: Any) -> None:
    match what:
        case "drop":
            del lines[place]
        case "double":
            lines.insert(place, lines[place])
        case "swap":
            other = extra % len(lines)
            lines[place], lines[other] = lines[other], lines[place]
        case "cut":
            lines[place] = lines[place][:extra]
        case "value":
            lines[place] = f"{lines[place].partition(':')[0]}:{extra}"
        case _:
            lines[place] = f"{lines[place].partition(' ')[0]} {extra}"
