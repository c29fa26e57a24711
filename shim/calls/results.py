"""What a call is asked to do, and what it found. Plain data: it crosses from the process of the call to ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shim.calls.measure import Spread

VideoCodec = Literal["VP8", "H264"]


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One call.

    :param send: media file that both sides send.
    :param record: path that the recordings are named after; `None` records nothing.
    :param offerer: backend of the side that makes the offer.
    :param answerer: backend of the other side.
    :param seconds: how long media flows; less if a file too short to start again ends before.
    :param audio: send sound, if the file has it; likewise `video`.
    :param data: measure a data channel.
    :param stamp: draw a frame number into each picture that is sent.
    """

    send: str
    record: str | None
    offerer: str
    answerer: str
    seconds: float
    video_codec: VideoCodec = "VP8"
    audio: bool = True
    video: bool = True
    data: bool = True
    stamp: bool = True


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What became of the sound or the pictures of one direction. Times in milliseconds.

    :param sent: frames handed to the sender while the call was measured; sound in frames of 20 ms.
    :param received: how many of them were found on the other side; parts of frames of sound are summed up.
    :param first_ms: from the first frame handed over to the first sent one that came out.
    :param latency_ms: from handed over to come out.
    :param quality: median PSNR of luma in dB; of sound the median correlation, 0 to 1.
    :param size: of the last picture received, e.g. ``"640x480"``; empty for sound.
    :param found: whether something was recognised as what was sent.
    """

    sent: int
    received: int
    first_ms: float | None
    latency_ms: Spread | None
    quality: float | None
    size: str
    found: bool

    @property
    def dropped(self) -> int:
        """How many did not arrive."""
        return self.sent - self.received


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a data channel did in one direction.

    :param round_trip_ms: of messages of 64 bytes.
    :param throughput: millions of bytes per second, of messages of 16 KiB.
    """

    round_trip_ms: Spread
    throughput: float


@dataclass(frozen=True, slots=True)
class DirectionReport:
    """One direction of a call.

    :param sender: backend that sent.
    :param receiver: backend that received.
    :param setup_ms: from createOffer until the receiving side was connected.
    :param audio: `None` if it was not asked for; likewise `video` and `data`.
    :param recording: path of what was received.
    :param unrecorded: pictures that the recording lacks because the machine was too slow.
    :param missing: what was asked for and did not arrive.
    """

    name: Literal["offerer-to-answerer", "answerer-to-offerer"]
    sender: str
    receiver: str
    setup_ms: float
    audio: MediaReport | None
    video: MediaReport | None
    data: DataReport | None
    recording: str | None
    unrecorded: int
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for arrived."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class CallReport:
    """A call that took place, or why it did not.

    :param seconds: how long media flowed.
    :param cpu_per_second: processor seconds per second, of both sides together with reading the file.
    :param rss_mib: memory of the process while media flowed, in MiB.
    :param rss_before_mib: the same before the connections were made.
    :param notes: what went wrong without ending the call.
    :param error: why the call ended early, or ended badly; empty if it did not.
    """

    offerer: str
    answerer: str
    seconds: float = 0.0
    directions: tuple[DirectionReport, ...] = ()
    cpu_per_second: float | None = None
    rss_mib: float | None = None
    rss_before_mib: float | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything flowed both ways."""
        return not self.error and bool(self.directions) and all(direction.ok for direction in self.directions)
