#include "internals.h"

#include <pc/peer_connection.h>
#include <pc/peer_connection_proxy.h>
#include <pc/session_description.h>

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

}  // namespace

void ForgetLostDataSection(webrtc::PeerConnectionInterface& pc, const Factory& factory) {
  webrtc::PeerConnection& inside = Internal(pc);
  const absl::optional<std::string> mid = inside.GetDataMid();
  if (!mid || HasDataSection(pc.local_description(), *mid) || HasDataSection(pc.remote_description(), *mid))
    return;
  RunOn(factory.network(), [&] { inside.TeardownDataChannelTransport_n(); });
  inside.ResetSctpDataMid();
}

}  // namespace rtc_shim
