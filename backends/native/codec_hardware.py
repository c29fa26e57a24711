"""Encoders and decoders in hardware: what FFmpeg names, what the machine has, and what really works.

Nothing is known before it has been tried: a name in FFmpeg says that it was compiled in, a device that it is there.
Only a picture that comes out says that it works. Not tried on such hardware here: the tests describe machines instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from shim.spi.engines import Hardware, VideoCodec
from shim.spi.errors import CapabilityError

if TYPE_CHECKING:
    from av import Packet

TRIAL_SIDE: Final = 256
"""Pixels: some hardware takes nothing smaller."""
SOFTWARE: Final = "software, as asked for"
LIBRARY_FOLDERS: Final = ("lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "lib/*-linux-*", "usr/lib/*-linux-*")
"""Of Linux, under the root."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to look for hardware on. The tests describe others.

    :param system: as `sys.platform`.
    :param encoders: names of FFmpeg's.
    :param decoders: likewise.
    :param has_path: whether a file matches a pattern under the root.
    :param has_library: whether a shared library of this name can be found.
    :param devices: kinds of devices that FFmpeg's own decoders can work on.
    """

    system: str
    encoders: frozenset[str]
    decoders: frozenset[str]
    has_path: Callable[[str], bool]
    has_library: Callable[[str], bool]
    devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to hardware.

    :param suffix: of the names of its encoders.
    :param reader: of the names of its decoders; empty if FFmpeg has none of their own, but works on the device.
    :param systems: where it exists, as `sys.platform` begins.
    :param paths: patterns of device files, of which one must be there.
    :param libraries: of the driver, of which one must be there.
    :param options: that make the encoder a real-time one.
    :param pixels: what the encoder reads.
    """

    title: str
    suffix: str
    reader: str
    systems: tuple[str, ...]
    paths: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"

    def candidate(self, stem: str, *, decoder: bool) -> Found:
        """Return what is to be tried."""
        if not decoder:
            return Found(f"{stem}_{self.suffix}", "", self.options, self.pixels)
        return Found(f"{stem}_{self.reader}", "") if self.reader else Found(stem, "", device=self.suffix)

    def lacks(self, machine: Machine) -> str:
        """Return what the machine does not have, empty if all is there."""
        if not machine.system.startswith(self.systems):
            return f"not on {machine.system}"
        if self.paths and not any(machine.has_path(pattern) for pattern in self.paths):
            return f"no {' or '.join(self.paths)}"
        if self.libraries and not any(machine.has_library(name) for name in self.libraries):
            return f"no library {' or '.join(self.libraries)}"
        return ""


KINDS: Final = (
    Kind(
        *("NVENC", "nvenc", "cuvid", ("linux", "win32")),
        libraries=("nvidia-encode", "nvEncodeAPI64", "nvcuvid"),
        options={"preset": "p2", "tune": "ull", "rc": "cbr", "zerolatency": "1", "delay": "0", "forced-idr": "1"},
    ),
    Kind(
        *("VideoToolbox", "videotoolbox", "", ("darwin", "ios")),
        options={"realtime": "1", "prio_speed": "1", "allow_sw": "0"},
    ),
    Kind("MediaCodec", "mediacodec", "mediacodec", ("android",), options={"bitrate_mode": "cbr"}),
    Kind(
        *("AMF", "amf", "amf", ("linux", "win32")),
        libraries=("amfrt64",),
        options={"usage": "ultralowlatency", "rc": "cbr", "forced_idr": "1"},
        pixels="nv12",
    ),
    Kind(
        *("QSV", "qsv", "qsv", ("linux", "win32")),
        libraries=("mfx-gen", "mfxhw64", "libmfx-gen", "libmfxhw64"),
        options={"async_depth": "1", "preset": "veryfast", "forced_idr": "1"},
        pixels="nv12",
    ),
    Kind("VAAPI", "vaapi", "", ("linux",), ("dev/dri/renderD*",), options={"async_depth": "1", "rc_mode": "CBR"}),
    Kind("V4L2", "v4l2m2m", "v4l2m2m", ("linux",), ("dev/video1?",)),
)
"""Best first."""
_STEMS: Final[dict[VideoCodec, str]] = {"VP8": "vp8", "VP9": "vp9", "H264": "h264", "H265": "hevc", "AV1": "av1"}


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search.

    :param name: FFmpeg's, empty for software.
    :param reason: why, one line.
    :param options: for it.
    :param pixels: what it reads.
    :param device: that a decoder of FFmpeg's own works on, as FFmpeg names it.
    """

    name: str
    reason: str
    options: Mapping[str, str] = field(default_factory=dict)
    pixels: str = "yuv420p"
    device: str = ""


Trial = Callable[[Found], None]
"""Makes one picture with a codec; raises if it does not work."""


def this_machine() -> Machine:
    """Return what is here."""
    root = Path(sys.executable).anchor or "/"
    return Machine(
        sys.platform,
        _names("w"),
        _names("r"),
        lambda pattern: any(Path(root).glob(pattern)),
        lambda name: any(any(folder.glob(_file_of(name))) for folder in library_folders(Path(root), os.environ)),
        frozenset(hwdevices_available()),
    )


def library_folders(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Return where the system's loader looks for libraries.

    :param root: of the file system.
    """
    named = environment.get("PATH" if sys.platform == "win32" else "LD_LIBRARY_PATH", "")
    yield from (Path(folder) for folder in named.split(os.pathsep) if folder)
    for pattern in LIBRARY_FOLDERS:
        yield from root.glob(pattern)
    for configuration in sorted(root.glob("etc/ld.so.conf.d/*.conf")):
        lines = configuration.read_text(errors="replace").split()
        yield from (root / line.lstrip("/") for line in lines if line.startswith("/"))


