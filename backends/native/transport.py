"""One transport: an ICE transport and the DTLS association over it, shared by the sections of a bundle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from aioice import Candidate
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters

from backends.native.ice import IceTransport
from backends.native.legs import Leg
from backends.native.private import OpenDtlsTransport
from shim.spi.engines import DtlsState, EngineConfig, TransportInfo
from shim.spi.events import CandidateFailed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TransportHooks:
    """Where a transport reports."""

    changed: Callable[[Transport], None]
    connected: Callable[[Transport], None]
    closed_by_remote: Callable[[Transport], None]
    found: Callable[[Transport, Candidate | None, str], None]
    failed: Callable[[CandidateFailed], None]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(eq=False)
class Transport:
    """Runs what a :class:`Leg` asks for."""

    leg: Leg
    config: EngineConfig
    certificate: RTCCertificate
    hooks: TransportHooks
    ice: IceTransport = field(init=False)
    dtls: OpenDtlsTransport = field(init=False)
    _handshake: bool = field(default=False, init=False)
    _closing: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.ice = IceTransport(
            self.leg.local,
            self.config,
            changed=self._ice_changed,
            found=lambda candidate, ufrag: self.hooks.found(self, candidate, ufrag),
            failed=self.hooks.failed,
            spawn=self.hooks.spawn,
        )
        self.dtls = OpenDtlsTransport(self.ice, self.certificate)
        self.dtls.on("statechange", self._dtls_changed)

    @property
    def dtls_state(self) -> DtlsState:
        """W3C RTCDtlsTransport.state."""
        return cast("DtlsState", self.dtls.state)

    def configure(self, leg: Leg) -> None:
        """Take over what descriptions say now. Does no I/O."""
        rolled_back = self.leg.gather and not leg.gather and leg.remote is None
        self.leg = leg
        if rolled_back:
            self.ice.reset(leg.local)
        else:
            self.ice.set_credentials(leg.local)
        self.ice.set_role(leg.controlling)

    def reconfigure(self, config: EngineConfig) -> None:
        """Use another configuration from the next gathering on."""
        self.config = config
        self.ice.reconfigure(config)

    def proceed(self) -> None:
        """Gather, check and shake hands as far as the leg allows."""
        leg = self.leg
        if leg.gather:
            self.ice.gather()
        if leg.connect and leg.remote is not None:
            self.ice.start(leg.remote, lite=leg.lite)

    def _ice_changed(self) -> None:
        if self.ice.state == "completed" and not self._handshake and not self._closing:
            self._handshake = True
            self.hooks.spawn(self._shake_hands())
        self.hooks.changed(self)

    async def _shake_hands(self) -> None:
        self.dtls.role = self.leg.role if self.leg.role != "auto" else "client"
        fingerprints = [RTCDtlsFingerprint(algorithm=a, value=v) for a, v in self.leg.fingerprints]
        await self.dtls.start(RTCDtlsParameters(fingerprints=fingerprints))

    def _dtls_changed(self) -> None:
        if self._closing:
            return
        self.hooks.changed(self)
        if self.dtls.state == "connected":
            self.hooks.connected(self)
        elif self.dtls.state == "closed":
            self.hooks.closed_by_remote(self)

    def describe(self, mids: tuple[str, ...]) -> TransportInfo:
        """Take a snapshot."""
        connection = self.ice.newest
        pair = self.ice.active.selected
        certificate = self.dtls.peer_certificate()
        return TransportInfo(
            mids=mids,
            dtls_state=self.dtls_state,
            ice_state=self.ice.state,
            ice_role="unknown" if self.ice.controlling is None else self.ice.role,
            gathering_state=self.ice.gathering_state,
            local_candidates=tuple(candidate_line(c) for c in connection.local_candidates),
            remote_candidates=tuple(candidate_line(c) for c in connection.remote_candidates),
            selected_local=candidate_line(pair.local_candidate) if pair else None,
            selected_remote=candidate_line(pair.remote_candidate) if pair else None,
            remote_certificates=(certificate,) if certificate else (),
        )

    async def close(self) -> None:
        """Say goodbye to the remote and close every socket."""
        self._closing = True
        try:
            await self.dtls.stop()
        finally:
            await self.ice.close()


def candidate_line(candidate: Candidate) -> str:
    """Spell a candidate as descriptions do (RFC 8839 section 5.1)."""
    return f"candidate:{candidate.to_sdp()}"
