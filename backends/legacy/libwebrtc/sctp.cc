#include "sctp.h"

#include <media/sctp/dcsctp_transport.h>
#include <net/dcsctp/public/dcsctp_socket_factory.h>
#include <pc/sctp_transport.h>
#include <system_wrappers/include/clock.h>

#include <set>
#include <unordered_map>
#include <utility>

#include "stream_reset.h"

namespace rtc_shim {
namespace {

constexpr size_t kSlice = 32 * 1024;                   // of packets, after which streams are looked at
constexpr auto kPause = webrtc::TimeDelta::Millis(1);  // after which they are in any case

// Counts what each stream of a transport has sent. dcsctp tells when a stream falls to one amount, but this
// has to be right at any time; as it must not be asked while it sends a packet, it is asked soon after.
class Meter final : public std::enable_shared_from_this<Meter> {
 public:
  explicit Meter(rtc::Thread* network) : network_(network) {}

  dcsctp::DcSctpSocketInterface* socket() const { return socket_; }
  void set_socket(dcsctp::DcSctpSocketInterface* socket) { socket_ = socket; }

  void Watch(int id, std::weak_ptr<StreamObserver> observer) {
    waiting_.erase(id);
    streams_[id] = Stream{std::move(observer)};
  }

  // dcsctp has accepted a message.
  void Took(int id, size_t bytes) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    found->second.taken += static_cast<int64_t>(bytes);
    // One that waits is looked at when packets have been sent, however many messages come before.
    if (waiting_.count(id) == 0 && !IsSent(id)) waiting_.insert(id);
  }

  // dcsctp has sent so much, or received something.
  void OnPacket(size_t bytes) {
    if (waiting_.empty()) return;
    fresh_ += bytes;
    if (fresh_ >= kSlice) {
      fresh_ = 0;
      network_->PostTask([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Look();
      });
    } else if (!std::exchange(armed_, true)) {
      network_->PostDelayedTask(
          [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->LookLate();
          },
          kPause);
    }
  }

 private:
  struct Stream {
    std::weak_ptr<StreamObserver> observer;
    int64_t taken = 0;
    int64_t sent = 0;
  };

  void Look() {
    for (auto it = waiting_.begin(); it != waiting_.end();) it = IsSent(*it) ? waiting_.erase(it) : ++it;
  }

  void LookLate() {
    armed_ = false;
    Look();
  }

  // Looks at one stream, and tells what has changed.
  bool IsSent(int id) {
    Stream& stream = streams_.at(id);
    const auto observer = stream.observer.lock();
    if (!observer) return true;
    // What is queued contains messages of the channel protocol, and a byte for each that is empty.
    const auto queued =
        static_cast<int64_t>(socket_->buffered_amount(dcsctp::StreamID(static_cast<uint16_t>(id))));
    if (stream.taken - queued > stream.sent) {
      stream.sent = stream.taken - queued;
      observer->OnSent(stream.sent);
    }
    return stream.sent == stream.taken;
  }

  rtc::Thread* const network_;
  dcsctp::DcSctpSocketInterface* socket_ = nullptr;  // the transport's own
  std::unordered_map<int, Stream> streams_;
  std::set<int> waiting_;  // those of which something was not sent when they were looked at
  size_t fresh_ = 0;       // bytes of packets since the last look that was due to them
  bool armed_ = false;     // for a look after the pause
};

class PacketWatch final : public dcsctp::PacketObserver {
 public:
  PacketWatch(Meter& meter, std::unique_ptr<dcsctp::PacketObserver> next)
      : meter_(meter), next_(std::move(next)) {}

  void OnSentPacket(dcsctp::TimeMs now, rtc::ArrayView<const uint8_t> payload) override {
    meter_.OnPacket(payload.size());
    if (next_) next_->OnSentPacket(now, payload);
  }

  // An acknowledgement may let dcsctp find that all that waits has expired: it then sends nothing.
  void OnReceivedPacket(dcsctp::TimeMs now, rtc::ArrayView<const uint8_t> payload) override {
    LookAgainAtReset(*meter_.socket(), payload);
    meter_.OnPacket(0);
    if (next_) next_->OnReceivedPacket(now, payload);
  }

 private:
  Meter& meter_;
  const std::unique_ptr<dcsctp::PacketObserver> next_;
};

class SocketFactory final : public dcsctp::DcSctpSocketFactory {
 public:
  explicit SocketFactory(Meter& meter) : meter_(meter) {}

  std::unique_ptr<dcsctp::DcSctpSocketInterface> Create(absl::string_view log_prefix,
                                                        dcsctp::DcSctpSocketCallbacks& callbacks,
                                                        std::unique_ptr<dcsctp::PacketObserver> observer,
                                                        const dcsctp::DcSctpOptions& options) override {
    auto watch = std::make_unique<PacketWatch>(meter_, std::move(observer));
    auto socket = DcSctpSocketFactory::Create(log_prefix, callbacks, std::move(watch), options);
    meter_.set_socket(socket.get());
    return socket;
  }

 private:
  Meter& meter_;
};

// Before the transport, whose socket may send a last packet while it is destroyed.
struct Metered {
  const std::shared_ptr<Meter> meter;
};

class Transport final : private Metered, public webrtc::DcSctpTransport {
 public:
  Transport(rtc::Thread* network, rtc::PacketTransportInternal* below)
      : Metered{std::make_shared<Meter>(network)},
        DcSctpTransport(network, below, webrtc::Clock::GetRealTimeClock(),
                        std::make_unique<SocketFactory>(*meter)) {}

  bool SendData(int stream, const webrtc::SendDataParams& params, const rtc::CopyOnWriteBuffer& payload,
                cricket::SendDataResult* result) override {
    if (!DcSctpTransport::SendData(stream, params, payload, result)) return false;
    if (params.type != webrtc::DataMessageType::kControl) meter->Took(stream, payload.size());
    return true;
  }

  void Watch(int stream, std::weak_ptr<StreamObserver> observer) {
    meter->Watch(stream, std::move(observer));
  }

  SctpBacklog Backlog(int stream) const {
    SctpBacklog backlog;
    const auto* const socket = meter->socket();
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

Transport* Inner(webrtc::SctpTransportInterface* transport) {
  // Every transport of our factories is made above.
  auto* const outer = static_cast<webrtc::SctpTransport*>(transport);
  return outer ? static_cast<Transport*>(outer->internal()) : nullptr;
}

}  // namespace

std::unique_ptr<webrtc::SctpTransportFactoryInterface> NewSctpFactory(rtc::Thread* network) {
  return std::make_unique<Factory>(network);
}

SctpBacklog BacklogOf(webrtc::SctpTransportInterface* transport, int stream) {
  const auto* const inner = Inner(transport);
  return inner ? inner->Backlog(stream) : SctpBacklog();
}

void WatchStream(webrtc::SctpTransportInterface* transport, int stream,
                 std::weak_ptr<StreamObserver> observer) {
  if (auto* const inner = Inner(transport)) inner->Watch(stream, std::move(observer));
}

}  // namespace rtc_shim
