// What libwebrtc tells about a connection, as events. All of it runs on the signaling thread.
#include <utility>

#include "channel.h"
#include "json.h"
#include "peer.h"
#include "transceiver.h"
#include "transports.h"

namespace rtc_shim {

using PeerConnection = webrtc::PeerConnectionInterface;

void Peer::PostState(uint32_t type, int value, absl::string_view name) {
  Event event(type, owner_);
  event.c.i0 = value;
  event.data.assign(name.data(), name.size());
  queue_->Post(std::move(event));
}

void Peer::OnSignalingChange(PeerConnection::SignalingState state) {
  PostState(RTC_EV_SIGNALING_STATE, state, PeerConnection::AsString(state));
}

void Peer::OnIceGatheringChange(PeerConnection::IceGatheringState state) {
  if (state == PeerConnection::kIceGatheringComplete) {
    Event end(RTC_EV_CANDIDATE, owner_);
    end.c.i0 = -1;
    queue_->Post(std::move(end));
  }
  PostState(RTC_EV_ICE_GATHERING_STATE, state, PeerConnection::AsString(state));
}

void Peer::OnStandardizedIceConnectionChange(PeerConnection::IceConnectionState state) {
  PostState(RTC_EV_ICE_CONNECTION_STATE, state, PeerConnection::AsString(state));
}

void Peer::OnConnectionChange(PeerConnection::PeerConnectionState state) {
  // The network thread tells this thread of DTLS before it tells the worker thread that media can be sent. Once it
  // is through with both, whoever hears "connected" finds senders ready: canInsertDTMF is true (webrtc-pc 7.2).
  if (state == PeerConnection::PeerConnectionState::kConnected) factory_->network()->BlockingCall([] {});
  PostState(RTC_EV_CONNECTION_STATE, static_cast<int>(state), PeerConnection::AsString(state));
}

void Peer::OnIceCandidate(const webrtc::IceCandidateInterface* candidate) {
  Event event(RTC_EV_CANDIDATE, owner_);
  event.c.i0 = candidate->sdp_mline_index();
  candidate->ToString(&event.data);
  event.data2 = candidate->sdp_mid();
  event.data3 = candidate->candidate().username();
  queue_->Post(std::move(event));
}

void Peer::OnIceCandidateError(const std::string& address, int port, const std::string& url, int error_code,
                               const std::string& error_text) {
  Event event(RTC_EV_CANDIDATE_ERROR, owner_);
  event.c.i0 = error_code;
  event.c.i1 = port;
  event.data = error_text;
  event.data2 = url;
  event.data3 = address;
  queue_->Post(std::move(event));
}

void Peer::OnIceSelectedCandidatePairChanged(const cricket::CandidatePairChangeEvent& change) {
  Json json;
  json.BeginObject().Field("reason", change.reason);
  json.Key("local");
  WriteCandidate(json, change.selected_candidate_pair.local_candidate());
  json.Key("remote");
  WriteCandidate(json, change.selected_candidate_pair.remote_candidate());
  Event event(RTC_EV_SELECTED_PAIR, owner_);
  event.data = json.EndObject().Take();
  queue_->Post(std::move(event));
}

void Peer::OnNegotiationNeededEvent(uint32_t event_id) {
  Event event(RTC_EV_NEGOTIATION_NEEDED, owner_);
  event.c.i0 = event_id;
  queue_->Post(std::move(event));
}

void Peer::OnDataChannel(rtc::scoped_refptr<webrtc::DataChannelInterface> remote) {
  TellSctpFirst();
  const auto channel = std::make_shared<Channel>(Self(), remote);
  const int64_t handle = Registry::Instance().Add(channel);
  Event event(RTC_EV_DATACHANNEL, owner_);
  event.c.object = handle;
  event.data = remote->label();
  event.data2 = channel->DescribeOptions();
  queue_->Post(std::move(event));
  // Only now, so that whatever the channel has to say comes behind its announcement.
  channel->Observe(handle);
}

void Peer::OnTrack(rtc::scoped_refptr<webrtc::RtpTransceiverInterface> transceiver) {
  const auto known = TransceiverFor(transceiver);
  Json json;
  WriteTransceiver(json, *known, *pc_);
  Event event(RTC_EV_TRACK, owner_);
  event.c.object = known->handle();
  event.data = json.Take();
  queue_->Post(std::move(event));
}

void Peer::OnRemoveTrack(rtc::scoped_refptr<webrtc::RtpReceiverInterface> receiver) {
  for (const auto& transceiver : pc_->GetTransceivers()) {
    if (transceiver->receiver() != receiver) continue;
    Event event(RTC_EV_TRACK_REMOVED, owner_);
    event.c.object = TransceiverFor(transceiver)->handle();
    queue_->Post(std::move(event));
    return;
  }
}

}  // namespace rtc_shim
