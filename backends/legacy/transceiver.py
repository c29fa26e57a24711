"""Transceivers of libwebrtc behind the seam, and the table that finds them by handle."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backends.legacy import parameters
from backends.legacy.connection import Connection
from backends.legacy.receiving import Receiver
from backends.legacy.sending import Sender
from backends.legacy.transforming import Transformer
from shim.spi.engines import (
    Codec,
    Direction,
    Encoding,
    FrameTransform,
    Kind,
    MediaSink,
    MediaSource,
    RtpSource,
    SendParameters,
    TransceiverState,
)
from shim.spi.errors import ShimError

logger = logging.getLogger(__name__)

DIRECTIONS: Final = {"sendrecv": 0, "sendonly": 1, "recvonly": 2, "inactive": 3}
SENDING: Final = frozenset({"sendrecv", "sendonly"})
KEEP_DEGRADATION: Final = -1
COMMA_MS: Final = 2000
"""Pause of a comma (webrtc-pc section 7.2)."""


class LegacyTransceiver:
    """One transceiver.

    :param handle: native handle.
    :param sender: its sending half; made anew for a transceiver that the remote caused.
    """

    def __init__(self, connection: Connection, handle: int, kind: Kind, sender: Sender | None = None) -> None:
        self._connection = connection
        self._lib = connection.lib
        self._handle = handle
        self._kind: Kind = kind
        self._sender = sender or Sender(connection, kind, None)
        self._receiver: Receiver | None = None
        self._stopped = False
        self._wanted: tuple[Encoding, ...] = ()
        self.layers_off: frozenset[str] = frozenset()
        """Rids of the layers that the application has turned off."""
        self._sender_transform = Transformer(connection, kind, handle, of_sender=True)
        self._receiver_transform = Transformer(connection, kind, handle, of_sender=False)
        if connection.config.jitter_target > 0:
            self.set_jitter_target(None)

    @property
    def handle(self) -> int:
        """The native handle."""
        return self._handle

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self._kind

    @property
    def is_idle(self) -> bool:
        """Whether there is no track to send."""
        return self._sender.source is None

    def set_direction(self, direction: Direction) -> None:
        """Set what the next offer or answer asks for."""
        self._check(self._lib.rtc_transceiver_set_direction(self._handle, DIRECTIONS[direction]), "direction")

    def stop(self) -> None:
        """Stop sending and receiving for good; the next negotiation rejects the section."""
        self._check(self._lib.rtc_transceiver_stop(self._handle), "stop")
        self.end()

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        """Restrict and order what is negotiated next."""
        lines = parameters.codec_lines(codecs).encode()
        self._check(self._lib.rtc_transceiver_set_codec_preferences(self._handle, lines), "setCodecPreferences")

    def replace_source(self, source: MediaSource | None) -> None:
        """Send another track from now on, or nothing. The native track stays while there is one to send."""
        before = self._sender.source
        self._sender.switch(source)
        if (before is None) == (source is None):
            return
        track_id = self._connection.ffi.NULL if source is None else source.id.encode()
        result = self._lib.rtc_sender_replace_track(self._handle, self._sender.native_source(), track_id)
        if result < 0:
            self._sender.switch(before)
        self._check(result, "replaceTrack")

    def get_parameters(self) -> SendParameters:
        """Return the sender's parameters under a new transaction id."""
        found = self._native_parameters()
        # Until the section is negotiated, libwebrtc has no encoding where W3C wants one.
        return found if found.encodings else replace(found, encodings=self._wanted or (Encoding(),))

    def set_parameters(self, parameters_: SendParameters) -> None:
        """Apply encodings; what comes too early for libwebrtc is applied once the section is negotiated."""
        if self._native_parameters().encodings:
            self._apply(parameters_.encodings)
        else:
            self._wanted = parameters_.encodings
        self.note(parameters_.encodings)

    def _native_parameters(self) -> SendParameters:
        handle = self._check(self._lib.rtc_sender_get_parameters(self._handle), "getParameters")
        return parameters.send_parameters(self._connection.library.take_json(handle))

    def _apply(self, encodings: Sequence[Encoding]) -> None:
        array, kept = parameters.native_encodings(self._connection.library, encodings)
        transaction = self._native_parameters().transaction_id.encode()
        result = self._lib.rtc_sender_set_parameters(self._handle, transaction, array, len(encodings), KEEP_DEGRADATION)
        kept.clear()
        self._check(result, "setParameters")

    def _apply_wanted(self) -> None:
        wanted, self._wanted = self._wanted, ()
        if not wanted:
            return
        try:
            self._apply(wanted)
        except ShimError:
            logger.exception("encodings that were set before the negotiation cannot be applied")

    def note(self, encodings: Sequence[Encoding]) -> None:
        """Keep to what libwebrtc forgets: which layers are off, and the rate of the fastest that is on."""
        self.layers_off = frozenset(encoding.rid for encoding in encodings if encoding.rid and not encoding.active)
        self._limit_framerate(encodings)

    def _limit_framerate(self, encodings: Sequence[Encoding]) -> None:
        rates = [encoding.max_framerate for encoding in encodings if encoding.active]
        limits = [rate for rate in rates if rate is not None]
        self._sender.max_framerate = max(limits) if limits and len(limits) == len(rates) else None

    def attach(self, sink: MediaSink) -> None:
        """Deliver what is received to `sink` from now on."""
        self._receiver = Receiver(self._connection, self._kind, self._handle, sink)

    def set_jitter_target(self, seconds: float | None) -> None:
        """Ask for a receive delay; the configuration's 0 leaves it to libwebrtc."""
        if seconds is None:
            seconds = self._connection.config.jitter_target or -1.0
        self._check(self._lib.rtc_receiver_set_jitter_minimum(self._handle, seconds), "jitterBufferTarget")

    def set_sender_transform(self, transform: FrameTransform | None) -> None:
        """Let encoded frames pass through `transform` before they are packetised."""
        self._sender_transform.use(transform)

    def set_receiver_transform(self, transform: FrameTransform | None) -> None:
        """Let whole frames pass through `transform` before they are decoded."""
        self._receiver_transform.use(transform)

    def sources(self) -> tuple[RtpSource, ...]:
        """Return SSRCs and CSRCs heard in the last ten seconds."""
        handle = self._check(self._lib.rtc_receiver_get_sources(self._handle), "getSynchronizationSources")
        # libwebrtc counts from when the machine started.
        epoch = time.time() - time.monotonic()
        return tuple(
            RtpSource(
                timestamp=epoch + item["timestampMs"] / 1000,
                source=item["source"],
                contributing=item["type"] == "csrc",
                audio_level=item.get("audioLevel"),
            )
            for item in self._connection.library.take_json(handle)
        )

    def can_insert_dtmf(self) -> bool:
        """Tell whether tones can be sent now."""
        return bool(self._lib.rtc_dtmf_can_insert(self._handle) > 0)

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        """Replace the tone buffer."""
        milliseconds = round(duration * 1000), round(gap * 1000)
        result = self._lib.rtc_dtmf_insert(self._handle, tones.encode(), *milliseconds, COMMA_MS)
        self._check(result, "insertDTMF")

    def update(self, state: TransceiverState, connected: bool) -> None:
        """Take over what was negotiated: send when that is wanted and possible, end when it is over."""
        if state.stopped:
            self.end()
            return
        if state.current_direction in SENDING:
            self._apply_wanted()
        self._sender.set_open(connected and state.current_direction in SENDING and not self._stopped)

    def end(self) -> None:
        """Stop what is sent, and end what is received."""
        if self._stopped:
            return
        self._stopped = True
        self._sender_transform.release()
        self._receiver_transform.release()
        self._sender.end()
        if self._receiver is not None:
            self._receiver.release()

    def _check(self, result: int, what: str) -> int:
        return self._connection.check(result, what)


