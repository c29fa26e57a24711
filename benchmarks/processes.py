"""Processes that measure: one per subject, so that nobody pays for the libraries and threads of another."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.metric import Effort, Metric, UnsupportedError

_LOAD_TIMEOUT: Final = 60.0
_GRACE: Final = 10.0
"""Seconds that a process gets beyond the time that it limits itself to."""


class WorkerError(Exception):
    """A measurement failed, or the process in which it ran."""


class Worker:
    """A process that measures one subject.

    :param subject: its name.
    :raises UnsupportedError: it is not there.
    :raises WorkerError: it cannot be loaded.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        # A file, because a pipe that nobody reads would fill up and stop the process.
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.worker", subject],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=_environment(),
        )
        try:
            self.version = str(self._ask({"do": "load"}, _LOAD_TIMEOUT)["version"])
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can measure."""
        return self._process.poll() is None

    def measure(self, module: str, metric: Metric, effort: Effort) -> dict[str, float]:
        """Do one round.

        :raises UnsupportedError: the subject cannot do it.
        :raises WorkerError: it failed; the process may be gone.
        """
        wish: dict[str, object] = {"do": "measure", "module": module, "metric": metric.name}
        wish |= {"quick": effort.quick, "warm_up": effort.warm_up}
        values: dict[str, float] = self._ask(wish, metric.timeout + _GRACE)["values"]
        return values

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(_GRACE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._complaints.close()

    def _ask(self, wish: dict[str, object], timeout: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(wish) + "\n")
            self._process.stdin.flush()
        except OSError as exc:
            raise WorkerError(self._last_words()) from exc
        answer: dict[str, Any] = json.loads(self._read(timeout))
        if "unsupported" in answer:
            raise UnsupportedError(answer["unsupported"])
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _read(self, timeout: float) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                self._process.kill()
                raise WorkerError(f"no answer within {timeout:g} s; its process was ended")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        return line

    def _last_words(self) -> str:
        status = self._process.wait(_GRACE)
        self._complaints.seek(0)
        lines = [line.strip() for line in self._complaints if line.strip()]
        return f"its process ended with status {status}" + (f": {lines[-1]}" if lines else "")


def _environment() -> dict[str, str]:
    """Return the environment of a worker: it finds this package wherever it was started, and no flag chooses "
    "for it."""
    root = str(Path(__file__).parent.parent)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHIM_")}
    path = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
