#ifndef BACKENDS_LEGACY_LIBWEBRTC_TRANSPORTS_H_
#define BACKENDS_LEGACY_LIBWEBRTC_TRANSPORTS_H_

#include <api/candidate.h>
#include <api/dtls_transport_interface.h>
#include <api/sctp_transport_interface.h>

#include <memory>
#include <vector>

#include "json.h"
#include "peer.h"

namespace rtc_shim {

// Watches the DTLS and SCTP transports of one connection. A transport has one place for an observer and calls
// it on the network thread, where nothing may block: the observers only ask for a refresh.
class TransportWatch {
 public:
  explicit TransportWatch(Peer* peer);
  ~TransportWatch();

  // Looks up the transports of `mids` and reads their states; returns the events for what is new.
  std::vector<Event> Refresh(const std::vector<std::string>& mids);
  // Stops watching; returns the events for what was not closed yet.
  std::vector<Event> Close();

  int64_t max_message_size() const { return max_message_size_; }
  bool sctp_connected() const { return sctp_state_ == webrtc::SctpTransportState::kConnected; }

 private:
  class DtlsObserver;
  class SctpObserver;
  struct Dtls;

  void RefreshDtls(const std::vector<std::string>& mids);
  void RefreshSctp();
  void Forget(Dtls& dtls);
  void CollectDtls(Dtls& dtls, webrtc::DtlsTransportState state, std::vector<Event>* events);
  void CollectSctp(const webrtc::SctpTransportInformation& information, std::vector<Event>* events);

  Peer* const peer_;
  std::vector<std::unique_ptr<Dtls>> dtls_;
  rtc::scoped_refptr<webrtc::SctpTransportInterface> sctp_;
  std::unique_ptr<SctpObserver> sctp_observer_;
  webrtc::SctpTransportState sctp_state_ = webrtc::SctpTransportState::kNew;
  int64_t max_message_size_ = 0;
};

void WriteCandidate(Json& json, const cricket::Candidate& candidate);

// The mids of the media sections of the newest local (or, without one, remote) description. On the signaling
// thread.
std::vector<std::string> MidsOf(const webrtc::PeerConnectionInterface& pc);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_TRANSPORTS_H_
