"""Signaling for examples and tests: descriptions and candidates as lines of JSON (aiortc's ``contrib.signaling``)."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Final

from shim.api.sdp_values import candidate_from_sdp, candidate_to_sdp, excerpt
from shim.api.values import SDP_TYPES, RTCIceCandidate, RTCSessionDescription
from shim.spi.errors import InvalidStateError

LINE_LIMIT: Final = 1 << 20
"""Bytes of the longest message."""


class SignalingBye:
    """Says that the remote has gone."""


BYE: Final = SignalingBye()

SignalingObject = RTCSessionDescription | RTCIceCandidate | SignalingBye


def object_from_string(message_str: str) -> SignalingObject:
    """Return the object in a message.

    :raises ValueError: it is no message of ours.
    """
    try:
        message = json.loads(message_str)
        kind = message["type"]
        if kind in SDP_TYPES:
            return RTCSessionDescription(sdp=message["sdp"], type=kind)
        if kind == "candidate":
            candidate = candidate_from_sdp(message["candidate"])
            candidate.sdpMid, candidate.sdpMLineIndex = message["id"], message["label"]
            return candidate
        if kind == "bye":
            return BYE
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"signaling: not a message: {excerpt(message_str)} ({exc})") from exc
    raise ValueError(f"signaling: unknown message type {excerpt(str(kind))}")


def object_to_string(obj: SignalingObject) -> str:
    """Return a message that holds the object.

    :raises ValueError: it is none that can be sent.
    """
    message: dict[str, Any]
    if isinstance(obj, RTCSessionDescription):
        message = {"sdp": obj.sdp, "type": obj.type}
    elif isinstance(obj, RTCIceCandidate):
        line = f"candidate:{candidate_to_sdp(obj)}"
        message = {"candidate": line, "id": obj.sdpMid, "label": obj.sdpMLineIndex, "type": "candidate"}
    elif isinstance(obj, SignalingBye):
        message = {"type": "bye"}
    else:
        raise ValueError(f"signaling: cannot send a {type(obj).__name__}")
    return json.dumps(message, sort_keys=True)


class BaseSignaling(ABC):
    """A way to exchange messages with one remote."""

    @abstractmethod
    async def connect(self) -> None:
        """Get ready."""

    @abstractmethod
    async def close(self) -> None:
        """Say bye, and end."""

    @abstractmethod
    async def send(self, descr: SignalingObject) -> None:
        """Send an object."""

    @abstractmethod
    async def receive(self) -> SignalingObject | None:
        """Return the next object; `None` if the remote has gone."""


class CopyAndPasteSignaling(BaseSignaling):
    """Messages that a person carries between two terminals."""

    def __init__(self) -> None:
        self._read_pipe = sys.stdin
        self._read_transport: asyncio.ReadTransport | None = None
        self._reader: asyncio.StreamReader | None = None
        self._write_pipe = sys.stdout

    async def connect(self) -> None:
        """Read from the standard input."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=LINE_LIMIT, loop=loop)
        self._reader = reader
        self._read_transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._read_pipe
        )

    async def close(self) -> None:
        """Print a bye, and stop reading."""
        if self._reader is not None and self._read_transport is not None:
            await self.send(BYE)
            self._read_transport.close()
            self._reader = None

    async def receive(self) -> SignalingObject | None:
        """Ask for a message; `None` at the end of the input."""
        if self._reader is None:
            raise InvalidStateError("CopyAndPasteSignaling.receive: not connected. Await connect() first.")
        print("-- Please enter a message from remote party --")
        data = await self._reader.readline()
        print()
        return object_from_string(data.decode(self._read_pipe.encoding)) if data else None

    async def send(self, descr: SignalingObject) -> None:
        """Print a message."""
        print("-- Please send this message to the remote party --")
        self._write_pipe.write(object_to_string(descr) + "\n")
        self._write_pipe.flush()
        print()


class _SocketSignaling(BaseSignaling):
    """Who sends first listens, who receives first connects."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._accepted: asyncio.Future[None] | None = None

    @abstractmethod
    async def _listen(self) -> asyncio.Server: ...

    @abstractmethod
    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...

    async def connect(self) -> None:
        """Do nothing: the first message connects."""

    async def close(self) -> None:
        """Send a bye, and close the socket."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            with suppress(ConnectionError):
                writer.write(_line(BYE))
                writer.close()
                await writer.wait_closed()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def receive(self) -> SignalingObject | None:
        """Return the next object; `None` if the remote has gone.

        :raises ValueError: the remote sent something else.
        """
        if self._reader is None:
            self._reader, self._writer = await self._open()
        try:
            data = await self._reader.readuntil()
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.LimitOverrunError as exc:
            raise ValueError(f"signaling: a message is longer than {LINE_LIMIT} bytes") from exc
        return object_from_string(data.decode("utf8", "replace"))

    async def send(self, descr: SignalingObject) -> None:
        """Send an object; the first one waits for the remote to connect."""
        data = _line(descr)
        if self._writer is None:
            self._accepted = asyncio.get_running_loop().create_future()
            self._server = await self._listen()
            await self._accepted
        if self._writer is not None:
            self._writer.write(data)
            await self._writer.drain()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._accepted is None or self._accepted.done():
            writer.close()  # one remote only
            return
        self._reader, self._writer = reader, writer
        self._accepted.set_result(None)


def _line(obj: SignalingObject) -> bytes:
    return object_to_string(obj).encode() + b"\n"


class TcpSocketSignaling(_SocketSignaling):
    """Messages over TCP."""

    def __init__(self, host: str, port: int | str) -> None:
        super().__init__()
        self._host = host
        self._port = port

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, self._host, self._port, limit=LINE_LIMIT)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, int(self._port), limit=LINE_LIMIT)


class UnixSocketSignaling(_SocketSignaling):
    """Messages over a UNIX socket, which the listening side removes at the end."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    async def close(self) -> None:
        """Send a bye, close the socket and remove its file."""
        is_server = self._server is not None
        await super().close()
        if is_server:
            with suppress(FileNotFoundError):  # Python 3.13 and later remove it themselves
                os.unlink(self._path)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._accept, self._path, limit=LINE_LIMIT)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._path, limit=LINE_LIMIT)


def add_signaling_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a way of signaling."""
    parser.add_argument("--signaling", "-s", choices=["copy-and-paste", "tcp-socket", "unix-socket"])
    parser.add_argument("--signaling-host", default="127.0.0.1", help="Signaling host (tcp-socket only)")
    parser.add_argument("--signaling-port", default=1234, help="Signaling port (tcp-socket only)")
    parser.add_argument("--signaling-path", default="aiortc.socket", help="Signaling socket path (unix-socket only)")


def create_signaling(args: argparse.Namespace) -> BaseSignaling:
    """Create what the options ask for."""
    if args.signaling == "tcp-socket":
        return TcpSocketSignaling(args.signaling_host, args.signaling_port)
    if args.signaling == "unix-socket":
        return UnixSocketSignaling(args.signaling_path)
    return CopyAndPasteSignaling()
