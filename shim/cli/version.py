"""``shim version``."""

from __future__ import annotations


def version() -> None:
    """Print the version of the SDK."""
    print(f"webrtc-shim {distribution_version('webrtc-shim')}")


def distribution_version(name: str) -> str:
    """Return the version of an installed distribution, or say that it is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(name)
    except PackageNotFoundError:
        return "not installed"
