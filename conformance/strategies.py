"""What hypothesis draws: configurations, candidates, damaged descriptions, data channels and what is said over them."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from shim import (
    BitrateBounds,
    Capability,
    OpusParameters,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannelParameters,
    RTCIceCandidate,
    RTCIceServer,
    RTCIceTransportPolicy,
)

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


@st.composite
def configurations(draw: st.DrawFn, capabilities: frozenset[Capability]) -> RTCConfiguration:
    """Configurations that must be accepted (webrtc-pc section 4.2.1), as far as a backend declares that it can."""
    floor, start, ceiling = sorted(draw(st.lists(st.integers(30_000, 5_000_000), min_size=3, max_size=3)))
    lowest, highest = sorted(draw(st.tuples(st.integers(1024, 60_000), st.integers(60_001, 65_535))))
    disconnected = draw(st.floats(0.5, 20))
    optional: dict[Capability, dict[str, Any]] = {
        Capability.PORT_RANGE: {"portRange": (lowest, highest)},
        Capability.MTU: {"mtu": draw(st.integers(576, 9000))},
        Capability.BITRATE_BOUNDS: {"bitrate": BitrateBounds(min=floor, start=start, max=ceiling)},
        Capability.JITTER_TARGET: {"jitterBufferTarget": draw(st.floats(0, 4))},
        Capability.OPUS_PARAMETERS: {"opus": draw(_opus_parameters())},
    }
    chosen: dict[str, Any] = {}
    for capability, setting in optional.items():
        if capability in capabilities and draw(st.booleans()):
            chosen |= setting
    return RTCConfiguration(
        iceServers=draw(st.none() | st.lists(_ice_servers(), max_size=3)),
        iceTransportPolicy=draw(
            st.sampled_from(
                RTCIceTransportPolicy if Capability.ICE_RELAY in capabilities else [RTCIceTransportPolicy.ALL]
            )
        ),
        bundlePolicy=draw(st.sampled_from(RTCBundlePolicy)),
        trickle=draw(st.booleans()),
        iceDisconnectedTimeout=disconnected,
        iceFailedTimeout=disconnected + draw(st.floats(0.5, 60)),
        **chosen,
    )


def _opus_parameters() -> st.SearchStrategy[OpusParameters]:
    switch = st.none() | st.booleans()
    return st.builds(
        OpusParameters, stereo=switch, fec=switch, dtx=switch, bitrate=st.none() | st.integers(6000, 510_000)
    )


def _ice_servers() -> st.SearchStrategy[RTCIceServer]:
    host = st.sampled_from(["127.0.0.1", "[::1]", "stun.example.invalid"])
    port = st.integers(1, 65535)
    stun = st.builds(lambda host, port: RTCIceServer(f"stun:{host}:{port}"), host, port)
    turn = st.builds(
        lambda host, port, user: RTCIceServer(f"turn:{host}:{port}?transport=udp", username=user, credential="secret"),
        host,
        port,
        names().filter(bool),
    )
    return stun | turn


def candidates() -> st.SearchStrategy[RTCIceCandidate]:
    """Candidates with any values that have the right types: useful, useless and impossible ones."""
    number = st.integers(-1, 2**33)
    return st.builds(
        RTCIceCandidate,
        component=number,
        foundation=names(),
        ip=st.sampled_from(["127.0.0.1", "::1", "192.0.2.1", "0.0.0.0", "999.1.1.1", "nobody.local", ""]) | names(),
        port=number,
        priority=number,
        protocol=st.sampled_from(["udp", "tcp", "UDP", "smoke"]),
        type=st.sampled_from(["host", "srflx", "prflx", "relay", "pigeon"]),
        sdpMid=st.none() | st.sampled_from(["0", "1", "nine"]),
        sdpMLineIndex=st.none() | st.integers(-1, 3),
    )


def conversations() -> st.SearchStrategy[list[tuple[bool, str | bytes]]]:
    """What is said over a channel, in order: whether by the side that opened it, and the message."""
    text = st.text(st.characters(codec="utf-8"), max_size=200) | st.integers(0, 40_000).map(lambda n: "ü" * n)
    data = st.binary(max_size=200) | st.integers(0, 65_536).map(bytes)
    return st.lists(st.tuples(st.booleans(), text | data), max_size=20)


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
