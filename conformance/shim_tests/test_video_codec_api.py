"""Arguments of video encoders and decoders, which the SDK checks for all backends; key frames told by their bits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shim
from shim import InvalidMediaError, VideoDecoder, VideoEncoder, video_codecs
from shim.api.video_bitstream import begins_anew
from shim.spi.capabilities import Component
from shim.spi.errors import CapabilityError, FlagConfigError

pytestmark = pytest.mark.timeout(60)


def encoder(codec: str = "VP8", width: int = 64, height: int = 64, **settings: Any) -> VideoEncoder:
    return VideoEncoder(codec, width, height, backend="native", **{"bitrate": 100_000, **settings})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"codec": "VP10"}, "codec 'VP10' is not one of VP8, VP9, H264, H265, AV1"),
        ({"width": 15}, "15x64 is not 16x16 to 16384x16384"),
        ({"height": 16385}, "64x16385 is not"),
        ({"width": -64}, "-64x64 is not"),
        ({"width": 64.5}, "64.5x64 is not"),
        ({"bitrate": 9_999}, "bitrate 9999 is not a whole number of 10000 to 2000000000"),
        ({"bitrate": 1e6}, "bitrate 1000000.0 is not a whole number"),
        ({"bitrate": None}, "a bitrate is missing"),
        ({"framerate": 0}, "framerate of 0 is not above 0 and at most 240"),
        ({"framerate": -1}, "framerate of -1 is not"),
        ({"framerate": float("nan")}, "framerate of nan is not"),
        ({"framerate": 241}, "framerate of 241 is not"),
        ({"framerate": "30"}, "framerate of '30' is not"),
        ({"key_interval": 0}, "key_interval 0 is not"),
        ({"temporal_layers": 0}, "temporal_layers 0 is not a whole number of 1 to 3"),
        ({"temporal_layers": 4}, "temporal_layers 4 is not"),
        ({"speed": 11}, "speed 11 is not a whole number of 0 to 10"),
        ({"speed": -1}, "speed -1 is not"),
        ({"threads": 0}, "threads 0 is not"),
        ({"hardware": "maybe"}, "hardware 'maybe' is not one of never, prefer, require"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_impossible_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidMediaError) as caught:
        encoder(**settings)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", ["vp8", "Vp8", "video/VP8", "H264", "h.264", "avc", "hevc", "H265", "av1", "vp9"])
def test_codec_goes_by_many_names(name: str) -> None:
    with encoder(name) as made, VideoDecoder(name, backend="native") as decoder:
        assert made.backendDecision.component is Component.VIDEO_ENCODE
        assert decoder.backendDecision.component is Component.VIDEO_DECODE


@pytest.mark.parametrize("bitrate", [None, 0, 1.5, "100000"], ids=str)
def test_impossible_rates_change_nothing(bitrate: Any) -> None:
    with encoder() as made:
        with pytest.raises(InvalidMediaError, match="bitrate"):
            made.set_rates(bitrate)
        with pytest.raises(InvalidMediaError, match="framerate"):
            made.set_rates(100_000, 0)
        made.set_rates(200_000)
        made.set_rates(200_000, 60)


def test_unknown_codec_and_backend_of_a_decoder() -> None:
    with pytest.raises(InvalidMediaError, match="codec 'MPEG' is not one of"):
        VideoDecoder("MPEG")
    with pytest.raises(InvalidMediaError, match="hardware"):
        VideoDecoder("VP8", hardware="yes")
    with pytest.raises(FlagConfigError):
        VideoDecoder("VP8", backend="nativ")


def test_codecs_are_told() -> None:
    codecs = video_codecs(backend="native")
    assert codecs.encode[0] == "AV1"
    assert set(codecs.encode) == set(codecs.decode) == {"VP8", "VP9", "H264", "H265", "AV1"}


def test_flag_chooses_the_backend() -> None:
    with shim.use_backend("native", component="video_encode"), encoder() as made:
        assert (made.backendDecision.backend, made.backendDecision.source) == ("native", "explicit")
    with pytest.raises(CapabilityError, match="layer"):
        encoder("H264", temporal_layers=2)


@pytest.mark.parametrize(
    ("codec", "key", "delta"),
    [
        ("VP8", "10020000", "11020000"),
        ("VP9", "82498342", "86004092"),
        ("H264", "0000000167420000000168000000000165", "000000016742000001419a"),
        ("H265", "00000001400000000001260000", "000000010200"),
        ("AV1", "0a0b000000", "320a1000"),
    ],
)
def test_key_frames_are_told_by_their_bits(codec: Any, key: str, delta: str) -> None:
    assert begins_anew(bytes.fromhex(key), codec)
    assert not begins_anew(bytes.fromhex(delta), codec)
    assert not begins_anew(b"", codec)


@given(st.binary(max_size=60))
def test_any_bytes_are_looked_at(data: bytes) -> None:
    for codec in ("VP8", "VP9", "H264", "H265", "AV1"):
        assert begins_anew(data, codec) in {True, False}
