"""Each call in a process of its own: its memory is its own, and a crash ends one call and not the table."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from shim.calls.results import CallReport, CallSpec
from shim.calls.session import Progress, run_call

_CLOSE_TIMEOUT: Final = 10.0


def run_in_process(spec: CallSpec, progress: Progress) -> CallReport:
    """Make a call in a new process and wait for its report. Call it on the main thread.

    A process that dies gives a report with `error`. An exception here, such as Ctrl-C, closes the call first.

    :param progress: called with the stage and how much is over, 0 to 1.
    """
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(spec, writer), name="shim-call")
    _start_deaf_to_interrupts(process)
    writer.close()
    try:
        report = _follow(reader, progress)
    except EOFError:
        report = CallReport(spec.offerer, spec.answerer, error="the call broke off")
    except BaseException:
        process.terminate()
        raise
    finally:
        reader.close()
        ending = _end(process)
    if ending:
        report = replace(report, error="; ".join(filter(None, (report.error, ending))))
    return report


def _follow(reader: Connection, progress: Progress) -> CallReport:
    while True:
        news = reader.recv()
        if isinstance(news, CallReport):
            return news
        progress(*news)


def _start_deaf_to_interrupts(process: SpawnProcess) -> None:
    """Start a process that ignores Ctrl-C from its first instruction on: we tell it, once, to close the call."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _end(process: SpawnProcess) -> str:
    """Wait for the process; say what was wrong with its end, if something was."""
    process.join(_CLOSE_TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
        ending = f"its process did not end within {_CLOSE_TIMEOUT:g} s and was killed"
    elif process.exitcode and process.exitcode < 0:
        ending = f"its process died of {signal.Signals(-process.exitcode).name}"
    else:
        ending = f"its process ended with status {process.exitcode}; see above" if process.exitcode else ""
    process.close()
    return ending


def _serve(spec: CallSpec, pipe: Connection) -> None:
    def tell(stage: str, fraction: float) -> None:
        pipe.send((stage, fraction))

    try:
        pipe.send(asyncio.run(_supervised(spec, tell)))
    except asyncio.CancelledError:
        raise SystemExit(1) from None


async def _supervised(spec: CallSpec, progress: Progress) -> CallReport:
    call = asyncio.ensure_future(run_call(spec, progress))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, call.cancel)
    return await call
