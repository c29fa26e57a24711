"""A real X server for a test (Xvfb), and a client that draws rectangles on its screen, which a capture must show."""

from __future__ import annotations

import os
import select
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from conformance.requirements import NOT_INSTALLED

PROGRAM: Final = "Xvfb"
HOW_TO_GET: Final = f"{PROGRAM} {NOT_INSTALLED}: apt-get install xvfb"
PATIENCE: Final = 15.0
WIDTH, HEIGHT = 640, 480
_CREATE_GC: Final = 55
_POLY_FILL_RECTANGLE: Final = 70
_FREE_GC: Final = 60
_GET_INPUT_FOCUS: Final = 43
_FOREGROUND: Final = 1 << 2


@dataclass(frozen=True)
class Rectangle:
    """A part of the screen in one colour: 0xRRGGBB."""

    x: int
    y: int
    width: int
    height: int
    colour: int


class VirtualScreen:
    """An X server of 640x480 with no other way in than its socket. Use it with ``with``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.display = ""

    @staticmethod
    def is_installed() -> bool:
        """Tell whether this machine has Xvfb."""
        return shutil.which(PROGRAM) is not None

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        # The server chooses a number that is free, and says it once it can be used.
        size = f"{WIDTH}x{HEIGHT}x24"
        command = [PROGRAM, "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp", "-ac", "-noreset"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, pass_fds=[writing], stdout=quiet, stderr=quiet)
        os.close(writing)
        try:
            self.display = f":{self._number(reading)}"
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.close(reading)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _number(self, reading: int) -> int:
        told = b""
        while not told.endswith(b"\n"):
            if not select.select([reading], [], [], PATIENCE)[0]:
                raise RuntimeError(f"{PROGRAM} is not ready within {PATIENCE} s")
            part = os.read(reading, 16)
            if not part:
                raise RuntimeError(f"{PROGRAM} ended before it was ready")
            told += part
        return int(told)

    def draw(self, rectangles: Sequence[Rectangle]) -> None:
        """Draw on the screen; when it returns, the server has done so."""
        with Painter(self.display) as painter:
            for rectangle in rectangles:
                painter.fill(rectangle)
            painter.finish()


class Painter:
    """A client of the X11 protocol that can fill rectangles of the root window."""

    def __init__(self, display: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(f"/tmp/.X11-unix/X{display.removeprefix(':')}")

    def __enter__(self) -> Self:
        self._socket.sendall(struct.pack("<BxHHHH2x", ord("l"), 11, 0, 0, 0))
        accepted, length = struct.unpack("<BxHHH", self._receive(8))[::3]
        setup = self._receive(length * 4)
        if accepted != 1:
            raise RuntimeError(f"{PROGRAM} refuses the connection: {setup!r}")
        self._ids = struct.unpack_from("<I", setup, 4)[0]
        vendor, formats = struct.unpack_from("<H", setup, 16)[0], setup[21]
        self._root = struct.unpack_from("<I", setup, 32 + (vendor + 3) // 4 * 4 + 8 * formats)[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fill(self, rectangle: Rectangle) -> None:
        """Fill a rectangle of the root window."""
        area = struct.pack("<hhHH", rectangle.x, rectangle.y, rectangle.width, rectangle.height)
        make = struct.pack("<BxHIIII", _CREATE_GC, 5, self._ids, self._root, _FOREGROUND, rectangle.colour)
        paint = struct.pack("<BxHII", _POLY_FILL_RECTANGLE, 5, self._root, self._ids) + area
        self._socket.sendall(make + paint + struct.pack("<BxHI", _FREE_GC, 2, self._ids))

    def finish(self) -> None:
        """Wait until the server has done everything: a request with an answer comes after it."""
        self._socket.sendall(struct.pack("<BxH", _GET_INPUT_FOCUS, 1))
        if (answer := self._receive(32))[0] != 1:
            raise RuntimeError(f"{PROGRAM} reports error {answer[1]} of request {answer[10]}")

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise RuntimeError(f"{PROGRAM} closed the connection")
            data += part
        return data
