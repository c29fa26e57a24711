"""Cleans the sound of a microphone with livekit's wrapping of libwebrtc's audio processing: the extra ``audio``.

livekit is imported with the first processor. It keeps some threads for the life of the process, and uses no network.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from shim.spi.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from av import AudioFrame

    from shim.spi.engines import ProcessorSettings, ProcessorStats

HOW: Final = "pip install 'webrtc-shim[audio]'"


class NativeAudioProcessor:
    """The processor of :mod:`shim.spi.engines`.

    :raises BackendUnavailableError: livekit is not installed, or cannot be loaded here.
    """

    def __init__(self, settings: ProcessorSettings) -> None:
        self._rtc = _livekit()
        self._rate, self._channels = settings.rate, settings.channels
        self._width = 2 * settings.channels
        self._step = self._width * settings.rate // 100
        self._has_delay = settings.echo_cancellation
        try:
            self._module = self._rtc.AudioProcessingModule(
                echo_cancellation=settings.echo_cancellation,
                noise_suppression=settings.noise_suppression != "off",
                auto_gain_control=settings.gain_control,
                high_pass_filter=settings.high_pass,
            )
        except OSError as exc:  # the shared library is loaded now
            raise _unavailable(exc) from exc

    def process(self, frame: AudioFrame) -> AudioFrame:
        """See :meth:`shim.spi.engines.AudioProcessor.process`. In place."""
        view = memoryview(frame.planes[0])
        for place, block in self._blocks(frame):
            self._module.process_stream(block)
            view[place : place + self._step] = block.data.cast("B")
        return frame

    def process_reverse(self, frame: AudioFrame) -> None:
        """See :meth:`shim.spi.engines.AudioProcessor.process_reverse`."""
        for _, block in self._blocks(frame):
            self._module.process_reverse_stream(block)

    def set_delay(self, seconds: float) -> None:
        """See :meth:`shim.spi.engines.AudioProcessor.set_delay`."""
        if self._has_delay:
            self._module.set_stream_delay_ms(round(seconds * 1000))

    def stats(self) -> ProcessorStats:
        """Tell nothing: livekit does not."""
        from shim.spi.engines import ProcessorStats

        return ProcessorStats()

    def _blocks(self, frame: AudioFrame) -> Iterator[tuple[int, Any]]:
        """Yield copies of blocks of 10 ms, with their places: livekit takes no part of a buffer."""
        view = memoryview(frame.planes[0])
        for place in range(0, frame.samples * self._width, self._step):
            data = bytearray(view[place : place + self._step])
            yield place, self._rtc.AudioFrame(data, self._rate, self._channels, self._rate // 100)


def _livekit() -> ModuleType:
    try:
        return import_module("livekit.rtc")
    except (ImportError, OSError) as exc:
        raise _unavailable(exc) from exc


def _unavailable(exc: Exception) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"backend native: audio processing needs livekit, which cannot be loaded: {exc}. Install it with: {HOW}",
        backend="native",
        component="audio_process",
    )
