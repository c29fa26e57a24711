"""Packets of an application's own that are not sent as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import MediaSourceProxy

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.packet import Packet

TOPIC: Final = Topic("encoded-send", "test_encoded_send.py")


class _Forger(MediaSourceProxy):
    """Changes packets; frames stay what they are."""

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        from av.packet import Packet

        given = await super().recv()
        return self.forged(given) if isinstance(given, Packet) else given

    def forged(self, packet: Packet[Any]) -> Packet[Any]:
        return packet


def _with(packet: Packet[Any], data: bytes) -> Packet[Any]:
    from av.packet import Packet

    copy: Packet[Any] = Packet(data)
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
    return copy


@TOPIC.proxy
class EncodedPacketsDamaged(_Forger):
    """Turn bits of each packet over, from its middle on."""

    def forged(self, packet: Packet[Any]) -> Packet[Any]:
        data = bytes(packet)
        middle = len(data) // 2
        return _with(packet, data[:middle] + bytes(byte ^ 0xFF for byte in data[middle:]))


@TOPIC.proxy
class EncodedPacketsOnce(_Forger):
    """Send the first packet again and again."""

    _first: bytes | None = None

    def forged(self, packet: Packet[Any]) -> Packet[Any]:
        self._first = self._first or bytes(packet)
        return _with(packet, self._first)


@TOPIC.proxy
class EncodedPacketsTooSlow(_Forger):
    """Let the time of packets run at half speed."""

    def forged(self, packet: Packet[Any]) -> Packet[Any]:
        copy = _with(packet, bytes(packet))
        copy.time_base = copy.time_base / 2
        return copy


@TOPIC.proxy
class EncodedPacketsSkipped(_Forger):
    """Leave out every other packet."""

    async def recv(self) -> AudioFrame | VideoFrame | Packet[Any]:
        await super().recv()
        return await super().recv()
