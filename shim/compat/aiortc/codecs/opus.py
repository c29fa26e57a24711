"""Mirror of ``aiortc.codecs.opus``."""

import fractions
from typing import Final

from shim.compat.absences import absent

__all__ = [
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE",
    "TIME_BASE",
]

SAMPLE_RATE: Final = 48000
SAMPLES_PER_FRAME: Final = 960
TIME_BASE: Final = fractions.Fraction(1, SAMPLE_RATE)

__getattr__ = absent("codecs.opus")
