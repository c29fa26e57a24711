"""Encoders of sent audio: any format, layout, rate and frame length in, RTP payloads out."""

from __future__ import annotations

import fractions
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import av
from av import AudioFrame, Packet
from av.audio.fifo import AudioFifo
from av.filter import Graph

from backends.native.encoded import EncodedFrame
from backends.native.loudness import SoundMeter
from backends.native.timeline import Timeline
from shim.spi.engines import OpusParameters

GAP_MIN: Final = 0.04
GAP_MIN_UNTIMED: Final = 1.0
SILENCE_DB: Final = 127
OPUS_DTX_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class _Format:
    codec: str
    rate: int
    clock_rate: int


FORMATS: Final = {
    "audio/opus": _Format("libopus", 48000, 48000),
    "audio/g722": _Format("g722", 16000, 8000),
    "audio/pcmu": _Format("pcm_mulaw", 8000, 8000),
    "audio/pcma": _Format("pcm_alaw", 8000, 8000),
}
OPUS_BITRATE: Final = 96000
OPUS_PTIMES: Final = (10, 20, 40, 60)
OPUS_LOW_DELAY_BITRATE: Final = 48000


def within(opus: OpusParameters, asked: Mapping[str, object]) -> OpusParameters:
    """Return how to send Opus: as the application chose, as far as the remote takes that (RFC 7587 section 6.1).

    :param asked: format parameters of the remote.
    """
    numbers = {name: int(text) for name, text in ((n, str(v)) for n, v in asked.items()) if text.isdecimal()}
    limit, ptime = numbers.get("maxaveragebitrate"), numbers.get("ptime")
    return OpusParameters(
        bitrate=min(max(limit, 6000), opus.bitrate or OPUS_BITRATE) if limit else opus.bitrate,
        stereo=False if numbers.get("stereo") == 0 else opus.stereo,
        fec=False if numbers.get("useinbandfec") == 0 else opus.fec,
        dtx=True if numbers.get("usedtx") and opus.dtx is None else opus.dtx,
        ptime=ptime if ptime in OPUS_PTIMES and opus.ptime is None else opus.ptime,
    )


