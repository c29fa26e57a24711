"""What backends declare is tested: each optional capability is what a test of the suite is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from shim._core.registry import get_registry
from shim.spi.capabilities import CORE, Capability

SUITE = Path(__file__).parents[1] / "suite"


def test_every_optional_capability_that_is_declared_is_required_by_a_test() -> None:
    registry = get_registry()
    declared = {capability for name in registry.names() for capability in registry.info(name).capabilities}
    required = {name for path in SUITE.glob("test_*.py") for name in required_in(ast.parse(path.read_text()))}
    assert {capability.name for capability in declared - CORE} - required == set()


def required_in(tree: ast.AST) -> Iterator[str]:
    """Find the capabilities that `requires(...)` names."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "requires":
            for argument in call.args:
                if isinstance(argument, ast.Attribute) and argument.attr in Capability.__members__:
                    yield argument.attr


def test_capability_without_a_test_would_be_found() -> None:
    tree = ast.parse('@requires(Capability.MTU, of="offerer")\ndef test_size(): ...\nuse(Capability.ORTC)')
    assert list(required_in(tree)) == ["MTU"]
