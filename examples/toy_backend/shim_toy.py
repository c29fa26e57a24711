"""A toy backend: connections within one process, wired in memory. No network, no codecs, no encryption.

It shows all that a backend has to do, in one file: describe itself, negotiate, carry messages and frames, and close.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shim.spi import engines as e
from shim.spi import events as ev
from shim.spi.capabilities import TIERS, Component
from shim.spi.errors import CapabilityError, ChannelIdInUseError, InvalidModificationError, MediaStreamError
from shim.spi.hookspecs import hookimpl
from shim.spi.records import BackendInfo, ProbeResult

PEERS: weakref.WeakValueDictionary[str, ToyPeer] = weakref.WeakValueDictionary()
CODECS = {"audio": e.Codec("audio/opus", 48000, 2), "video": e.Codec("video/VP8", 90000)}


# --- the hooks: all that pluggy is used for -----------------------------------------------------------


@hookimpl
def shim_backend_info() -> BackendInfo:
    components, install = frozenset({Component.PEER}), "pip install ./examples/toy_backend"
    return BackendInfo("toy", "0.1.0", "memory", components, TIERS["process"], install, tier="process")


@hookimpl
def shim_probe() -> ProbeResult:
    return ProbeResult(available=True, reason="works everywhere, reaches nobody")


@hookimpl
def shim_rtp_capabilities(kind: e.Kind, sender: bool) -> e.RtpCapabilities:
    return e.RtpCapabilities((CODECS[kind],), ())


@hookimpl
def shim_create_peer_engine(config: e.EngineConfig, sink: e.EventSink) -> e.PeerEngine:
    return ToyPeer(config, sink)


# --- data channels ------------------------------------------------------------------------------------


@dataclass(eq=False)
class ToyChannel:
    peer: ToyPeer
    init: e.DataChannelInit
    id: int | None = None
    other: ToyChannel | None = None
    buffered_amount: int = 0

    def set_buffered_amount_low_threshold(self, threshold: int) -> None:
        """Nothing is ever buffered."""

    def send(self, data: bytes | str) -> None:
        if self.other is not None:
            self.other.peer.later(ev.ChannelMessage(self.other, data))

    def close(self) -> None:
        for channel in (self, self.other):
            if channel is not None and channel in channel.peer.channels:
                del channel.peer.channels[channel]
                channel.peer.later(ev.ChannelClosing(channel))
                channel.peer.later(ev.ChannelClosed(channel))


# --- media --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class ToyTransceiver:
    peer: ToyPeer
    kind: e.Kind
    direction: e.Direction
    source: e.MediaSource | None
    mid: str | None = None
    current: e.Direction | None = None
    remote_track: str | None = None
    sink: e.MediaSink | None = None
    stream: str = "-"
    track_id: str = field(default_factory=lambda: secrets.token_hex(8))
    pump: asyncio.Task[None] | None = None

    def set_direction(self, direction: e.Direction) -> None:
        self.direction = direction

    def replace_source(self, source: e.MediaSource | None) -> None:
        self.source = source
        self.track_id = source.id if source is not None else self.track_id
        self.restart_pump()

    def attach(self, sink: e.MediaSink) -> None:
        self.sink = sink

    def sources(self) -> tuple[e.RtpSource, ...]:
        return ()

    def can_insert_dtmf(self) -> bool:
        return False

    def get_parameters(self) -> e.SendParameters:
        return e.SendParameters(secrets.token_hex(4), (e.Encoding(),), (CODECS[self.kind],), cname="toy")

    # What is not declared as a capability is never called by the SDK.
    def _no(self, *_: object) -> None:
        raise CapabilityError("toy: not supported")

    stop = set_codec_preferences = set_parameters = set_jitter_target = _no
    set_sender_transform = set_receiver_transform = _no

    def insert_dtmf(self, tones: str, duration: float, gap: float) -> None:
        self._no()

    def restart_pump(self) -> None:
        """Send what the source gives, if this was negotiated."""
        if self.pump is not None:
            self.pump.cancel()
        if self.source is not None and self.current in {"sendonly", "sendrecv"} and self.peer.connected:
            self.pump = asyncio.ensure_future(self._send(self.source))

    async def _send(self, source: e.MediaSource) -> None:
        try:
            while True:
                frame = await source.recv()
                other = self.peer.other.by_mid(self.mid) if self.peer.other else None
                if other is not None and other.sink is not None and hasattr(frame, "planes"):
                    other.sink.put(frame)
        except MediaStreamError:
            pass

    def state(self) -> e.TransceiverState:
        return e.TransceiverState(
            self, self.kind, self.mid, int(self.mid or 0) if self.mid else None, self.direction, self.current, False,
            self.remote_track,
        )  # fmt: skip


# --- the connection -----------------------------------------------------------------------------------


class ToyPeer:
    """A peer that finds its other half by the user name in its description."""

    def __init__(self, config: e.EngineConfig, sink: e.EventSink) -> None:
        self.config, self.sink, self.name = config, sink, secrets.token_hex(8)
        self.channels: dict[ToyChannel, None] = {}
        self.transceivers: list[ToyTransceiver] = []
        self.session = e.SessionState("stable", None, None, None, None, ())
        self.sections: list[str] = []
        self.other: ToyPeer | None = None
        self.connected = self.gathered = self.closed = False
        self.version = 0
        PEERS[self.name] = self

    async def start(self) -> None:
        """Nothing to do: there is no socket to open."""

    def later(self, *events: ev.Event) -> None:
        """Post on the next turn of the loop, as a network would."""
        for event in events:
            asyncio.get_running_loop().call_soon(lambda event=event: None if self.closed else self.sink.post(event))

    def by_mid(self, mid: str | None) -> ToyTransceiver | None:
        return next((t for t in self.transceivers if t.mid == mid), None)

    # --- negotiation: sections are "audio", "video" or "application", their index is their mid

    async def create_offer(self, *, ice_restart: bool = False) -> e.SessionDescription:
        sections = self.sections + [t.kind for t in self.transceivers if t.mid is None]
        if (self.channels or self.config.always_negotiate_data_channels) and "application" not in sections:
            sections = [*sections, "application"]
        fresh = iter([t for t in self.transceivers if t.mid is None])
        lines = [self._media(i, kind, self._direction(i, kind, fresh), "actpass") for i, kind in enumerate(sections)]
        return self._description("offer", sections, lines)

    def _direction(self, index: int, kind: str, fresh: object) -> ToyTransceiver | None:
        if kind == "application":
            return None
        return self.by_mid(str(index)) or next(fresh, None)  # type: ignore[call-overload]

    async def create_answer(self) -> e.SessionDescription:
        remote = self.session.pending_remote
        assert remote is not None
        offered = _sections(remote.sdp)
        lines = [self._media(i, m.kind, self.by_mid(str(i)), "active", m.direction) for i, m in enumerate(offered)]
        return self._description("answer", self.sections, lines)

    def _description(self, kind: e.SdpType, sections: list[str], lines: list[str]) -> e.SessionDescription:
        bundle = " ".join(str(i) for i in range(len(sections)))
        self.version += 1
        head = f"v=0\r\no=- 1 {self.version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {bundle}\r\n"
        return e.SessionDescription(kind, head + "".join(lines))

    def _media(
        self, index: int, kind: str, transceiver: ToyTransceiver | None, setup: str, offered: str = "sendrecv"
    ) -> str:
        codec = {"audio": ("UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 opus/48000/2\r\na=rtcp-mux\r\n"),
                 "video": ("UDP/TLS/RTP/SAVPF 97", "a=rtpmap:97 VP8/90000\r\na=rtcp-mux\r\n"),
                 "application": ("UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000\r\n")}[kind]  # fmt: skip
        media = (
            f"a={_answered(offered, transceiver.direction)}\r\na=msid:{transceiver.stream} {transceiver.track_id}\r\n"
            if transceiver
            else ""
        )
        return (f"m={kind} 9 {codec[0]}\r\nc=IN IP4 0.0.0.0\r\na=mid:{index}\r\na=ice-ufrag:{self.name}\r\n"
                f"a=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 {':'.join(['00'] * 32)}\r\n"
                f"a=setup:{setup}\r\n{media}{codec[1]}")  # fmt: skip

    async def set_local_description(self, description: e.SessionDescription) -> None:
        fresh = iter([t for t in self.transceivers if t.mid is None])
        for index, media in enumerate(_sections(description.sdp)):
            if media.kind != "application" and self.by_mid(str(index)) is None:
                next(fresh).mid = str(index)
        self._settle(description, local=True)
        if self.sections and not self.gathered:
            self.gathered = True
            self.later(ev.IceGatheringChanged("gathering"), ev.CandidateFound(None), ev.IceGatheringChanged("complete"))

    async def set_remote_description(self, description: e.SessionDescription) -> None:
        media = _sections(description.sdp)
        other = PEERS.get(media[0].name) if media else None
        if media and other is None:
            raise InvalidModificationError("toy: the description is not of a toy connection of this process")
        self.other = other
        for index, section in enumerate(media):
            if section.kind in {"audio", "video"}:
                self._receive(str(index), section)
        self._settle(description, local=False)

    def _receive(self, mid: str, section: Section) -> None:
        transceiver = self.by_mid(mid) or next(
            (t for t in self.transceivers if t.mid is None and t.kind == section.kind), None
        )
        if transceiver is None:
            transceiver = ToyTransceiver(self, "audio" if section.kind == "audio" else "video", "recvonly", None)
            self.transceivers.append(transceiver)
        transceiver.mid = mid
        transceiver.remote_track = section.track if section.direction in {"sendonly", "sendrecv"} else None

    def _settle(self, description: e.SessionDescription, *, local: bool) -> None:
        s, final = self.session, description.type == "answer"
        side = "local" if local else "remote"
        self.sections = [m.kind for m in _sections(description.sdp)]
        if final:
            offer = {"current_remote": s.pending_remote} if local else {"current_local": s.pending_local}
            s = replace(s, signaling_state="stable", pending_local=None, pending_remote=None, **offer)  # type: ignore[arg-type]
            s = replace(s, **{f"current_{side}": description})  # type: ignore[arg-type]
            self._agree(_sections(description.sdp), local=local)
        else:
            s = replace(s, **{"signaling_state": f"have-{side}-offer", f"pending_{side}": description})  # type: ignore[arg-type]
        data = str(self.sections.index("application")) if "application" in self.sections else None
        self.session = replace(s, transceivers=tuple(t.state() for t in self.transceivers), sctp_mid=data)
        self.sink.post(ev.SessionChanged(self.session))
        if final:
            asyncio.get_running_loop().call_soon(self._connect)

    def _agree(self, answer: list[Section], *, local: bool) -> None:
        mirrored = {"sendonly": "recvonly", "recvonly": "sendonly"}
        for index, section in enumerate(answer):
            if (transceiver := self.by_mid(str(index))) is not None:
                direction = section.direction if local else mirrored.get(section.direction, section.direction)
                transceiver.current = direction  # type: ignore[assignment]

    def _connect(self) -> None:
        """Both have applied the answer: open what waits."""
        other = self.other
        if self.closed or other is None or other.closed or other.session.signaling_state != "stable":
            return
        for a, b in ((self, other), (other, self)):
            if not a.connected:
                a.connected = True
                for ice in ("checking", "connected", "completed"):
                    a.sink.post(ev.IceConnectionChanged(ice))
                a.sink.post(ev.ConnectionChanged("connecting"))
                a.sink.post(ev.ConnectionChanged("connected"))
            for transceiver in a.transceivers:
                transceiver.restart_pump()
            for channel in [c for c in a.channels if c.other is None]:
                a._open(channel, b)

    def _open(self, channel: ToyChannel, other: ToyPeer) -> None:
        twin = next((c for c in other.channels if channel.init.negotiated and c.id == channel.id), None)
        if channel.init.negotiated and twin is None:
            return
        if twin is None:
            used = {c.id for c in (*self.channels, *other.channels)}
            ours = range(self.name > other.name, 65535, 2)
            channel.id = channel.id if channel.id is not None else next(i for i in ours if i not in used)
            twin = ToyChannel(other, replace(channel.init, id=channel.id), channel.id)
            other.channels[twin] = None
            opened: ev.Event = ev.ChannelAnnounced(twin, twin.init)
        else:
            opened = ev.ChannelOpened(twin)
        channel.other, twin.other = twin, channel
        self.sink.post(ev.ChannelOpened(channel))
        other.sink.post(opened)

    # --- the rest

    def add_transceiver(
        self,
        kind: e.Kind,
        direction: e.Direction,
        source: e.MediaSource | None,
        stream_ids: Sequence[str] = (),
        encodings: Sequence[e.Encoding] = (),
    ) -> e.TransceiverEngine:
        transceiver = ToyTransceiver(self, kind, direction, None, stream=next(iter(stream_ids), "-"))
        transceiver.replace_source(source)
        self.transceivers.append(transceiver)
        return transceiver

    def create_data_channel(self, init: e.DataChannelInit) -> e.DataChannelEngine:
        if init.id is not None and any(c.id == init.id for c in self.channels):
            raise ChannelIdInUseError(f"toy: id {init.id} is in use")
        channel = ToyChannel(self, init, init.id)
        self.channels[channel] = None
        if self.connected:
            asyncio.get_running_loop().call_soon(self._connect)
        return channel

    async def add_ice_candidate(self, candidate: e.IceCandidate | None) -> None:
        """Nothing to do: the other half is found without."""

    def restart_ice(self) -> None:
        raise CapabilityError("toy: there is no ICE")

    def set_configuration(self, config: e.EngineConfig) -> None:
        raise CapabilityError("toy: there is nothing to configure")

    def local_state(self) -> e.SessionState:
        return self.session

    def transports(self) -> tuple[e.TransportInfo, ...]:
        return ()

    async def get_stats(self, transceiver: e.TransceiverEngine | None = None) -> Mapping[str, Mapping[str, object]]:
        return {"P": {"id": "P", "type": "peer-connection", "timestamp": 0.0, "dataChannelsOpened": len(self.channels)}}

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for transceiver in self.transceivers:
            if transceiver.pump is not None:
                transceiver.pump.cancel()
            if transceiver.source is not None:
                transceiver.source.stop()
        if self.other is not None and not self.other.closed:
            self.other.later(ev.ConnectionChanged("closed"))


def _answered(offered: str, wanted: str) -> str:
    """Return what of a wish an offer allows (RFC 3264 section 6.1)."""
    sends = offered in {"sendrecv", "recvonly"} and wanted in {"sendrecv", "sendonly"}
    receives = offered in {"sendrecv", "sendonly"} and wanted in {"sendrecv", "recvonly"}
    return ("inactive", "recvonly", "sendonly", "sendrecv")[2 * sends + receives]


@dataclass(frozen=True)
class Section:
    kind: str
    name: str
    direction: str
    track: str | None


def _sections(sdp: str) -> list[Section]:
    found = []
    for block in sdp.split("\r\nm=")[1:]:
        lines = block.splitlines()
        values = dict(line[2:].split(":", 1) for line in lines if line.startswith("a=") and ":" in line)
        direction = next((d for d in ("sendrecv", "sendonly", "recvonly", "inactive") if f"a={d}" in lines), "")
        track = values["msid"].split()[1] if "msid" in values else None
        found.append(Section(block.split()[0], values["ice-ufrag"], direction, track))
    return found
