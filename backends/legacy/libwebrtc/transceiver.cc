#include "transceiver.h"

#include <api/media_stream_interface.h>

#include <utility>

#include "parameters.h"
#include "source.h"

namespace rtc_shim {

Transceiver::Transceiver(const std::shared_ptr<Peer>& peer,
                         rtc::scoped_refptr<webrtc::RtpTransceiverInterface> transceiver)
    : peer_(peer),
      factory_(peer->shared_factory()),
      peer_object_(peer.get()),
      queue_(peer->queue()),
      owner_(peer->owner()),
      transceiver_(std::move(transceiver)),
      is_audio_(transceiver_->media_type() == cricket::MEDIA_TYPE_AUDIO) {}

Transceiver::~Transceiver() = default;

std::shared_ptr<Peer> Transceiver::peer() const {
  auto peer = peer_.lock();
  if (!peer) throw Error(RTC_ERR_INVALID_HANDLE, "the connection of this transceiver was freed");
  return peer;
}

void Transceiver::Observe() { transceiver_->receiver()->SetObserver(this); }

void Transceiver::StopObserving() {
  transceiver_->receiver()->SetObserver(nullptr);
  if (dtmf_) dtmf_->UnregisterObserver();
  dtmf_ = nullptr;
}

webrtc::DtmfSenderInterface& Transceiver::Dtmf() {
  if (!is_audio_) throw Error(RTC_ERR_UNSUPPORTED_OPERATION, "DTMF needs an audio transceiver");
  if (!dtmf_) {
    dtmf_ = transceiver_->sender()->GetDtmfSender();
    if (!dtmf_) throw Error(RTC_ERR_INVALID_STATE, "this sender has no DTMF sender");
    dtmf_->RegisterObserver(this);
  }
  return *dtmf_;
}

void Transceiver::OnFirstPacketReceived(cricket::MediaType media_type) {
  Event event(RTC_EV_FIRST_PACKET, owner_);
  event.c.object = handle();
  event.c.i0 = media_type == cricket::MEDIA_TYPE_AUDIO ? RTC_KIND_AUDIO : RTC_KIND_VIDEO;
  queue_->Post(std::move(event));
}

void Transceiver::OnToneChange(const std::string& tone, const std::string& tones_left) {
  Event event(RTC_EV_DTMF_TONE, owner_);
  event.c.object = handle();
  event.data = tone;
  event.data2 = tones_left;
  queue_->Post(std::move(event));
}

namespace {

webrtc::RtpTransceiverDirection CheckedDirection(int direction) {
  switch (direction) {
    case RTC_DIRECTION_SENDRECV:
      return webrtc::RtpTransceiverDirection::kSendRecv;
    case RTC_DIRECTION_SENDONLY:
      return webrtc::RtpTransceiverDirection::kSendOnly;
    case RTC_DIRECTION_RECVONLY:
      return webrtc::RtpTransceiverDirection::kRecvOnly;
    case RTC_DIRECTION_INACTIVE:
      return webrtc::RtpTransceiverDirection::kInactive;
  }
  throw Error(RTC_ERR_INVALID_ARGUMENT, "unknown direction");
}

cricket::MediaType CheckedKind(int kind) {
  Require(kind == RTC_KIND_AUDIO || kind == RTC_KIND_VIDEO, "unknown kind");
  return kind == RTC_KIND_AUDIO ? cricket::MEDIA_TYPE_AUDIO : cricket::MEDIA_TYPE_VIDEO;
}

// The source of that handle, or null for 0.
std::shared_ptr<Source> SourceFor(int64_t handle, const Peer& peer, cricket::MediaType kind) {
  if (handle == 0) return nullptr;
  auto source = Find<Source>(handle);
  Require(source->factory_object() == peer.factory_object(), "the source is of another factory");
  Require(source->media_type() == kind, "the source is of the other kind");
  return source;
}

int64_t AddTransceiver(Peer& peer, cricket::MediaType kind, Source* source, const std::string& track_id,
                       const webrtc::RtpTransceiverInit& init) {
  peer.factory().RequireMedia();
  auto result = source ? peer.pc().AddTransceiver(source->NewTrack(track_id), init)
                       : peer.pc().AddTransceiver(kind, init);
  if (!result.ok()) ThrowIfError(result.error());
  return peer.TransceiverFor(result.MoveValue())->handle();
}

int64_t AddTrack(Peer& peer, Source& source, const std::string& track_id,
                 const std::vector<std::string>& streams) {
  for (const auto& sender : peer.pc().GetSenders()) {
    const auto track = sender->track();
    if (track && !track_id.empty() && track->id() == track_id) {
      throw Error(RTC_ERR_INVALID_PARAMETER, "a sender with this track exists already");
    }
  }
  auto result = peer.pc().AddTrack(source.NewTrack(track_id), streams);
  if (!result.ok()) ThrowIfError(result.error());
  const auto sender = result.MoveValue();
  for (const auto& transceiver : peer.pc().GetTransceivers()) {
    if (transceiver->sender() == sender) return peer.TransceiverFor(transceiver)->handle();
  }
  throw Error(RTC_ERR_INTERNAL_ERROR, "no transceiver belongs to the new sender");
}

void ReplaceTrack(Transceiver& transceiver, Source* source, const std::string& track_id) {
  const auto track = source ? source->NewTrack(track_id) : nullptr;
  if (!transceiver.get().sender()->SetTrack(track.get())) {
    throw Error(RTC_ERR_INVALID_STATE, "the track cannot be replaced: the sender is stopped");
  }
}

}  // namespace
}  // namespace rtc_shim

using namespace rtc_shim;

