"""The suite can see: nothing in the proxies themselves, and what is wrong with a mutant."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

import conformance.suite
from conformance.meta.catalogue import CONTROL, Mutant, all_mutants, mutant_named
from conformance.meta.hunt import Hunt, judge, read_hints
from conformance.meta.meeting import meet
from conformance.meta.proxies import Parts

TOPICS = {
    "data channels",
    "data over a bad network",
    "events",
    "SDP",
    "JSEP",
    "ICE",
    "security",
    "media",
    "tracks",
    "parameters",
    "statistics",
    "lifecycle",
    "errors",
    "pictures",
    "sound",
    "speech",
    "video codecs",
    "transforms",
    "changes",
    "glare",
    "programs",
    "relay",
    "interop",
    "anything",
    "screen",
    "layers",
    "states",
    "encoded-send",
}
WITHOUT_MUTANTS = {
    "test_divergences.py": "asks the register, not a backend",
    "test_scale.py": "slow: a hunt leaves slow tests out",
}
"""Files of the suite that no mutant is for."""
NAMED = {
    "last-byte-dropped",
    "messages-swapped",
    "resends-after-max-retransmits",
    "bt709-instead-of-bt601",
    "converted-chroma-off-by-one",
    "one-sample-late",
    "connected-before-ice",
    "closed-never-fires",
    "always-active",
    "transport-policy-ignored",
    "bitrate-cap-ignored",
    "thread-per-connection",
    "statistics-lag",
    "error-of-another-type",
    "close-hangs",
}
"""What the suite was asked to see from the beginning."""
SAMPLE = ("text-as-bytes", "line-feeds-only", "rollback-ignored", "descriptor-per-connection")
QUICK = ("test_configuration.py", "test_dtls.py", "test_errors.py")


def test_there_are_mutants_of_every_topic() -> None:
    mutants = all_mutants().values()
    assert {mutant.topic for mutant in mutants} == TOPICS
    assert len(mutants) >= 60
    assert set(all_mutants()) >= NAMED
    assert all(mutant.description for mutant in mutants)


def test_every_file_of_the_suite_has_mutants() -> None:
    files = {file for mutant in all_mutants().values() for file in mutant.files}
    suite = {path.name for path in Path(conformance.suite.__file__).parent.glob("test_*.py")}
    assert files | WITHOUT_MUTANTS.keys() == suite


def test_proxies_with_nothing_wrong_in_them_pass() -> None:
    result = meet(mutant_named(CONTROL), QUICK, (), stop=False)
    assert (result.failed, result.passed > 50) == ({}, True), result.said


def test_sample_of_mutants_is_caught() -> None:
    hints = read_hints()
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda name: judge(mutant_named(name), (), hints.get(name)), SAMPLE))
    assert [verdict.mutant for verdict in verdicts if verdict.caught_by is None] == []


def test_survivor_fails_the_hunt() -> None:
    said = io.StringIO()
    harmless = Mutant(CONTROL, "none", "nothing is wrong", ("test_divergences.py",), Parts())
    assert Hunt([harmless], 1, Console(file=said, width=200)).run() == 1
    assert "SURVIVED: control" in said.getvalue()
