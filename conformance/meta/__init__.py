"""Tests of the suite itself: what a third party relies on when it believes a result."""
