"""The mirror of aiortc's module tree: every public name is there, or its absence has a reason."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import aiortc
import pytest

import shim.compat.aiortc as mirror
from shim.api.configuration import RTCConfiguration, engine_config
from shim.api.defaults import BITRATE
from shim.api.sdp import candidate_from_sdp
from shim.api.signaling import (
    BYE,
    BaseSignaling,
    SignalingObject,
    TcpSocketSignaling,
    UnixSocketSignaling,
    object_from_string,
    object_to_string,
)
from shim.api.values import RTCSessionDescription
from shim.compat.absences import ABSENCES

MODULES = sorted(info.name.removeprefix("aiortc.") for info in pkgutil.walk_packages(aiortc.__path__, "aiortc."))


def _public_names(module: types.ModuleType) -> set[str]:
    """Return what a module of aiortc defines itself."""
    names = set()
    for name, value in vars(module).items():
        owner = getattr(value, "__module__", None)
        is_constant = name.isupper() and not isinstance(value, type | types.FunctionType | types.ModuleType)
        if not name.startswith("_") and (owner == module.__name__ or is_constant):
            names.add(name)
    return names


@pytest.mark.parametrize("name", MODULES)
def test_a_public_name_is_there_or_its_absence_has_a_reason(name: str) -> None:
    absences = ABSENCES.get(name, {})
    if "*" in absences:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"shim.compat.aiortc.{name}")
        return
    expected = _public_names(importlib.import_module(f"aiortc.{name}"))
    ours = importlib.import_module(f"shim.compat.aiortc.{name}")
    present = {each for each in expected - absences.keys() if hasattr(ours, each)}
    assert present == expected - absences.keys()
    assert absences.keys() <= expected, "an absence names what aiortc does not have"
    assert not set(vars(ours)) & absences.keys(), "an absence names what is there"


def test_no_absence_is_of_an_unknown_module() -> None:
    assert set(MODULES) >= ABSENCES.keys()


@pytest.mark.parametrize("name", [name for name, absences in ABSENCES.items() if "*" not in absences])
def test_an_absent_name_says_why(name: str) -> None:
    ours = importlib.import_module(f"shim.compat.aiortc.{name}")
    absent, reason = next(iter(ABSENCES[name].items()))
    with pytest.raises(ImportError) as caught:
        getattr(ours, absent)
    assert reason in str(caught.value)
    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        _ = ours.nothing_like_it


def test_the_top_level_is_aiortcs() -> None:
    assert sorted(mirror.__all__) == sorted(aiortc.__all__)
    assert mirror.__version__ == aiortc.__version__


@pytest.mark.parametrize("name", aiortc.__all__)
def test_a_name_is_of_the_same_kind(name: str) -> None:
    ours, theirs = getattr(mirror, name), getattr(aiortc, name)
    assert isinstance(ours, type) == isinstance(theirs, type)
    assert issubclass(ours, Exception) == issubclass(theirs, Exception)
    assert dataclasses.is_dataclass(ours) == dataclasses.is_dataclass(theirs)


def _members(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in inspect.getmembers(cls, callable):
        is_theirs = str(getattr(member, "__module__", "")).startswith("aiortc")
        if is_theirs and (name == "__init__" or not name.startswith("_")):
            yield name, member


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [each for each in inspect.signature(function).parameters.values() if each.kind not in kinds]


ORTC = {
    "RTCCertificate": {"__init__"},
    "RTCDataChannel": {"__init__"},
    "RTCDtlsTransport": {"__init__"},
    "RTCIceGatherer": {"__init__"},
    "RTCIceTransport": {"__init__"},
    "RTCRtpReceiver": {"__init__", "receive", "setTransport"},
    "RTCRtpSender": {"__init__", "send", "setTransport"},
    "RTCRtpTransceiver": {"__init__"},
    "RTCSctpTransport": {"__init__", "setTransport"},
}
"""What applications of ORTC call, and no engine hands out: their arguments are not compared."""
INTERNAL = {"RTCSctpTransport": {"State", "is_server"}}
"""What aiortc's objects show of their own workings."""


@pytest.mark.parametrize("name", aiortc.__all__)
def test_a_signature_takes_what_aiortcs_takes(name: str) -> None:
    if issubclass(getattr(aiortc, name), Exception):
        return
    for member, theirs in _members(getattr(aiortc, name)):
        if member in ORTC.get(name, set()) | INTERNAL.get(name, set()):
            continue
        ours = getattr(getattr(mirror, name), member, None)
        assert ours is not None, f"{name}.{member} is missing"
        found = {each.name: each for each in _parameters(ours)}
        expected = _parameters(theirs)
        missing = [each.name for each in expected if each.name not in found]
        assert not missing, f"{name}.{member} takes no {missing}"
        positional = [each.name for each in found.values() if each.kind is not inspect.Parameter.KEYWORD_ONLY]
        assert positional[: len(expected)] == [each.name for each in expected], f"{name}.{member}"
        for each in expected:
            if each.default is not inspect.Parameter.empty:
                assert found[each.name].default is not inspect.Parameter.empty, f"{name}.{member}({each.name})"
        extra = [each for each in found.values() if each.name not in {one.name for one in expected}]
        required = [each.name for each in extra if each.default is inspect.Parameter.empty]
        assert not required, f"{name}.{member} needs {required}, which aiortc does not have"


