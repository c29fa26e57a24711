"""DTMF tones (webrtc-pc section 7)."""

from __future__ import annotations

from typing import Final, Self

from shim.api.emitter import Emitter
from shim.api.guard import EngineGuard
from shim.spi.capabilities import Capability
from shim.spi.engines import TransceiverEngine
from shim.spi.errors import InvalidStateError

_TONES: Final = frozenset("0123456789ABCD#*,")


class RTCDTMFSender(Emitter):
    """Sends tones in place of audio. Event: ``tonechange`` (the tone; empty when all are played)."""

    _engine: TransceiverEngine
    _guard: EngineGuard
    _buffer: str

    @classmethod
    def _of(cls, engine: TransceiverEngine, guard: EngineGuard) -> Self:
        sender = cls()
        sender._engine = engine
        sender._guard = guard
        sender._buffer = ""
        return sender

    @property
    def canInsertDTMF(self) -> bool:
        """Whether tones can be sent now: if they were agreed on, from the moment the connection is connected."""
        return Capability.DTMF in self._guard.capabilities and self._engine.can_insert_dtmf()

    @property
    def toneBuffer(self) -> str:
        """The tones still to be played."""
        return self._buffer

    def insertDTMF(self, tones: str, duration: int = 100, interToneGap: int = 70) -> None:
        """Replace the tones to be played.

        :param tones: of ``0-9 A-D # *``, and ``,`` for a pause of two seconds.
        :param duration: of a tone, 40 to 6000 ms; clamped.
        :param interToneGap: 30 to 6000 ms; clamped.
        :raises InvalidStateError: nothing is being sent.
        :raises ValueError: a character is not a tone.
        """
        self._guard.require(Capability.DTMF, "RTCDTMFSender.insertDTMF")
        wanted = tones.upper()
        if unknown := set(wanted) - _TONES:
            raise ValueError(f"RTCDTMFSender.insertDTMF: {sorted(unknown)} are not tones; use 0-9 A-D # * and ,")
        if not self.canInsertDTMF:
            raise InvalidStateError(
                "RTCDTMFSender.insertDTMF: no audio is being sent; wait until canInsertDTMF",
                backend=self._guard.backend,
                component="peer",
            )
        with self._guard.call("RTCDTMFSender.insertDTMF"):
            self._engine.insert_dtmf(wanted, _clamp(duration, 40) / 1000, _clamp(interToneGap, 30) / 1000)
        self._buffer = wanted

    def _tone(self, tone: str) -> None:
        self._buffer = self._buffer[len(tone) :] if tone else ""
        self.emit("tonechange", tone)


def _clamp(milliseconds: int, least: int) -> int:
    return max(least, min(milliseconds, 6000))
