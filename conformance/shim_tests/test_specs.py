"""Every test of the suite says what it checks, and parts of our own documents that it names are there."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isfunction
from pathlib import Path
from typing import Final

import pytest

from conformance.plugin import SUITE
from conformance.report.sections import link_of

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted(path.stem for path in SUITE.glob("test_*.py"))


def _sections_by_test(file: str) -> dict[str, list[str]]:
    module = import_module(f"conformance.suite.{file}")
    found: dict[str, list[str]] = {}
    for name, test in getmembers(module, isfunction):
        if name.startswith("test_") and test.__module__ == module.__name__:
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "spec"]
            found[name] = [section for mark in marks for section in mark.args]
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_test_says_what_it_checks(file: str) -> None:
    tests = _sections_by_test(file)
    assert tests
    assert [name for name, sections in tests.items() if not all(sections) or not sections] == []


def test_named_parts_of_our_documents_are_there() -> None:
    named = {section for file in FILES for sections in _sections_by_test(file).values() for section in sections}
    ours = {tuple(section.split(" ", 1)) for section in named if section.startswith("docs/")}
    assert ours
    for document, heading in sorted(ours):
        lines = (ROOT / document).read_text().splitlines()
        assert heading in {line.lstrip("# ") for line in lines if line.startswith("#")}, document


def test_documents_of_the_w3c_are_linked() -> None:
    assert link_of("WebCodecs 6") == "https://www.w3.org/TR/webcodecs/"
