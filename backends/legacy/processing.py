"""Cleans the sound of a microphone with libwebrtc's audio processing."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final

from backends.legacy import ffi
from shim.spi.engines import ProcessorStats

if TYPE_CHECKING:
    from av import AudioFrame

    from shim.spi.engines import ProcessorSettings

LEVELS: Final = ("off", "low", "moderate", "high", "very_high")
"""In the order of `rtc_noise`."""


class LegacyAudioProcessor:
    """The processor of :mod:`shim.spi.engines`."""

    def __init__(self, settings: ProcessorSettings) -> None:
        self._library = ffi.load()
        self._channels = settings.channels
        options = self._library.ffi.new("rtc_processor_options *")
        options.rate, options.channels = settings.rate, settings.channels
        options.echo_cancellation = settings.echo_cancellation
        options.noise_suppression = LEVELS.index(settings.noise_suppression)
        options.gain_control, options.high_pass = settings.gain_control, settings.high_pass
        self._handle = self._checked(self._library.lib.rtc_processor_new(options))

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", 0), 0
        if handle > 0:
            self._library.lib.rtc_processor_free(handle)

    def process(self, frame: AudioFrame) -> AudioFrame:
        """See :meth:`shim.spi.engines.AudioProcessor.process`. In place."""
        self._run(frame, reverse=False)
        return frame

    def process_reverse(self, frame: AudioFrame) -> None:
        """See :meth:`shim.spi.engines.AudioProcessor.process_reverse`."""
        self._run(frame, reverse=True)

    def set_delay(self, seconds: float) -> None:
        """See :meth:`shim.spi.engines.AudioProcessor.set_delay`."""
        self._checked(self._library.lib.rtc_processor_set_delay(self._handle, round(seconds * 1000)))

    def stats(self) -> ProcessorStats:
        """See :meth:`shim.spi.engines.AudioProcessor.stats`."""
        found = self._library.ffi.new("rtc_processor_stats *")
        self._checked(self._library.lib.rtc_processor_get_stats(self._handle, found))
        delay = _known(found.delay_ms)
        return ProcessorStats(
            echo_return_loss=_known(found.echo_return_loss),
            echo_return_loss_enhancement=_known(found.echo_return_loss_enhancement),
            echo_delay=None if delay is None else delay / 1000,
        )

    def _run(self, frame: AudioFrame, *, reverse: bool) -> None:
        plane = frame.planes[0]
        size = frame.samples * self._channels * 2
        if plane.buffer_size < size:
            raise ValueError(f"a plane of {plane.buffer_size} bytes is too short for {frame.samples} samples")
        data = self._library.ffi.from_buffer("int16_t[]", plane)
        self._checked(self._library.lib.rtc_processor_run(self._handle, data, size, frame.samples, reverse))

    def _checked(self, result: int) -> int:
        if result < 0:
            raise ValueError(self._library.last_error())
        return result


def _known(value: float) -> float | None:
    return None if isnan(value) else value
