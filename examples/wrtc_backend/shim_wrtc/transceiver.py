"""A transceiver of wrtc behind the seam."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final

import webrtc

from shim.spi import engines as e
from shim.spi import events as ev
from shim.spi.errors import NotSupportedError
from shim_wrtc.errors import translated
from shim_wrtc.media import incoming, pump
from shim_wrtc.values import native_codec, native_encoding, rtp_source, send_parameters
from shim_wrtc.watching import watch

logger = logging.getLogger(__name__)

SENDING: Final = frozenset({"sendrecv", "sendonly"})
QUEUED: Final = {"audio": 50, "video": 8}
"""Blocks of 10 ms, or pictures, that may wait for the event loop."""
Tasks = set["asyncio.Task[None]"]


class WrtcTransceiver:
    """One transceiver. What it sends always comes from one generator, whichever track of the application feeds it.

    :param generator: the native track that is sent.
    :param tasks: tasks of the connection; whoever closes it ends them.
    """

    def __init__(
        self,
        native: webrtc.RTCRtpTransceiver,
        kind: e.Kind,
        generator: webrtc.MediaStreamTrackGenerator,
        sink: e.EventSink,
        tasks: Tasks,
    ) -> None:
        self.native = native
        self.kind: e.Kind = kind
        self.generator = generator
        self.track_id = generator.id
        self._sink = sink
        self._tasks = tasks
        self._source: e.MediaSource | None = None
        self._media_sink: e.MediaSink | None = None
        self._writer: webrtc.WritableStreamDefaultWriter | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._sending = False
        self._jitter_target: float | None = None
        self._wanted: tuple[e.Encoding, ...] | None = None
        self._dtmf: webrtc.RTCDTMFSender | None = None

    def set_direction(self, direction: e.Direction) -> None:
        """Set what the next offer or answer asks for."""
        with translated("RTCRtpTransceiver.direction"):
            self.native.direction = direction

    def stop(self) -> None:
        """Stop sending and receiving for good; the next negotiation rejects the section."""
        with translated("RTCRtpTransceiver.stop"):
            self.native.stop()
        self.end()

    def set_codec_preferences(self, codecs: Sequence[e.Codec]) -> None:
        """Restrict and order what is negotiated next."""
        with translated("RTCRtpTransceiver.setCodecPreferences"):
            self.native.set_codec_preferences([native_codec(codec) for codec in codecs])

    def replace_source(self, source: e.MediaSource | None) -> None:
        """Send another track from now on, or nothing. Descriptions name the first one."""
        if source is not None and self.track_id == self.generator.id:
            self.track_id = source.id
        self._source = source
        self._restart()

    def get_parameters(self) -> e.SendParameters:
        """Return the sender's parameters; those that are on their way count."""
        found = send_parameters(self.native.sender.get_parameters())
        return found if self._wanted is None else replace(found, encodings=self._wanted)

    def set_parameters(self, parameters: e.SendParameters) -> None:
        """Apply encodings. wrtc does this in the background."""
        is_running, self._wanted = self._wanted is not None, parameters.encodings
        if not is_running:
            self._spawn(self._apply())

    def attach(self, sink: e.MediaSink) -> None:
        """Deliver what is received to `sink` from now on."""
        self._media_sink = sink
        self._spawn(_receive(weakref.ref(self), self.kind, self.native.receiver))

    def set_jitter_target(self, seconds: float | None) -> None:
        """Ask for a receive delay; `None` for the configured one."""
        wished = self._jitter_target if seconds is None else seconds
        with translated("RTCRtpReceiver.jitterBufferTarget"):
            self.native.receiver.jitter_buffer_target = None if wished is None else wished * 1000

    def set_sender_transform(self, transform: e.FrameTransform | None) -> None:
        """Not declared, so that the SDK never calls it."""
        raise NotSupportedError("wrtc: encoded frames are out of reach", backend="wrtc")

    def set_receiver_transform(self, transform: e.FrameTransform | None) -> None:
        """Not declared, so that the SDK never calls it."""
        raise NotSupportedError("wrtc: encoded frames are out of reach", backend="wrtc")

    def sources(self) -> tuple[e.RtpSource, ...]:
        """Return SSRCs and CSRCs heard in the last ten seconds."""
        receiver = self.native.receiver
        found = (*receiver.get_synchronization_sources(), *receiver.get_contributing_sources())
        return tuple(rtp_source(source) for source in found)

    def can_insert_dtmf(self) -> bool:
        """Tell whether tones can be sent now."""
        dtmf = self.native.sender.dtmf
        return dtmf is not None and dtmf.can_insert_dtmf

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        """Replace the tone buffer."""
        dtmf = self.native.sender.dtmf
        with translated("RTCDTMFSender.insertDTMF"):
            if dtmf is None:
                raise webrtc.InvalidStateError("only audio has tones")
            if self._dtmf is None:
                self._dtmf = dtmf
                watch(dtmf, "tonechange", self._on_tone)
            dtmf.insert_dtmf(tones, round(duration * 1000), round(gap * 1000))

    # --- what the engine calls -------------------------------------------------------------------------------

    def configure_jitter(self, seconds: float) -> None:
        """Set the delay that holds until the application asks for another one; 0 leaves it to libwebrtc."""
        self._jitter_target = seconds or None
        if seconds:
            self.set_jitter_target(None)

    def update(self, connected: bool) -> None:
        """Take over what was negotiated: send when that is wanted and possible."""
        sending = connected and self.native.current_direction in SENDING
        if sending != self._sending:
            self._sending = sending
            self._restart()

    def end(self) -> None:
        """Stop what is sent, and end what is received."""
        source, self._source = self._source, None
        self._restart()
        if source is not None:
            source.stop()
        self.end_receiving()

    def end_receiving(self) -> None:
        """Say that no frame will follow."""
        sink, self._media_sink = self._media_sink, None
        if sink is not None:
            sink.end()

    def deliver(self, frame: Any) -> None:  # noqa: ANN401 - of either kind
        """Hand over one frame."""
        if self._media_sink is not None:
            self._media_sink.put(frame)

    # --- inside ----------------------------------------------------------------------------------------------

    def _restart(self) -> None:
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None
        if self._sending and self._source is not None:
            self._writer = self._writer or self.generator.writable.get_writer()
            self._pumping = self._spawn(pump(self._source, self._writer))

    async def _apply(self) -> None:
        while (encodings := self._wanted) is not None:
            parameters = self.native.sender.get_parameters()
            parameters.encodings = [native_encoding(encoding) for encoding in encodings]
            try:
                await self.native.sender.set_parameters(parameters)
            except (webrtc.RTCException, TypeError, ValueError) as exc:
                logger.warning("RTCRtpSender.setParameters: %s (backend wrtc)", exc)
            if self._wanted is encodings:
                self._wanted = None

    def _on_tone(self, event: Any) -> None:  # noqa: ANN401
        self._sink.post(ev.ToneChanged(self, event.tone))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _receive(transceiver: weakref.ref[WrtcTransceiver], kind: e.Kind, receiver: webrtc.RTCRtpReceiver) -> None:
    """Read a remote track to its end. Holds nothing of the application's while it waits."""
    converter = incoming(kind)
    processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(receiver.track, QUEUED[kind]))
    # libwebrtc plays silence before the first packet.
    started = kind == "video"
    async for received in processor.readable:
        with received:
            started = started or bool(receiver.get_synchronization_sources())
            frames = tuple(converter.convert(received)) if started else ()
        if (owner := transceiver()) is None:
            return
        for frame in frames:
            owner.deliver(frame)
        del owner
