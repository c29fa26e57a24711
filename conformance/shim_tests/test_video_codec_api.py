"""Names of codecs and backends of video encoders and decoders; key frames told by their bits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shim
from shim import VideoDecoder, VideoEncoder, video_codecs
from shim.api.video_bitstream import begins_anew
from shim.spi.capabilities import Component
from shim.spi.errors import CapabilityError, FlagConfigError

pytestmark = pytest.mark.timeout(60)


def encoder(codec: str = "VP8", width: int = 64, height: int = 64, **settings: Any) -> VideoEncoder:
    return VideoEncoder(codec, width, height, backend="native", **{"bitrate": 100_000, **settings})


@pytest.mark.parametrize("name", ["vp8", "Vp8", "video/VP8", "H264", "h.264", "avc", "hevc", "H265", "av1", "vp9"])
def test_codec_goes_by_many_names(name: str) -> None:
    with encoder(name) as made, VideoDecoder(name, backend="native") as decoder:
        assert made.backendDecision.component is Component.VIDEO_ENCODE
        assert decoder.backendDecision.component is Component.VIDEO_DECODE


def test_unknown_backend_of_a_decoder() -> None:
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
