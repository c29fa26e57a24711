"""What a session knows of a transport: values only."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Final, Literal

_ICE_CHARACTERS: Final = string.ascii_letters + string.digits

DtlsRole = Literal["auto", "client", "server"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A username fragment and its password (RFC 8445 section 5.3)."""

    ufrag: str
    password: str


def new_credentials() -> Credentials:
    """Make random credentials, as long as aioice's."""
    return Credentials(*("".join(secrets.choice(_ICE_CHARACTERS) for _ in range(size)) for size in (4, 22)))


@dataclass(frozen=True, slots=True)
class Leg:
    """What descriptions say about one transport. Replaced as a whole, so that a rollback is an assignment.

    :param id: identity, for the life of the connection.
    :param serial: rises when the leg starts over, with another transport.
    :param remote: `None` until a remote description carries this transport.
    :param gather: a local description with these credentials has been set.
    :param connect: an answer has been applied.
    """

    id: int
    local: Credentials
    remote: Credentials | None = None
    fingerprints: tuple[tuple[str, str], ...] = ()
    role: DtlsRole = "auto"
    controlling: bool | None = None
    lite: bool = False
    gather: bool = False
    connect: bool = False
    serial: int = 0
