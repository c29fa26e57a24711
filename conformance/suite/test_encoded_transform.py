"""Transforms of encoded frames, and end-to-end encryption by them: with the key all arrives, without it nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pytest
from av import AudioFrame, VideoFrame

from conformance.asserts import Arrivals, connect, negotiate
from conformance.media import Kind, coded_picture, media_track, mono_samples, picture_track, tone_track
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import (
    Capability,
    EncodedFrameInfo,
    InvalidStateError,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    SFrame,
    SFrameError,
    use_backend,
)

pytestmark = requires(Capability.ENCODED_TRANSFORM)

PATIENCE: Final = 12.0
HZ: Final = 440.0
CODE: Final = 0b10110010
KEY: Final = os.urandom(16)
KEY_ID: Final = 3
VP8_CLEAR: Final = 10
SOUND: Final = 6
"""Frames of 20 ms that are listened to at once."""
TONE_SHARE: Final = 0.9
"""Of the energy of what is heard. Sealed sound that is decoded as it is had up to 0.46 there in 16 calls, by chance."""
Transform = Callable[[bytes, EncodedFrameInfo], bytes | None]


# --- what is seen on the way --------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """A frame that a transform took."""

    data: bytes
    info: EncodedFrameInfo
    result: bytes | None
    error: Exception | None = None


@dataclass
class Tap:
    """A transform that remembers what goes through another one, and lets tests wait for it.

    A frame is counted by the SDK only after it was taken here: the last one may not be yet.
    """

    inner: Transform
    taken: list[Taken] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._loop, self._grown = asyncio.get_running_loop(), asyncio.Event()

    def __call__(self, data: bytes, info: EncodedFrameInfo) -> bytes | None:
        result, error = None, None
        try:
            result = self.inner(data, info)
        except Exception as exc:
            error = exc
            raise
        finally:
            self.taken.append(Taken(data, info, result, error))
            self._loop.call_soon_threadsafe(self._grown.set)
        return result

    async def until(self, count: int, kind: str | None = None) -> list[Taken]:
        """Wait until it has taken so many frames, of one kind or of both; return those."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [each for each in tuple(self.taken) if kind in {None, each.info.kind}]) < count:
                self._grown.clear()
                await self._grown.wait()
        return found[:count]


def _same(data: bytes, info: EncodedFrameInfo) -> bytes:
    return data


def _sealing(key: bytes = KEY) -> SFrame:
    cipher = SFrame()
    cipher.setEncryptionKey(key, KEY_ID)
    return cipher


def _opening(key: bytes = KEY) -> SFrame:
    cipher = SFrame()
    cipher.addDecryptionKey(key, KEY_ID)
    return cipher


# --- calls -------------------------------------------------------------------------------------------


@dataclass
class Leg:
    """One track of a call, with both of its ends."""

    sender: RTCRtpSender
    receiver: RTCRtpReceiver
    track: MediaStreamTrack
    ends: tuple[RTCPeerConnection, RTCPeerConnection]

    async def arrives(self) -> None:
        """Wait until what was sent is seen or heard."""
        recent: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while not _is_true(recent[-SOUND:]):
                    recent.append(await self.track.recv())
        except TimeoutError:
            told = f"{len(recent)} frames, none of them what was sent; {self.receiver.transformCounts}"
            raise AssertionError(f"{self.track.kind}: {told}") from None


def _is_true(frames: list[Any]) -> bool:
    """Tell whether these frames show the picture, or sound like the tone, that was sent."""
    if not frames:
        return False
    if isinstance(frames[-1], VideoFrame):
        return _distance(frames[-1]) < 15
    return len(frames) == SOUND and _share(frames) > TONE_SHARE


def _distance(frame: VideoFrame) -> float:
    """Return how far a picture is from the one that is sent: mean difference of luma."""
    wanted = coded_picture(CODE, frame.width, frame.height, "gray").to_ndarray().astype(float)
    return float(np.abs(frame.to_ndarray(format="gray").astype(float) - wanted).mean())


def _share(frames: list[AudioFrame]) -> float:
    """Return which part of the sound's energy is the tone that is sent."""
    sound = np.concatenate([mono_samples(frame) for frame in frames])
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    bins = np.fft.rfftfreq(len(sound), 1 / frames[0].sample_rate)
    loud = power.sum()
    return float(power[np.abs(bins - HZ) < HZ * 0.05].sum() / loud) if loud > 1 else 0.0


