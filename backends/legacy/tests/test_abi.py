"""The C ABI by itself: what every trap of libwebrtc would break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.legacy.tests.abi_world import (
    AbiError,
    Pc,
    World,
    check,
    connected_channels,
    ffi,
    last_error,
    lib,
    linked,
    negotiate,
    opened,
    parsed,
    text,
)

pytestmark = pytest.mark.skipif(lib is None, reason="backends/legacy/libwebrtc is not built: run its build.py")

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
LIBRARY = PACKAGE / "libwebrtc_legacy.so"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(neteq_fixed_delay_ms=10) as shared:
        yield shared


def tool(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    prelude = "from backends.legacy.tests.abi_world import *\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )


def encoding(**values: object) -> Any:  # noqa: ANN401
    unset = {"active": 1, "max_framerate": -1.0, "scale_resolution_down_by": 0.0, "network_priority": -1}
    return ffi.new("rtc_encoding[]", [{**unset, **values}])


class Camera:
    """Pushes moving grey pictures and a tone from a thread of its own, as an application would."""

    def __init__(self, audio: int, video: int, width: int = 320, height: int = 240) -> None:
        self._audio, self._video, self._size = audio, video, (width, height)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Camera:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        width, height = self._size
        chroma = ffi.new("uint8_t[]", b"\x80" * (width * height // 4))
        tone = ffi.new("int16_t[]", [8000 if i // 24 % 2 else -8000 for i in range(960)])
        for turn in range(100000):
            luma = ffi.new("uint8_t[]", bytes([40 + turn * 3 % 160]) * (width * height))
            lib.rtc_audio_source_push(self._audio, tone, 48000, 1, 960)
            lib.rtc_video_source_push_i420(
                self._video, luma, width, chroma, width // 2, chroma, width // 2, width, height, 0, 0
            )
            if self._stop.wait(0.02):
                return


class Call:
    """Audio, video and data from a to b."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.a, self.b = linked(world)
        self.audio = check(lib.rtc_audio_source_new(world.factory))
        self.video = check(lib.rtc_video_source_new(world.factory, 0, 1))
        self.sending_audio = check(lib.rtc_pc_add_track(self.a.handle, self.audio, b"mic", b"stream"))
        self.sending_video = check(lib.rtc_pc_add_track(self.a.handle, self.video, b"cam", b"stream"))
        self.channel = self.a.channel()
        check(lib.rtc_pc_set_bitrate(self.a.handle, 0, 2_000_000, 0))
        negotiate(self.a, self.b)
        self.receiving = {}
        for _ in range(2):
            event = world.wait(lambda e: e.type == lib.RTC_EV_TRACK and e.owner == self.b.owner)
            self.receiving[json.loads(event.data)["kind"]] = event.object
        self.frames: list[SimpleNamespace] = []
        self.blocks: list[SimpleNamespace] = []
        self.owners = {"audio": next(world.numbers), "video": next(world.numbers)}
        self.sinks = {
            kind: check(lib.rtc_receiver_attach_sink(self.receiving[kind], world.queue, owner, 20, 0))
            for kind, owner in self.owners.items()
        }
        world.taps.append(self._on_event)

    def _on_event(self, event: SimpleNamespace) -> None:
        if event.owner == self.owners["audio"]:
            self.blocks.append(event)
        elif event.owner == self.owners["video"]:
            self.frames.append(event)

    def free(self) -> None:
        self.a.free()
        self.b.free()
        for frame in self.frames:
            check(lib.rtc_frame_free(frame.object))
        self.world.taps.remove(self._on_event)


# ---- the library itself


def test_library_has_no_text_relocations() -> None:
    dynamic = tool("readelf", "-d", str(LIBRARY))
    assert "TEXTREL" not in dynamic


def test_library_exports_exactly_the_header() -> None:
    exported = {line.split()[-1] for line in tool("nm", "-D", "--defined-only", str(LIBRARY)).splitlines()}
    assert exported == {name for name in dir(lib) if name.startswith("rtc_") and callable(getattr(lib, name))}