def _file_of(library: str) -> str:
    return f"{library}.dll" if sys.platform == "win32" else f"lib{library}.so*"


def _names(mode: Literal["r", "w"]) -> frozenset[str]:
    return frozenset(name for name in av.codecs_available if _is_there(name, mode))


def _is_there(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.Codec(name, mode)
    except ValueError:
        return False
    return True


def find_encoder(codec: VideoCodec, wish: Hardware) -> Found:
    """Return an encoder in hardware that has encoded a picture, or software with the reason.

    :raises CapabilityError: it is required and there is none.
    """
    return _found(codec, wish, "encoder")


def find_decoder(codec: VideoCodec, wish: Hardware) -> Found:
    """Likewise for a decoder."""
    return _found(codec, wish, "decoder")


def search(codec: VideoCodec, machine: Machine, trial: Trial, *, decoder: bool = False) -> Found:
    """Try each kind; return the first that works, or software with the reason for each.

    :param trial: a codec on this machine.
    """
    tried: list[str] = []
    for kind in KINDS:
        candidate = kind.candidate(_STEMS[codec], decoder=decoder)
        lack = kind.lacks(machine) or _unnamed(candidate, machine.decoders if decoder else machine.encoders, machine)
        if not lack:
            try:
                trial(candidate)
            except (av.FFmpegError, ValueError, RuntimeError, NotImplementedError) as exc:
                lack = f"{candidate.name} failed: {getattr(exc, 'strerror', None) or exc}"
            else:
                return replace(candidate, reason=f"{kind.title} works; before it {_told(tried)}")
        tried.append(f"{kind.title}: {lack}")
    return Found("", f"software, since no hardware does {codec} ({_told(tried)})")


def _unnamed(candidate: Found, names: frozenset[str], machine: Machine) -> str:
    there = candidate.name in names and (not candidate.device or candidate.device in machine.devices)
    return "" if there else "not in this FFmpeg"


def _told(tried: list[str]) -> str:
    return "; ".join(tried) or "nothing was tried"


def _found(codec: VideoCodec, wish: Hardware, role: str) -> Found:
    if wish == "never":
        return Found("", SOFTWARE)
    found = _searched(codec, role)
    if wish == "require" and not found.name:
        raise CapabilityError(
            f"no {role} of {codec} in hardware works here: {found.reason}. Use hardware='prefer'", backend="native"
        )
    return found


@lru_cache(maxsize=16)
def _searched(codec: VideoCodec, role: str) -> Found:
    machine = this_machine()
    if role == "encoder":
        return search(codec, machine, try_encoder)
    return search(codec, machine, lambda candidate: try_decoder(candidate, codec), decoder=True)


def try_encoder(candidate: Found) -> None:
    """Encode one picture.

    :raises av.FFmpegError: that does not work.
    :raises ValueError: nothing came out.
    """
    if not trial_packets(candidate):
        raise ValueError("no picture came out")


def try_decoder(candidate: Found, codec: VideoCodec) -> None:
    """Decode one picture that software has encoded; raises likewise."""
    from backends.native.codec_libraries import LIBRARIES, silence_svt

    silence_svt()
    context = decoder_context(candidate)
    packets = trial_packets(Found(LIBRARIES[codec].name, ""))
    pictures = [picture for packet in packets for picture in context.decode(packet)]
    if not pictures and not context.decode(None):
        raise ValueError("no picture came out")


def decoder_context(found: Found) -> av.VideoCodecContext:
    """Return a decoder, on its device if it has one. What that decodes is brought into memory."""
    device = HWAccel(found.device, allow_software_fallback=False) if found.device else None
    return cast("av.VideoCodecContext", av.CodecContext.create(found.name, "r", hwaccel=device))


def trial_packets(candidate: Found) -> list[Packet[Any]]:
    """Return what an encoder makes of one grey picture."""
    context = cast("av.VideoCodecContext", av.CodecContext.create(candidate.name, "w"))
    context.width = context.height = TRIAL_SIDE
    context.bit_rate, context.pix_fmt, context.options = 500_000, candidate.pixels, dict(candidate.options)
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    frame = av.VideoFrame(TRIAL_SIDE, TRIAL_SIDE, candidate.pixels)
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts = 0
    return [*context.encode(frame), *context.encode(None)]
