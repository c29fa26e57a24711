"""Dispatch: the registry of backends, the decision, the sink. Not for applications."""
