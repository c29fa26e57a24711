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

namespace rtc_shim {

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
  void set_owner(int64_t owner) { owner_ = owner; }
  int id() const { return id_; }
  int state() const { return state_; }
  int64_t buffered() const { return buffered_; }
  int64_t max_message_size() const;

  void OnStateChange() override;
  void OnMessage(const webrtc::DataBuffer& buffer) override;
  void OnBufferedAmountChange(uint64_t sent) override;

 private:
  std::shared_ptr<Channel> Self() { return std::static_pointer_cast<Channel>(shared_from_this()); }
  Event NewEvent(uint32_t type) const;
  void SendOnSignaling(const webrtc::DataBuffer& buffer);
  void CloseWhenDelivered(webrtc::TimeDelta patience);
  void Handed(int64_t bytes);

  const std::shared_ptr<Factory> factory_;
  const std::weak_ptr<Peer> peer_;
  const Object* const peer_object_;
  const std::shared_ptr<Queue> queue_;
  const std::shared_ptr<Lane> buffered_lane_;  // of one event: the newest amount is all that matters
  const rtc::scoped_refptr<webrtc::DataChannelInterface> channel_;
  std::atomic<int64_t> owner_{0};
  std::atomic<int> id_{-1};
  std::atomic<int> state_{webrtc::DataChannelInterface::kConnecting};
  // libwebrtc's own count is behind a blocking call and lacks what is still on its way to the signaling
  // thread.
  std::atomic<int64_t> buffered_{0};
  std::atomic<int64_t> handed_{0};
  std::atomic<int> posted_{0};
  bool observing_ = false;
  int64_t opened_ms_ = 0;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_CHANNEL_H_