def test_source_refuses_ndebug() -> None:
    folder = PACKAGE / "libwebrtc"
    command = ["g++", "-std=c++20", "-DNDEBUG", "-fsyntax-only", "-I", str(folder), "-x", "c++", "-"]
    done = subprocess.run(command, input='#include "abi.h"\n', capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DCHECK" in done.stderr


def test_abi_version_is_the_header_s() -> None:
    assert lib.rtc_abi_version() == lib.RTC_SHIM_ABI_VERSION
    assert ffi.string(lib.rtc_version_string()).startswith(b"libwebrtc")


# ---- handles and arguments


def test_wrong_handles_give_a_code_everywhere(world: World) -> None:
    pc = Pc(world)
    null = ffi.NULL
    wrong = [0, -1, 1, 1 << 48, world.queue, world.factory, (1 << 62) + 7]
    calls: list[Callable[[int], int]] = [
        lib.rtc_pc_close,
        lib.rtc_pc_free,
        lambda h: lib.rtc_pc_create_offer(h, 1, 0),
        lambda h: lib.rtc_pc_set_remote(h, 0, b"v=0", 1),
        lib.rtc_pc_snapshot,
        lib.rtc_pc_transports,
        lambda h: lib.rtc_pc_new(world.factory, world.queue, h or 1, 1),
        lambda h: lib.rtc_pc_add_track(pc.handle, h, null, null),
        lambda h: lib.rtc_pc_remove_track(pc.handle, h),
        lib.rtc_transceiver_stop,
        lib.rtc_sender_get_parameters,
        lambda h: lib.rtc_receiver_attach_sink(h, world.queue, 1, 1, 0),
        lib.rtc_sink_detach,
        lib.rtc_frame_free,
        lambda h: lib.rtc_channel_send(h, b"", 0, 0),
        lib.rtc_channel_state,
        lib.rtc_channel_free,
        lib.rtc_source_free,
        lib.rtc_string_free,
        lib.rtc_config_free,
    ]
    for call in calls:
        for handle in wrong:
            assert call(handle) == lib.RTC_ERR_INVALID_HANDLE
            assert "handle" in last_error()
    assert lib.rtc_string_data(5, null) == null
    pc.free()
    assert lib.rtc_pc_free(pc.handle) == lib.RTC_ERR_INVALID_HANDLE


def test_wrong_arguments_give_a_code(world: World) -> None:
    bad = lib.RTC_ERR_INVALID_ARGUMENT
    null = ffi.NULL
    pc = Pc(world)
    audio, video = check(lib.rtc_audio_source_new(world.factory)), check(lib.rtc_video_source_new(world.factory, 0, 1))
    pcm, plane = ffi.new("int16_t[960]"), ffi.new("uint8_t[64]")
    assert lib.rtc_queue_new(null) == bad
    assert lib.rtc_queue_drain(world.queue, null, 1) == bad
    assert lib.rtc_pc_set_local(pc.handle, 9, b"", 1) == bad
    assert lib.rtc_pc_set_local(pc.handle, 0, null, 1) == bad
    assert lib.rtc_pc_add_ice_candidate(pc.handle, null, -1, b"candidate:1", null, 1) == bad
    assert lib.rtc_audio_source_push(audio, null, 48000, 1, 480) == bad
    assert lib.rtc_audio_source_push(audio, pcm, 44101, 1, 480) == bad
    assert lib.rtc_audio_source_push(audio, pcm, 48000, 3, 320) == bad
    assert lib.rtc_audio_source_push(video, pcm, 48000, 1, 480) == bad
    assert lib.rtc_video_source_push_i420(video, plane, 4, plane, 4, null, 4, 8, 8, 0, 0) == bad
    assert lib.rtc_video_source_push_i420(video, plane, 7, plane, 4, plane, 4, 8, 8, 0, 0) == bad
    assert lib.rtc_video_source_push_i420(video, plane, 8, plane, 4, plane, 4, 8, 8, 0, 45) == bad
    assert lib.rtc_video_source_push_nv12(video, plane, 8, plane, 7, 8, 4, 0, 0) == bad
    assert lib.rtc_video_source_push_nv12(video, plane, 8, plane, 8, 0, 4, 0, 0) == bad
    assert lib.rtc_pc_add_transceiver(pc.handle, 0, 0, video, null, null, null, 0) == bad
    assert lib.rtc_pc_add_transceiver(pc.handle, 1, 7, 0, null, null, null, 0) == bad
    assert lib.rtc_pc_create_channel(pc.handle, null, 3, null, 1) == bad
    config = check(lib.rtc_config_new())
    assert lib.rtc_config_set_int(config, 999, 1) == bad
    assert lib.rtc_config_set_int(config, lib.RTC_CONFIG_PORT_MIN, 70000) == bad
    assert lib.rtc_config_add_certificate(config, b"x", b"y") == lib.RTC_ERR_INVALID_PARAMETER
    check(lib.rtc_config_add_ice_server(config, b"foo:bar", null, null))
    assert lib.rtc_pc_new(world.factory, world.queue, config, 1) == lib.RTC_ERR_SYNTAX_ERROR
    check(lib.rtc_config_free(config))
    pc.free()


def test_any_pcm_block_is_taken(world: World) -> None:
    call = Call(world)
    pcm = ffi.new("int16_t[]", 4000 * 8)
    for rate in (8000, 11025, 22050, 44100, 48000, 96000, 192000):
        for channels in (1, 2, 6, 8):
            for samples in (0, 1, 441, 4000):
                check(lib.rtc_audio_source_push(call.audio, pcm, rate, channels, samples))
    call.free()


# ---- a call


def test_audio_video_and_data_flow(world: World) -> None:
    call = Call(world)
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(call.frames) > 10 and len(call.blocks) > 50)
        opened(world, call.channel)
    frame, block = call.frames[-1], call.blocks[-1]
    assert (frame.i0, frame.i1) == (320, 240)
    assert [later.i3 > earlier.i3 for earlier, later in zip(call.frames, call.frames[1:], strict=False)]
    assert abs(frame.i2 - time.monotonic() * 1e6) < 5e6
    info = ffi.new("rtc_frame_info *")
    check(lib.rtc_frame_get(frame.object, info))
    assert (info.width, info.height, info.rtp_timestamp, info.rotation) == (320, 240, frame.i3, 0)
    whole = ffi.new("uint8_t[]", 320 * 240 * 3 // 2)
    check(lib.rtc_frame_copy_i420(frame.object, whole, len(whole)))
    assert whole[0] == info.y[0]
    assert 30 < whole[0] < 220
    padded = ffi.new("uint8_t[]", 384 * 240)
    check(lib.rtc_frame_copy_planes(frame.object, padded, 384, padded, 192, padded, 192))
    assert lib.rtc_frame_copy_planes(frame.object, padded, 319, padded, 192, padded, 192) < 0
    assert lib.rtc_frame_copy_i420(frame.object, whole, len(whole) - 1) == lib.RTC_ERR_INVALID_ARGUMENT
    assert (block.i0, block.i1, block.i2, len(block.data)) == (48000, 1, 480, 960)
    assert block.i3 >= 0
    assert max(ffi.cast("int16_t *", ffi.from_buffer(block.data))[0:480]) > 4000
    first = world.wait(lambda e: e.type == lib.RTC_EV_FIRST_PACKET and e.i0 == lib.RTC_KIND_VIDEO)
    assert first.object == call.receiving["video"]
    call.free()


def test_parameters_change_what_is_sent(world: World) -> None:
    call = Call(world)
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(call.frames) > 0)
        found = parsed(lib.rtc_sender_get_parameters(call.sending_video))
        transaction = found["transactionId"].encode()
        assert found["rtcp"]["cname"]
        half = encoding(scale_resolution_down_by=2.0, max_bitrate_bps=300_000)
        check(lib.rtc_sender_set_parameters(call.sending_video, transaction, half, 1, -1))
        again = lib.rtc_sender_set_parameters(call.sending_video, transaction, half, 1, -1)
        assert again == lib.RTC_ERR_INVALID_MODIFICATION
        world.wait_until(lambda: call.frames[-1].i0 == 160)
        check(lib.rtc_receiver_request_key_frame(call.receiving["video"]))
        assert parsed(lib.rtc_receiver_get_sources(call.receiving["audio"]))[0]["type"] == "ssrc"
        check(lib.rtc_dtmf_insert(call.sending_audio, b"1#", 60, 40, 100))
        tones = [world.wait(lambda e: e.type == lib.RTC_EV_DTMF_TONE).data for _ in range(3)]
        assert tones == [b"1", b"#", b""]
    stats = world.answer(lambda pc, request: lib.rtc_pc_get_stats(pc, request, 0, 0), call.b.handle)
    assert {"inbound-rtp", "transport"} <= {entry["type"] for entry in json.loads(stats.data)}
    call.free()


