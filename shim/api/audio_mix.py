"""How the channels of one layout make those of another: the same on every backend (ITU-R BS.775-3, annex 4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from shim.spi.engines import Mix

_HALF: Final = sqrt(0.5)
_SUBSTITUTES: Final[dict[str, tuple[dict[str, float], ...]]] = {
    "FC": ({"FL": _HALF, "FR": _HALF},),
    "FL": ({"FC": _HALF},),
    "FR": ({"FC": _HALF},),
    "SL": ({"BL": 1.0}, {"FL": _HALF}, {"FC": 0.5}),
    "SR": ({"BR": 1.0}, {"FR": _HALF}, {"FC": 0.5}),
    "BL": ({"SL": 1.0}, {"FL": _HALF}, {"FC": 0.5}),
    "BR": ({"SR": 1.0}, {"FR": _HALF}, {"FC": 0.5}),
    "BC": ({"BL": _HALF, "BR": _HALF}, {"SL": _HALF, "SR": _HALF}, {"FL": 0.5, "FR": 0.5}, {"FC": 0.5}),
    "LFE": ({},),
}
"""What stands in for a channel that the output lacks, best first. Deep bass is left out."""

CHANNELS: Final = frozenset(_SUBSTITUTES)
"""The loudspeakers that can be mixed."""


def mix_of(source: Sequence[str], target: Sequence[str]) -> Mix | None:
    """Return the weights that make `target` of `source`; `None` if they are the same.

    No sum is louder than full scale. A single channel comes out of both loudspeakers as loud as it was.

    :param source: names of the channels, in order, of :data:`CHANNELS`.
    """
    if tuple(source) == tuple(target):
        return None
    if tuple(source) == ("FC",) and "FC" not in target:
        return tuple((float(name in {"FL", "FR"}),) for name in target)
    shares = [_share(name, target) for name in source]
    rows = [[share.get(name, 0.0) for share in shares] for name in target]
    loudest = max(1.0, *(sum(row) for row in rows))
    return tuple(tuple(weight / loudest for weight in row) for row in rows)


def _share(name: str, target: Sequence[str]) -> dict[str, float]:
    if name in target:
        return {name: 1.0}
    return next((share for share in _SUBSTITUTES[name] if set(share) <= set(target)), {})
