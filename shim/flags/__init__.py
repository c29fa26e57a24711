"""Flags: which backend was asked for, by whom, and what may replace it. See ``docs/flags.md``."""
