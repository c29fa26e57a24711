"""Finds out how large packets may be on a path (RFC 8899)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

TRIES: Final = 3
"""Probes of one size that are lost before it counts as too large (RFC 8899 section 5.1.2, MAX_PROBES)."""
STEPS: Final = (1312, 1404, 4264, 8912, 16384)
"""SCTP packets, bytes, each a multiple of 4: tunnels of 1400, PPPoE of 1492, FDDI of 4352, jumbo frames of 9000, less
what IPv6, UDP and DTLS add; then as much as a DTLS record carries."""
RAISE_SECONDS: Final = 600.0
"""Seconds until a larger size is tried again (RFC 8899 section 5.1.1, PMTU_RAISE_TIMER)."""


PROBE_SECONDS: Final = 1.0
"""Seconds until a probe counts as lost (RFC 8899 section 5.1.1, PROBE_TIMER)."""


class PathSearch:
    """The largest packet known to get through, and the next one to try. Pure.

    :param base: bytes of a packet that gets through everywhere.
    :param ceiling: bytes of the largest one that may be tried.
    """

    def __init__(self, base: int, ceiling: int) -> None:
        self._base = base
        self._ceiling = ceiling
        self.size = base
        """Bytes of a packet that is known to get through."""
        self._tries = 0
        self._refused = ceiling + 1

    def next_probe(self) -> int | None:
        """Return how large the next probe is, in bytes; `None` if the search is over."""
        return next((step for step in STEPS if self.size < step <= self._ceiling and step < self._refused), None)

    def sent(self) -> None:
        """Note that the next probe is on its way."""
        self._tries += 1

    def arrived(self, size: int) -> None:
        """Note that a probe was answered."""
        if size > self.size and size < self._refused:
            self.size, self._tries = size, 0

    def lost(self) -> None:
        """Note that the last probe got no answer in time."""
        if self._tries >= TRIES:
            self.refused()

    def refused(self) -> None:
        """Note that the system does not send packets as large as the next probe."""
        self._refused, self._tries = self.next_probe() or self._refused, 0

    def restart(self) -> None:
        """Forget what was too large: another path, or time to look again."""
        self._refused, self._tries = self._ceiling + 1, 0

    def fall_back(self) -> bool:
        """Return to the base: larger packets do not arrive any more. Say whether that changes anything."""
        changed = self.size > self._base
        self.size = self._base
        return changed


class PathProber:
    """Carries a search out: sends probes, one at a time, and waits for what becomes of them.

    :param send: sends a probe of so many bytes; says whether this machine could.
    :param patience: returns how long a round trip may take, seconds.
    """

    def __init__(self, search: PathSearch, send: Callable[[int], bool], patience: Callable[[], float]) -> None:
        self._search = search
        self._send = send
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Bytes of a packet that is known to get through."""
        return self._search.size

    def begin(self) -> None:
        """Look for a larger size, unless that is going on, or was done a short while ago."""
        if self._timer is None:
            self._probe()

    def arrived(self, size: int) -> None:
        """Go on after a probe was answered."""
        if self._timer is not None and size == self._search.next_probe():
            self._timer.cancel()
            self._search.arrived(size)
            self._probe()

    def fall_back(self) -> bool:
        """Return to the base, and begin anew when asked to; say whether that changes the size."""
        self._renew()
        return self._search.fall_back()

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        while (size := self._search.next_probe()) is not None:
            self._search.sent()
            if self._send(size):
                self._timer = loop.call_later(max(PROBE_SECONDS, self._patience()), self._lost)
                return
            self._search.refused()
        self._timer = loop.call_later(RAISE_SECONDS, self._renew)

    def _lost(self) -> None:
        self._search.lost()
        self._probe()

    def _renew(self) -> None:
        self.close()
        self._search.restart()
