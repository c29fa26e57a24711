"""The private names of aiortc that the media path depends on: fails with the name when aiortc changes one."""

from __future__ import annotations

import inspect

import pytest

from backends.native.private import MEDIA_NAMES

CASES = [(owner, name, parameters) for owner, names in MEDIA_NAMES.items() for name, parameters in names.items()]


@pytest.mark.parametrize(("owner", "name", "parameters"), CASES, ids=[f"{o.__name__}.{n}" for o, n, _ in CASES])
def test_private_method_has_the_parameters_we_pass(owner: type, name: str, parameters: tuple[str, ...]) -> None:
    method = getattr(owner, name, None)
    assert method is not None, f"aiortc no longer has {owner.__name__}.{name}: adapt backends/native/private.py"
    found = tuple(inspect.signature(method).parameters)[1:]
    assert found == parameters, f"aiortc changed the parameters of {owner.__name__}.{name} to {found}"