async def _call(
    peers: Peers,
    pair: Pair,
    kinds: tuple[Kind, ...] = ("audio", "video"),
    *,
    sending: Any = None,
    receiving: Any = None,
    mime: str = "video/VP8",
) -> list[Leg]:
    """Connect with these transforms in place before the first frame; return the legs in the order of `kinds`."""
    offerer, answerer = peers.open_pair(pair)
    arriving = Arrivals(answerer, "track")
    senders = []
    for kind in kinds:
        sent = tone_track(pair.offerer, HZ) if kind == "audio" else picture_track(pair.offerer, CODE)
        transceiver = offerer.addTransceiver(sent, direction="sendonly")
        transceiver.sender.transform = sending
        senders.append(transceiver.sender)
        if kind == "video":
            _prefer(offerer, pair.offerer, mime)
    answerer.on("track", lambda track: _set_receiving(answerer, track, receiving))
    await connect(offerer, answerer)
    tracks = {track.kind: track for track in await arriving.take(len(kinds))}
    receivers = {receiver.track.kind: receiver for receiver in answerer.getReceivers() if receiver.track}
    ends = offerer, answerer
    return [Leg(sender, receivers[sender.kind], tracks[sender.kind], ends) for sender in senders]


def _prefer(pc: RTCPeerConnection, target: Target, mime: str) -> None:
    transceiver = next(t for t in pc.getTransceivers() if t.kind == "video")
    with use_backend(target.name):
        codecs = RTCRtpSender.getCapabilities("video").codecs
    if mime != "video/VP8":
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == mime])


def _set_receiving(pc: RTCPeerConnection, track: MediaStreamTrack, transform: Any) -> None:
    next(receiver for receiver in pc.getReceivers() if receiver.track is track).transform = transform


# --- encryption --------------------------------------------------------------------------------------


@spec("RFC 9605 4.4", "webrtc-encoded-transform 3")
async def test_encrypted_sound_and_pictures_arrive(peers: Peers, pair: Pair) -> None:
    for leg in await _call(peers, pair, sending=_sealing(), receiving=_opening()):
        await leg.arrives()
        assert leg.receiver.transformCounts.failed == leg.sender.transformCounts.failed == 0
        assert leg.sender.transformCounts.frames >= leg.receiver.transformCounts.frames > 0


@spec("RFC 9605 4.4", "RFC 6184 5.4")
@requires(Capability.VIDEO_H264, Capability.CODEC_PREFERENCES)
async def test_encrypted_h264_arrives(peers: Peers, pair: Pair) -> None:
    (leg,) = await _call(peers, pair, ("video",), sending=_sealing(), receiving=_opening(), mime="video/H264")
    await leg.arrives()
    assert leg.receiver.transformCounts.failed == 0


@spec("RFC 9605 4.4", "RFC 9628 4")
@requires(Capability.VIDEO_VP9, Capability.CODEC_PREFERENCES)
async def test_encrypted_vp9_arrives(peers: Peers, pair: Pair) -> None:
    (leg,) = await _call(peers, pair, ("video",), sending=_sealing(), receiving=_opening(), mime="video/VP9")
    await leg.arrives()
    assert leg.receiver.transformCounts.failed == 0


@spec("RFC 9605 4.4.4")
async def test_wrong_key_opens_nothing_and_the_right_one_all(peers: Peers, pair: Pair) -> None:
    opening = _opening(os.urandom(16))
    tap = Tap(opening.decryptFrame)
    legs = await _call(peers, pair, sending=_sealing(), receiving=tap)
    for leg in legs:
        early = asyncio.ensure_future(leg.track.recv())
        taken = await tap.until(10, leg.sender.kind)
        assert all(isinstance(each.error, SFrameError) and each.error.type == "authentication" for each in taken)
        assert leg.receiver.transformCounts.failed >= len(taken) - 1
        assert leg.receiver.transformCounts.frames == 0
        assert not early.done(), "something was decoded"
        early.cancel()
    opening.addDecryptionKey(KEY, KEY_ID)
    for leg in legs:
        await leg.arrives()


