#include "channel.h"

#include <rtc_base/time_utils.h>

#include <utility>

#include "json.h"

namespace rtc_shim {
namespace {

constexpr int64_t kMaxBuffered = 16 * 1024 * 1024;  // libwebrtc refuses more
constexpr int kMaxPosted = 1 << 20;                 // keeps a flood of empty messages from eating the memory
constexpr size_t kMaxLabel = 65535;
constexpr auto kPause = webrtc::TimeDelta::Millis(5);      // between looks at what has been delivered
constexpr auto kSettled = webrtc::TimeDelta::Millis(100);  // from opening to closing at least
constexpr auto kPatience = webrtc::TimeDelta::Seconds(2);  // for acknowledgements of all channels

}  // namespace

Gauge::Gauge(std::shared_ptr<Queue> queue) : queue_(std::move(queue)), lane_(std::make_shared<Lane>(1)) {}

void Gauge::Release(int64_t bytes) {
  waiting_ -= bytes;
  released_ += bytes;
  Event event(RTC_EV_CHANNEL_BUFFERED, owner_);
  event.c.object = channel_;
  event.c.i0 = waiting_;
  event.c.i1 = released_;
  queue_->Post(lane_, std::move(event));
}

void Gauge::OnSent(int64_t total) { Release(total - std::exchange(sent_, total)); }

Channel::Channel(const std::shared_ptr<Peer>& peer, rtc::scoped_refptr<webrtc::DataChannelInterface> channel)
    : factory_(peer->shared_factory()),
      peer_(peer),
      peer_object_(peer.get()),
      queue_(peer->queue()),
      gauge_(std::make_shared<Gauge>(queue_)),
      channel_(std::move(channel)) {}

Channel::~Channel() { StopObserving(); }

void Channel::Observe(int64_t owner) {
  gauge_->Name(handle());
  set_owner(owner);
  id_ = channel_->id();
  if (channel_->state() == webrtc::DataChannelInterface::kOpen) Measure();
  state_ = channel_->state();
  observing_ = true;
  channel_->RegisterObserver(this);
}

void Channel::StopObserving() {
  RunOn(factory_->signaling(), [this] {
    if (std::exchange(observing_, false)) channel_->UnregisterObserver();
  });
  gauge_->Close();
}

void Channel::Measure() {
  const auto peer = peer_.lock();
  if (!peer || peer->closed()) return;
  RunOn(factory_->network(), [&] { WatchStream(peer->pc().GetSctpTransport().get(), id_, gauge_); });
}

std::string Channel::DescribeOptions() const {
  return Json()
      .BeginObject()
      .Field("id", channel_->id())
      .Field("ordered", channel_->ordered())
      .FieldOrNull("maxRetransmits", channel_->maxRetransmitsOpt())
      .FieldOrNull("maxPacketLifeTime", channel_->maxPacketLifeTime())
      .Field("protocol", channel_->protocol())
      .Field("negotiated", channel_->negotiated())
      .Field("priority", static_cast<int>(channel_->priority()))
      .Field("state", webrtc::DataChannelInterface::DataStateString(channel_->state()))
      .EndObject()
      .Take();
}

Event Channel::NewEvent(uint32_t type) const {
  Event event(type, owner_);
  event.c.object = handle();
  return event;
}

int64_t Channel::max_message_size() const {
  const auto peer = peer_.lock();
  return peer ? peer->max_message_size() : 0;
}

void Channel::Send(const void* data, size_t len, bool binary) {
  if (state_ != webrtc::DataChannelInterface::kOpen)
    throw Error(RTC_ERR_INVALID_STATE, "the channel is not open");
  // libwebrtc would accept it, fail to send it and close the channel.
  const int64_t limit = max_message_size();
  if (len > static_cast<size_t>(limit)) {
    throw Error(RTC_ERR_MESSAGE_TOO_LARGE, "message of " + std::to_string(len) +
                                               " bytes; the remote side takes " + std::to_string(limit));
  }
  const int64_t size = static_cast<int64_t>(len);
  if (buffered() + size > kMaxBuffered || posted_ >= kMaxPosted) {
    throw Error(RTC_ERR_WOULD_OVERFLOW, "too much is buffered: " + std::to_string(buffered()) + " bytes");
  }
  webrtc::DataBuffer buffer(rtc::CopyOnWriteBuffer(static_cast<const uint8_t*>(data), len), binary);
  gauge_->Accept(size);
  ++posted_;
  factory_->signaling()->PostTask(
      [self = Self(), buffer = std::move(buffer)] { self->SendOnSignaling(buffer); });
}

void Channel::SendOnSignaling(const webrtc::DataBuffer& buffer) {
  --posted_;
  if (channel_->Send(buffer)) return;
  gauge_->Release(static_cast<int64_t>(buffer.size()));
  Event event = NewEvent(RTC_EV_CHANNEL_ERROR);
  event.c.i0 = RTC_ERR_INVALID_STATE;
  event.c.i1 = -1;
  event.data = "a message was not sent: the channel is no longer open";
  if (observing_) queue_->Post(std::move(event));
}

void Channel::Close() {
  // Behind what was sent before, and without waiting.
  factory_->signaling()->PostTask([self = Self()] { self->CloseWhenDelivered(kPatience); });
}

void Channel::CloseWhenDelivered(webrtc::TimeDelta patience) {
  // Closing resets the stream, and dcsctp then drops what it has not sent yet; a remote that has not seen the
  // channel open does not notice that it closes, either.
  const auto peer = peer_.lock();
  if (!peer || peer->closed() || channel_->state() != webrtc::DataChannelInterface::kOpen) {
    channel_->Close();
    return;
  }
  const auto transport = peer->pc().GetSctpTransport();
  const int stream = channel_->id();  // a proxy: asking on the network thread would wait for this one
  const SctpBacklog backlog = RunOn(factory_->network(), [&] { return BacklogOf(transport.get(), stream); });
  // A remote that learns of the channel and of its end at once drops the messages between.
  const bool settled = rtc::TimeMillis() - opened_ms_ >= kSettled.ms();
  const bool sent = settled && channel_->buffered_amount() == 0 && backlog.unsent == 0;
  // Other channels may keep the transport busy for ever: what has been sent is waited for only so long.
  if (sent && (backlog.unacked == 0 || patience <= webrtc::TimeDelta::Zero())) {
    channel_->Close();
    return;
  }
  const webrtc::TimeDelta left = sent ? patience - kPause : kPatience;
  // Weakly, as a task that waits must not keep the factory alive, whose thread it is.
  const auto again = [weak = weak_from_this(), left] {
    if (const auto self = weak.lock()) static_cast<Channel&>(*self).CloseWhenDelivered(left);
  };
  factory_->signaling()->PostDelayedTask(again, kPause);
}

void Channel::OnStateChange() {
  const auto state = channel_->state();
  id_ = channel_->id();
  // Before anything can be sent.
  if (state == webrtc::DataChannelInterface::kOpen) Measure();
  state_ = state;
  if (state == webrtc::DataChannelInterface::kOpen) {
    opened_ms_ = rtc::TimeMillis();
    if (const auto peer = peer_.lock()) peer->TellSctpFirst();
  }
  if (const webrtc::RTCError error = channel_->error();
      state == webrtc::DataChannelInterface::kClosed && !error.ok()) {
    Event event = NewEvent(RTC_EV_CHANNEL_ERROR);
    event.c.i0 = ErrorCode(error.type());
    event.c.i1 = error.sctp_cause_code() ? *error.sctp_cause_code() : -1;
    event.data = error.message();
    queue_->Post(std::move(event));
  }
  Event event = NewEvent(RTC_EV_CHANNEL_STATE);
  event.c.i0 = state;
  event.c.i1 = id_;
  event.data = webrtc::DataChannelInterface::DataStateString(state);
  queue_->Post(std::move(event));
}

void Channel::OnMessage(const webrtc::DataBuffer& buffer) {
  Event event = NewEvent(RTC_EV_CHANNEL_MESSAGE);
  if (buffer.binary) event.c.flags |= RTC_FLAG_BINARY;
  event.payload = buffer.data;
  queue_->Post(std::move(event));
}

namespace {

webrtc::DataChannelInit InitFrom(const rtc_channel_options* options) {
  webrtc::DataChannelInit init;
  if (!options) return init;
  Require(options->protocol || options->protocol_len == 0, "protocol is NULL");
  Require(options->protocol_len <= kMaxLabel, "protocol is longer than 65535 bytes");
  Require(options->priority >= RTC_PRIORITY_VERY_LOW && options->priority <= RTC_PRIORITY_HIGH,
          "unknown priority");
  Require(options->max_retransmits >= -1 && options->max_retransmits <= 65535,
          "max_retransmits is out of range");
  Require(options->max_packet_life_time >= -1 && options->max_packet_life_time <= 65535,
          "max_packet_life_time is out of range");
  Require(options->id >= -1 && options->id <= 65535, "id is out of range");
  Require(!options->negotiated || options->id >= 0, "a negotiated channel needs an id");
  init.ordered = options->ordered;
  if (options->max_retransmits >= 0) init.maxRetransmits = options->max_retransmits;
  if (options->max_packet_life_time >= 0) init.maxRetransmitTime = options->max_packet_life_time;
  init.negotiated = options->negotiated;
  if (init.negotiated) init.id = options->id;
  init.priority = static_cast<webrtc::Priority>(options->priority);
  if (options->protocol) init.protocol.assign(options->protocol, options->protocol_len);
  return init;
}

}  // namespace
}  // namespace rtc_shim

