// SCTP transports that tell what has been sent, and what has not been delivered yet.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_SCTP_H_
#define BACKENDS_LEGACY_LIBWEBRTC_SCTP_H_

#include <api/peer_connection_interface.h>
#include <api/transport/sctp_transport_factory_interface.h>
#include <rtc_base/thread.h>

#include <cstdint>
#include <memory>

namespace rtc_shim {

// How much is on its way.
struct SctpBacklog {
  size_t unsent = 0;   // bytes of one stream which were not sent for the first time
  size_t unacked = 0;  // packets of all streams which were not acknowledged
};

// Is told how much of a stream has been sent. On the network thread.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;

  // Bytes of messages since the watch began: sent for the first time, or given up.
  virtual void OnSent(int64_t total) = 0;
};

// Makes libwebrtc's own transports (dcsctp), and remembers the socket of each.
std::unique_ptr<webrtc::SctpTransportFactoryInterface> NewSctpFactory(rtc::Thread* network);

// On the network thread. Nothing is on its way where there is no transport.
SctpBacklog BacklogOf(webrtc::SctpTransportInterface* transport, int stream);

// On the network thread. Tells `observer` about a stream from here on, for as long as both are there.
void WatchStream(webrtc::SctpTransportInterface* transport, int stream,
                 std::weak_ptr<StreamObserver> observer);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_SCTP_H_
