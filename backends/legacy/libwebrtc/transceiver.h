#ifndef BACKENDS_LEGACY_LIBWEBRTC_TRANSCEIVER_H_
#define BACKENDS_LEGACY_LIBWEBRTC_TRANSCEIVER_H_

#include <api/dtmf_sender_interface.h>
#include <api/rtp_receiver_interface.h>
#include <api/rtp_transceiver_interface.h>

#include <memory>
#include <string>

#include "handles.h"
#include "json.h"
#include "peer.h"

namespace rtc_shim {

class Transceiver final : public Object,
                          public webrtc::RtpReceiverObserverInterface,
                          public webrtc::DtmfSenderObserverInterface {
 public:
  static constexpr Type kType = Type::kTransceiver;

  Transceiver(const std::shared_ptr<Peer>& peer,
              rtc::scoped_refptr<webrtc::RtpTransceiverInterface> transceiver);
  ~Transceiver() override;

  const Object* factory_object() const override { return factory_.get(); }
  const Object* peer_object() const override { return peer_object_; }
  std::shared_ptr<Peer> peer() const;
  bool is_audio() const { return is_audio_; }

  // From here on: on the signaling thread only.
  webrtc::RtpTransceiverInterface& get() const { return *transceiver_; }
  void Observe();
  void StopObserving();
  webrtc::DtmfSenderInterface& Dtmf();
  // The parameters of the last get, which set hands back with changes.
  absl::optional<webrtc::RtpParameters> parameters;

  void OnFirstPacketReceived(cricket::MediaType media_type) override;
  void OnToneChange(const std::string& tone, const std::string& tones_left) override;

 private:
  const std::weak_ptr<Peer> peer_;
  const std::shared_ptr<Factory> factory_;  // before transceiver_, which ends on one of its threads
  const Object* const peer_object_;
  const std::shared_ptr<Queue> queue_;
  const int64_t owner_;
  const rtc::scoped_refptr<webrtc::RtpTransceiverInterface> transceiver_;
  const bool is_audio_;
  rtc::scoped_refptr<webrtc::DtmfSenderInterface> dtmf_;
};

// One element of "transceivers" in a snapshot.
void WriteTransceiver(Json& json, const Transceiver& transceiver, const webrtc::PeerConnectionInterface& pc);

// Runs body(transceiver) on the signaling thread of the transceiver with that handle, unless its connection
// is closed.
template <typename Body>
auto WithTransceiver(int64_t handle, Body&& body) {
  const auto transceiver = Find<Transceiver>(handle);
  const auto peer = transceiver->peer();
  return peer->Call([&] { return body(*transceiver); });
}

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_TRANSCEIVER_H_