using rtc_shim::Channel;
using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Peer;
using rtc_shim::Registry;
using rtc_shim::Require;

extern "C" {

int64_t rtc_pc_create_channel(int64_t pc, const char* label, size_t label_len,
                              const rtc_channel_options* options, int64_t owner) {
  return Guard([&] {
    Require(label || label_len == 0, "label is NULL");
    Require(label_len <= rtc_shim::kMaxLabel, "label is longer than 65535 bytes");
    const std::string name(label ? label : "", label_len);
    const webrtc::DataChannelInit init = rtc_shim::InitFrom(options);
    const auto peer = Find<Peer>(pc);
    return peer->Call([&] {
      auto result = peer->pc().CreateDataChannelOrError(name, &init);
      if (!result.ok()) rtc_shim::ThrowIfError(result.error());
      const auto channel = std::make_shared<Channel>(peer, result.MoveValue());
      const int64_t handle = Registry::Instance().Add(channel);
      channel->Observe(owner);
      return handle;
    });
  });
}

int rtc_channel_set_owner(int64_t channel, int64_t owner) {
  return Guard([&] {
    Find<Channel>(channel)->set_owner(owner);
    return int{RTC_OK};
  });
}

int rtc_channel_send(int64_t channel, const void* data, size_t len, int binary) {
  return Guard([&] {
    Require(data || len == 0, "data is NULL");
    Find<Channel>(channel)->Send(data, len, binary);
    return int{RTC_OK};
  });
}

int rtc_channel_id(int64_t channel) {
  int id = -1;
  const int code = Guard([&] {
    id = Find<Channel>(channel)->id();
    return int{RTC_OK};
  });
  return code < 0 ? code : id;
}

int rtc_channel_state(int64_t channel) {
  return Guard([&] { return Find<Channel>(channel)->state(); });
}

int64_t rtc_channel_buffered(int64_t channel) {
  return Guard([&] { return Find<Channel>(channel)->buffered(); });
}

int64_t rtc_channel_max_message_size(int64_t channel) {
  return Guard([&] { return Find<Channel>(channel)->max_message_size(); });
}

int rtc_channel_close(int64_t channel) {
  return Guard([&] {
    Find<Channel>(channel)->Close();
    return int{RTC_OK};
  });
}

int rtc_channel_free(int64_t channel) {
  return Guard([&] {
    Registry::Instance().Take<Channel>(channel)->StopObserving();
    return int{RTC_OK};
  });
}

}  // extern "C"
