"""``python -m shim``: the same as the ``shim`` command."""

from __future__ import annotations

from shim.cli import main

if __name__ == "__main__":
    main()
