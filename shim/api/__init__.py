"""The objects that an application holds: aiortc's names over any engine."""
