"""Calls in 3840x2160 between the native backend and libwebrtc M152 (PyPI wrtc), in both directions at once."""
