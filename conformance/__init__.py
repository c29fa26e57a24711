"""Proof that backends behave the same: a pytest plugin and a suite that runs against any of them."""
