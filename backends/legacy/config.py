"""Writes an :class:`~shim.spi.engines.EngineConfig` into libwebrtc's configuration."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from backends.legacy.errors import check
from backends.legacy.ffi import Library
from shim.spi.engines import EngineConfig

POLICIES: Final = {"all": 0, "relay": 1}
BUNDLES: Final = {"balanced": 0, "max-bundle": 1, "max-compat": 2}

ICE_TRANSPORT_POLICY: Final = 1
BUNDLE_POLICY: Final = 2
PORT_MIN: Final = 5
PORT_MAX: Final = 6
ICE_RECEIVING_TIMEOUT_MS: Final = 11
ICE_UNWRITABLE_TIMEOUT_MS: Final = 13
ICE_INACTIVE_TIMEOUT_MS: Final = 15
CPU_ADAPTATION: Final = 26


class ConfigHandle:
    """A native configuration, for the length of a ``with`` block that yields its handle."""

    def __init__(self, library: Library, config: EngineConfig) -> None:
        self._library = library
        self._config = config
        self._handle = check(library, library.lib.rtc_config_new(), "creating a configuration")

    def __enter__(self) -> int:
        try:
            self._fill()
        except BaseException:
            self._free()
            raise
        return self._handle

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._free()

    def _free(self) -> None:
        self._library.lib.rtc_config_free(self._handle)

    def _fill(self) -> None:
        for key, value in _integers(self._config).items():
            self._check(self._library.lib.rtc_config_set_int(self._handle, key, value), f"setting {key} to {value}")
        self._add_servers()
        for certificate in self._config.certificates:
            pem = certificate.private_key.encode(), certificate.certificate.encode()
            self._check(self._library.lib.rtc_config_add_certificate(self._handle, *pem), "using a certificate")

    def _add_servers(self) -> None:
        null = self._library.ffi.NULL
        for server in self._config.ice_servers:
            user = null if server.username is None else server.username.encode()
            secret = null if server.credential is None else server.credential.encode()
            for url in server.urls:
                result = self._library.lib.rtc_config_add_ice_server(self._handle, url.encode(), user, secret)
                self._check(result, f"using the ICE server {url}")

    def _check(self, result: int, what: str) -> None:
        check(self._library, result, f"RTCPeerConnection: {what}")


def _integers(config: EngineConfig) -> dict[int, int]:
    low, high = config.port_range or (0, 0)
    silent = round(config.ice_disconnected_after * 1000)
    return {
        ICE_TRANSPORT_POLICY: POLICIES[config.ice_transport_policy],
        BUNDLE_POLICY: BUNDLES[config.bundle_policy],
        PORT_MIN: low,
        PORT_MAX: high,
        # libwebrtc calls a pair weak when nothing arrives (receiving) or checks stay unanswered (writable); the
        # state is "disconnected" once both happened, and "failed" when the pair has been given up.
        ICE_RECEIVING_TIMEOUT_MS: silent,
        ICE_UNWRITABLE_TIMEOUT_MS: silent,
        ICE_INACTIVE_TIMEOUT_MS: max(silent + 1, round(config.ice_failed_after * 1000)),
        # A frame is sent at the size the application gave it, whatever the machine's load: aiortc does the same.
        CPU_ADAPTATION: 0,
    }
