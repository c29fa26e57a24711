// One connection. libwebrtc is only touched on its signaling thread, where every call is put in order.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_PEER_H_
#define BACKENDS_LEGACY_LIBWEBRTC_PEER_H_

#include <api/peer_connection_interface.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "factory.h"
#include "handles.h"
#include "queue.h"

namespace rtc_shim {

class Sink;
class Transceiver;
class TransportWatch;

// An asynchronous call of the application: answered exactly once, if by nothing else then by its destructor.
class Request {
 public:
  Request(std::shared_ptr<Queue> queue, int64_t owner, int64_t id);
  ~Request();

  void Done(std::string data = {}, std::string data2 = {});
  void Fail(int code, std::string message, std::string line = {});
  void Fail(const webrtc::RTCError& error);

 private:
  void Answer(Event event);

  const std::shared_ptr<Queue> queue_;
  const int64_t owner_;
  const int64_t id_;
  std::atomic<bool> answered_{false};
};

class Peer final : public Object, public webrtc::PeerConnectionObserver {
 public:
  static constexpr Type kType = Type::kPeer;

  static std::shared_ptr<Peer> Create(std::shared_ptr<Factory> factory, std::shared_ptr<Queue> queue,
                                      const webrtc::PeerConnectionInterface::RTCConfiguration& configuration,
                                      int64_t owner);
  Peer(std::shared_ptr<Factory> factory, std::shared_ptr<Queue> queue, int64_t owner);
  ~Peer() override;

  void Close();
  void Shutdown() override;
  const Object* factory_object() const override { return factory_.get(); }

  Factory& factory() const { return *factory_; }
  const std::shared_ptr<Factory>& shared_factory() const { return factory_; }
  const std::shared_ptr<Queue>& queue() const { return queue_; }
  int64_t owner() const { return owner_; }
  webrtc::PeerConnectionInterface& pc() const { return *pc_; }
  std::shared_ptr<Peer> Self() { return std::static_pointer_cast<Peer>(shared_from_this()); }

  // Runs `body` on the signaling thread and waits. Fails once the connection is closed.
  template <typename Body>
  auto Call(Body&& body) {
    return RunOn(factory_->signaling(), [&] {
      RequireOpen();
      return body();
    });
  }

  // Runs `body(peer, request)` on the signaling thread later; does not wait.
  template <typename Body>
  void Later(int64_t request_id, Body body) {
    auto request = std::make_shared<Request>(queue_, owner_, request_id);
    factory_->signaling()->PostTask([self = Self(), request, body = std::move(body)]() mutable {
      if (self->closed_) {
        request->Fail(RTC_ERR_INVALID_STATE, "the connection is closed");
      } else {
        body(*self, request);
      }
    });
  }

  // From here on: on the signaling thread only.
  bool closed() const { return closed_; }
  void RequireOpen() const;
  std::shared_ptr<Transceiver> TransceiverFor(
      const rtc::scoped_refptr<webrtc::RtpTransceiverInterface>& transceiver);
  void AddSink(const std::shared_ptr<Sink>& sink) { sinks_.push_back(sink); }
  std::string Snapshot();
  std::string Transports();
  // Reads the transports' states, which libwebrtc keeps on the network thread, and posts what has changed.
  void RefreshTransports();
  void RefreshTransportsSoon();
  // A channel is announced behind the transport that carries it (webrtc-pc section 6.1.1.3).
  void TellSctpFirst();

  // Any thread. Of the remote side, or libwebrtc's own limit while that is unknown.
  int64_t max_message_size() const { return max_message_size_; }

  void OnSignalingChange(webrtc::PeerConnectionInterface::SignalingState state) override;
  void OnIceGatheringChange(webrtc::PeerConnectionInterface::IceGatheringState state) override;
  void OnStandardizedIceConnectionChange(webrtc::PeerConnectionInterface::IceConnectionState state) override;
  void OnConnectionChange(webrtc::PeerConnectionInterface::PeerConnectionState state) override;
  void OnIceCandidate(const webrtc::IceCandidateInterface* candidate) override;
  void OnIceCandidateError(const std::string& address, int port, const std::string& url, int error_code,
                           const std::string& error_text) override;
  void OnIceSelectedCandidatePairChanged(const cricket::CandidatePairChangeEvent& event) override;
  void OnNegotiationNeededEvent(uint32_t event_id) override;
  void OnDataChannel(rtc::scoped_refptr<webrtc::DataChannelInterface> channel) override;
  void OnTrack(rtc::scoped_refptr<webrtc::RtpTransceiverInterface> transceiver) override;
  void OnRemoveTrack(rtc::scoped_refptr<webrtc::RtpReceiverInterface> receiver) override;

 private:
  void PostState(uint32_t type, int value, absl::string_view name);
  void CloseTransports();

  const std::shared_ptr<Factory> factory_;
  const std::shared_ptr<Queue> queue_;
  const int64_t owner_;
  std::atomic<int64_t> max_message_size_;
  bool closed_ = false;
  std::map<webrtc::RtpTransceiverInterface*, std::shared_ptr<Transceiver>> transceivers_;
  std::vector<std::weak_ptr<Sink>> sinks_;
  std::unique_ptr<TransportWatch> watch_;
  rtc::scoped_refptr<webrtc::PeerConnectionInterface> pc_;
};

std::vector<std::string> SplitLines(const char* lines);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_PEER_H_
