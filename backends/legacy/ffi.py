"""The door to C: loads the cffi module ``_webrtc_legacy`` and checks that it is the one this code was written for."""

from __future__ import annotations

import importlib
import json
import threading
from typing import Any, Final

from shim.spi.errors import BackendUnavailableError

EXPECTED_ABI: Final = 4
"""RTC_SHIM_ABI_VERSION of the header that this package's Python was written against."""

MODULE: Final = "backends.legacy._webrtc_legacy"
INSTALL: Final = "pip install webrtc-shim-legacy"
BUILD: Final = (
    "apt-get install libtgowt-dev g++ pkg-config, then `pip install ./backends/legacy` "
    "(or `python backends/legacy/libwebrtc/build.py` in a source tree)"
)

_lock: Final = threading.Lock()
_loaded: list[Library] = []


class Library:
    """The loaded library. Calls release the GIL; any thread may make them.

    :param module: the cffi module, with ``ffi`` and ``lib``.
    """

    def __init__(self, module: Any) -> None:  # noqa: ANN401 - cffi modules have no static type
        self.ffi: Any = module.ffi
        self.lib: Any = module.lib
        self.version: str = self.ffi.string(self.lib.rtc_version_string()).decode()

    def last_error(self) -> str:
        """Return the text of this thread's last error: only meaningful directly after a negative result."""
        size = self.lib.rtc_last_error(self.ffi.NULL, 0) + 1
        text = self.ffi.new("char[]", size)
        self.lib.rtc_last_error(text, size)
        return str(self.ffi.string(text).decode("utf-8", "replace"))

    def text(self, data: Any, size: int) -> str:  # noqa: ANN401
        """Return the text at `data`, of an event."""
        return str(self.ffi.buffer(data, size)[:].decode("utf-8", "replace")) if size else ""

    def take_string(self, handle: int) -> str:
        """Return the text of a string handle and free it."""
        size = self.ffi.new("size_t *")
        data = self.lib.rtc_string_data(handle, size)
        text = self.text(data, size[0]) if data else ""
        self.lib.rtc_string_free(handle)
        return text

    def take_json(self, handle: int) -> Any:  # noqa: ANN401
        """Return the parsed JSON of a string handle and free it."""
        return json.loads(self.take_string(handle))


def loaded() -> Library | None:
    """Return the library if it has been loaded."""
    return _loaded[0] if _loaded else None


def load() -> Library:
    """Return the library, loading it the first time.

    :raises BackendUnavailableError: it has not been built, cannot be linked, or has another ABI version.
    """
    with _lock:
        if not _loaded:
            _loaded.append(_open())
        return _loaded[0]


def _open() -> Library:
    module = _import()
    found = module.lib.rtc_abi_version()
    if found != EXPECTED_ABI:
        raise BackendUnavailableError(
            f"backend legacy: the compiled library has ABI version {found}, but this version of the package needs "
            f"{EXPECTED_ABI}. Build it again: {BUILD}",
            backend="legacy",
        )
    return Library(module)


def _import() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError as exc:
        raise BackendUnavailableError(
            f"backend legacy is not built: the module {MODULE} is missing. To get it: {BUILD}", backend="legacy"
        ) from exc
    except ImportError as exc:
        raise BackendUnavailableError(
            f"backend legacy cannot be loaded: {exc}. If a shared library is missing: {BUILD}", backend="legacy"
        ) from exc