@pytest.mark.parametrize("name", [name for name in aiortc.__all__ if dataclasses.is_dataclass(getattr(aiortc, name))])
def test_a_dataclass_starts_with_aiortcs_fields(name: str) -> None:
    theirs = [field.name for field in dataclasses.fields(getattr(aiortc, name))]
    ours = [field.name for field in dataclasses.fields(getattr(mirror, name)) if not field.kw_only]
    assert ours[: len(theirs)] == theirs


def test_properties_are_there() -> None:
    missing = []
    for name in aiortc.__all__:
        theirs, ours = getattr(aiortc, name), getattr(mirror, name)
        properties = {each for each, _ in inspect.getmembers(theirs, lambda value: isinstance(value, property))}
        expected = properties - INTERNAL.get(name, set())
        missing += [f"{name}.{each}" for each in expected if not each.startswith("_") and not hasattr(ours, each)]
    assert missing == []


# --- codecs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["vpx", "h264"])
def test_bit_rates_read_as_aiortcs(codec: str) -> None:
    ours = importlib.import_module(f"shim.compat.aiortc.codecs.{codec}")
    theirs = importlib.import_module(f"aiortc.codecs.{codec}")
    for name in ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_assigning_a_bit_rate_has_an_effect_on_new_connections() -> None:
    vpx = "shim.compat.aiortc.codecs.vpx"
    with mock.patch(f"{vpx}.MIN_BITRATE", 1_000_000), mock.patch(f"{vpx}.MAX_BITRATE", 4_000_000):
        bounds = engine_config(RTCConfiguration()).bitrate
        assert (bounds.min, bounds.max) == (1_000_000, 4_000_000)
    assert (BITRATE.min, BITRATE.start, BITRATE.max) == (None, None, None)


@pytest.mark.parametrize("value", [0, -1, "fast", None])
def test_an_impossible_bit_rate_is_refused(value: object) -> None:
    h264 = importlib.import_module("shim.compat.aiortc.codecs.h264")
    with pytest.raises(ValueError, match="bits per second"):
        setattr(h264, "MAX_BITRATE", value)  # noqa: B010 - what an application assigns is not typed
    assert BITRATE.max is None


def test_helpers_count_as_aiortcs() -> None:
    for name in ("uint16_add", "uint16_gt", "uint16_gte", "uint32_add", "uint32_gt", "uint32_gte"):
        for a, b in [
            (0, 0),
            (1, 2),
            (2, 1),
            (65535, 1),
            (0, 32768),
            (32768, 0),
            (2**32 - 1, 3),
            (0, 2**31),
            (2**31, 0),
        ]:
            if name.startswith("uint32") or max(a, b) < 65536:
                ours = importlib.import_module("shim.compat.aiortc.utils")
                assert getattr(ours, name)(a, b) == getattr(aiortc.utils, name)(a, b), (name, a, b)


def test_clocks_agree_with_aiortcs() -> None:
    clock, theirs = importlib.import_module("shim.compat.aiortc.clock"), aiortc.clock
    moment = clock.datetime_from_ntp(0xE4F5A1B2_80000001)
    assert moment == theirs.datetime_from_ntp(0xE4F5A1B2_80000001)
    assert clock.datetime_to_ntp(moment) == theirs.datetime_to_ntp(moment)
    assert abs(clock.current_ms() - theirs.current_ms()) < 60_000
    assert abs((clock.current_ntp_time() - theirs.current_ntp_time()) >> 32) < 60


# --- signaling ---------------------------------------------------------------------------------------

CANDIDATE = candidate_from_sdp("1 1 udp 2122252543 192.0.2.1 51472 typ host")
CANDIDATE.sdpMid, CANDIDATE.sdpMLineIndex = "0", 0
OFFER = RTCSessionDescription(sdp="v=0\r\n" * 40_000, type="offer")


@pytest.mark.parametrize(
    "obj", [CANDIDATE, RTCSessionDescription("v=0\r\n", "answer"), BYE], ids=["candidate", "sdp", "bye"]
)
def test_messages_are_aiortcs(obj: SignalingObject) -> None:
    theirs = importlib.import_module("aiortc.contrib.signaling")
    text = object_to_string(obj)
    assert theirs.object_to_string(theirs.object_from_string(text)) == text
    assert object_from_string(text) == obj


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"type": "hello"}', '{"type": "offer"}', '{"type": "candidate"}', "x\x00"]
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="signaling"):
        object_from_string(text)


async def _exchange(listening: BaseSignaling, connecting: BaseSignaling) -> None:
    async def connect() -> SignalingObject | None:
        while True:  # until the listening side listens
            try:
                return await connecting.receive()
            except OSError:
                await asyncio.sleep(0)

    _, received = await asyncio.gather(listening.send(OFFER), connect())
    assert received == OFFER
    await connecting.send(CANDIDATE)
    assert await listening.receive() == CANDIDATE
    await connecting.close()
    assert await listening.receive() is BYE
    assert await listening.receive() is None
    await listening.close()
    await listening.close()


def test_messages_cross_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    asyncio.run(asyncio.wait_for(_exchange(UnixSocketSignaling(path), UnixSocketSignaling(path)), 20))
    assert list(tmp_path.iterdir()) == []


def test_messages_cross_a_tcp_socket() -> None:
    import socket

    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asyncio.run(
        asyncio.wait_for(
            _exchange(TcpSocketSignaling("127.0.0.1", port), TcpSocketSignaling("127.0.0.1", str(port))), 20
        )
    )