def test_sink_is_bounded_and_ends_when_detached(world: World) -> None:
    call = Call(world)
    owner = next(world.numbers)
    sink = check(lib.rtc_receiver_attach_sink(call.receiving["audio"], world.queue, owner, 3, 0))
    received, dropped = ffi.new("int64_t *"), ffi.new("int64_t *")
    deadline = time.monotonic() + 10
    with Camera(call.audio, call.video):
        world.wait_until(lambda: len(call.blocks) > 0)
        while dropped[0] < 5 and time.monotonic() < deadline:
            threading.Event().wait(0.02)  # nobody drains: that is the point
            check(lib.rtc_sink_counts(sink, received, dropped))
    world.drain_all()
    check(lib.rtc_sink_counts(sink, received, dropped))  # now, as blocks under way came until then
    assert dropped[0] >= 5
    assert len([e for e in world.events if e.owner == owner]) <= received[0] - dropped[0]
    check(lib.rtc_sink_detach(sink))
    world.events = type(world.events)(e for e in world.events if e.owner != owner)
    world.drain_all()
    assert not [e for e in world.events if e.owner == owner]
    call.free()


def test_codec_preferences_and_capabilities(world: World) -> None:
    codecs = parsed(lib.rtc_factory_capabilities(world.factory, lib.RTC_KIND_AUDIO, 1))["codecs"]
    assert "audio/opus" in [codec["mimeType"] for codec in codecs]
    pc = Pc(world)
    video = check(lib.rtc_pc_add_transceiver(pc.handle, 1, 0, 0, ffi.NULL, ffi.NULL, ffi.NULL, 0))
    wish = b"video/H264/90000 packetization-mode=1;level-asymmetry-allowed=1;profile-level-id=42e01f\nvideo/VP8"
    check(lib.rtc_transceiver_set_codec_preferences(video, wish))
    maps = [line for line in pc.offer().decode().splitlines() if line.startswith("a=rtpmap")]
    assert [line.split()[1] for line in maps] == ["H264/90000", "VP8/90000"]
    assert lib.rtc_transceiver_set_codec_preferences(video, b"video/none") == lib.RTC_ERR_INVALID_MODIFICATION
    pc.free()


