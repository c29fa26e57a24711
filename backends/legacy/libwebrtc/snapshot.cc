// The state of a connection as JSON. On the signaling thread, where libwebrtc's getters are plain calls.
#include <pc/media_session.h>
#include <pc/session_description.h>

#include "json.h"
#include "peer.h"
#include "transceiver.h"
#include "transports.h"

namespace rtc_shim {
namespace {

using PeerConnection = webrtc::PeerConnectionInterface;

void WriteDescription(Json& json, const char* key, const webrtc::SessionDescriptionInterface* description) {
  json.Key(key);
  if (!description) {
    json.Null();
    return;
  }
  std::string sdp;
  description->ToString(&sdp);
  json.BeginObject().Field("type", description->type()).Field("sdp", sdp).EndObject();
}

const webrtc::SessionDescriptionInterface* Newest(const PeerConnection& pc) {
  const auto* local = pc.local_description();
  const auto* remote = pc.remote_description();
  if (!local || !remote) return local ? local : remote;
  // A pending remote offer may have more sections than the local description of before.
  return remote->description()->contents().size() > local->description()->contents().size() ? remote : local;
}

absl::optional<int> SectionOf(const PeerConnection& pc, const std::string& mid) {
  const auto* description = Newest(pc);
  if (!description) return absl::nullopt;
  const auto& contents = description->description()->contents();
  for (size_t i = 0; i < contents.size(); ++i) {
    if (contents[i].name == mid) return static_cast<int>(i);
  }
  return absl::nullopt;
}

void WriteSctp(Json& json, const PeerConnection& pc) {
  json.Key("sctp");
  const auto* description = Newest(pc);
  const cricket::ContentInfo* content =
      description ? cricket::GetFirstDataContent(description->description()) : nullptr;
  if (!content) {
    json.Null();
    return;
  }
  json.BeginObject().Field("mid", content->name).EndObject();
}

const char* DirectionName(webrtc::RtpTransceiverDirection direction) {
  switch (direction) {
    case webrtc::RtpTransceiverDirection::kSendRecv:
      return "sendrecv";
    case webrtc::RtpTransceiverDirection::kSendOnly:
      return "sendonly";
    case webrtc::RtpTransceiverDirection::kRecvOnly:
      return "recvonly";
    case webrtc::RtpTransceiverDirection::kInactive:
      return "inactive";
    case webrtc::RtpTransceiverDirection::kStopped:
      return "stopped";
  }
  return "inactive";
}

}  // namespace

std::vector<std::string> MidsOf(const PeerConnection& pc) {
  std::vector<std::string> mids;
  if (const auto* description = Newest(pc)) {
    for (const auto& content : description->description()->contents()) {
      if (!content.rejected) mids.push_back(content.name);
    }
  }
  return mids;
}

void WriteTransceiver(Json& json, const Transceiver& transceiver, const PeerConnection& pc) {
  const auto& object = transceiver.get();
  const auto mid = object.mid();
  json.BeginObject().Field("id", transceiver.handle()).FieldOrNull("mid", mid);
  json.FieldOrNull("mlineIndex", mid ? SectionOf(pc, *mid) : absl::nullopt);
  json.Field("kind", transceiver.is_audio() ? "audio" : "video")
      .Field("direction", DirectionName(object.direction()));
  json.Key("currentDirection");
  if (const auto current = object.current_direction()) {
    json.Value(DirectionName(*current));
  } else {
    json.Null();
  }
  json.Field("stopped", object.stopped()).Field("stopping", object.stopping());
  const auto receiver = object.receiver();
  json.Key("receiver").BeginObject().Field("id", receiver->id()).Field("trackId", receiver->track()->id());
  json.Field("streamIds", receiver->stream_ids()).EndObject();
  const auto sender = object.sender();
  const auto track = sender->track();
  json.Key("sender").BeginObject().Field("id", sender->id()).Key("trackId");
  if (track) {
    json.Value(track->id());
  } else {
    json.Null();
  }
  json.Field("streamIds", sender->stream_ids()).EndObject().EndObject();
}

std::string Peer::Snapshot() {
  const auto state = pc_->signaling_state();
  const absl::string_view name = PeerConnection::AsString(state);
  Json json;
  json.BeginObject().Field("signalingState", std::string_view(name.data(), name.size()));
  WriteDescription(json, "currentLocal", pc_->current_local_description());
  WriteDescription(json, "pendingLocal", pc_->pending_local_description());
  WriteDescription(json, "currentRemote", pc_->current_remote_description());
  WriteDescription(json, "pendingRemote", pc_->pending_remote_description());
  json.Key("transceivers").BeginArray();
  if (factory_->media()) {
    for (const auto& transceiver : pc_->GetTransceivers()) {
      WriteTransceiver(json, *TransceiverFor(transceiver), *pc_);
    }
  }
  json.EndArray();
  WriteSctp(json, *pc_);
  return json.EndObject().Take();
}

}  // namespace rtc_shim