class SampleFilter:
    """Converts frames to packed 16-bit samples of one rate, without touching the frames it is given.

    :param rate: samples per second of what comes out.
    :param layout: ``"mono"`` or ``"stereo"``.
    """

    def __init__(self, rate: int, layout: str) -> None:
        self._layout = layout
        self._output = f"sample_fmts=s16:sample_rates={rate}:channel_layouts={layout}"
        self._input: tuple[str, str, int] | None = None
        self._graph: Graph | None = None

    def convert(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Yield what is ready, with no `pts`."""
        graph = self._graph_for(frame)
        graph.push(frame)
        while True:
            try:
                output = graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(output, AudioFrame)
            output.pts = None
            yield output

    def _graph_for(self, frame: AudioFrame) -> Graph:
        wanted = frame.format.name, frame.layout.name, frame.sample_rate
        if self._graph is None or wanted != self._input:
            self._input, self._graph = wanted, self._build(frame)
        return self._graph

    def _build(self, frame: AudioFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=fractions.Fraction(1, frame.sample_rate),
        )
        steps = [graph.add("aformat", self._output), graph.add("abuffersink")]
        if (frame.layout.name, self._layout) == ("mono", "stereo"):
            # Both sides as loud as the one there is: of itself, FFmpeg takes 3 dB off each.
            steps.insert(0, graph.add("pan", "stereo|c0=c0|c1=c0"))
        graph.link_nodes(source, *steps).configure()
        return graph


def level_of(frame: AudioFrame) -> int:
    """Return the level of packed 16-bit samples in -dBov (RFC 6464), from every seventh sample."""
    samples = memoryview(frame.planes[0])[: frame.samples * frame.layout.nb_channels * 2].cast("h")[::7].tolist()
    power = sum([s * s for s in samples]) / max(1, len(samples))
    return min(SILENCE_DB, round(-10 * math.log10(power / 0x7FFF**2))) if power >= 1 else SILENCE_DB


class AudioEncoder:
    """Encodes one audio stream. One thread at a time.

    :param mime: lower-case MIME type, a key of :data:`FORMATS`.
    :param opus: how Opus is sent; ignored by other codecs, except for `ptime`.
    :param with_level: work out the audio level of each packet.
    """

    def __init__(self, mime: str, opus: OpusParameters, *, with_level: bool = False) -> None:
        self._format = FORMATS[mime]
        self._opus = opus
        self._with_level = with_level
        self._max_bitrate: int | None = None
        self._timeline = Timeline(self._format.rate)
        self._chunk = self._format.rate * (opus.ptime or 20) // 1000
        self._layout = ""
        self._codec: av.AudioCodecContext | None = None
        self._filter = SampleFilter(self._format.rate, "mono")
        self._fifo = AudioFifo()
        self._head: int | None = None
        self._starts = True
        self._fresh = True
        self.sound = SoundMeter()
        """What came in, as it is encoded."""

    @property
    def clock_rate(self) -> int:
        """Ticks per second of `EncodedFrame.timestamp`."""
        return self._format.clock_rate

    def set_max_bitrate(self, bitrate: int | None) -> None:
        """Limit the bit rate, if the codec has more than one."""
        if bitrate != self._max_bitrate:
            self._max_bitrate, self._codec = bitrate, None

    def restart(self) -> None:
        """Expect frames of another source."""
        self._timeline.restart()

    def reset(self) -> None:
        """Start over, after an error."""
        self._layout = ""

    def encode(self, frame: AudioFrame, now: float) -> list[EncodedFrame]:
        """Take a frame; return the packets that are full.

        :param now: seconds of a monotonic clock.
        :raises av.FFmpegError: the frame cannot be converted.
        """
        self._set_layout(self._layout_for(frame))
        self._place(self._timeline.map(frame.pts, frame.time_base, now))
        converted = list(self._filter.convert(frame))
        if self._fresh:
            self._prime(frame, sum(output.samples for output in converted))
        for output in converted:
            self._fifo.write(output)
        return list(self._chunks())

    def pack(self, packet: Packet[Any], now: float) -> list[EncodedFrame]:
        """Take a packet that is encoded already."""
        tick = self._timeline.map(packet.pts, packet.time_base, now)
        self._head, starts = None, self._take_start()
        return [EncodedFrame([bytes(packet)], self._clock(tick), starts=starts)]

    def _chunks(self) -> Iterator[EncodedFrame]:
        assert self._head is not None
        while self._fifo.samples >= self._chunk:
            chunk = self._fifo.read(self._chunk)
            assert chunk is not None
            self.sound.note(chunk)
            payload = self._encode_chunk(chunk)
            tick, self._head = self._head, self._head + self._chunk
            if len(payload) <= OPUS_DTX_BYTES:
                self._starts = True
                continue
            level = level_of(chunk) if self._with_level else None
            yield EncodedFrame([payload], self._clock(tick), level=level, starts=self._take_start())

    def _encode_chunk(self, chunk: AudioFrame) -> bytes:
        if self._codec is None:
            self._codec = self._create()
        chunk.pts, chunk.time_base = self._head, fractions.Fraction(1, self._format.rate)
        return b"".join(bytes(packet) for packet in self._codec.encode(chunk))

    def _clock(self, tick: int) -> int:
        return tick * self._format.clock_rate // self._format.rate

    def _take_start(self) -> bool:
        starts, self._starts = self._starts, False
        return starts

    def _place(self, tick: int) -> None:
        """Go on without a seam, unless the source left a gap."""
        gap = GAP_MIN_UNTIMED if self._timeline.rebased else GAP_MIN
        if self._head is not None and tick <= self._head + self._fifo.samples + gap * self._format.rate:
            return
        self._head = tick if self._head is None else max(tick, self._head)
        self._fifo = AudioFifo()
        self._starts = self._fresh = True

    def _prime(self, frame: AudioFrame, got: int) -> None:
        """Make up for the few samples that a change of rate holds back, or each packet waits for the next frame."""
        self._fresh = False
        missing = frame.samples * self._format.rate // frame.sample_rate - got
        if frame.sample_rate == self._format.rate or not 0 < missing < self._chunk:
            return
        # One more, because frames need not be a whole number of samples long at the other rate.
        silence = AudioFrame(format="s16", layout=self._layout, samples=missing + 1)
        silence.sample_rate = self._format.rate
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        self._fifo.write(silence)

    def _layout_for(self, frame: AudioFrame) -> str:
        if self._format.codec != "libopus" or self._opus.stereo is False:
            return "mono"
        return "stereo" if self._opus.stereo or frame.layout.nb_channels > 1 else "mono"

    def _set_layout(self, layout: str) -> None:
        if layout == self._layout:
            return
        self._layout, self._codec = layout, None
        self._filter = SampleFilter(self._format.rate, layout)
        self._fifo = AudioFifo()

    def _create(self) -> av.AudioCodecContext:
        codec = cast("av.AudioCodecContext", av.CodecContext.create(self._format.codec, "w"))
        codec.format = "s16"
        codec.layout = self._layout
        codec.sample_rate = self._format.rate
        codec.time_base = fractions.Fraction(1, self._format.rate)
        if self._format.codec == "libopus":
            self._set_up_opus(codec)
        return codec

    def _set_up_opus(self, codec: av.AudioCodecContext) -> None:
        opus = self._opus
        bitrate = min(opus.bitrate or OPUS_BITRATE, self._max_bitrate or 510000)
        # Speech coding (SILK), which FEC and DTX need, looks 4 ms further ahead than music coding alone.
        low_delay = not opus.fec and not opus.dtx and bitrate >= OPUS_LOW_DELAY_BITRATE
        codec.bit_rate = max(6000, bitrate)
        codec.options = {
            "application": "lowdelay" if low_delay else "voip",
            "frame_duration": str(opus.ptime or 20),
            "fec": str(int(bool(opus.fec))),
            "packet_loss": "10" if opus.fec else "0",
            "dtx": str(int(bool(opus.dtx))),
        }
