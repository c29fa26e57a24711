#ifndef BACKENDS_LEGACY_LIBWEBRTC_CHANNEL_H_
#define BACKENDS_LEGACY_LIBWEBRTC_CHANNEL_H_

#include <api/data_channel_interface.h>
#include <api/units/time_delta.h>

#include <atomic>
#include <memory>
#include <string>

#include "handles.h"
#include "peer.h"
#include "queue.h"
#include "sctp.h"

namespace rtc_shim {

// What of a channel waits. Apart from the channel, which must not end on the network thread.
class Gauge final : public StreamObserver {
 public:
  explicit Gauge(std::shared_ptr<Queue> queue);

  // Before anything else: what its events carry.
  void Name(int64_t channel) { channel_ = channel; }
  void set_owner(int64_t owner) { owner_ = owner; }

  // Any thread.
  void Accept(int64_t bytes) { waiting_ += bytes; }
  void Release(int64_t bytes);
  int64_t waiting() const { return waiting_; }
  void Close() { queue_->CloseLane(*lane_); }

  void OnSent(int64_t total) override;

 private:
  const std::shared_ptr<Queue> queue_;
  const std::shared_ptr<Lane> lane_;  // of one event: the newest amount is all that matters
  std::atomic<int64_t> channel_{0};
  std::atomic<int64_t> owner_{0};
  std::atomic<int64_t> waiting_{0};
  std::atomic<int64_t> released_{0};
  int64_t sent_ = 0;  // as SCTP has told
};

class Channel final : public Object, public webrtc::DataChannelObserver {
 public:
  static constexpr Type kType = Type::kChannel;

  Channel(const std::shared_ptr<Peer>& peer, rtc::scoped_refptr<webrtc::DataChannelInterface> channel);
  ~Channel() override;

  // On the signaling thread, once it has its handle: events begin here.
  void Observe(int64_t owner);
  void StopObserving();
  void Shutdown() override { StopObserving(); }
  const Object* factory_object() const override { return factory_.get(); }
  const Object* peer_object() const override { return peer_object_; }

  std::string DescribeOptions() const;

  // Any thread.
  void Send(const void* data, size_t len, bool binary);
  void Close();
  void set_owner(int64_t owner) {
    owner_ = owner;
    gauge_->set_owner(owner);
  }
  int id() const { return id_; }
  int state() const { return state_; }
  int64_t buffered() const { return gauge_->waiting(); }
  int64_t max_message_size() const;

  void OnStateChange() override;
  void OnMessage(const webrtc::DataBuffer& buffer) override;

 private:
  std::shared_ptr<Channel> Self() { return std::static_pointer_cast<Channel>(shared_from_this()); }
  Event NewEvent(uint32_t type) const;
  void SendOnSignaling(const webrtc::DataBuffer& buffer);
  void CloseWhenDelivered(webrtc::TimeDelta patience);
  void Measure();

  const std::shared_ptr<Factory> factory_;
  const std::weak_ptr<Peer> peer_;
  const Object* const peer_object_;
  const std::shared_ptr<Queue> queue_;
  const std::shared_ptr<Gauge> gauge_;
  const rtc::scoped_refptr<webrtc::DataChannelInterface> channel_;
  std::atomic<int64_t> owner_{0};
  std::atomic<int> id_{-1};
  std::atomic<int> state_{webrtc::DataChannelInterface::kConnecting};
  std::atomic<int> posted_{0};
  bool observing_ = false;
  int64_t opened_ms_ = 0;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_CHANNEL_H_
