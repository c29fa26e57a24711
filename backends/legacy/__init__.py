"""The ``legacy`` backend: C++ libwebrtc, reached through cffi and a flat C ABI.

The C++ half is in ``libwebrtc/``; ``plugin`` is the entry point. Importing this package loads neither.
"""
