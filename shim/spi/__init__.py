"""The seam: the only part of the SDK that a backend may import. See ``docs/backends.md``."""
