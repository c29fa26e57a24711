"""A data channel of wrtc behind the seam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import webrtc

from shim.spi import engines as e
from shim.spi import events as ev
from shim.spi.errors import MessageSizeError
from shim_wrtc.errors import REQUEST, translated
from shim_wrtc.watching import watch

if TYPE_CHECKING:
    from collections.abc import Callable


class WrtcDataChannel:
    """One channel.

    :param announced: the remote made it, so that it is announced and not opened.
    :param forget: called once, when it is closed.
    """

    def __init__(
        self,
        native: webrtc.RTCDataChannel,
        sink: e.EventSink,
        forget: Callable[[WrtcDataChannel], None],
        *,
        announced: bool = False,
    ) -> None:
        self._native = native
        self._sink = sink
        self._forget = forget
        self._announced = announced
        self._closing = self._closed = False
        self._error: str | None = None

    def start(self) -> None:
        """Listen, on the running loop; a channel of the remote is announced first."""
        for name in ("open", "message", "bufferedamountlow", "closing", "close", "error"):
            watch(self._native, name, getattr(self, f"_on_{name}"))
        if self._announced:
            self._sink.post(ev.ChannelAnnounced(self, self._init()))

    @property
    def id(self) -> int | None:
        """Stream id, once known."""
        return self._native.id

    @property
    def buffered_amount(self) -> int:
        """Bytes queued that have not been handed to the network."""
        return self._native.buffered_amount

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        """Post a ChannelBufferedAmountLow whenever the amount falls from above to this or below."""
        self._native.buffered_amount_low_threshold = threshold

    def send(self, data: bytes | str) -> None:
        """Queue one message."""
        try:
            with translated("RTCDataChannel.send", REQUEST):
                self._native.send(data)
        except TypeError as exc:
            raise MessageSizeError(f"RTCDataChannel.send: {exc} (backend wrtc). Split it.", backend="wrtc") from exc

    def close(self) -> None:
        """Start the closing procedure. What was sent before still arrives."""
        self._on_closing()
        self._native.close()

    def _init(self) -> e.DataChannelInit:
        names = ("label", "protocol", "ordered", "max_packet_life_time", "max_retransmits", "negotiated", "id")
        return e.DataChannelInit(**{name: getattr(self._native, name) for name in names})

    def _on_open(self, _: object) -> None:
        if not self._announced:
            self._sink.post(ev.ChannelOpened(self))

    def _on_message(self, event: Any) -> None:  # noqa: ANN401 - what wrtc delivers
        self._sink.post(ev.ChannelMessage(self, event.data))

    def _on_bufferedamountlow(self, _: object) -> None:
        self._sink.post(ev.ChannelBufferedAmountLow(self))

    def _on_error(self, event: Any) -> None:  # noqa: ANN401
        self._error = event.error.message

    def _on_closing(self, _: object = None) -> None:
        if not self._closing:
            self._closing = True
            self._sink.post(ev.ChannelClosing(self))

    def _on_close(self, _: object) -> None:
        self.end()

    def end(self) -> None:
        """Say once that it is closed."""
        if not self._closed:
            self._closed = True
            self._forget(self)
            self._sink.post(ev.ChannelClosed(self, self._error))
