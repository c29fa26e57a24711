"""RTP capabilities and parameters: libwebrtc's JSON and structs on one side, the seam's records on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backends.legacy.errors import check
from backends.legacy.ffi import Library
from backends.legacy.runtime import current
from shim.spi.engines import Codec, Encoding, HeaderExtension, Kind, RtpCapabilities, SendParameters

KINDS: Final[Mapping[str, int]] = {"audio": 0, "video": 1}


def rtp_capabilities(kind: Kind, sender: bool) -> RtpCapabilities:
    """Return what libwebrtc can send or receive."""
    runtime = current()
    handle = runtime.library.lib.rtc_factory_capabilities(runtime.factory(), KINDS[kind], sender)
    json = runtime.library.take_json(check(runtime.library, handle, "getCapabilities"))
    return RtpCapabilities(
        codecs=tuple(_codec(item) for item in json["codecs"]),
        header_extensions=tuple(HeaderExtension(item["uri"]) for item in json["headerExtensions"]),
    )


def send_parameters(json: Mapping[str, Any]) -> SendParameters:
    """Build the record from the JSON of `rtc_sender_get_parameters`."""
    return SendParameters(
        transaction_id=json["transactionId"],
        encodings=tuple(_encoding(item) for item in json["encodings"]),
        codecs=tuple(_codec(item) for item in json["codecs"]),
        header_extensions=tuple(HeaderExtension(item["uri"], item["id"]) for item in json["headerExtensions"]),
        cname=json["rtcp"]["cname"] or None,
    )


def native_encodings(library: Library, encodings: Sequence[Encoding]) -> tuple[Any, list[Any]]:
    """Return an array of ``rtc_encoding``, and what must be kept while it is used."""
    array = library.ffi.new("rtc_encoding[]", max(1, len(encodings)))
    kept: list[Any] = []
    for native, encoding in zip(array, encodings, strict=False):
        rid = library.ffi.new("char[]", (encoding.rid or "").encode())
        kept.append(rid)
        native.rid = rid
        native.active = encoding.active
        native.max_bitrate_bps = encoding.max_bitrate or 0
        native.max_framerate = -1.0 if encoding.max_framerate is None else encoding.max_framerate
        native.scale_resolution_down_by = encoding.scale_resolution_down_by or 0.0
        native.bitrate_priority = 1.0
        native.network_priority = 1
    return array, kept


def codec_lines(codecs: Sequence[Codec]) -> str:
    """Spell codecs as `rtc_transceiver_set_codec_preferences` reads them."""
    return "\n".join(_codec_line(codec) for codec in codecs)


def _codec_line(codec: Codec) -> str:
    line = f"{codec.mime_type}/{codec.clock_rate}"
    if codec.channels is not None:
        line += f"/{codec.channels}"
    parameters = ";".join(key if value is None else f"{key}={value}" for key, value in codec.parameters.items())
    return f"{line} {parameters}" if parameters else line


def _encoding(json: Mapping[str, Any]) -> Encoding:
    return Encoding(
        rid=json.get("rid") or None,
        active=json["active"],
        max_bitrate=json.get("maxBitrate"),
        max_framerate=json.get("maxFramerate"),
        scale_resolution_down_by=json.get("scaleResolutionDownBy"),
    )


def _codec(json: Mapping[str, Any]) -> Codec:
    return Codec(
        mime_type=json["mimeType"],
        clock_rate=json["clockRate"],
        channels=json.get("channels"),
        payload_type=json.get("payloadType"),
        parameters=dict(_parameter(item) for item in json.get("sdpFmtpLine", "").split(";") if item),
    )


def _parameter(item: str) -> tuple[str, int | str | None]:
    key, separator, value = item.strip().partition("=")
    if not separator:
        return key, None
    # A leading zero is part of a hexadecimal value such as profile-level-id, not a number.
    return key, int(value) if value.isdigit() and (value == "0" or value[0] != "0") else value
