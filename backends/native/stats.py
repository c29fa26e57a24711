"""placeholder"""

from __future__ import annotations
from typing import Any


async def collect(connection: Any, transceiver: Any) -> dict[str, Any]:
    return {}