# ---- negotiation


def test_descriptions_roll_back_and_errors_have_codes(world: World) -> None:
    a, b = Pc(world), Pc(world)
    check(lib.rtc_pc_add_transceiver(a.handle, 0, 0, 0, ffi.NULL, ffi.NULL, ffi.NULL, 0))
    offer = a.offer()
    snapshot = a.set_local(lib.RTC_SDP_OFFER, offer)
    assert snapshot["signalingState"] == "have-local-offer"
    assert snapshot["transceivers"][0]["mid"] == "0"
    assert a.set_local(lib.RTC_SDP_ROLLBACK, b"")["signalingState"] == "stable"
    with pytest.raises(AbiError, match="foo: Expect line") as broken:
        b.set_remote(lib.RTC_SDP_OFFER, b"v=0\r\nfoo")
    assert broken.value.code == lib.RTC_ERR_SYNTAX_ERROR
    with pytest.raises(AbiError) as early:
        b.set_remote(lib.RTC_SDP_ANSWER, offer)
    assert early.value.code == lib.RTC_ERR_INVALID_STATE
    for candidate in (b"candidate:1 1 udp 2122 192.0.2.1 9 typ host", b""):
        with pytest.raises(AbiError) as refused:
            world.answer(lib.rtc_pc_add_ice_candidate, b.handle, b"0", 0, candidate, ffi.NULL)
        assert refused.value.code == lib.RTC_ERR_INVALID_STATE
    b.set_remote(lib.RTC_SDP_OFFER, offer)
    world.answer(lib.rtc_pc_add_ice_candidate, b.handle, b"0", 0, b"", ffi.NULL)
    done = world.answer(lib.rtc_pc_set_local_implicit, b.handle)
    assert json.loads(done.data)["currentLocal"]["type"] == "answer"
    a.free()
    b.free()


