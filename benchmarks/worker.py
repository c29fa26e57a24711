"""The process in which one subject is measured: JSON lines in, JSON lines out. Run by :mod:`benchmarks.processes`.

It stays lean: its memory is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from benchmarks.metric import Effort, Metric, UnsupportedError
from benchmarks.subjects import get_subject


def main() -> None:
    """Serve until the input ends."""
    subject = get_subject(sys.argv[1])
    answers = private_output()
    for line in sys.stdin:
        print(json.dumps(_serve(subject, json.loads(line))), file=answers, flush=True)


def private_output() -> TextIO:
    """Keep the output for ourselves: libraries print, C++ ones too."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w")


def _serve(subject: Any, wish: dict[str, Any]) -> dict[str, object]:  # noqa: ANN401 - imported where it is made
    try:
        if wish["do"] == "load":
            return {"version": subject.load()}
        from benchmarks.registry import load

        metric = load(wish["module"], wish["metric"])
        return {"values": _measure(metric, subject, Effort(wish["quick"], wish["warm_up"]))}
    except UnsupportedError as exc:
        return {"unsupported": str(exc)}
    except Exception as exc:
        return {"error": f"{type(exc).__name__}: {exc}"}


def _measure(metric: Metric, subject: Any, effort: Effort) -> Mapping[str, float]:  # noqa: ANN401
    return asyncio.run(_within(metric, subject, effort))


async def _within(metric: Metric, subject: Any, effort: Effort) -> Mapping[str, float]:  # noqa: ANN401
    before = time.process_time()
    async with asyncio.timeout(metric.timeout):
        found = await metric.measure(subject, effort)
    return {**found, "round_cpu": time.process_time() - before, **_resident()}


def _resident() -> dict[str, float]:
    """Return the memory of this process, where the system tells. Imports nothing: that would be measured next."""
    try:
        with open("/proc/self/statm") as facts:
            return {"round_rss": int(facts.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6}
    except OSError:
        return {}


if __name__ == "__main__":
    main()