extern "C" {

int64_t rtc_pc_add_transceiver(int64_t pc, int kind, int direction, int64_t source, const char* track_id,
                               const char* stream_ids, const rtc_encoding* encodings, int encodings_count) {
  return Guard([&] {
    Require(encodings_count >= 0 && (encodings || encodings_count == 0),
            "encodings is NULL or its count negative");
    const auto media_type = CheckedKind(kind);
    const auto peer = Find<Peer>(pc);
    const auto from = SourceFor(source, *peer, media_type);
    webrtc::RtpTransceiverInit init;
    init.direction = CheckedDirection(direction);
    init.stream_ids = SplitLines(stream_ids);
    for (int i = 0; i < encodings_count; ++i) {
      init.send_encodings.emplace_back();
      if (encodings[i].rid) init.send_encodings.back().rid = encodings[i].rid;
      ApplyEncoding(encodings[i], &init.send_encodings.back());
    }
    const std::string id = Text(track_id);
    return peer->Call([&] { return AddTransceiver(*peer, media_type, from.get(), id, init); });
  });
}

int64_t rtc_pc_add_track(int64_t pc, int64_t source, const char* track_id, const char* stream_ids) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    const auto from = SourceFor(source, *peer, Find<Source>(source)->media_type());
    const std::string id = Text(track_id);
    const auto streams = SplitLines(stream_ids);
    return peer->Call([&] { return AddTrack(*peer, *from, id, streams); });
  });
}

int rtc_pc_remove_track(int64_t pc, int64_t transceiver) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    const auto object = Find<Transceiver>(transceiver);
    Require(object->peer() == peer, "the transceiver is of another connection");
    peer->Call([&] { ThrowIfError(peer->pc().RemoveTrackOrError(object->get().sender())); });
    return int{RTC_OK};
  });
}

int rtc_transceiver_set_direction(int64_t transceiver, int direction) {
  return Guard([&] {
    const auto wanted = CheckedDirection(direction);
    WithTransceiver(transceiver,
                    [&](Transceiver& object) { ThrowIfError(object.get().SetDirectionWithError(wanted)); });
    return int{RTC_OK};
  });
}

int rtc_transceiver_stop(int64_t transceiver) {
  return Guard([&] {
    WithTransceiver(transceiver, [](Transceiver& object) { ThrowIfError(object.get().StopStandard()); });
    return int{RTC_OK};
  });
}

int rtc_sender_replace_track(int64_t transceiver, int64_t source, const char* track_id) {
  return Guard([&] {
    const auto object = Find<Transceiver>(transceiver);
    const auto peer = object->peer();
    const auto kind = object->is_audio() ? cricket::MEDIA_TYPE_AUDIO : cricket::MEDIA_TYPE_VIDEO;
    const auto from = SourceFor(source, *peer, kind);
    const std::string id = Text(track_id);
    peer->Call([&] { ReplaceTrack(*object, from.get(), id); });
    return int{RTC_OK};
  });
}

int rtc_sender_set_track_enabled(int64_t transceiver, int enabled) {
  return Guard([&] {
    WithTransceiver(transceiver, [&](Transceiver& object) {
      const auto track = object.get().sender()->track();
      if (!track) throw Error(RTC_ERR_INVALID_STATE, "the sender has no track");
      track->set_enabled(enabled);
    });
    return int{RTC_OK};
  });
}

int rtc_sender_set_streams(int64_t transceiver, const char* stream_ids) {
  return Guard([&] {
    const auto streams = SplitLines(stream_ids);
    WithTransceiver(transceiver, [&](Transceiver& object) { object.get().sender()->SetStreams(streams); });
    return int{RTC_OK};
  });
}

int rtc_receiver_set_jitter_minimum(int64_t transceiver, double seconds) {
  return Guard([&] {
    Require(seconds <= 10.0, "seconds must be at most 10");
    WithTransceiver(transceiver, [&](Transceiver& object) {
      const auto delay = seconds < 0 ? absl::optional<double>() : absl::optional<double>(seconds);
      object.get().receiver()->SetJitterBufferMinimumDelay(delay);
    });
    return int{RTC_OK};
  });
}

int rtc_receiver_request_key_frame(int64_t transceiver) {
  return Guard([&] {
    WithTransceiver(transceiver, [](Transceiver& object) {
      if (object.is_audio()) throw Error(RTC_ERR_UNSUPPORTED_OPERATION, "audio has no key frames");
      const auto track = object.get().receiver()->track();
      static_cast<webrtc::VideoTrackInterface*>(track.get())->GetSource()->GenerateKeyFrame();
    });
    return int{RTC_OK};
  });
}

int rtc_dtmf_insert(int64_t transceiver, const char* tones, int duration_ms, int gap_ms, int comma_delay_ms) {
  return Guard([&] {
    Require(tones, "tones is NULL");
    const std::string wanted = tones;
    WithTransceiver(transceiver, [&](Transceiver& object) {
      if (!object.Dtmf().InsertDtmf(wanted, duration_ms, gap_ms, comma_delay_ms)) {
        throw Error(RTC_ERR_INVALID_STATE, "DTMF cannot be sent now, or a tone or duration is not allowed");
      }
    });
    return int{RTC_OK};
  });
}

int rtc_dtmf_can_insert(int64_t transceiver) {
  return Guard([&] {
    return WithTransceiver(transceiver, [](Transceiver& object) {
      return object.is_audio() && object.Dtmf().CanInsertDtmf() ? 1 : 0;
    });
  });
}

int64_t rtc_dtmf_tones(int64_t transceiver) {
  return Guard([&] {
    return NewString(WithTransceiver(transceiver, [](Transceiver& object) { return object.Dtmf().tones(); }));
  });
}

}  // extern "C"
