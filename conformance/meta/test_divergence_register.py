"""The register of divergences: what it accepts, and which tests an entry covers."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from conformance.divergence import Register, Selection, failure_text, matches
from shim.spi.divergence import load_divergences
from shim.spi.errors import BackendContractError

GOOD = {
    "id": '"native-x"',
    "component": '"peer"',
    "tests": '["test_ice.py::test_x*"]',
    "kind": '"engine"',
    "reason": '"because"',
    "since": "2024-01-01",
    "expires": "2024-12-31",
}


def _write(folder: Path, *entries: dict[str, str]) -> Path:
    path = folder / "divergences.toml"
    tables = ("[[divergence]]\n" + "".join(f"{key} = {value}\n" for key, value in entry.items()) for entry in entries)
    path.write_text("\n".join(tables))
    return path


def test_entry_is_read(tmp_path: Path) -> None:
    (entry,) = load_divergences(_write(tmp_path, GOOD))
    assert (entry.id, entry.kind, entry.tests) == ("native-x", "engine", ("test_ice.py::test_x*",))
    assert entry.expires == datetime.date(2024, 12, 31)


def test_entry_may_say_what_it_shows(tmp_path: Path) -> None:
    quiet, loud = load_divergences(_write(tmp_path, GOOD, GOOD | {"id": '"native-y"', "shows": "'no .* within'"}))
    assert (quiet.shows, loud.shows) == (None, "no .* within")


def test_failure_shows_the_lines_of_the_test_and_what_was_raised() -> None:
    def fail() -> None:
        try:
            raise TimeoutError("late")
        except TimeoutError as exc:
            raise ExceptionGroup("both", [exc, KeyError("absent")]) from exc

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    text = failure_text(caught.value, Path(__file__))
    for shown in ("fail()", 'raise ExceptionGroup("both"', "TimeoutError: late", "KeyError: 'absent'"):
        assert shown in text
    assert "fail()" not in failure_text(caught.value, Path("elsewhere.py"))


def test_register_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert load_divergences(tmp_path / "divergences.toml") == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", '"whim"'),
        ("component", '"engine-room"'),
        ("tests", "[]"),
        ("tests", '"test_ice.py::test_x"'),
        ("reason", '""'),
        ("expires", '"soon"'),
        ("expires", "2023-12-31"),
        ("expires", "2024-12-31T00:00:00"),
        ("owner", '"me"'),
        ("shows", "7"),
        ("shows", '"(unclosed"'),
    ],
)
def test_bad_field_is_refused(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(BackendContractError, match="entry 1"):
        load_divergences(_write(tmp_path, GOOD | {field: value}))


@pytest.mark.parametrize("field", GOOD)
def test_missing_field_is_refused(tmp_path: Path, field: str) -> None:
    entry = {key: value for key, value in GOOD.items() if key != field}
    with pytest.raises(BackendContractError, match="fields"):
        load_divergences(_write(tmp_path, entry))


def test_id_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(BackendContractError, match="native-x"):
        load_divergences(_write(tmp_path, GOOD, GOOD))


def test_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "divergences.toml"
    path.write_text("[[divergence]\n")
    with pytest.raises(BackendContractError, match=r"divergences\.toml"):
        load_divergences(path)


@pytest.mark.parametrize(
    ("pattern", "test", "expected"),
    [
        ("test_ice.py::test_x", "test_ice.py::test_x[native-legacy]", True),
        ("test_ice.py::test_x", "test_ice.py::test_x", True),
        ("test_ice.py::test_x", "test_ice.py::test_xy[native]", False),
        ("test_ice.py::test_*", "test_ice.py::test_xy[native]", True),
        ("test_ice.py::test_x[native-*]", "test_ice.py::test_x[native-legacy]", True),
        ("test_ice.py::test_x[native-*]", "test_ice.py::test_x[legacy-native]", False),
        ("test_sdp.py::test_x", "test_ice.py::test_x", False),
    ],
)
def test_pattern_covers(pattern: str, test: str, expected: bool) -> None:
    assert matches(pattern, test) is expected


@pytest.mark.parametrize(
    ("pattern", "backends", "is_paired", "expected"),
    [
        ("test_ice.py::test_gone", {"native"}, False, True),
        ("test_ice.py::test_gone[native-legacy]", {"native"}, True, False),
        ("test_ice.py::test_gone[native-legacy]", {"native", "legacy"}, True, True),
        ("test_ice.py::test_gone[native-legacy]", {"native", "legacy"}, False, False),
        ("test_sdp.py::test_gone", {"native"}, True, False),
    ],
)
def test_unmatched_pattern_counts_only_where_it_could_match(
    pattern: str, backends: set[str], is_paired: bool, expected: bool
) -> None:
    selection = Selection(frozenset({"test_ice.py"}), frozenset(backends), frozenset({"native", "legacy"}), is_paired)
    assert selection.could_match(pattern) is expected


def test_expired_entry_covers_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path, GOOD)
    register = Register("native", path, load_divergences(path))
    test = "test_ice.py::test_x[native]"
    assert register.covering(test, datetime.date(2024, 12, 31)) is not None
    assert register.covering(test, datetime.date(2025, 1, 1)) is None
