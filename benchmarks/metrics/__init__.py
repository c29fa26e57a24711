"""One file per metric; a module with a sequence ``METRICS`` in this package is all that a new one takes."""
