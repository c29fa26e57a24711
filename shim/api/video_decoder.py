"""Decoding of pictures without a connection. See docs/media.md."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

from shim.api.component import asking_for, serving
from shim.api.video_bitstream import begins_anew
from shim.api.video_codec import checked_codec, checked_hardware, closed
from shim.spi.capabilities import Component
from shim.spi.engines import EncodedVideo
from shim.spi.errors import InvalidMediaError, OperationError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet

    from shim.spi.engines import CodecImplementation
    from shim.spi.engines import VideoDecoder as Engine
    from shim.spi.records import Decision

logger = logging.getLogger(__name__)

COUNTED: Final = Fraction(1, 30)
"""The time base of what comes without a time."""


class VideoDecoder:
    """Decodes one stream of pictures, also a damaged one.

    It waits for a key frame at first, and after damage: until it comes other pictures are dropped. Close it, or use
    it as a context manager. One thread at a time. Modelled on WebCodecs section 4, without its queue.

    :param codec: ``"VP8"``, ``"VP9"``, ``"H264"``, ``"H265"`` or ``"AV1"``, in any case; see `video_codecs()`.
    :param hardware: ``"never"``, ``"prefer"`` or ``"require"`` a decoder in hardware.
    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises InvalidMediaError: there is no such codec.
    :raises CapabilityError: the backend does not have the codec or the required hardware.
    :raises BackendUnavailableError: no backend that decodes can run here.
    """

    def __init__(self, codec: str, *, hardware: str = "never", backend: str | None = None) -> None:
        from shim._core.dispatch import get_dispatcher

        with asking_for(Component.VIDEO_DECODE):
            self._codec = checked_codec(codec, "VideoDecoder")
            wish = checked_hardware(hardware, "VideoDecoder")
        self.on_key_frame_needed: Callable[[], object] | None = None
        """Called without arguments when a key frame is to be asked of the sender; once until one has come."""
        self._engine: Engine | None
        self._engine, self._decision = get_dispatcher().create(
            Component.VIDEO_DECODE,
            lambda hooks: hooks.shim_create_video_decoder(codec=self._codec, hardware=wish),
            backend=backend,
        )
        self._waiting = True
        self._asked = False
        self._count = 0

    @property
    def backendDecision(self) -> Decision:
        """Which backend decodes, and why."""
        return self._decision

    @property
    def implementation(self) -> CodecImplementation:
        """What decodes, and why that.

        :raises InvalidStateError: the decoder is closed.
        """
        with serving(self._decision, "VideoDecoder.implementation"):
            return self._running("implementation").implementation

    @property
    def needs_key_frame(self) -> bool:
        """Nothing can be decoded before the next key frame: so it is at first, and after damage."""
        return self._waiting

    def decode(self, chunk: EncodedVideo | Packet[Any] | bytes) -> list[VideoFrame]:
        """Decode one picture; returns what is ready, as a rule this picture.

        A damaged bitstream raises nothing: it gives no picture, and `needs_key_frame` is true.

        Pictures have the format of the bitstream: mostly ``yuv420p``, but others' streams may give ``yuv422p``,
        ``yuv444p`` or ``yuv420p10le``, and native tells full range in H264 and H265 as ``yuvj420p``, ``yuvj422p`` or
        ``yuvj444p``. `VideoConverter` reads these; what is rarer has FFmpeg's name.

        :param chunk: of an encoder; or a packet or bytes, whose bitstream tells whether it is a key frame. What has no
            time gets that of a picture counted at 30 in a second.
        :raises InvalidMediaError: it is none of these.
        :raises InvalidStateError: the decoder is closed.
        """
        engine = self._running("decode")
        with serving(self._decision, "VideoDecoder.decode"):
            picture = self._picture(chunk)
        if not picture.data or (self._waiting and not picture.key_frame):
            return self._lost(f"{'an empty' if not picture.data else 'a delta'} picture cannot be decoded")
        with serving(self._decision, "VideoDecoder.decode"):
            try:
                frames = engine.decode(picture.data, picture.pts, picture.time_base, key_frame=picture.key_frame)
            except OperationError as exc:
                return self._lost(str(exc))
        if picture.key_frame:
            self._waiting = self._asked = False
        return frames

    def flush(self) -> list[VideoFrame]:
        """Return what is still held. The next picture must be a key frame.

        :raises OperationError: what is held is damaged; it is lost.
        :raises InvalidStateError: the decoder is closed.
        """
        engine = self._running("flush")
        self._waiting, self._asked = True, False
        with serving(self._decision, "VideoDecoder.flush"):
            return engine.flush()

    def close(self) -> None:
        """Free everything. May be called more than once."""
        engine, self._engine = self._engine, None
        if engine is not None:
            with serving(self._decision, "VideoDecoder.close"):
                engine.close()

    def _picture(self, chunk: EncodedVideo | Packet[Any] | bytes) -> EncodedVideo:
        count, self._count = self._count, self._count + 1
        if isinstance(chunk, EncodedVideo):
            return chunk
        try:
            data = bytes(memoryview(chunk))
        except TypeError as exc:
            raise InvalidMediaError(
                f"VideoDecoder.decode: {type(chunk).__name__} is no EncodedVideo, av.Packet or bytes"
            ) from exc
        pts, time_base = getattr(chunk, "pts", None), getattr(chunk, "time_base", None)
        if pts is None or not time_base:
            pts, time_base = count, COUNTED
        return EncodedVideo(data, pts, time_base, begins_anew(data, self._codec), 0, 0)

    def _lost(self, reason: str) -> list[VideoFrame]:
        self._waiting = True
        if not self._asked:
            self._asked = True
            logger.info("VideoDecoder: a key frame is needed: %s", reason)
            if self.on_key_frame_needed is not None:
                self.on_key_frame_needed()
        return []

    def _running(self, call: str) -> Engine:
        if self._engine is None:
            raise closed(f"VideoDecoder.{call}", self._decision)
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
