"""Calls between each backend and a real browser: Debian's Chromium, without a window."""
