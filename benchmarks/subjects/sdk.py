"""The SDK on one of its backends: what an application gets."""

from __future__ import annotations

from typing import Any

from benchmarks.metric import UnsupportedError
from benchmarks.subjects.base import Kind
from benchmarks.subjects.peers import Api, ApiPair


class SdkSubject:
    """The SDK on one backend.

    :param name: of the backend.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> str:
        """Load the backend with its libraries; return its version."""
        from shim._core.registry import get_registry
        from shim.spi.errors import ShimError

        registry = get_registry()
        try:
            info, probe = registry.info(self.name), registry.probe(self.name)
        except ShimError as exc:
            raise UnsupportedError(str(exc)) from exc
        if not probe.available:
            raise UnsupportedError(probe.reason)
        return f"{info.version} ({info.engine})"

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> ApiPair:
        """Create two peers."""
        from shim import (
            BitrateBounds,
            MediaStreamError,
            MediaStreamTrack,
            RTCConfiguration,
            RTCPeerConnection,
            RTCSessionDescription,
        )

        bounds = BitrateBounds(start=bitrate, max=bitrate * 2) if bitrate else BitrateBounds()
        configuration = RTCConfiguration(bitrate=bounds, mtu=mtu if self._can_be_told_sizes() else None)
        return ApiPair(
            Api(
                connect=lambda: RTCPeerConnection(configuration, backend=self.name),
                track_base=MediaStreamTrack,
                track_error=MediaStreamError,
                codecs=self._codecs,
                description=RTCSessionDescription,
            )
        )

    def _can_be_told_sizes(self) -> bool:
        from shim._core.registry import get_registry
        from shim.spi.capabilities import Capability

        return Capability.MTU in get_registry().info(self.name).capabilities

    def _codecs(self, kind: Kind) -> list[Any]:
        from shim import RTCRtpSender, use_backend

        with use_backend(self.name):
            return list(RTCRtpSender.getCapabilities(kind).codecs)
