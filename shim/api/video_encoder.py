"""Encoding of pictures without a connection. See docs/media.md."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from shim.api.component import asking_for, serving
from shim.api.video_codec import (
    check_bitrate,
    check_framerate,
    check_settings,
    checked_codec,
    checked_hardware,
    closed,
    picture_time,
)
from shim.spi.capabilities import Component
from shim.spi.engines import EncoderSettings
from shim.spi.errors import InvalidMediaError

if TYPE_CHECKING:
    from fractions import Fraction

    from av import VideoFrame

    from shim.spi.engines import CodecImplementation, EncodedVideo
    from shim.spi.engines import VideoEncoder as Engine
    from shim.spi.records import Decision


class VideoEncoder:
    """Encodes one stream of pictures in real time: a picture in gives a picture out, as a rule at once.

    Close it, or use it as a context manager. One thread at a time; it blocks while it encodes. Modelled on WebCodecs
    section 6, without its queue; temporal layers are webrtc-svc's L1T2 and L1T3.

    :param codec: ``"VP8"``, ``"VP9"``, ``"H264"``, ``"H265"`` or ``"AV1"``, in any case; see `video_codecs()`.
    :param width: of the pictures to begin with, 16 to 16384; another size of a picture changes it in flight.
    :param height: likewise.
    :param bitrate: bits per second, 10000 to 2000000000.
    :param framerate: pictures per second, above 0, at most 240.
    :param key_interval: pictures from one key frame to the next; `None`: the first one, and where it is asked for.
    :param temporal_layers: 1 to 3; pictures of the upper ones may be left out of what is decoded.
    :param speed: 0 (best) to 10 (fastest); `None`: by native chosen for size and machine, and raised when it falls
        behind; by legacy what libwebrtc has in calls, which stays.
    :param hardware: ``"never"``, ``"prefer"`` or ``"require"`` an encoder in hardware.
    :param threads: at most, 1 to 256; `None`: what the machine has.
    :param screen: the content is a desktop or slides.
    :param backend: ``"native"``, ``"legacy"``, ...; `None` leaves it to the flags.
    :raises InvalidMediaError: a setting is impossible.
    :raises CapabilityError: the backend does not have the codec, its layers or the required hardware.
    :raises BackendUnavailableError: no backend that encodes can run here.
    """

    def __init__(
        self,
        codec: str,
        width: int,
        height: int,
        *,
        bitrate: int,
        framerate: float = 30,
        key_interval: int | None = None,
        temporal_layers: int = 1,
        speed: int | None = None,
        hardware: str = "never",
        threads: int | None = None,
        screen: bool = False,
        backend: str | None = None,
    ) -> None:
        from shim._core.dispatch import get_dispatcher

        with asking_for(Component.VIDEO_ENCODE):
            settings = EncoderSettings(
                checked_codec(codec, "VideoEncoder"),
                width,
                height,
                bitrate,
                framerate,
                key_interval,
                temporal_layers,
                speed,
                checked_hardware(hardware, "VideoEncoder"),
                threads,
                bool(screen),
            )
            check_settings(settings)
        self._settings = replace(settings, framerate=float(framerate))
        self._engine: Engine | None
        self._engine, self._decision = get_dispatcher().create(
            Component.VIDEO_ENCODE,
            lambda hooks: hooks.shim_create_video_encoder(settings=self._settings),
            backend=backend,
        )
        self._key_frame = False
        self._time: Fraction | None = None

    @property
    def backendDecision(self) -> Decision:
        """Which backend encodes, and why."""
        return self._decision

    @property
    def implementation(self) -> CodecImplementation:
        """What encodes now, how fast it is set, and why that. With native it changes when the encoder steps down.

        :raises InvalidStateError: the encoder is closed.
        """
        with serving(self._decision, "VideoEncoder.implementation"):
            return self._running("implementation").implementation

    def encode(self, frame: VideoFrame, *, key_frame: bool = False) -> list[EncodedVideo]:
        """Encode a picture; returns what is ready: as a rule this picture, sometimes none or earlier ones.

        The frame is not changed. An odd side may lose a row or column, and the smallest pictures may grow, where the
        codec wants it: `EncodedVideo` tells the size.

        :param frame: any size of 16 to 16384, any format that `VideoConverter` reads; its time is after the last one's.
        :param key_frame: make it one.
        :raises InvalidMediaError: the frame is impossible, or not later than the one before.
        :raises CapabilityError: the codec has no pictures of this size. The next one of another is a key frame.
        :raises OperationError: the encoder failed at this picture. The next one is a key frame.
        :raises InvalidStateError: the encoder is closed.
        """
        engine = self._running("encode")
        with serving(self._decision, "VideoEncoder.encode"):
            time = picture_time(frame)
            if self._time is not None and time <= self._time:
                raise InvalidMediaError(
                    f"VideoEncoder.encode: the time {float(time)} s is not after {float(self._time)} s of the picture "
                    "before. Let pts rise"
                )
            # Taken before, since another thread may ask for the next one meanwhile.
            asked, self._key_frame = self._key_frame, False
            try:
                encoded = engine.encode(frame, key_frame=key_frame or asked)
            except Exception:
                self._key_frame = True
                raise
            self._time = time
            return encoded

    def request_key_frame(self) -> None:
        """Make the next picture a key frame. Any thread."""
        self._key_frame = True

    def set_rates(self, bitrate: int, framerate: float | None = None) -> None:
        """Aim at this from the next picture on.

        :param bitrate: bits per second, as on creation.
        :param framerate: pictures per second; `None`: as before.
        :raises InvalidMediaError: a rate is impossible. Nothing has changed.
        :raises InvalidStateError: the encoder is closed.
        """
        engine = self._running("set_rates")
        wanted = self._settings.framerate if framerate is None else framerate
        with serving(self._decision, "VideoEncoder.set_rates"):
            check_bitrate(bitrate)
            check_framerate(wanted)
            engine.set_rates(bitrate, float(wanted))
        self._settings = replace(self._settings, bitrate=bitrate, framerate=float(wanted))

    def flush(self) -> list[EncodedVideo]:
        """Return what is still held. The next picture is a key frame.

        :raises OperationError: the encoder failed; what it held is lost.
        :raises InvalidStateError: the encoder is closed.
        """
        engine = self._running("flush")
        with serving(self._decision, "VideoEncoder.flush"):
            return engine.flush()

    def close(self) -> None:
        """Free everything. May be called more than once."""
        engine, self._engine = self._engine, None
        if engine is not None:
            with serving(self._decision, "VideoEncoder.close"):
                engine.close()

    def _running(self, call: str) -> Engine:
        if self._engine is None:
            raise closed(f"VideoEncoder.{call}", self._decision)
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
