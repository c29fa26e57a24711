"""What the SDK does around a transform of encoded frames, whatever the engine: counts, checks, and what passes by."""

from __future__ import annotations

import logging
from typing import Any, Final

import pytest

from shim import EncodedFrameInfo, RTCTransformCounts, SFrame
from shim.api.transforms import TransformSlot

VP8: Final = EncodedFrameInfo("video", "video/VP8", True, 1, 2)


def _slot(transform: Any) -> TransformSlot:
    slot = TransformSlot("RTCRtpSender.transform", "encryptFrame")
    slot.use(transform)
    return slot


def test_frames_that_went_on_were_dropped_or_failed_are_counted() -> None:
    answers: list[Any] = [b"other", bytearray(b"other"), None, b"", "text", KeyError("no")]

    def transform(data: bytes, info: EncodedFrameInfo) -> Any:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    slot = _slot(transform)
    results = [slot.run(b"frame", VP8) for _ in range(6)]
    assert results == [b"other", b"other", None, None, None, None]
    assert slot.counts == RTCTransformCounts(frames=2, dropped=2, failed=2)


def test_only_the_first_failure_is_logged_and_without_the_error_itself(caplog: pytest.LogCaptureFixture) -> None:
    def fail(data: bytes, info: EncodedFrameInfo) -> bytes:
        raise KeyError("no key yet")

    slot = _slot(fail)
    with caplog.at_level(logging.WARNING, "shim.api.transforms"):
        for _ in range(3):
            assert slot.run(b"frame", VP8) is None
    (record,) = caplog.records
    assert "KeyError" in record.getMessage()
    assert not any(isinstance(part, BaseException) for part in record.args or ())


@pytest.mark.parametrize("mime", ["audio/telephone-event", "audio/CN"])
def test_signals_within_sound_pass_as_they_are(mime: str) -> None:
    slot = _slot(lambda data, info: b"sealed")
    assert slot.run(b"\1\0\0\xa0", EncodedFrameInfo("audio", mime, True, 1, 2)) == b"\1\0\0\xa0"
    assert slot.counts == RTCTransformCounts()


def test_av1_is_refused_by_name_instead_of_sent_in_the_clear(caplog: pytest.LogCaptureFixture) -> None:
    slot = _slot(lambda data, info: b"sealed")
    assert slot.run(b"temporal unit", EncodedFrameInfo("video", "video/AV1", True, 1, 2)) is None
    assert slot.counts.failed == 1
    assert "Negotiate VP8, VP9 or H264" in caplog.text


def test_a_cipher_encrypts_in_a_sender_and_decrypts_in_a_receiver() -> None:
    sender, receiver = SFrame(), SFrame()
    sender.setEncryptionKey(bytes(range(16)), 1)
    receiver.addDecryptionKey(bytes(range(16)), 1)
    opening = TransformSlot("RTCRtpReceiver.transform", "decryptFrame")
    opening.use(receiver)
    sealed = _slot(sender).run(bytes(40), VP8)
    assert sealed is not None
    assert sealed != bytes(40)
    assert opening.run(sealed, VP8) == bytes(40)
    assert opening.transform is receiver


def test_nothing_is_installed_for_none_and_what_is_no_transform_is_refused() -> None:
    slot = TransformSlot("RTCRtpSender.transform", "encryptFrame")
    assert slot.use(None) is None
    with pytest.raises(TypeError, match="a callable, an SFrame or None"):
        slot.use(object())  # type: ignore[arg-type]
    assert slot.transform is None
