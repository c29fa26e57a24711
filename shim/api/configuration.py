"""How a connection is set up: aiortc's configuration, and public settings for what its users patch."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Final

from shim.api.certificates import RTCCertificate
from shim.api.defaults import BITRATE
from shim.spi.engines import BitrateBounds, EngineConfig, IceServer, OpusParameters

_STUN: Final = re.compile(r"stuns?:(?P<host>\[[0-9a-fA-F:.]+\]|[^?:\s]+)(:(?P<port>\d{1,5}))?")
_TURN: Final = re.compile(
    r"turns?:(?P<host>\[[0-9a-fA-F:.]+\]|[^?:\s]+)(:(?P<port>\d{1,5}))?(\?transport=(?P<transport>udp|tcp))?"
)


class RTCBundlePolicy(enum.Enum):
    """Which media share a transport if the remote cannot bundle (RFC 9429 section 4.1.1)."""

    BALANCED = "balanced"
    MAX_COMPAT = "max-compat"
    MAX_BUNDLE = "max-bundle"


class RTCIceTransportPolicy(enum.Enum):
    """Which candidates may be used (RFC 9429 section 4.1.1)."""

    ALL = "all"
    RELAY = "relay"


@dataclass
class RTCIceServer:
    """A STUN or TURN server.

    :param urls: one URL or several: ``stun:host:port``, ``turn:host:port?transport=udp``, ``turns:...``.
    :param username: for TURN.
    :param credential: password for TURN.
    :param credentialType: only ``"password"`` is known.
    """

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None
    credentialType: str = "password"


@dataclass
class RTCConfiguration:
    """Configuration of an `RTCPeerConnection` (webrtc-pc section 4.2.1).

    The first four are aiortc's. Without ICE servers none are used: no public server is a default.

    :param certificates: DTLS certificates to use; `None` generates one.
    :param trickle: return from `setLocalDescription` before gathering ends, as browsers do. aiortc waits,
        so that `localDescription` has the candidates; that is the default.
    :param portRange: lowest and highest local UDP port, inclusive, 1 to 65535.
    :param mtu: largest IP packet in bytes, 576 to 9000.
    :param jitterBufferTarget: wished-for receive delay in seconds, 0 to 4; 0 waits no longer than needed.
    :param bitrate: limits of what video senders use, bits per second.
    :param opus: how Opus is sent.
    :param iceDisconnectedTimeout: seconds without an answer until the state is "disconnected"; at least 0.5.
    :param iceFailedTimeout: seconds without an answer until the state is "failed" (RFC 7675 says 30).
    """

    iceServers: list[RTCIceServer] | None = None
    iceTransportPolicy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL
    bundlePolicy: RTCBundlePolicy = RTCBundlePolicy.BALANCED
    alwaysNegotiateDataChannels: bool = False
    certificates: list[RTCCertificate] | None = None
    trickle: bool = False
    portRange: tuple[int, int] | None = None
    mtu: int | None = None
    jitterBufferTarget: float = 0.0
    bitrate: BitrateBounds = field(default_factory=BitrateBounds)
    opus: OpusParameters = field(default_factory=OpusParameters)
    iceDisconnectedTimeout: float = 5.0
    iceFailedTimeout: float = 30.0


def engine_config(configuration: RTCConfiguration) -> EngineConfig:
    """Check a configuration and translate it for engines.

    :raises ValueError: a URL does not parse, or a number is out of range.
    """
    _check_ranges(configuration)
    return EngineConfig(
        ice_servers=tuple(_ice_server(server) for server in configuration.iceServers or []),
        ice_transport_policy=configuration.iceTransportPolicy.value,
        bundle_policy=configuration.bundlePolicy.value,
        always_negotiate_data_channels=configuration.alwaysNegotiateDataChannels,
        certificates=tuple(certificate.pem for certificate in configuration.certificates or []),
        port_range=configuration.portRange,
        mtu=configuration.mtu,
        jitter_target=configuration.jitterBufferTarget,
        bitrate=_bitrate(configuration.bitrate),
        opus=configuration.opus,
        ice_disconnected_after=configuration.iceDisconnectedTimeout,
        ice_failed_after=configuration.iceFailedTimeout,
    )


def _bitrate(bounds: BitrateBounds) -> BitrateBounds:
    """Fill what is not set from the constants that programs patch in aiortc's codec modules."""
    return BitrateBounds(
        min=BITRATE.min if bounds.min is None else bounds.min,
        start=BITRATE.start if bounds.start is None else bounds.start,
        max=BITRATE.max if bounds.max is None else bounds.max,
    )


def _ice_server(server: RTCIceServer) -> IceServer:
    urls = tuple(server.urls) if isinstance(server.urls, list) else (server.urls,)
    for url in urls:
        _check_url(url, server)
    return IceServer(urls=urls, username=server.username, credential=server.credential)


def _check_url(url: str, server: RTCIceServer) -> None:
    match = _STUN.fullmatch(url) or _TURN.fullmatch(url)
    if match is None:
        raise ValueError(
            f"RTCIceServer: malformed uri {url!r}: use stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:"
        )
    if match["port"] is not None and not 0 < int(match["port"]) < 65536:
        raise ValueError(f"RTCIceServer: port of {url!r} is not in 1-65535")
    if url.startswith("turn") and (server.username is None or server.credential is None):
        raise ValueError(f"RTCIceServer: {url!r} needs a username and a credential")


def _check_ranges(configuration: RTCConfiguration) -> None:
    ports = configuration.portRange
    if ports is not None and not 0 < ports[0] <= ports[1] < 65536:
        raise ValueError(f"RTCConfiguration: portRange {ports} is not an ascending pair within 1-65535")
    if configuration.mtu is not None and not 576 <= configuration.mtu <= 9000:
        raise ValueError(f"RTCConfiguration: mtu {configuration.mtu} is not in 576-9000 bytes")
    if not 0 <= configuration.jitterBufferTarget <= 4:
        raise ValueError(f"RTCConfiguration: jitterBufferTarget {configuration.jitterBufferTarget} is not in 0-4 s")
    if not 0.5 <= configuration.iceDisconnectedTimeout <= configuration.iceFailedTimeout:
        raise ValueError(
            f"RTCConfiguration: iceDisconnectedTimeout {configuration.iceDisconnectedTimeout} must be at least 0.5 s, "
            f"which is how often connectivity is checked, and not above iceFailedTimeout"
        )
    _check_bitrate(configuration.bitrate)
    _check_opus(configuration.opus)


def _check_bitrate(bounds: BitrateBounds) -> None:
    given = [value for value in (bounds.min, bounds.start, bounds.max) if value is not None]
    if any(value <= 0 for value in given) or given != sorted(given):
        raise ValueError(f"RTCConfiguration: bitrate {bounds} must have 0 < min <= start <= max bits per second")


def _check_opus(opus: OpusParameters) -> None:
    if opus.bitrate is not None and not 6000 <= opus.bitrate <= 510000:
        raise ValueError(f"RTCConfiguration: opus.bitrate {opus.bitrate} is not in 6000-510000 bits per second")
    if opus.ptime not in (None, 10, 20, 40, 60):
        raise ValueError(f"RTCConfiguration: opus.ptime {opus.ptime} is not 10, 20, 40 or 60 ms")