def add_transceiver(
    connection: Connection,
    kind: Kind,
    direction: Direction,
    source: MediaSource | None,
    stream_ids: Sequence[str],
    encodings: Sequence[Encoding],
    *,
    by_track: bool,
) -> LegacyTransceiver:
    """Create a transceiver of ours.

    :param by_track: as addTrack does. libwebrtc lets a remote offer's section use only such a transceiver, where
        aiortc lets it use any; but addTrack would take an idle one of the same kind instead of making one.
    """
    sender = Sender(connection, kind, source)
    streams = "\n".join(stream_ids).encode()
    try:
        if by_track:
            handle = _add_track(connection, sender, direction, streams)
        else:
            handle = _add(connection, sender, direction, streams, encodings)
    except ShimError:
        sender.switch(None)
        raise
    transceiver = LegacyTransceiver(connection, handle, kind, sender)
    if by_track and encodings:
        transceiver.set_parameters(replace(transceiver.get_parameters(), encodings=tuple(encodings)))
    transceiver.note(encodings)
    return transceiver


def _add(
    connection: Connection, sender: Sender, direction: Direction, streams: bytes, encodings: Sequence[Encoding]
) -> int:
    array, kept = parameters.native_encodings(connection.library, encodings)
    handle = connection.lib.rtc_pc_add_transceiver(
        connection.handle,
        parameters.KINDS[sender.kind],
        DIRECTIONS[direction],
        sender.native_source(),
        _track_id(connection, sender),
        streams,
        array if encodings else connection.ffi.NULL,
        len(encodings),
    )
    kept.clear()
    return connection.check(handle, "RTCPeerConnection.addTransceiver")


