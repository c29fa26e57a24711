"""The ``wrtc`` backend of webrtc-shim: libwebrtc M152, as PyPI's `wrtc` has it. An example of a backend elsewhere."""
