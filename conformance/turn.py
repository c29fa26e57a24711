"""A real TURN server for a test: Debian's coturn, on the loopback interface, in a process that ends with the test."""

from __future__ import annotations

import secrets
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from conformance.requirements import NOT_INSTALLED

PROGRAM: Final = "turnserver"
HOW_TO_GET: Final = f"coturn {NOT_INSTALLED}: apt-get install coturn"
USER: Final = "tester"
PATIENCE: Final = 10.0
_COOKIE: Final = 0x2112A442
_REPEAT: Final = 0.2


class TurnServer:
    """One server with one user. Use it with ``with``.

    :param folder: for its configuration and its data.
    :param settings: further lines of its configuration.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self._folder = folder
        self._more = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.password = secrets.token_hex(8)

    @staticmethod
    def is_installed() -> bool:
        """Tell whether this machine has coturn."""
        return shutil.which(PROGRAM) is not None

    @property
    def url(self) -> str:
        """The URL for `RTCIceServer`."""
        return f"turn:127.0.0.1:{self.port}?transport=udp"

    @property
    def stun_url(self) -> str:
        """The URL of its STUN service for `RTCIceServer`."""
        return f"stun:127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        configuration = self._folder / "turnserver.conf"
        configuration.write_text(self._settings())
        with (self._folder / "turnserver.log").open("wb") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(configuration)], stdout=log, stderr=log)
        try:
            self._await_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _settings(self) -> str:
        lines = ["listening-ip=127.0.0.1", f"listening-port={self.port}", "relay-ip=127.0.0.1", "realm=conformance"]
        lines += ["lt-cred-mech", f"user={USER}:{self.password}", "fingerprint", "allow-loopback-peers"]
        lines += ["no-tls", "no-dtls", "no-cli", "no-tcp", "no-tcp-relay", "simple-log", "log-file=stdout"]
        lines += [f"pidfile={self._folder / 'pid'}", f"userdb={self._folder / 'users'}"]
        return "\n".join([*lines, *self._more]) + "\n"

    def _await_answer(self) -> None:
        """Repeat a STUN binding request until it is answered (RFC 8489 section 6.2.1)."""
        request = struct.pack("!HHL", 1, 0, _COOKIE) + secrets.token_bytes(12)
        deadline = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(_REPEAT)
            client.connect(("127.0.0.1", self.port))
            while time.monotonic() < deadline:
                if _answers(client, request):
                    return
        log = (self._folder / "turnserver.log").read_text(errors="replace")
        raise RuntimeError(f"{PROGRAM} does not answer on port {self.port} within {PATIENCE} s:\n{log[-2000:]}")


def _answers(client: socket.socket, request: bytes) -> bool:
    started = time.monotonic()
    try:
        client.send(request)
        return bool(client.recv(2048))
    except TimeoutError:
        return False
    except ConnectionRefusedError:  # it does not listen yet, and the kernel says so at once
        time.sleep(max(0.0, _REPEAT - (time.monotonic() - started)))
        return False


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
