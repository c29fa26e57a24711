"""Sound and pictures: what is sent is what arrives, whatever its size, format, rate or behaviour."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from av import AudioFrame, VideoFrame

from conformance.asserts import Arrivals, Link, connect, link, negotiate, until, within
from conformance.media import (
    Kind,
    code_of,
    coded_picture,
    media_track,
    mono_samples,
    picture_track,
    pitch,
    tone_frame,
    tone_track,
    track,
)
from conformance.reference import ANSWER_DIRECTIONS
from conformance.report.evidence import Evidence
from conformance.requirements import requires, spec
from conformance.targets import Pair, Peers, Target
from shim import Capability, MediaStreamError, MediaStreamTrack, PushTrack, RTCPeerConnection

PATIENCE = 8.0
CODE = 0b10110010
OTHER = 0b01001101


async def _call(
    peers: Peers, pair: Pair, *tracks: Any, back: tuple[Any, ...] = ()
) -> tuple[RTCPeerConnection, RTCPeerConnection, list[MediaStreamTrack], list[MediaStreamTrack]]:
    """Connect, sending tracks; return both ends and what each receives."""
    offerer, answerer = peers.open_pair(pair)
    there, here = Arrivals(answerer, "track"), Arrivals(offerer, "track")
    for sent in tracks:
        offerer.addTrack(sent)
    answerer.on("track", lambda _: [answerer.addTrack(sent) for sent in back if not _is_sent(answerer, sent)])
    await connect(offerer, answerer)
    return offerer, answerer, await there.take(len(tracks)), await here.take(len(back))


def _is_sent(pc: RTCPeerConnection, sent: object) -> bool:
    return any(sender.track is sent for sender in pc.getSenders())


async def _hear(received: MediaStreamTrack, hz: float, within: float = 0.03) -> float:
    """Receive until a quarter of a second sounds like this; return its pitch."""
    frames: list[AudioFrame] = []

    async def listen() -> None:
        while not (len(frames) >= 12 and abs(pitch(frames[-12:]) - hz) <= max(hz * within, 5)):
            frame = await received.recv()
            assert isinstance(frame, AudioFrame)
            frames.append(frame)

    await _patiently(listen(), lambda: f"heard {pitch(frames[-12:]) if frames else 'nothing'}, not {hz} Hz")
    return pitch(frames[-12:])


async def _see(received: MediaStreamTrack, code: int) -> VideoFrame:
    """Receive until a picture shows this code; return it."""
    seen: list[int] = []
    found: list[VideoFrame] = []

    async def look() -> None:
        while not seen or seen[-1] != code:
            frame = await received.recv()
            assert isinstance(frame, VideoFrame)
            seen.append(code_of(frame))
            found[:] = [frame]

    await _patiently(look(), lambda: f"saw {sorted(set(seen))}, not {code}")
    return found[0]


async def _patiently(waiting: Awaitable[None], told: Callable[[], str]) -> None:
    try:
        await asyncio.wait_for(waiting, PATIENCE)
    except TimeoutError:
        raise AssertionError(f"within {PATIENCE} s: {told()}") from None


# --- truth -------------------------------------------------------------------------------------------


@spec("RFC 7874 3")
async def test_tone_is_heard(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    _, _, received, _ = await _call(peers, pair, tone_track(pair.offerer, 440))
    heard = await _hear(received[0], 440)
    evidence.figure("pitch", heard, "Hz", expected=440, tolerance=440 * 0.03)


@spec("RFC 7742 5")
async def test_picture_is_seen(peers: Peers, pair: Pair, evidence: Evidence) -> None:
    _, _, received, _ = await _call(peers, pair, picture_track(pair.offerer, CODE))
    evidence.frames(coded_picture(CODE), await _see(received[0], CODE))


@spec("RFC 7874 3", "RFC 7742 5")
async def test_sound_and_pictures_flow_both_ways_beside_data(peers: Peers, pair: Pair) -> None:
    offerer, answerer = peers.open_pair(pair)
    channel, announced = offerer.createDataChannel("chat"), Arrivals(answerer, "datachannel")
    there, here = Arrivals(answerer, "track"), Arrivals(offerer, "track")
    for pc, target, hz, code in ((offerer, pair.offerer, 440, CODE), (answerer, pair.answerer, 880, OTHER)):
        pc.addTrack(tone_track(target, hz))
        pc.addTrack(picture_track(target, code))
    await connect(offerer, answerer)
    (sound, pictures), (sound_back, pictures_back) = await there.take(2), await here.take(2)
    await asyncio.gather(
        _hear(sound, 440), _see(pictures, CODE), _hear(sound_back, 880), _see(pictures_back, OTHER), announced.next()
    )
    assert channel.readyState == "open"


@spec("aiortc")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_timestamps_rise(peers: Peers, pair: Pair, kind: Kind, evidence: Evidence) -> None:
    _, _, received, _ = await _call(peers, pair, media_track(pair.offerer, kind))
    frames = [await asyncio.wait_for(received[0].recv(), PATIENCE) for _ in range(10)]
    times = [frame.pts * frame.time_base for frame in frames if frame.pts is not None and frame.time_base is not None]
    assert len(times) == len(frames)
    evidence.series("step of the timestamps", [float(b - a) * 1000 for a, b in pairwise(times)], "ms")
    assert times == sorted(set(times))


# --- shapes of frames --------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {
    "odd size": {"width": 321, "height": 241},
    "small": {"width": 64, "height": 48},
    "portrait": {"width": 180, "height": 320},
    "rgb24": {"format": "rgb24"},
    "bgra": {"format": "bgra"},
    "nv12": {"format": "nv12"},
    "gray": {"format": "gray"},
    "yuv444p": {"format": "yuv444p"},
    "yuv422p": {"format": "yuv422p"},
    "odd rgb24": {"width": 161, "height": 121, "format": "rgb24"},
}


@spec("aiortc")
@pytest.mark.parametrize("shape", SHAPES)
async def test_picture_of_any_shape_is_seen(peers: Peers, pair: Pair, shape: str) -> None:
    _, _, received, _ = await _call(peers, pair, picture_track(pair.offerer, CODE, **SHAPES[shape]))
    await _see(received[0], CODE)


@spec("RFC 7742 4")
async def test_size_may_change_while_sending(peers: Peers, pair: Pair) -> None:
    def frame_at(index: int) -> VideoFrame:
        return coded_picture(CODE, 320, 240) if index < 10 else coded_picture(OTHER, 160, 320)

    _, _, received, _ = await _call(peers, pair, track(pair.offerer, "video", frame_at, 1 / 30))
    await _see(received[0], CODE)
    frame = await _see(received[0], OTHER)
    assert frame.height > frame.width


SOUNDS = {
    "8 kHz": (8000, "mono"),
    "16 kHz": (16000, "mono"),
    "44.1 kHz": (44100, "mono"),
    "48 kHz stereo": (48000, "stereo"),
    "44.1 kHz stereo": (44100, "stereo"),
}


@spec("RFC 7587 4")
@pytest.mark.parametrize("sound", SOUNDS)
async def test_sound_of_any_rate_is_heard(peers: Peers, pair: Pair, sound: str) -> None:
    rate, layout = SOUNDS[sound]
    _, _, received, _ = await _call(peers, pair, tone_track(pair.offerer, 440, rate, layout))
    await _hear(received[0], 440)


@spec("aiortc")
@pytest.mark.parametrize("format", ["s16p", "flt", "fltp", "s32"])
async def test_sound_of_any_format_is_heard(peers: Peers, pair: Pair, format: str) -> None:
    def frame_at(index: int) -> AudioFrame:
        wave = tone_frame(index, 440).to_ndarray()
        scaled = {"s16p": wave, "s32": wave.astype(np.int32) << 16}.get(format, wave.astype(np.float32) / 32768)
        frame = AudioFrame.from_ndarray(scaled, format=format, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 960, Fraction(1, 48000)
        return frame

    _, _, received, _ = await _call(peers, pair, track(pair.offerer, "audio", frame_at, 0.02))
    await _hear(received[0], 440)


@spec("aiortc")
async def test_sound_in_frames_of_odd_length_is_heard(peers: Peers, pair: Pair) -> None:
    def frame_at(index: int) -> AudioFrame:
        moments = (np.arange(701) + index * 701) / 48000
        wave = (np.sin(2 * np.pi * 440 * moments) * 12000).astype(np.int16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, index * 701, Fraction(1, 48000)
        return frame

    _, _, received, _ = await _call(peers, pair, track(pair.offerer, "audio", frame_at, 701 / 48000))
    await _hear(received[0], 440)


# --- tracks that misbehave ---------------------------------------------------------------------------


def _failing(target: Target, kind: Kind, good: int = 3) -> Any:
    def frame_at(index: int) -> AudioFrame | VideoFrame:
        if index >= good:
            raise RuntimeError("the camera is on fire")
        return tone_frame(index, 440) if kind == "audio" else coded_picture(CODE)

    return track(target, kind, frame_at, 0.02)


def _silent(target: Target, kind: Kind) -> Any:
    async def recv(self: object) -> None:
        await asyncio.Event().wait()

    base = target.track_base(kind)
    return type(base.__name__, (base,), {"recv": recv})()


async def _link_sending(peers: Peers, pair: Pair, sent: Any) -> Link:
    offerer_link = await link(peers, pair)
    offerer_link.offerer.addTrack(sent)
    await negotiate(offerer_link.offerer, offerer_link.answerer)
    return offerer_link


@spec("aiortc")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_track_that_raises_leaves_the_connection_alive(peers: Peers, pair: Pair, kind: Kind) -> None:
    connected = await _link_sending(peers, pair, _failing(pair.offerer, kind))
    connected.near.channel.send("still here")
    assert await connected.far.inbox.next() == "still here"
    assert connected.offerer.connectionState == "connected"


@spec("aiortc")
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_track_that_never_returns_delays_nothing(peers: Peers, pair: Pair, kind: Kind) -> None:
    connected = await _link_sending(peers, pair, _silent(pair.offerer, kind))
    connected.near.channel.send("still here")
    assert await connected.far.inbox.next() == "still here"
    await asyncio.wait_for(connected.offerer.close(), 5)


@spec("mediacapture-streams 4.3")
async def test_disabled_video_is_black(peers: Peers, pair: Pair) -> None:
    sent = picture_track(pair.offerer, 0xFF)
    sent.enabled = False
    _, _, received, _ = await _call(peers, pair, sent)
    frame = await _see(received[0], 0)
    assert frame.reformat(format="gray").to_ndarray().mean() < 30


@spec("mediacapture-streams 4.3")
async def test_disabled_audio_is_silent(peers: Peers, pair: Pair) -> None:
    sent = tone_track(pair.offerer, 440)
    sent.enabled = False
    _, _, received, _ = await _call(peers, pair, sent)
    for _ in range(20):
        frame = await asyncio.wait_for(received[0].recv(), PATIENCE)
        assert isinstance(frame, AudioFrame)
        assert abs(mono_samples(frame)).max() < 0.01


@spec("mediacapture-streams 4.3", "RFC 7742 5")
async def test_pushed_frames_from_another_thread_are_seen(peers: Peers, pair: Pair) -> None:
    pushed, stopped = PushTrack("video"), threading.Event()

    def push() -> None:
        while not stopped.wait(1 / 30):
            pushed.push(coded_picture(CODE))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        _, _, received, _ = await _call(peers, pair, pushed)
        await _see(received[0], CODE)
    finally:
        stopped.set()
        thread.join()


# --- adding, replacing, removing ---------------------------------------------------------------------


@spec("webrtc-pc 5.1")
async def test_track_added_while_connected_is_received(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    arriving = Arrivals(connected.answerer, "track")
    connected.offerer.addTrack(picture_track(pair.offerer, CODE))
    await negotiate(connected.offerer, connected.answerer)
    await _see(await arriving.next(), CODE)


@spec("webrtc-pc 5.1")
async def test_answerer_may_add_a_track_and_offer_it(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    arriving = Arrivals(connected.offerer, "track")
    connected.answerer.addTrack(picture_track(pair.answerer, CODE))
    await negotiate(connected.answerer, connected.offerer)
    await _see(await arriving.next(), CODE)


@spec("webrtc-pc 5.2")
@requires(Capability.REPLACE_TRACK)
async def test_replaced_track_is_seen_without_negotiation(peers: Peers, pair: Pair) -> None:
    offerer, _, received, _ = await _call(peers, pair, picture_track(pair.offerer, CODE))
    await _see(received[0], CODE)
    await _awaited(offerer.getSenders()[0].replaceTrack(picture_track(pair.offerer, OTHER)))
    await _see(received[0], OTHER)


@spec("webrtc-pc 5.2")
@requires(Capability.REPLACE_TRACK)
async def test_sender_may_pause_without_a_track(peers: Peers, pair: Pair) -> None:
    offerer, _, received, _ = await _call(peers, pair, picture_track(pair.offerer, CODE))
    await _see(received[0], CODE)
    sender = offerer.getSenders()[0]
    await _awaited(sender.replaceTrack(None))
    await _awaited(sender.replaceTrack(picture_track(pair.offerer, OTHER)))
    await _see(received[0], OTHER)


async def _awaited(done: Any) -> None:
    await done


@spec("webrtc-pc 5.2")
async def test_track_of_the_other_kind_cannot_replace(peers: Peers, target: Target) -> None:
    sender = peers.open(target).addTransceiver("video").sender
    with pytest.raises(TypeError):
        sender.replaceTrack(tone_track(target))


@spec("webrtc-pc 5.1")
async def test_removed_track_is_no_longer_offered(peers: Peers, pair: Pair) -> None:
    offerer, answerer, _, _ = await _call(peers, pair, tone_track(pair.offerer))
    sender = offerer.getSenders()[0]
    offerer.removeTrack(sender)
    await negotiate(offerer, answerer)
    assert sender.track is None
    assert answerer.getTransceivers()[0].currentDirection in {"inactive", "sendonly"}


@spec("webrtc-pc 5.4")
@requires(Capability.TRANSCEIVER_STOP)
async def test_stopped_transceiver_ends_the_remote_track(peers: Peers, pair: Pair) -> None:
    connected = await link(peers, pair)
    arriving = Arrivals(connected.answerer, "track")
    connected.offerer.addTrack(tone_track(pair.offerer))
    await negotiate(connected.offerer, connected.answerer)
    received = await arriving.next()
    await _hear(received, 440)
    await _awaited(connected.offerer.getTransceivers()[0].stop())
    await negotiate(connected.offerer, connected.answerer)
    await _ended(received)


@spec("webrtc-pc 5.4", "RFC 9429 5.2.2")
@requires(Capability.TRANSCEIVER_STOP)
async def test_connection_outlives_its_only_transceiver(peers: Peers, pair: Pair) -> None:
    offerer, answerer, received, _ = await _call(peers, pair, tone_track(pair.offerer))
    await _hear(received[0], 440)
    await _awaited(offerer.getTransceivers()[0].stop())
    await negotiate(offerer, answerer)
    assert (offerer.signalingState, answerer.signalingState) == ("stable", "stable")


@spec("webrtc-pc 4.4.1.6")
async def test_closing_ends_the_received_tracks(peers: Peers, pair: Pair) -> None:
    offerer, answerer, received, _ = await _call(peers, pair, tone_track(pair.offerer))
    await _hear(received[0], 440)
    await answerer.close()
    await _ended(received[0])
    await offerer.close()


async def _ended(received: MediaStreamTrack) -> None:
    async with within(PATIENCE, "the end of a track"):
        with suppress(MediaStreamError):
            while True:
                await received.recv()
    await until(received, ("ended",), lambda: received.readyState == "ended", "an ended track")


# --- directions --------------------------------------------------------------------------------------


@spec("RFC 3264 6.1", "webrtc-pc 5.4")
@pytest.mark.parametrize(
    ("offered", "wanted"),
    [("sendrecv", "sendrecv"), ("sendrecv", "recvonly"), ("sendonly", "sendrecv"), ("inactive", "sendrecv")],
)
async def test_negotiated_direction_is_the_same_seen_from_both_sides(
    peers: Peers, pair: Pair, offered: str, wanted: str
) -> None:
    offerer, answerer = peers.open_pair(pair)
    offerer.addTransceiver("audio", offered)  # type: ignore[arg-type]
    answerer.on("track", lambda _: None)
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)  # type: ignore[arg-type]
    answerer.getTransceivers()[0].direction = wanted  # type: ignore[assignment]
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(answerer.localDescription)  # type: ignore[arg-type]
    answered = ANSWER_DIRECTIONS[offered, wanted]
    mirrored = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(answered, answered)
    assert answerer.getTransceivers()[0].currentDirection == answered
    assert offerer.getTransceivers()[0].currentDirection == mirrored


@spec("webrtc-pc 5.1")
async def test_same_track_twice_is_refused(peers: Peers, target: Target) -> None:
    from shim import InvalidAccessError

    pc, sent = peers.open(target), tone_track(target)
    pc.addTrack(sent)
    with pytest.raises(InvalidAccessError):
        pc.addTrack(sent)


@spec("RFC 8830 2", "aiortc")
async def test_remote_track_has_the_announced_id(peers: Peers, pair: Pair) -> None:
    sent = tone_track(pair.offerer)
    _, _, received, _ = await _call(peers, pair, sent)
    assert (received[0].kind, received[0].id) == ("audio", sent.id)
