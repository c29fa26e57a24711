"""The way of encoded frames through a transform of the application, one frame after the other, on the event loop."""

from __future__ import annotations

from typing import Final

from backends.legacy.connection import Connection
from backends.legacy.eventqueue import EventStruct
from backends.legacy.runtime import owners
from shim.spi.engines import EncodedFrameInfo, FrameTransform, Kind

KEY_FRAME: Final = 4


class Transformer:
    """The transform of one sender or receiver. libwebrtc's threads hand frames over and go on.

    :param transceiver: native handle.
    :param of_sender: before packetising; else before decoding.
    """

    def __init__(self, connection: Connection, kind: Kind, transceiver: int, *, of_sender: bool) -> None:
        self._connection = connection
        self._kind: Kind = kind
        self._transceiver = transceiver
        self._of_sender = of_sender
        self._transform: FrameTransform | None = None
        self._mimes: dict[int, str] = {}
        self._owner = next(owners)
        self._handle = 0

    def use(self, transform: FrameTransform | None) -> None:
        """Use another transform from the next frame on; the native one is made when there first is one."""
        if transform is not None and not self._handle:
            self._install()
        elif self._handle:
            result = self._connection.lib.rtc_transform_set_active(self._handle, transform is not None)
            self._connection.check(result, "transform")
        self._transform = transform

    def _install(self) -> None:
        queue = self._connection.queue
        queue.subscribe(self._owner, self)
        new = self._connection.lib.rtc_transform_new
        handle = new(self._transceiver, self._of_sender, queue.handle, self._owner)
        self._handle = self._connection.check(handle, "transform")

    def on_event(self, event: EventStruct) -> None:
        """Transform one frame and send it on its way."""
        ffi, data = self._connection.ffi, None
        try:
            data = self._transformed(event)
        finally:
            buffer = ffi.NULL if data is None else ffi.from_buffer(data)
            if not self._connection.gone:
                size = 0 if data is None else len(data)
                self._connection.lib.rtc_transform_done(self._handle, event.i0, buffer, size)

    def _transformed(self, event: EventStruct) -> bytes | None:
        data = bytes(self._connection.ffi.buffer(event.data, event.len))
        if self._transform is None:
            return data
        key, timestamp, ssrc = bool(event.flags & KEY_FRAME), event.i2, event.i3
        return self._transform(data, EncodedFrameInfo(self._kind, self._mime(event.i1), key, timestamp, ssrc))

    def _mime(self, payload_type: int) -> str:
        """Return the codec of a payload type; negotiations may bring new ones."""
        if payload_type not in self._mimes:
            self._mimes = self._negotiated()
        return self._mimes.get(payload_type, f"{self._kind}/unknown")

    def _negotiated(self) -> dict[int, str]:
        lib = self._connection.lib
        get = lib.rtc_sender_get_parameters if self._of_sender else lib.rtc_receiver_get_parameters
        handle = self._connection.check(get(self._transceiver), "transform")
        found = self._connection.library.take_json(handle)
        return {codec["payloadType"]: codec["mimeType"] for codec in found["codecs"]}

    def release(self) -> None:
        """Take no frame any more. Those that wait are dropped with the connection."""
        self._transform = None
        self._connection.queue.unsubscribe(self._owner)
