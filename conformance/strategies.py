"""What hypothesis draws: configurations, offers, candidates, damaged descriptions, data channels and what is said."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from conformance.plugin import NIGHTLY
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

EXAMPLES: Final = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    database=None,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""Few, and the same in every run with the same seed, whatever hypothesis does by itself where it finds a CI."""


def register_profiles() -> None:
    """Let ``--hypothesis-profile`` choose: ``dev`` and ``ci`` are :data:`EXAMPLES`, ``nightly`` is many new ones."""
    for name in ("dev", "ci"):
        settings.register_profile(name, EXAMPLES)
    settings.register_profile(NIGHTLY, EXAMPLES, max_examples=1000, stateful_step_count=40)


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


# --- descriptions ------------------------------------------------------------------------------------

_FINGERPRINT: Final = ":".join(f"{value:02X}" for value in range(0xA0, 0xC0))
_CODECS: Final = {
    "audio": ("opus/48000/2", "PCMU/8000", "PCMA/8000", "telephone-event/8000", "x-of-nobody/16000"),
    "video": ("VP8/90000", "H264/90000", "x-of-nobody/90000"),
}
_MANDATORY: Final = {"audio": ("opus/48000/2", "PCMU/8000"), "video": ("VP8/90000",)}
_FIXED: Final = {"PCMU/8000": "0", "PCMA/8000": "8"}
_H264: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_FEEDBACK: Final = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc", "x-of-nobody")
_EXTENSIONS: Final = (
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "urn:x-of-nobody:extension",
)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers of one offer: each payload type, extension id and source means one thing in all of its sections.

    :param types: payload types that are free.
    :param ids: of each header extension.
    :param sources: that are free.
    """

    types: list[int]
    ids: dict[str, int]
    sources: list[int]


@st.composite
def offers(draw: st.DrawFn) -> str:
    """Offers as somebody else could write them: any sections, numbers, extensions, feedback and sources.

    Each section of sound or pictures has a mandatory codec among others, so that everybody can use it.
    """
    kinds = draw(st.lists(st.sampled_from(["audio", "video", "application"]), min_size=1, max_size=4))
    kinds = [kind for index, kind in enumerate(kinds) if kind != "application" or kind not in kinds[:index]]
    mids = draw(st.lists(_names_of_sections(), unique=True, min_size=len(kinds), max_size=len(kinds)))
    numbers = draw(_numbers())
    lines = ["v=0", "o=- 4611731400430051336 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [f"a=group:BUNDLE {' '.join(mids)}"] * draw(st.booleans())
    lines += [f"a=fingerprint:sha-256 {_FINGERPRINT}", "a=ice-options:trickle"]
    for kind, mid in zip(kinds, mids, strict=True):
        first, *rest = _data(draw) if kind == "application" else _media(draw, kind, numbers)
        transport = [f"a=mid:{mid}", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=setup:actpass"]
        lines += [first, "c=IN IP4 0.0.0.0", *transport, *rest]
    return "".join(f"{line}\r\n" for line in lines)


def _names_of_sections() -> st.SearchStrategy[str]:
    return st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=16)


def _numbers() -> st.SearchStrategy[_Numbers]:
    ids = st.permutations(range(1, 15)).map(lambda drawn: dict(zip(_EXTENSIONS, drawn, strict=False)))
    sources = st.lists(st.integers(1, 2**32 - 1), unique=True, min_size=8, max_size=8)
    return st.builds(_Numbers, st.permutations(range(96, 128)).map(list), ids, sources)


def _data(draw: st.DrawFn) -> list[str]:
    port, size = draw(st.integers(1, 65535)), draw(st.integers(1, 2**31 - 1))
    return ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", f"a=sctp-port:{port}", f"a=max-message-size:{size}"]


def _media(draw: st.DrawFn, kind: str, numbers: _Numbers) -> list[str]:
    formats, lines = _formats(draw, kind, numbers)
    extensions = draw(st.lists(st.sampled_from(_EXTENSIONS), unique=True))
    lines += [f"a=extmap:{numbers.ids[uri]} {uri}" for uri in extensions]
    direction = draw(st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]))
    lines += [f"a={direction}", "a=rtcp-mux"] + ["a=rtcp-rsize"] * draw(st.booleans())
    if direction.startswith("send"):
        lines += _sources(draw, [numbers.sources.pop() for _ in range(draw(st.integers(0, 1 + (kind == "video"))))])
    return [f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(formats)}", *lines]


def _formats(draw: st.DrawFn, kind: str, numbers: _Numbers) -> tuple[list[str], list[str]]:
    """Draw payload types, and the lines about them."""
    wanted = {draw(st.sampled_from(_MANDATORY[kind])), *draw(st.lists(st.sampled_from(_CODECS[kind])))}
    formats, lines = list[str](), list[str]()
    for codec in draw(st.permutations(sorted(wanted))):
        number = _FIXED.get(codec) or str(numbers.types.pop())
        formats.append(number)
        lines += [f"a=rtpmap:{number} {codec}"] + [f"a=fmtp:{number} {_H264}"] * codec.startswith("H264")
        lines += [f"a=rtcp-fb:{number} {told}" for told in draw(st.lists(st.sampled_from(_FEEDBACK), unique=True))]
        if kind == "video" and draw(st.booleans()):
            formats.append(str(numbers.types.pop()))
            lines += [f"a=rtpmap:{formats[-1]} rtx/90000", f"a=fmtp:{formats[-1]} apt={number}"]
    return formats, lines


def _sources(draw: st.DrawFn, sources: list[int]) -> list[str]:
    identity = draw(st.uuids())
    group = [f"a=ssrc-group:FID {' '.join(map(str, sources))}"] * (len(sources) == 2)
    return [f"a=msid:- {identity}", *group, *(f"a=ssrc:{source} cname:{identity.hex[:16]}" for source in sources)]


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