@spec("RFC 9605 1")
async def test_peer_without_transform_sees_and_hears_nothing_of_it(peers: Peers, pair: Pair) -> None:
    tap = Tap(_sealing().encryptFrame)
    legs = await _call(peers, pair, sending=tap)
    for leg in legs:
        watching = asyncio.ensure_future(_watch(leg.track))
        # From when it began to watch.
        await tap.until(len(tap.taken) + 50, None)
        watching.cancel()
        seen = await watching
        assert not any(_is_true(seen[: at + 1][-SOUND:]) for at in range(len(seen))), "it was not encrypted"
        leg.receiver.transform = _opening()
        await leg.arrives()


async def _watch(track: MediaStreamTrack) -> list[Any]:
    """Receive until cancelled."""
    seen: list[Any] = []
    try:
        while True:
            seen.append(await track.recv())
    except asyncio.CancelledError:
        return seen


@spec("RFC 9605 1", "RFC 9605 4.4.3")
async def test_what_is_on_its_way_is_ciphertext(peers: Peers, pair: Pair) -> None:
    sealing, opening = _sealing(), _opening()
    out, came = Tap(sealing.encryptFrame), Tap(opening.decryptFrame)
    legs = await _call(peers, pair, sending=out, receiving=came)
    for leg in legs:
        await leg.arrives()
    plain = {each.data: each for each in out.taken}
    sealed = {each.result for each in out.taken}
    assert {each.info.kind for each in came.taken} == {"audio", "video"}
    assert len({each.data for each in came.taken}) == len(came.taken), "a frame came twice"
    shown = [each.info for each in came.taken if each.info.kind == "video"]
    assert (shown[0].key_frame, shown[-1].key_frame) == (True, False)
    assert len({info.timestamp for info in shown}) == len(shown)
    for each in came.taken:
        assert each.result in plain, "what was opened is not what was sealed"
        assert each.data in sealed, "what came is not what was sent"
        sent = plain[each.result]
        assert _facts(sent.info) == _facts(each.info)
        assert each.info.ssrc > 0
        clear = VP8_CLEAR if each.info.kind == "video" else 0
        assert not any(piece in each.data[clear:] for piece in _pieces(each.result[clear:]))