def test_what_would_abort_libwebrtc_is_refused(world: World) -> None:
    config = check(lib.rtc_config_new())
    check(lib.rtc_config_set_int(config, lib.RTC_CONFIG_ICE_RECEIVING_TIMEOUT_MS, 1))
    assert lib.rtc_pc_new(world.factory, world.queue, config, 1) == lib.RTC_ERR_INVALID_PARAMETER
    check(lib.rtc_config_free(config))
    a, b = Pc(world), Pc(world)
    a.channel()
    offer = a.offer().replace(b"m=application", b"m=other")
    assert lib.rtc_pc_set_remote(b.handle, lib.RTC_SDP_OFFER, offer, 1) == lib.RTC_ERR_INVALID_PARAMETER
    check(lib.rtc_pc_add_transceiver(a.handle, 0, 0, 0, ffi.NULL, ffi.NULL, ffi.NULL, 0))
    with World(media=0) as data_only:
        c = Pc(data_only)
        unsupported = lib.RTC_ERR_UNSUPPORTED_OPERATION
        assert lib.rtc_pc_set_remote(c.handle, lib.RTC_SDP_OFFER, a.offer(), 1) == unsupported
        assert lib.rtc_pc_add_transceiver(c.handle, 0, 0, 0, ffi.NULL, ffi.NULL, ffi.NULL, 0) == unsupported
        assert lib.rtc_audio_source_new(data_only.factory) == unsupported
        assert lib.rtc_factory_capabilities(data_only.factory, 0, 1) == unsupported
    a.free()
    b.free()


def test_every_request_is_answered_when_the_connection_closes(world: World) -> None:
    pc = Pc(world)
    requests = [next(world.numbers) for _ in range(20)]
    for request in requests:
        check(lib.rtc_pc_create_offer(pc.handle, request, 0))
    check(lib.rtc_pc_close(pc.handle))
    late = next(world.numbers)
    check(lib.rtc_pc_create_offer(pc.handle, late, 0))
    check(lib.rtc_pc_free(pc.handle))
    answers: dict[int, SimpleNamespace] = {}
    while len(answers) < len(requests) + 1:
        event = world.wait(lambda e: e.request in {*requests, late})
        assert event.request not in answers
        answers[event.request] = event
    assert answers[late].i0 == lib.RTC_ERR_INVALID_STATE


def test_certificate_survives_pem_and_is_used(world: World) -> None:
    made = parsed(lib.rtc_certificate_generate(lib.RTC_KEY_ECDSA_P256, 3_600_000))
    assert [f["algorithm"] for f in made["fingerprints"]] == ["sha-256", "sha-384", "sha-512"]
    config = check(lib.rtc_config_new())
    check(lib.rtc_config_add_certificate(config, made["privateKey"].encode(), made["certificate"].encode()))
    pc = Pc(world, config)
    pc.channel()
    assert made["fingerprints"][0]["value"] in pc.offer().decode()
    check(lib.rtc_config_free(config))
    pc.free()


def test_silence_is_noticed_and_ice_restarts(world: World) -> None:
    quick = {
        lib.RTC_CONFIG_ICE_RECEIVING_TIMEOUT_MS: 600,
        lib.RTC_CONFIG_ICE_UNWRITABLE_TIMEOUT_MS: 500,
        lib.RTC_CONFIG_ICE_UNWRITABLE_MIN_CHECKS: 2,
        lib.RTC_CONFIG_ICE_INACTIVE_TIMEOUT_MS: 1000,
        lib.RTC_CONFIG_ICE_CHECK_STRONG_MS: 100,
        lib.RTC_CONFIG_STABLE_PING_INTERVAL_MS: 100,
    }
    config = check(lib.rtc_config_new())
    for key, value in quick.items():
        check(lib.rtc_config_set_int(config, key, value))
    a, b = linked(world, config)
    channel = a.channel()
    negotiate(a, b)
    opened(world, channel)
    before = parsed(lib.rtc_pc_transports(a.handle))["transports"][0]["selectedPair"]["local"]["ufrag"]
    check(lib.rtc_pc_restart_ice(a.handle))
    negotiate(a, b)
    assert f"a=ice-ufrag:{before}\r" not in a.snapshot()["currentLocal"]["sdp"]
    check(lib.rtc_channel_send(channel, b"still here", 10, 0))
    world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_MESSAGE)
    a.peer = None
    b.free()
    a.wait_state(lib.RTC_EV_ICE_CONNECTION_STATE, b"disconnected")
    a.wait_state(lib.RTC_EV_ICE_CONNECTION_STATE, b"failed")
    check(lib.rtc_config_free(config))
    a.free()


