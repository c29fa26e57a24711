"""Runs Chromium without a window, and speaks the DevTools protocol with it over a pair of pipes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from typing import Any, Final, Self

FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # which root, as in a container, cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
)
SHOW_ADDRESSES: Final = "--disable-features=WebRtcHideLocalIpsWithMdns"
PATIENCE: Final = 20.0
LARGEST: Final = 1 << 24
LAUNCH: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The protocol's pipes are descriptors 3 and 4."""


def find_chromium() -> str | None:
    """Return the path of the browser, if it is installed."""
    return next((path for path in map(shutil.which, ("chromium", "chromium-browser")) if path), None)


class BrowserError(Exception):
    """The browser refused a command, or a script in it failed."""


class Chromium:
    """One browser with one page. Use it with ``async with``.

    :param url: what the page shows.
    :param told: takes what the page gives to its function ``tell``.
    :param flags: further options of the command line.
    """

    def __init__(self, url: str, told: Callable[[str], None], *flags: str) -> None:
        self._url = url
        self._told = told
        self._flags = flags
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._page: str | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with self._stack:
            await self._start()
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def evaluate(self, script: str) -> Any:
        """Run a script in the page, and return what it or its promise gives.

        :raises BrowserError: it threw.
        """
        command = {"expression": script, "awaitPromise": True, "returnByValue": True}
        found = await self._command("Runtime.evaluate", **command)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            raise BrowserError(f"{script[:100]}: {details.get('exception', details).get('description', details)}")
        return found["result"].get("value")

    # --- the process ---

    async def _start(self) -> None:
        program = find_chromium()
        if program is None:
            raise FileNotFoundError("Chromium is not installed: apt-get install chromium")
        home = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        theirs, ours = _pipe(), _pipe()
        options = (*FLAGS, *self._flags, f"--user-data-dir={home}", "about:blank")
        launch = (sys.executable, "-c", LAUNCH, str(theirs[0]), str(ours[1]), program, *options)
        inherited = (theirs[0], ours[1])
        process = await asyncio.create_subprocess_exec(
            *launch, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, pass_fds=inherited, start_new_session=True
        )
        self._stack.push_async_callback(_end, process)
        os.close(theirs[0])
        os.close(ours[1])
        await self._connect(ours[0], theirs[1])
        await self._show()

    async def _connect(self, from_browser: int, to_browser: int) -> None:
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=LARGEST)
        reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), os.fdopen(from_browser, "rb")
        )
        self._stack.callback(reading.close)
        self._writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(to_browser, "wb"))
        self._stack.callback(self._writer.close)
        listening = loop.create_task(self._listen())
        self._stack.push_async_callback(cancel, listening)

    async def _show(self) -> None:
        target = await self._command("Target.createTarget", url="about:blank")
        attached = await self._command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._page = attached["sessionId"]
        await self._command("Runtime.enable")
        await self._command("Runtime.addBinding", name="tell")
        await self._command("Page.enable")
        self._loaded = asyncio.get_running_loop().create_future()
        await self._command("Page.navigate", url=self._url)
        await asyncio.wait_for(self._loaded, PATIENCE)

    # --- the protocol ---

    async def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._page is not None:
            message["sessionId"] = self._page
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message).encode() + b"\0")
        try:
            answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        except TimeoutError:
            raise BrowserError(f"{method} {str(parameters)[:200]} was not done within {PATIENCE} s") from None
        finally:
            del self._answers[number]
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                self._take(json.loads((await self._reader.readuntil(b"\0"))[:-1]))

    def _take(self, message: dict[str, Any]) -> None:
        answer = self._answers.get(message.get("id", 0))
        if answer is not None and not answer.done():
            answer.set_result(message)
        elif message.get("method") == "Runtime.bindingCalled":
            self._told(message["params"]["payload"])
        elif message.get("method") == "Page.loadEventFired" and not self._loaded.done():
            self._loaded.set_result(None)


def _pipe() -> tuple[int, int]:
    """Make a pipe whose ends are neither 3 nor 4."""
    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """End tasks, though before Python 3.12 `asyncio.wait_for` may lose a cancellation."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.1)


async def _end(process: Process) -> None:
    """Kill the browser and its children, which are a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
