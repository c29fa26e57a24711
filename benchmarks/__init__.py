"""The benchmark suite: one file per metric in :mod:`benchmarks.metrics`, one runner, one report.

Run ``shim bench`` or ``python -m benchmarks``.
"""
