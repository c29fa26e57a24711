"""Tests of the suite itself: backends that are wrong on purpose, each of which some test must catch."""
