"""The parts of the SDK that stand above the seam: the same whatever the backend, so no flag routes them."""

from __future__ import annotations

from typing import Final

SHARED: Final = {"audio_mix": "AudioMixer"}
"""Name of each, spelt like a component, and the class that an application uses. For ``shim doctor``."""