# ---- data channels


def test_oversize_message_is_refused_and_the_channel_stays_open(world: World) -> None:
    a, b, ours, theirs = connected_channels(world)
    limit = check(lib.rtc_channel_max_message_size(ours))
    assert lib.rtc_channel_send(ours, bytes(limit + 1), limit + 1, 1) == lib.RTC_ERR_MESSAGE_TOO_LARGE
    assert str(limit) in last_error()
    for payload, binary in ((bytes(limit), 1), (b"text", 0), (b"", 1)):
        check(lib.rtc_channel_send(ours, payload, len(payload), binary))
        event = world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_MESSAGE and e.owner == theirs)
        assert event.data == payload
        assert event.flags & lib.RTC_FLAG_BINARY == binary
    assert lib.rtc_channel_state(ours) == 1
    transports = parsed(lib.rtc_pc_transports(a.handle))
    assert transports["transports"][0]["dtlsState"] == "connected"
    assert transports["sctp"]["maxMessageSize"] == limit
    a.free()
    b.free()


def test_full_buffer_is_refused_and_the_count_returns_to_zero(world: World) -> None:
    a, b, ours, _ = connected_channels(world)
    chunk = bytes(65536)
    while (result := lib.rtc_channel_send(ours, chunk, len(chunk), 1)) == 0:
        pass
    assert result == lib.RTC_ERR_WOULD_OVERFLOW
    assert lib.rtc_channel_buffered(ours) > 8 << 20
    world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_BUFFERED and e.object == ours and e.i0 == 0, 30)
    assert lib.rtc_channel_buffered(ours) == 0
    check(lib.rtc_channel_close(ours))
    world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_STATE and e.object == ours and e.i0 == 3)
    assert lib.rtc_channel_send(ours, b"x", 1, 1) == lib.RTC_ERR_INVALID_STATE
    a.free()
    b.free()


def test_no_event_of_a_remote_channel_is_lost(world: World) -> None:
    a, b = linked(world)
    first = a.channel(b"first")
    negotiate(a, b)
    opened(world, first)
    label = "é\n".encode()
    ours = a.channel(label, ordered=0, max_retransmits=0)
    opened(world, ours)
    check(lib.rtc_channel_send(ours, b"early", 5, 0))
    event = world.wait(lambda e: e.type == lib.RTC_EV_DATACHANNEL and e.data == label)
    assert json.loads(event.data2)["maxRetransmits"] == 0
    assert json.loads(event.data2)["ordered"] is False
    message = world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_MESSAGE and e.object == event.object)
    assert (message.owner, message.data) == (event.object, b"early")
    check(lib.rtc_channel_set_owner(event.object, 77))
    check(lib.rtc_channel_send(ours, b"late", 4, 0))
    assert world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_MESSAGE and e.object == event.object).owner == 77
    a.free()
    b.free()


# ---- time and leaks


def test_connections_do_not_repeat_the_self_tests_of_libsrtp() -> None:
    with World(media=0) as own:
        times = []
        for _ in range(8):
            begin = time.monotonic()
            a, b, *_ = connected_channels(own)
            times.append(time.monotonic() - begin)
            a.free()
            b.free()
    assert min(times) < 0.04  # the self-tests alone take 45 ms


def test_fifty_pairs_leave_no_thread_and_no_fd() -> None:
    done = run_python("""
        import gc, os, time
        with World() as warm:
            connected_channels(warm)
        def census():
            return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), lib.rtc_handle_count()
        before = census()
        with World() as world:
            live = None
            for turn in range(50):
                a, b, *_ = connected_channels(world)
                a.free(); b.free()
                world.drain_all(); world.events.clear()
                live = live or census()
            assert census() == live, (census(), live)
        deadline = time.monotonic() + 10
        while census() != before and time.monotonic() < deadline:
            time.sleep(0.001)  # a joined thread stays listed until the kernel has unhashed it
        assert census() == before, (census(), before)
        print("clean")
    """)
    assert done.stdout == "clean\n", done.stderr


