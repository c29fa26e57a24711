"""Which sections share a transport (RFC 8843). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from backends.native.legs import Leg, new_credentials
from backends.native.records import SessionValues


def assign_legs(values: SessionValues, mids: Sequence[str], bundle: Sequence[str]) -> None:
    """Give each used section a leg: one for the bundle, one for each section outside it."""
    grouped = [mid for mid in bundle if mid in mids]
    groups = ([grouped] if grouped else []) + [[mid] for mid in mids if mid not in grouped]
    taken: set[int] = set()
    leg_of: dict[str, int] = {}
    for group in groups:
        leg_id = _leg_for(values, group, taken)
        taken.add(leg_id)
        leg_of.update(dict.fromkeys(group, leg_id))
    values.leg_of = leg_of


def _leg_for(values: SessionValues, group: Sequence[str], taken: set[int]) -> int:
    own = (values.leg_of[mid] for mid in group if mid in values.leg_of)
    spoken_for = taken | set(values.leg_of.values())
    free = next((leg_id for leg_id in own if leg_id not in taken), None)
    if free is None:
        free = 0 if 0 not in spoken_for else None
    if free is not None:
        return free
    # aiortc also shares one pair of credentials: the remote has only seen those of the offer.
    first = values.legs[0]
    new = max(values.legs) + 1
    local = first.local if first.gather and first.remote is None else new_credentials()
    values.legs = {**values.legs, new: Leg(new, local, controlling=first.controlling)}
    return new


def renew_first(values: SessionValues) -> None:
    """Start the first leg over when nothing is left on it: the remote drops its transport too."""
    first = values.legs[0]
    if first.remote is not None and 0 not in values.leg_of.values():
        values.legs = {**values.legs, 0: Leg(0, new_credentials(), serial=first.serial + 1)}


def drop_unused(values: SessionValues) -> None:
    """Forget legs that carry nothing; the first one stays, for sections to come."""
    used = {0, *values.leg_of.values()}
    values.legs = {leg_id: leg for leg_id, leg in values.legs.items() if leg_id in used}