def _add_track(connection: Connection, sender: Sender, direction: Direction, streams: bytes) -> int:
    what = "RTCPeerConnection.addTransceiver"
    idle = sender.source is None
    native = sender.make_native_source()
    handle = connection.check(
        connection.lib.rtc_pc_add_track(connection.handle, native, _track_id(connection, sender), streams), what
    )
    if idle:
        connection.check(connection.lib.rtc_sender_replace_track(handle, 0, connection.ffi.NULL), what)
    connection.check(connection.lib.rtc_transceiver_set_direction(handle, DIRECTIONS[direction]), what)
    return handle


def _track_id(connection: Connection, sender: Sender) -> object:
    return connection.ffi.NULL if sender.source is None else sender.source.id.encode()


class TransceiverTable:
    """The transceivers of one connection by native handle."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, LegacyTransceiver] = {}
        self._states: tuple[TransceiverState, ...] = ()
        self.receiving: set[int] = set()
        self.connected = False

    def has_idle(self, kind: Kind) -> bool:
        """Tell whether some transceiver of this kind sends nothing: addTrack would take it."""
        return any(t.kind == kind and t.is_idle for t in self._known.values())

    def add(self, transceiver: LegacyTransceiver) -> LegacyTransceiver:
        """Enter one of ours."""
        self._known[transceiver.handle] = transceiver
        return transceiver

    def lookup(self, handle: int, kind: str) -> LegacyTransceiver:
        """Return the one of this handle; the first time, it was the remote that caused it."""
        known = self._known.get(handle)
        if known is None:
            known = self.add(LegacyTransceiver(self._connection, handle, "audio" if kind == "audio" else "video"))
        return known

    def find(self, handle: int) -> LegacyTransceiver | None:
        """Return the one of this handle, if it is known."""
        return self._known.get(handle)

    def layers_off(self) -> dict[str, frozenset[str]]:
        """Return the layers that the application has turned off, by mid."""
        known = ((state.mid, state.engine) for state in self._states)
        return {mid: t.layers_off for mid, t in known if mid and isinstance(t, LegacyTransceiver) and t.layers_off}

    def connect(self) -> None:
        """Let those send that are negotiated to: the connection is up."""
        self.connected = True
        self._update()

    def take(self, states: tuple[TransceiverState, ...]) -> tuple[TransceiverState, ...]:
        """Take over what was negotiated; returns those that libwebrtc has dropped, as stopped."""
        kept = {state.engine for state in states}
        gone = [t for t in self._known.values() if t not in kept]
        for transceiver in gone:
            transceiver.end()
            del self._known[transceiver.handle]
            self.receiving.discard(transceiver.handle)
        dropped = tuple(_stopped(state) for state in self._states if state.engine in gone)
        self._states = states
        self._update()
        return dropped

    def _update(self) -> None:
        for state in self._states:
            if isinstance(state.engine, LegacyTransceiver):
                state.engine.update(state, self.connected)


def _stopped(state: TransceiverState) -> TransceiverState:
    return TransceiverState(
        engine=state.engine,
        kind=state.kind,
        mid=state.mid,
        mline_index=state.mline_index,
        direction=state.direction,
        current_direction=None,
        stopped=True,
    )
