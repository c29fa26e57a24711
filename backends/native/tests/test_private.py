"""Fails loudly, and by name, when an upgrade of aiortc or aioice changes a private part that is used."""

from __future__ import annotations

import inspect
import re

import aioice.ice
import aiortc.rtcsctptransport as sctp
import pytest
from aioice import Connection
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceTransport
from aiortc.rtcsctptransport import RTCSctpTransport

from backends.native import private
from backends.native.channels import BINARY, BINARY_EMPTY, DCEP, TEXT, TEXT_EMPTY

METHODS = [(owner, name, wanted) for owner, names in private.NAMES.items() for name, wanted in names.items()]
ATTRIBUTES = [(owner, name) for owner, names in private.ATTRIBUTES.items() for name in names]


@pytest.mark.parametrize(("owner", "name", "wanted"), METHODS)
def test_method_has_the_parameters_that_are_relied_on(owner: type, name: str, wanted: tuple[str, ...]) -> None:
    method = getattr(owner, name, None)
    assert method is not None, f"{owner.__name__}.{name} is gone"
    found = tuple(inspect.signature(method).parameters)[1:]
    assert found == wanted, f"{owner.__name__}.{name} takes {found}"


@pytest.mark.parametrize(("owner", "name"), ATTRIBUTES)
def test_attribute_exists(owner: type, name: str) -> None:
    source = inspect.getsource(owner)
    assert re.search(rf"self\.{name}\b", source), f"{owner.__name__}.{name} is gone"


@pytest.mark.parametrize("name", ["_setReadyState", "_setId", "_addBufferedAmount"])
def test_sctp_calls_channels_by_these_names(name: str) -> None:
    assert f"channel.{name}(" in inspect.getsource(RTCSctpTransport), f"channel.{name} is not called any more"


@pytest.mark.parametrize("call", ["self.transport._recv()", "self.transport._send(data)", "self.transport.role"])
def test_dtls_asks_its_ice_transport_for_these(call: str) -> None:
    assert call in inspect.getsource(RTCDtlsTransport), f"{call} is not called any more"


@pytest.mark.parametrize("name", ["lock", "protocol", "subscribers"])
def test_aioice_shares_these_among_the_connections_of_a_thread(name: str) -> None:
    source = inspect.getsource(aioice.ice.get_or_create_mdns_protocol)
    assert f"_mdns.{name} =" in source, f"_mdns.{name} is not set any more"


def test_the_wire_constants_are_those_of_aiortc() -> None:
    names = ("DCEP", "STRING", "BINARY", "STRING_EMPTY", "BINARY_EMPTY")
    assert [getattr(sctp, f"WEBRTC_{name}") for name in names] == [DCEP, TEXT, BINARY, TEXT_EMPTY, BINARY_EMPTY]


def test_nothing_else_of_these_classes_is_private_to_the_backend() -> None:
    """The classes that are wrapped still have the shape that the wrapping assumes."""
    assert inspect.iscoroutinefunction(Connection.query_consent)
    assert list(inspect.signature(Connection.check_complete).parameters) == ["self", "pair"]
    assert list(inspect.signature(Connection.data_received).parameters) == ["self", "data", "component"]
    assert {RTCIceGatherer, RTCIceTransport, RTCCertificate}
