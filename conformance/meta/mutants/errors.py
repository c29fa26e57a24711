"""Errors of the wrong type, with the wrong name in them, or none at all.

The SDK checks most input before an engine sees it; ids of channels are among what only an engine knows.
"""

from __future__ import annotations

from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy
from shim.spi.engines import DataChannelEngine, DataChannelInit
from shim.spi.errors import ChannelIdInUseError, InvalidStateError, NotSupportedError, OperationError

TOPIC: Final = Topic("errors", "test_errors.py", "test_datachannels.py")


class _Misreporting(EngineProxy):
    """Changes what it says about an id in use."""

    def create_data_channel(self, init: DataChannelInit) -> DataChannelEngine:
        try:
            return super().create_data_channel(init)
        except ChannelIdInUseError as exc:
            raise self.changed(exc) from None

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return error


@TOPIC.proxy
class BuiltInError(_Misreporting):
    """Raise a KeyError."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return KeyError(str(error))


@TOPIC.proxy
class ErrorOfAnotherType(_Misreporting):
    """Blame the state of the connection."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return InvalidStateError(str(error))


@TOPIC.proxy
class ErrorOfTheBaseType(_Misreporting):
    """Raise an error that is no ValueError, as aiortc's is."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return OperationError(str(error))


@TOPIC.proxy
class FeatureDenied(_Misreporting):
    """Say that the backend cannot do this at all."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return NotSupportedError(str(error))


@TOPIC.proxy
class AnotherBackendNamed(_Misreporting):
    """Name another backend."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return ChannelIdInUseError(str(error), backend="chromium")


@TOPIC.proxy
class AnotherComponentNamed(_Misreporting):
    """Name another component."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return ChannelIdInUseError(str(error), component="surface")


@TOPIC.proxy
class NoWords(_Misreporting):
    """Say nothing of what is wrong."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return ChannelIdInUseError("failed")


@TOPIC.proxy
class TooManyWords(_Misreporting):
    """Say far too much."""

    def changed(self, error: ChannelIdInUseError) -> Exception:
        return ChannelIdInUseError(f"{error}: {'really! ' * 1000}")