def _facts(info: EncodedFrameInfo) -> tuple[object, ...]:
    return info.kind, info.mime_type.lower(), info.key_frame, info.timestamp, info.ssrc


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield pieces too long to occur by chance."""
    return (data[at : at + 6] for at in range(0, len(data) - 5, 6))


# --- transforms --------------------------------------------------------------------------------------


@spec("webrtc-encoded-transform 3")
async def test_encryption_outlives_negotiations_and_another_track(peers: Peers, pair: Pair) -> None:
    opening = Tap(_opening().decryptFrame)
    (leg,) = await _call(peers, pair, ("video",), sending=_sealing(), receiving=opening)
    await leg.arrives()
    offerer, answerer = leg.ends
    offerer.addTransceiver("audio", direction="recvonly")
    await negotiate(offerer, answerer)
    await negotiate(answerer, offerer)
    leg.sender.replaceTrack(picture_track(pair.offerer, CODE))
    seen = len(opening.taken)
    await opening.until(seen + 5)
    await leg.arrives()
    assert leg.receiver.transformCounts.failed == 0


@spec("webrtc-encoded-transform 3")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_transforms_come_and_go_during_a_call(peers: Peers, pair: Pair, kind: Kind) -> None:
    (leg,) = await _call(peers, pair, (kind,))
    await leg.arrives()
    out, came = Tap(_same), Tap(_same)
    leg.sender.transform, leg.receiver.transform = out, came
    assert (leg.sender.transform, leg.receiver.transform) == (out, came)
    await out.until(5)
    await came.until(5)
    await leg.arrives()
    leg.sender.transform = leg.receiver.transform = None
    assert leg.receiver.transformCounts.frames >= 4
    await leg.arrives()


@spec("webrtc-encoded-transform 3")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_transform_that_raises_drops_frames_and_is_counted(peers: Peers, pair: Pair, kind: Kind) -> None:
    def refuse(data: bytes, info: EncodedFrameInfo) -> bytes:
        raise KeyError("not today")

    tap = Tap(refuse)
    (leg,) = await _call(peers, pair, (kind,), receiving=tap)
    await tap.until(3)
    assert leg.receiver.transformCounts.failed >= 2
    assert leg.receiver.transformCounts.frames == leg.receiver.transformCounts.dropped == 0
    leg.receiver.transform = None
    await leg.arrives()


@spec("webrtc-encoded-transform 3")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_frames_that_a_sender_drops_do_not_arrive(peers: Peers, pair: Pair, kind: Kind) -> None:
    out, came = Tap(lambda data, info: None), Tap(_same)
    (leg,) = await _call(peers, pair, (kind,), sending=out, receiving=came)
    await out.until(10)
    assert leg.sender.transformCounts.dropped >= 9
    assert came.taken == []
    leg.sender.transform = None
    await leg.arrives()


# --- damage ------------------------------------------------------------------------------------------

CODECS: Final = {"VP8": Capability.VIDEO_VP8, "H264": Capability.VIDEO_H264, "VP9": Capability.VIDEO_VP9}


class Damage:
    """A transform that spoils one frame, and knows whether a key frame came after it.

    :param at: its number.
    """

    def __init__(self, at: int, spoil: Callable[[bytes], bytes]) -> None:
        self._at, self._spoil = at, spoil
        self._count = 0
        self.is_mended = False

    def __call__(self, data: bytes, info: EncodedFrameInfo) -> bytes:
        at, self._count = self._count, self._count + 1
        self.is_mended = self.is_mended or (at > self._at and info.key_frame)
        return self._spoil(data) if at == self._at else data


def _cut(data: bytes) -> bytes:
    """Return the beginning: what RTP reads of it, and nothing that shows a picture."""
    begins = data.rfind(b"\0\0\1")
    return data[: begins + 5] if data.startswith((b"\0\0\1", b"\0\0\0\1")) else data[:VP8_CLEAR]


def _flipped(data: bytes) -> bytes:
    """Return it with every bit of its second half turned, but none of the start codes that this may make."""
    half = max(len(data) // 2, min(VP8_CLEAR, len(data)))
    return data[:half] + bytes(255 - byte if byte < 252 else byte for byte in data[half:])


async def _damaged_call(peers: Peers, pair: Pair, codec: str, damage: Damage) -> Leg:
    if any(CODECS[codec] not in target.info.capabilities for target in pair.targets):
        pytest.skip(f"a backend does not declare the capability {CODECS[codec]}")
    (leg,) = await _call(peers, pair, ("video",), sending=damage, mime=f"video/{codec}")
    return leg


@spec("RFC 4585 6.3.1", "RFC 5104 4.3.1")
@requires(Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize("at", [0, 7], ids=["key frame", "delta"])
@pytest.mark.parametrize("codec", CODECS)
async def test_frame_that_is_cut_off_brings_a_key_frame(peers: Peers, pair: Pair, codec: str, at: int) -> None:
    damage = Damage(at, _cut)
    leg = await _damaged_call(peers, pair, codec, damage)
    async with asyncio.timeout(PATIENCE):
        while not damage.is_mended:
            await leg.track.recv()
    await leg.arrives()


@spec("RFC 4585 6.3.1")
@requires(Capability.CODEC_PREFERENCES)
@pytest.mark.parametrize("codec", CODECS)
async def test_frame_with_flipped_bits_ends_nothing(peers: Peers, pair: Pair, codec: str) -> None:
    leg = await _damaged_call(peers, pair, codec, Damage(3, _flipped))
    async with asyncio.timeout(PATIENCE):
        for _ in range(12):
            await leg.track.recv()
    assert {end.connectionState for end in leg.ends} == {"connected"}


@spec("webrtc-encoded-transform 3")
async def test_connection_closes_while_frames_are_on_their_way(peers: Peers, pair: Pair) -> None:
    out, came = Tap(_same), Tap(_same)
    legs = await _call(peers, pair, sending=out, receiving=came)
    await out.until(5)
    await came.until(5)
    await peers.close()
    seen = len(came.taken)
    await asyncio.sleep(0)
    assert len(came.taken) == seen
    for leg in legs:
        with pytest.raises(InvalidStateError):
            leg.sender.transform = None


@spec("webrtc-encoded-transform 3")
def test_what_is_no_transform_is_refused(peers: Peers, target: Target) -> None:
    async def refuse() -> None:
        pc = peers.open(target)
        transceiver = pc.addTransceiver(media_track(target, "audio"))
        for end in (transceiver.sender, transceiver.receiver):
            with pytest.raises(TypeError, match="callable"):
                end.transform = b"key"  # type: ignore[assignment]
            assert end.transform is None
        await pc.close()

    asyncio.run(refuse())
