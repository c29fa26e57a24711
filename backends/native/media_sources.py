"""Pulling media from the application's tracks, whatever they do."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from av import AudioFrame, Packet, VideoFrame

from backends.native.decoding import FrameRate
from backends.native.loudness import SoundMeter
from shim.spi.engines import MediaSource
from shim.spi.errors import MediaStreamError

logger = logging.getLogger(__name__)

MediaData: TypeAlias = "AudioFrame | VideoFrame | Packet[Any]"


@dataclass(slots=True)
class SourceFigures:
    """What one source gave so far. Pixels; sound is noted by whoever has it as samples."""

    frames: int = 0
    width: int = 0
    height: int = 0
    rate: FrameRate = field(default_factory=FrameRate)
    sound: SoundMeter = field(default_factory=SoundMeter)

    def note(self, data: MediaData) -> None:
        """Count a picture."""
        if isinstance(data, VideoFrame):
            self.frames += 1
            self.width, self.height = data.width, data.height
            self.rate.note(time.monotonic())

    def members(self) -> dict[str, object]:
        """Return the members of RTCAudioSourceStats or RTCVideoSourceStats; nothing can be told of encoded media."""
        if self.frames:
            rate = self.rate.value(time.monotonic())
            return {"frames": self.frames, "width": self.width, "height": self.height, "framesPerSecond": rate}
        if self.sound.seconds:
            return {"totalAudioEnergy": self.sound.energy, "totalSamplesDuration": self.sound.seconds}
        return {}


class SourceFeed:
    """Pulls whichever source is set; it can be replaced while `recv()` waits, even if that never returns.

    A source that raises is let go: an ended one in silence, another with a warning.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._set = asyncio.Event()
        self._puller: asyncio.Task[Any] | None = None
        self._replaced = False
        self.source: MediaSource | None = None
        self.source_id = str(uuid.uuid4())

    def set(self, source: MediaSource | None) -> None:
        """Pull this source from now on, or none. The one before is not stopped."""
        self.source = source
        if source is not None:
            self.source_id = source.id
            self._set.set()
        if self._puller is not None and not self._replaced:
            self._replaced = True
            self._puller.cancel()

    async def next(self) -> MediaData | None:
        """Return what the source gives, `None` if it was replaced or let go. Waits while there is no source."""
        source = self.source
        if source is None:
            self._set.clear()
            await self._set.wait()
            return None
        self._puller = asyncio.current_task()
        try:
            data = await source.recv()
            # A replaced source may have ignored that it was cancelled.
            return data if not self._replaced or self._puller is None or self._puller.uncancel() > 0 else None
        except asyncio.CancelledError as exc:
            self._on_cancelled(source, exc)
        except Exception as exc:
            self._let_go(source, exc)
        finally:
            self._puller, self._replaced = None, False
        return None

    def end(self) -> None:
        """Stop the source, as its last user."""
        source, self.source = self.source, None
        if source is None:
            return
        try:
            source.stop()
        except Exception:
            logger.warning("a %s track raised while it was stopped", self._kind, exc_info=True)

    def _on_cancelled(self, source: MediaSource, exc: asyncio.CancelledError) -> None:
        assert self._puller is not None
        if not self._puller.cancelling():
            # Something that the source itself waited for was cancelled.
            self._let_go(source, exc)
        elif not self._replaced or self._puller.uncancel() > 0:
            raise exc

    def _let_go(self, source: MediaSource, exc: BaseException) -> None:
        if not isinstance(exc, MediaStreamError):
            logger.warning("a %s track raised and is no longer sent; the connection lives on", self._kind, exc_info=exc)
        if self.source is source:
            self.end()
