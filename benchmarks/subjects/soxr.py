"""PyPI ``soxr``: a resampler, and nothing else."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

from benchmarks.metric import UnsupportedError
from benchmarks.subjects.base import Pair


class SoxrSubject:
    """A library to compare resamplers with."""

    name = "soxr"

    def load(self) -> str:
        """Import it."""
        try:
            import_module("soxr")
        except ImportError as exc:
            raise UnsupportedError(f"not installed ({exc}). Get it with: pip install soxr") from exc
        return version("soxr")

    def pair(self, *, bitrate: int | None = None, mtu: int | None = None) -> Pair:
        """Refuse: it makes no calls."""
        raise UnsupportedError("soxr makes no calls")
