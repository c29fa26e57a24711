"""One connection brought into a signaling state, with what local and remote could say next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.asserts import local_of
from conformance.media import media_track
from conformance.reference import Kind, Side, State

if TYPE_CHECKING:
    from conformance.targets import Peers, Target
    from shim import RTCPeerConnection, RTCSessionDescription


def described(kind: Kind, sdp: str) -> RTCSessionDescription:
    """Return a description of a type."""
    from shim import RTCSessionDescription

    return RTCSessionDescription(sdp=sdp, type=kind)


def trickling(peers: Peers, target: Target) -> RTCPeerConnection:
    """Open a connection that does not wait for candidates."""
    from shim import RTCConfiguration

    return peers.open(target, RTCConfiguration(trickle=True))


class Scene:
    """A connection under test and a partner that offers and answers.

    :param sends: whether each of them sends sound, too.
    :param pc: the connection under test; it has a data channel.
    """

    def __init__(self, peers: Peers, target: Target, *, sends: bool = False) -> None:
        self._peers = peers
        self._target = target
        self._sends = sends
        self.pc = self._open()
        self._partner = self._open()
        self._answer: str | None = None

    async def bring_to(self, state: State) -> None:
        """Negotiate until the connection is in this state."""
        if state in {"have-local-offer", "have-remote-pranswer"}:
            await self.apply("local", "offer")
        if state in {"have-remote-offer", "have-local-pranswer"}:
            await self.apply("remote", "offer")
        if state == "have-local-pranswer":
            await self.apply("local", "pranswer")
        if state == "have-remote-pranswer":
            await self.apply("remote", "pranswer")
        if state == "closed":
            await self.pc.close()
        assert self.pc.signalingState == state

    async def apply(self, side: Side, kind: Kind) -> None:
        """Make a fitting description and set it."""
        await self.set(side, await self.description(side, kind))

    async def set(self, side: Side, description: RTCSessionDescription) -> None:
        """Set a description on the connection under test."""
        if side == "local":
            await self.pc.setLocalDescription(description)
        else:
            await self.pc.setRemoteDescription(description)

    async def description(self, side: Side, kind: Kind) -> RTCSessionDescription:
        """Return a description that is correct in itself, and fits if one of this type can fit now."""
        if kind == "rollback":
            return described(kind, "")
        if kind == "offer":
            if side == "local" and self.pc.signalingState != "closed":
                return await self.pc.createOffer()
            offer = await self._partner.createOffer()
            await self._partner.setLocalDescription(offer)
            return offer
        if side == "local" and self.pc.signalingState in {"have-remote-offer", "have-local-pranswer"}:
            return described(kind, (await self.pc.createAnswer()).sdp)
        return described(kind, await self._remote_answer())

    async def _remote_answer(self) -> str:
        """Return the partner's answer to our offer; without one, to somebody's."""
        if self._answer is None:
            offerer = self.pc
            if self.pc.signalingState not in {"have-local-offer", "have-remote-pranswer"}:
                offerer = self._open()
                await offerer.setLocalDescription(await offerer.createOffer())
            answerer = self._open()
            await answerer.setRemoteDescription(local_of(offerer))
            self._answer = (await answerer.createAnswer()).sdp
        return self._answer

    def _open(self) -> RTCPeerConnection:
        pc = trickling(self._peers, self._target)
        pc.createDataChannel("chat")
        if self._sends:
            pc.addTrack(media_track(self._target, "audio"))
        return pc
