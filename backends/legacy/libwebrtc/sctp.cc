#include "sctp.h"

#include <media/sctp/dcsctp_transport.h>
#include <net/dcsctp/public/dcsctp_socket_factory.h>
#include <pc/sctp_transport.h>
#include <system_wrappers/include/clock.h>

#include <utility>

namespace rtc_shim {
namespace {

class SocketFactory final : public dcsctp::DcSctpSocketFactory {
 public:
  explicit SocketFactory(dcsctp::DcSctpSocketInterface** made) : made_(made) {}

  std::unique_ptr<dcsctp::DcSctpSocketInterface> Create(absl::string_view log_prefix,
                                                        dcsctp::DcSctpSocketCallbacks& callbacks,
                                                        std::unique_ptr<dcsctp::PacketObserver> observer,
                                                        const dcsctp::DcSctpOptions& options) override {
    auto socket = DcSctpSocketFactory::Create(log_prefix, callbacks, std::move(observer), options);
    *made_ = socket.get();
    return socket;
  }

 private:
  dcsctp::DcSctpSocketInterface** const made_;
};

// Before the transport, as that is where the socket factory writes to.
struct Socket {
  dcsctp::DcSctpSocketInterface* socket = nullptr;  // the transport's own
};

class Transport final : private Socket, public webrtc::DcSctpTransport {
 public:
  Transport(rtc::Thread* network, rtc::PacketTransportInternal* below)
      : DcSctpTransport(network, below, webrtc::Clock::GetRealTimeClock(),
                        std::make_unique<SocketFactory>(&(Socket::socket))) {}

  SctpBacklog Backlog(int stream) const {
    SctpBacklog backlog;
    if (!socket) return backlog;
    backlog.unsent = socket->buffered_amount(dcsctp::StreamID(static_cast<uint16_t>(stream)));
    if (const auto metrics = socket->GetMetrics()) backlog.unacked = metrics->unack_data_count;
    return backlog;
  }
};

class Factory final : public webrtc::SctpTransportFactoryInterface {
 public:
  explicit Factory(rtc::Thread* network) : network_(network) {}

  std::unique_ptr<cricket::SctpTransportInternal> CreateSctpTransport(
      rtc::PacketTransportInternal* below) override {
    return std::make_unique<Transport>(network_, below);
  }

 private:
  rtc::Thread* const network_;
};

}  // namespace

std::unique_ptr<webrtc::SctpTransportFactoryInterface> NewSctpFactory(rtc::Thread* network) {
  return std::make_unique<Factory>(network);
}

SctpBacklog BacklogOf(webrtc::SctpTransportInterface* transport, int stream) {
  // Every transport of our factories is made above.
  const auto* const outer = static_cast<webrtc::SctpTransport*>(transport);
  const auto* const inner = outer ? static_cast<const Transport*>(outer->internal()) : nullptr;
  return inner ? inner->Backlog(stream) : SctpBacklog();
}

}  // namespace rtc_shim
