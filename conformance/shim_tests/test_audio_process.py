"""Processing of speech where the library for it is not installed, and through the flags."""

from __future__ import annotations

import sys

import pytest

from conformance.targets import Target
from shim import AudioProcessor, use_backend
from shim.spi.errors import BackendUnavailableError, CapabilityError

HAVE_LEGACY = Target("legacy").absence() is None


@pytest.fixture
def without_livekit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)


@pytest.mark.usefixtures("without_livekit")
def test_what_to_install_is_said() -> None:
    with pytest.raises(BackendUnavailableError, match=r"pip install 'webrtc-shim\[audio\]'") as caught:
        AudioProcessor(backend="native")
    assert (caught.value.backend, caught.value.component) == ("native", "audio_process")


@pytest.mark.usefixtures("without_livekit")
@pytest.mark.skipif(not HAVE_LEGACY, reason="this machine lacks backend legacy")
def test_another_backend_serves_in_its_place() -> None:
    decision = AudioProcessor().backendDecision
    assert (decision.backend, decision.fallback_from, decision.reason) == ("legacy", "native", "fallback")


@pytest.mark.skipif(not HAVE_LEGACY, reason="this machine lacks backend legacy")
def test_level_that_one_backend_lacks_is_left_to_another() -> None:
    decision = AudioProcessor(noise_suppression="very_high").backendDecision
    assert (decision.backend, decision.fallback_from) == ("legacy", "native")


def test_flags_are_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_BLOCK_BACKENDS", "legacy")
    blocked = pytest.raises(BackendUnavailableError, match="SHIM_BLOCK_BACKENDS")
    with use_backend("legacy", component="audio_process"), blocked:
        AudioProcessor()
    with pytest.raises(CapabilityError, match=r"audio\.noise_levels"):
        AudioProcessor(noise_suppression="low", backend="native")