def test_free_order_does_not_matter() -> None:
    done = run_python("""
        import itertools
        for order in itertools.permutations(["sink", "channel", "transceiver", "source", "pc", "factory", "queue"], 3):
            world = World()
            a, b = linked(world)
            source = check(lib.rtc_audio_source_new(world.factory))
            transceiver = check(lib.rtc_pc_add_track(a.handle, source, ffi.NULL, ffi.NULL))
            channel = a.channel()
            sink = check(lib.rtc_receiver_attach_sink(transceiver, world.queue, 5, 1, 0))
            check(lib.rtc_pc_create_offer(a.handle, 9, 0))
            free = {
                "sink": lambda: lib.rtc_sink_detach(sink), "channel": lambda: lib.rtc_channel_free(channel),
                "transceiver": lambda: lib.rtc_transceiver_stop(transceiver),
                "source": lambda: lib.rtc_source_free(source), "pc": lambda: lib.rtc_pc_free(a.handle),
                "factory": lambda: lib.rtc_factory_free(world.factory),
                "queue": lambda: lib.rtc_queue_free(world.queue),
            }
            for name in order:
                free[name]()
            for name in ("factory", "queue"):
                free[name]()
            assert lib.rtc_handle_count() == 0, (order, lib.rtc_handle_count())
        print("clean")
    """)
    assert done.stdout == "clean\n", done.stderr


EXIT = """
    import atexit
    atexit.register(lib.rtc_shutdown_all)
    world = World(media={media})
    pairs = [connected_channels(world) for _ in range(2)]
    for a, b, ours, theirs in pairs:
        for _ in range(20):
            lib.rtc_channel_send(ours, bytes(50000), 50000, 1)
    print("open")
"""


def test_exit_with_open_connections_is_clean() -> None:
    for turn in range(20):
        done = run_python(EXIT.format(media=turn % 2))
        assert (done.returncode, done.stdout) == (0, "open\n"), done.stderr


def test_transport_is_connected_before_its_channels_are_open(world: World) -> None:
    seen: list[tuple[int, str]] = []
    sides: dict[int, int] = {}

    def note(event: SimpleNamespace) -> None:
        if event.type == lib.RTC_EV_SCTP_STATE and event.data == b"connected":
            seen.append((event.owner, "transport"))
        elif event.type == lib.RTC_EV_CHANNEL_STATE and event.data == b"open":
            seen.append((sides[event.object], "channel"))
        elif event.type == lib.RTC_EV_DATACHANNEL:
            seen.append((event.owner, "channel"))
            sides[event.object] = event.owner

    a, b = linked(world)
    sides[a.channel()] = a.owner
    world.taps.append(note)
    try:
        negotiate(a, b)
        world.wait_until(lambda: {owner for owner, kind in seen if kind == "channel"} == {a.owner, b.owner})
    finally:
        world.taps.remove(note)
    for side in (a, b):
        assert next(kind for owner, kind in seen if owner == side.owner) == "transport"


def test_threads_may_call_while_everything_is_freed(world: World) -> None:
    a, b, ours, _ = connected_channels(world)
    stop = threading.Event()
    results: list[int] = []

    def hammer() -> None:
        while not stop.is_set():
            lib.rtc_channel_send(ours, b"x" * 100, 100, 1)
            handle = lib.rtc_pc_snapshot(a.handle)
            if handle > 0:
                text(handle)
            results.append(handle)

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    world.wait(lambda e: e.type == lib.RTC_EV_CHANNEL_MESSAGE)
    a.free()
    b.free()
    deadline = time.monotonic() + 5
    while lib.RTC_ERR_INVALID_HANDLE not in results[-9:] and time.monotonic() < deadline:
        os.sched_yield()
    stop.set()
    for thread in threads:
        thread.join()
    assert lib.RTC_ERR_INVALID_HANDLE in results
    assert lib.rtc_pc_snapshot(a.handle) == lib.RTC_ERR_INVALID_HANDLE
