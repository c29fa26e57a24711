#include "internals.h"

#include <pc/peer_connection.h>
#include <pc/peer_connection_proxy.h>
#include <pc/rtp_media_utils.h>
#include <pc/rtp_transceiver.h>
#include <pc/session_description.h>

#include <algorithm>
#include <string>
#include <vector>

namespace rtc_shim {
namespace {

webrtc::PeerConnection& Internal(webrtc::PeerConnectionInterface& pc) {
  // Every connection of libwebrtc's factories is wrapped in this proxy.
  using Proxy = webrtc::PeerConnectionProxyWithInternal<webrtc::PeerConnectionInterface>;
  return *static_cast<webrtc::PeerConnection*>(static_cast<Proxy&>(pc).internal());
}

bool HasDataSection(const webrtc::SessionDescriptionInterface* description, const std::string& mid) {
  const auto* content = description ? description->description()->GetContentByName(mid) : nullptr;
  return content && content->media_description()->type() == cricket::MEDIA_TYPE_DATA;
}

using TransceiverPtr = rtc::scoped_refptr<webrtc::RtpTransceiverInterface>;

webrtc::RtpTransceiver& Internal(const TransceiverPtr& transceiver) {
  using Proxy = webrtc::RtpTransceiverProxyWithInternal<webrtc::RtpTransceiver>;
  return *static_cast<Proxy*>(transceiver.get())->internal();
}

bool HasMid(const webrtc::SessionDescriptionInterface* description, const std::string& mid) {
  return description && description->description()->GetContentByName(mid);
}

bool IsTaken(const std::vector<TransceiverPtr>& transceivers, const std::string& mid) {
  return std::any_of(transceivers.begin(), transceivers.end(),
                     [&](const TransceiverPtr& transceiver) { return transceiver->mid() == mid; });
}

bool MayTake(const TransceiverPtr& transceiver, cricket::MediaType kind) {
  return transceiver->media_type() == kind && !transceiver->mid() && !transceiver->stopping() &&
         !transceiver->stopped();
}

}  // namespace

void AssociateWaiting(webrtc::PeerConnectionInterface& pc, const webrtc::SessionDescriptionInterface& offer) {
  const auto state = pc.signaling_state();
  if (state != webrtc::PeerConnectionInterface::kStable &&
      state != webrtc::PeerConnectionInterface::kHaveRemoteOffer) {
    return;
  }
  const std::vector<TransceiverPtr> transceivers = pc.GetTransceivers();
  for (const auto& content : offer.description()->contents()) {
    const auto* media = content.media_description();
    if (content.rejected || media->HasSimulcast() || content.name.empty() ||
        IsTaken(transceivers, content.name)) {
      continue;
    }
    const auto free = std::find_if(transceivers.begin(), transceivers.end(),
                                   [&](const auto& found) { return MayTake(found, media->type()); });
    if (free != transceivers.end()) Internal(*free).set_mid(content.name);
  }
}

void ForgetLostAssociations(webrtc::PeerConnectionInterface& pc) {
  for (const TransceiverPtr& transceiver : pc.GetTransceivers()) {
    const absl::optional<std::string> mid = transceiver->mid();
    // One that is stopped before it has a mid keeps the place that an offer gave it.
    if (!mid && !transceiver->stopping()) continue;
    if (mid && (HasMid(pc.local_description(), *mid) || HasMid(pc.remote_description(), *mid))) continue;
    Internal(transceiver).set_mid(absl::nullopt);
    Internal(transceiver).set_mline_index(absl::nullopt);
  }
}

void ForgetHeldStreams(webrtc::PeerConnectionInterface& pc) {
  if (pc.signaling_state() != webrtc::PeerConnectionInterface::kStable) return;
  for (const TransceiverPtr& transceiver : pc.GetTransceivers()) {
    const auto direction = transceiver->current_direction();
    webrtc::RtpTransceiver& inside = Internal(transceiver);
    if (!direction || webrtc::RtpTransceiverDirectionHasRecv(*direction) || !inside.channel()) continue;
    inside.receiver_internal()->SetupUnsignaledMediaChannel();
  }
}

void ForgetLostDataSection(webrtc::PeerConnectionInterface& pc, const Factory& factory) {
  webrtc::PeerConnection& inside = Internal(pc);
  const absl::optional<std::string> mid = inside.GetDataMid();
  if (!mid || HasDataSection(pc.local_description(), *mid) || HasDataSection(pc.remote_description(), *mid))
    return;
  RunOn(factory.network(), [&] { inside.TeardownDataChannelTransport_n(); });
  inside.ResetSctpDataMid();
}

}  // namespace rtc_shim
