#include "peer.h"

#include <sstream>

#include "channel.h"
#include "config.h"
#include "json.h"
#include "sink.h"
#include "transceiver.h"
#include "transports.h"

namespace rtc_shim {
namespace {

constexpr int64_t kOwnMaxMessageSize = 256 * 1024;  // libwebrtc's SCTP send buffer

}  // namespace

std::vector<std::string> SplitLines(const char* lines) {
  std::vector<std::string> result;
  std::istringstream stream(Text(lines));
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) result.push_back(line);
  }
  return result;
}

std::shared_ptr<Peer> Peer::Create(std::shared_ptr<Factory> factory, std::shared_ptr<Queue> queue,
                                   const RtcConfiguration& configuration, int64_t owner) {
  RequireValidIce(configuration);
  const auto peer = std::make_shared<Peer>(factory, std::move(queue), owner);
  RunOn(factory->signaling(), [&] {
    webrtc::PeerConnectionDependencies dependencies(peer.get());
    auto result = factory->get()->CreatePeerConnectionOrError(configuration, std::move(dependencies));
    if (!result.ok()) ThrowIfError(result.error());
    peer->pc_ = result.MoveValue();
  });
  return peer;
}

Peer::Peer(std::shared_ptr<Factory> factory, std::shared_ptr<Queue> queue, int64_t owner)
    : factory_(std::move(factory)),
      queue_(std::move(queue)),
      owner_(owner),
      max_message_size_(kOwnMaxMessageSize),
      watch_(std::make_unique<TransportWatch>(this)) {}

Peer::~Peer() { Close(); }

void Peer::Close() {
  RunOn(factory_->signaling(), [this] {
    if (closed_ || !pc_) return;
    for (const auto& weak : sinks_) {
      if (const auto sink = weak.lock()) sink->Stop();
    }
    sinks_.clear();
    CloseTransports();
    pc_->Close();
    closed_ = true;
    // libwebrtc changes this state without a word.
    OnStandardizedIceConnectionChange(webrtc::PeerConnectionInterface::kIceConnectionClosed);
    for (const auto& [key, transceiver] : transceivers_) transceiver->StopObserving();
  });
}

void Peer::CloseTransports() {
  std::vector<Event> events;
  RunOn(factory_->network(), [&] { events = watch_->Close(); });
  for (Event& event : events) queue_->Post(std::move(event));
}

void Peer::Shutdown() {
  Close();
  const auto children = Registry::Instance().TakeIf(
      [this](const Object& object) { return object.peer_object() == static_cast<const Object*>(this); });
  for (const auto& child : children) child->Shutdown();
  RunOn(factory_->signaling(), [this] {
    for (const auto& [key, transceiver] : transceivers_) transceiver->StopObserving();
    transceivers_.clear();
  });
}

void Peer::RequireOpen() const {
  if (closed_) throw Error(RTC_ERR_INVALID_STATE, "the connection is closed");
}

std::shared_ptr<Transceiver> Peer::TransceiverFor(
    const rtc::scoped_refptr<webrtc::RtpTransceiverInterface>& transceiver) {
  std::shared_ptr<Transceiver>& known = transceivers_[transceiver.get()];
  if (!known) {
    known = std::make_shared<Transceiver>(Self(), transceiver);
    Registry::Instance().Add(known);
    known->Observe();
  }
  return known;
}

void Peer::RefreshTransports() {
  if (closed_) return;
  const std::vector<std::string> mids = MidsOf(*pc_);
  std::vector<Event> events;
  RunOn(factory_->network(), [&] { events = watch_->Refresh(mids); });
  const int64_t limit = watch_->max_message_size();
  max_message_size_ = limit > 0 && limit < kOwnMaxMessageSize ? limit : kOwnMaxMessageSize;
  for (Event& event : events) queue_->Post(std::move(event));
}

void Peer::TellSctpFirst() {
  if (!watch_->sctp_connected()) RefreshTransports();
}

void Peer::RefreshTransportsSoon() {
  factory_->signaling()->PostTask([weak = weak_from_this()] {
    if (const auto self = weak.lock()) static_cast<Peer&>(*self).RefreshTransports();
  });
}

namespace {

int64_t NewPeer(int64_t factory, int64_t queue, int64_t config, int64_t owner) {
  const RtcConfiguration configuration = config == 0 ? DefaultConfiguration() : Find<Config>(config)->Copy();
  return Registry::Instance().Add(
      Peer::Create(Find<Factory>(factory), Find<Queue>(queue), configuration, owner));
}

webrtc::BitrateSettings CheckedBitrate(int min_bps, int start_bps, int max_bps) {
  webrtc::BitrateSettings settings;
  if (min_bps > 0) settings.min_bitrate_bps = min_bps;
  if (start_bps > 0) settings.start_bitrate_bps = start_bps;
  if (max_bps > 0) settings.max_bitrate_bps = max_bps;
  return settings;
}

}  // namespace
}  // namespace rtc_shim

using rtc_shim::Config;
using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::NewString;
using rtc_shim::Peer;
using rtc_shim::Registry;
using rtc_shim::Require;
using rtc_shim::ThrowIfError;

extern "C" {

int64_t rtc_pc_new(int64_t factory, int64_t queue, int64_t config, int64_t owner) {
  return Guard([&] { return rtc_shim::NewPeer(factory, queue, config, owner); });
}

int rtc_pc_close(int64_t pc) {
  return Guard([&] {
    Find<Peer>(pc)->Close();
    return int{RTC_OK};
  });
}

int rtc_pc_free(int64_t pc) {
  return Guard([&] {
    Registry::Instance().Take<Peer>(pc)->Shutdown();
    return int{RTC_OK};
  });
}

int64_t rtc_pc_snapshot(int64_t pc) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    return NewString(rtc_shim::RunOn(peer->factory().signaling(), [&] { return peer->Snapshot(); }));
  });
}

int64_t rtc_pc_transports(int64_t pc) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    return NewString(peer->Call([&] { return peer->Transports(); }));
  });
}

int rtc_pc_restart_ice(int64_t pc) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    peer->Call([&] { peer->pc().RestartIce(); });
    return int{RTC_OK};
  });
}

int rtc_pc_set_configuration(int64_t pc, int64_t config) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    auto configuration = Find<Config>(config)->Copy();
    peer->Call([&] {
      // None given means "as before", as in W3C; libwebrtc would take it for a change.
      if (configuration.certificates.empty()) {
        configuration.certificates = peer->pc().GetConfiguration().certificates;
      }
      ThrowIfError(peer->pc().SetConfiguration(configuration));
    });
    return int{RTC_OK};
  });
}

int rtc_pc_set_bitrate(int64_t pc, int min_bps, int start_bps, int max_bps) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    const auto settings = rtc_shim::CheckedBitrate(min_bps, start_bps, max_bps);
    peer->Call([&] {
      peer->factory().RequireMedia();
      ThrowIfError(peer->pc().SetBitrate(settings));
    });
    return int{RTC_OK};
  });
}

int rtc_pc_should_fire_negotiation_needed(int64_t pc, int64_t event_id) {
  return Guard([&] {
    const auto peer = Find<Peer>(pc);
    return peer->Call(
        [&] { return peer->pc().ShouldFireNegotiationNeededEvent(static_cast<uint32_t>(event_id)) ? 1 : 0; });
  });
}

}  // extern "C"
