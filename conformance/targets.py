"""Who is tested: backends, ordered pairs of them, and plain aiortc as a peer that nobody here wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from conformance.requirements import NOT_INSTALLED
from shim._core.registry import get_registry
from shim.spi.capabilities import Component
from shim.spi.errors import BackendUnavailableError, FlagConfigError

if TYPE_CHECKING:
    from shim import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
    from shim.spi.records import BackendInfo

PairChoice = Literal["all", "same", "cross"]
REFERENCE: Final = "aiortc"
"""Name of the peer that is no backend: aiortc itself, used as its own documentation says."""
LIBWEBRTC: Final = "wrtc"
"""Name of another: libwebrtc M152 in PyPI's ``wrtc``, through its own layer with aiortc's API."""
_LIBRARIES: Final = {REFERENCE: "aiortc", LIBWEBRTC: "webrtc.aiortc"}


@dataclass(frozen=True, slots=True)
class Target:
    """One backend under test.

    :param name: as flags spell it.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def info(self) -> BackendInfo:
        """What the backend declares."""
        return get_registry().info(self.name)

    def connection(self, configuration: RTCConfiguration | None = None) -> RTCPeerConnection:
        """Create a connection that this backend serves."""
        from shim import RTCPeerConnection

        return RTCPeerConnection(configuration, backend=self.name)

    def video_codec(self, name: str) -> list[Any]:
        """Return what is sent of a codec, each of its profiles; empty if there is nothing."""
        from shim import RTCRtpSender, use_backend

        with use_backend(self.name):
            return _named(RTCRtpSender.getCapabilities("video").codecs, name)

    def track_base(self, kind: Literal["audio", "video"]) -> type[MediaStreamTrack]:
        """Return the class that a track of an application derives from."""
        from shim import MediaStreamTrack

        return type(f"{kind.title()}Track", (MediaStreamTrack,), {"kind": kind})

    def absence(self) -> str | None:
        """Tell why the backend cannot run on this machine; `None` if it can."""
        try:
            probe = get_registry().probe(self.name)
        except (BackendUnavailableError, FlagConfigError) as exc:
            return str(exc)
        return None if probe.available else f"{probe.reason} {get_registry().how_to_get(self.name)}".strip()


class ReferenceTarget(Target):
    """A library with aiortc's API that is not behind the seam, with none of our code in it: plain aiortc, or wrtc."""

    __slots__ = ()

    @property
    def library(self) -> Any:
        """The module that is used as its own documentation says."""
        return import_module(_LIBRARIES[self.name])

    def connection(self, configuration: RTCConfiguration | None = None) -> RTCPeerConnection:
        """Create the library's own connection; it understands no setting of ours."""
        if configuration is not None:
            raise ValueError("a reference peer takes no configuration")
        library = self.library
        return cast("RTCPeerConnection", library.RTCPeerConnection(library.RTCConfiguration(iceServers=[])))

    def video_codec(self, name: str) -> list[Any]:
        """Return what the library sends of a codec."""
        return _named(self.library.RTCRtpSender.getCapabilities("video").codecs, name)

    def track_base(self, kind: Literal["audio", "video"]) -> type[MediaStreamTrack]:
        """Return the library's class: its senders accept no other."""
        return type(f"{kind.title()}Track", (self.library.MediaStreamTrack,), {"kind": kind})

    @property
    def version(self) -> str:
        """The version of its distribution."""
        return version(self.name)

    def absence(self) -> str | None:
        """Tell that the library is not installed; wrtc has no wheels for some systems."""
        if find_spec(_LIBRARIES[self.name].partition(".")[0]):
            return None
        return f"{self.name} {NOT_INSTALLED}: pip install 'webrtc-shim[conformance]', or pip install {self.name}"


def _named(codecs: Iterable[Any], name: str) -> list[Any]:
    return [codec for codec in codecs if codec.mimeType.lower() == f"video/{name}".lower()]


@dataclass(frozen=True, slots=True)
class Pair:
    """Who offers and who answers."""

    offerer: Target
    answerer: Target

    def __str__(self) -> str:
        return f"{self.offerer}-{self.answerer}"

    @property
    def targets(self) -> tuple[Target, ...]:
        """The backends under test in it, each once."""
        found = dict.fromkeys((self.offerer, self.answerer))
        return tuple(target for target in found if not isinstance(target, ReferenceTarget))


class Peers:
    """The connections of one test; whoever made it closes them at the end.

    :param follow: told of each connection, with a name for it.
    """

    def __init__(self, follow: Callable[[str, RTCPeerConnection], None] | None = None) -> None:
        self._open: list[RTCPeerConnection] = []
        self._follow = follow

    def open(self, target: Target, configuration: RTCConfiguration | None = None) -> RTCPeerConnection:
        """Create a connection and look after it."""
        connection = target.connection(configuration)
        self._open.append(connection)
        if self._follow is not None:
            self._follow(f"{len(self._open)} {target}", connection)
        return connection

    def open_pair(
        self, pair: Pair, configuration: RTCConfiguration | None = None
    ) -> tuple[RTCPeerConnection, RTCPeerConnection]:
        """Create the offerer and the answerer."""
        return self.open(pair.offerer, configuration), self.open(pair.answerer, configuration)

    async def close(self) -> None:
        """Close all of them, at the same time."""
        peers, self._open = self._open, []
        await asyncio.gather(*(peer.close() for peer in peers))


def available() -> list[str]:
    """Return the installed backends that serve peers and can run here."""
    registry = get_registry()
    serving = [name for name in registry.names() if Component.PEER in registry.info(name).components]
    return [name for name in serving if registry.probe(name).available]


def pairs_of(names: Iterable[str], choice: PairChoice) -> list[Pair]:
    """Return the ordered pairs of some backends.

    :param choice: ``"same"`` for both ends alike, ``"cross"`` for two different ones, or ``"all"``.
    """
    targets = [Target(name) for name in names]
    return [
        Pair(offerer, answerer)
        for offerer in targets
        for answerer in targets
        if choice == "all" or (offerer == answerer) == (choice == "same")
    ]


def foreign_pairs_of(names: Collection[str]) -> list[Pair]:
    """Return each backend with each reference peer, in both roles; one that is not installed is skipped later."""
    targets = [Target(name) for name in names]
    return [
        pair
        for target in targets
        for reference in references_for(names)
        for pair in (Pair(target, reference), Pair(reference, target))
    ]


def references_for(names: Collection[str]) -> list[ReferenceTarget]:
    """Return the reference peers of some backends, installed or not: all that are not among them."""
    return [ReferenceTarget(name) for name in _LIBRARIES if name not in names]
