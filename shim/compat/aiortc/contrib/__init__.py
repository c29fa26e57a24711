"""Mirror of ``aiortc.contrib``."""
