"""Senders that do not do what their parameters say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from conformance.meta.catalogue import Topic
from conformance.meta.proxies import EngineProxy, Report, SinkProxy, TransceiverProxy
from shim.spi import events as ev
from shim.spi.engines import Codec, Encoding, EngineConfig, RtpCapabilities, SendParameters

TOPIC: Final = Topic(
    "parameters", "test_parameters.py", "test_bitrate.py", "test_encoding.py", "test_dtmf.py", "test_jitter_target.py"
)


class _Pretending(TransceiverProxy):
    """Says that parameters are applied, and applies others."""

    _said: tuple[Encoding, ...] | None = None

    def get_parameters(self) -> SendParameters:
        parameters = super().get_parameters()
        return parameters if self._said is None else replace(parameters, encodings=self._said)

    def set_parameters(self, parameters: SendParameters) -> None:
        self._said = parameters.encodings
        applied = tuple(self.applied(encoding) for encoding in parameters.encodings)
        super().set_parameters(replace(parameters, encodings=applied))

    def applied(self, encoding: Encoding) -> Encoding:
        return encoding


@TOPIC.proxy
class BitrateCapIgnored(_Pretending):
    """Send as much as before, whatever the maximum."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, max_bitrate=None)


@TOPIC.proxy
class BitrateNeverRises(_Pretending):
    """Keep to the lowest maximum that there ever was."""

    _lowest: int | None = None

    def applied(self, encoding: Encoding) -> Encoding:
        found = [cap for cap in (self._lowest, encoding.max_bitrate) if cap is not None]
        self._lowest = min(found, default=None)
        return replace(encoding, max_bitrate=self._lowest)


@TOPIC.proxy
class BitrateHalved(_Pretending):
    """Send half of what the maximum allows."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, max_bitrate=encoding.max_bitrate and encoding.max_bitrate // 2)


@TOPIC.proxy
class BitrateExceeded(_Pretending):
    """Send a third more than the maximum allows."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, max_bitrate=encoding.max_bitrate and encoding.max_bitrate * 4 // 3)


@TOPIC.proxy
class FramerateCapIgnored(_Pretending):
    """Send as many pictures as before, whatever the maximum."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, max_framerate=None)


@TOPIC.proxy
class ScaleIgnored(_Pretending):
    """Send pictures of the full size, whatever the scale."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, scale_resolution_down_by=None)


@TOPIC.proxy
class InactiveIgnored(_Pretending):
    """Send on although the encoding is not active."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, active=True)


@TOPIC.proxy
class BitrateBringsKeyFrames(TransceiverProxy):
    """Begin anew for each set of parameters."""

    def set_parameters(self, parameters: SendParameters) -> None:
        stopped = tuple(replace(encoding, active=False) for encoding in parameters.encodings)
        super().set_parameters(replace(parameters, encodings=stopped))
        super().set_parameters(parameters)


@TOPIC.proxy
class EncoderUnnamed(EngineProxy):
    """Do not say what encodes."""

    def reported(self, report: Report) -> Report:
        unnamed = {"encoderImplementation"}
        return {key: {name: entry[name] for name in entry.keys() - unnamed} for key, entry in report.items()}


@TOPIC.proxy
class LimitationUnknown(EngineProxy):
    """Say that something else always limits the quality, for no time at all."""

    def reported(self, report: Report) -> Report:
        return {key: {**entry, "qualityLimitationDurations": {"other": 0.0}} for key, entry in report.items()}


@TOPIC.proxy
class ParametersForgotten(TransceiverProxy):
    """Return the parameters of the beginning."""

    def get_parameters(self) -> SendParameters:
        return replace(super().get_parameters(), encodings=(Encoding(),))


@TOPIC.proxy
class CnameMissing(TransceiverProxy):
    """Report no CNAME."""

    def get_parameters(self) -> SendParameters:
        return replace(super().get_parameters(), cname=None)


@TOPIC.proxy
class CodecsMissing(TransceiverProxy):
    """Report no codecs."""

    def get_parameters(self) -> SendParameters:
        return replace(super().get_parameters(), codecs=())


@TOPIC.proxy
class PreferencesIgnored(TransceiverProxy):
    """Offer the codecs in the order that we like."""

    def set_codec_preferences(self, codecs: Sequence[Codec]) -> None:
        pass


@TOPIC.capabilities
def mandatory_codec_unknown(capabilities: RtpCapabilities) -> RtpCapabilities:
    """Say that we have no VP8."""
    return replace(capabilities, codecs=tuple(c for c in capabilities.codecs if c.mime_type != "video/VP8"))


@TOPIC.capabilities
def declared_codec_unknown(capabilities: RtpCapabilities) -> RtpCapabilities:
    """Say that we have no H.264, though it is declared."""
    return replace(capabilities, codecs=tuple(c for c in capabilities.codecs if c.mime_type != "video/H264"))


@TOPIC.proxy
class FramerateHalved(_Pretending):
    """Send half the frames that the maximum allows."""

    def applied(self, encoding: Encoding) -> Encoding:
        return replace(encoding, max_framerate=encoding.max_framerate and encoding.max_framerate / 2)


@TOPIC.proxy
class TonesReversed(TransceiverProxy):
    """Send tones from the last to the first."""

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        super().insert_dtmf(tones[::-1], duration, gap)


@TOPIC.proxy
class TonesTooShort(TransceiverProxy):
    """Send tones of a quarter of their length."""

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        super().insert_dtmf(tones, duration / 4, gap)


@TOPIC.proxy
class TonesOfOtherKeys(TransceiverProxy):
    """Send other keys than were asked for."""

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        super().insert_dtmf(tones.translate(str.maketrans("123456789", "987654321")), duration, gap)


@TOPIC.proxy
class RepeatedToneOnce(TransceiverProxy):
    """Send a key that follows itself only once."""

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        super().insert_dtmf("".join(key for key, _ in groupby(tones)), duration, gap)


@TOPIC.proxy
class TonesNotTold(SinkProxy):
    """Never tell that a tone starts."""

    def tell(self, event: ev.Event) -> None:
        if not isinstance(event, ev.ToneChanged):
            super().tell(event)


@TOPIC.proxy
class TonesAlwaysPossible(TransceiverProxy):
    """Say that tones can be sent, even before connecting."""

    def can_insert_dtmf(self) -> bool:
        return True


@TOPIC.proxy
class OpusParametersIgnored(EngineProxy):
    """Send Opus as we like."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, opus=EngineConfig().opus)


@TOPIC.proxy
class BitrateBoundsIgnored(EngineProxy):
    """Send as much as we like."""

    def configured(self, config: EngineConfig) -> EngineConfig:
        return replace(config, bitrate=EngineConfig().bitrate)


@TOPIC.proxy
class JitterTargetIgnored(TransceiverProxy):
    """Show what arrives at once, whatever delay was asked for."""

    def set_jitter_target(self, seconds: float | None) -> None:
        pass


TOPIC.on("legacy", "scale-ignored", "bitrate-never-rises")
