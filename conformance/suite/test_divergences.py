"""The register of known divergences is as strict as the tests it excuses."""

from __future__ import annotations

import pytest

from conformance.requirements import spec
from conformance.running import register_problems
from conformance.targets import Target


@spec("docs/conformance.md Register a divergence")
@pytest.mark.judges_collection
def test_register_has_no_expired_and_no_stale_entry(pytestconfig: pytest.Config, target: Target) -> None:
    problems = register_problems(pytestconfig, target.name)
    assert not problems, "\n".join(problems)
