"""The far end of a data channel, in a process of its own: JSON lines in, JSON lines out."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.subjects import get_subject
from benchmarks.subjects.peers import words_of
from benchmarks.worker import private_output

if TYPE_CHECKING:
    from benchmarks.subjects.peers import ApiPair


class Far:
    """Answers an offer, and counts the bytes that come."""

    def __init__(self, pair: ApiPair) -> None:
        self._pair = pair
        self._bytes = 0
        pair.far.on("datachannel", lambda channel: channel.on("message", self._take))

    def _take(self, data: bytes) -> None:
        self._bytes += len(data)

    async def serve(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Answer an offer, or tell what has arrived and what that cost."""
        if "sdp" not in wish:
            return {"bytes": self._bytes, "cpu": time.process_time()}
        await self._pair.far.setRemoteDescription(self._pair.description(wish))
        await self._pair.far.setLocalDescription(await self._pair.far.createAnswer())
        return words_of(self._pair.far.localDescription)


async def main() -> None:
    """Serve until the input ends."""
    subject = get_subject(sys.argv[1])
    answers = private_output()
    subject.load()
    pair: Any = subject.pair()
    far = Far(pair)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await far.serve(json.loads(line))), file=answers, flush=True)
    finally:
        await pair.close()


if __name__ == "__main__":
    asyncio.run(main())
