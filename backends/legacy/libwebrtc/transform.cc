#include "transform.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "transceiver.h"

namespace rtc_shim {
namespace {

// Two seconds of pictures or of packets of 20 ms: whoever is further behind does not catch up.
constexpr size_t kWaitingAtMost = 100;
// More than a sender keeps to send again.
constexpr size_t kRemembered = 256;

}  // namespace

FrameTransformer::FrameTransformer(std::shared_ptr<Queue> queue, int64_t owner, bool is_video, bool of_sender)
    : queue_(std::move(queue)),
      lane_(std::make_shared<Lane>(kWaitingAtMost)),
      owner_(owner),
      is_video_(is_video),
      of_sender_(of_sender) {}

void FrameTransformer::SetActive(bool active) {
  std::lock_guard<std::mutex> lock(mutex_);
  active_ = active;
}

void FrameTransformer::Close() {
  queue_->CloseLane(*lane_);
  Frames waiting;  // destroyed after the lock is released
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  dropped_ += static_cast<int64_t>(waiting_.size());
  waiting.swap(waiting_);
  callback_ = nullptr;
  callbacks_by_ssrc_.clear();
}

bool FrameTransformer::Finish(int64_t token, const uint8_t* data, size_t size) {
  Frames passed_over;  // destroyed after the lock is released
  std::unique_ptr<webrtc::TransformableFrameInterface> frame;
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = waiting_.find(token);
    if (found == waiting_.end()) return false;
    frame = std::move(found->second);
    waiting_.erase(found);
    while (!waiting_.empty() && waiting_.begin()->first < token) {
      passed_over.insert(waiting_.extract(waiting_.begin()));
    }
    callback = CallbackFor(frame->GetSsrc());
    const bool goes_on = data != nullptr && size > 0 && callback != nullptr;
    passed_ += goes_on;
    dropped_ += static_cast<int64_t>(passed_over.size()) + !goes_on;
    if (!goes_on) return true;
  }
  frame->SetData(rtc::ArrayView<const uint8_t>(data, size));
  callback->OnTransformedFrame(std::move(frame));
  return true;
}

void FrameTransformer::Counts(int64_t* passed, int64_t* dropped) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (passed) *passed = passed_;
  if (dropped) *dropped = dropped_;
}

void FrameTransformer::Transform(std::unique_ptr<webrtc::TransformableFrameInterface> frame) {
  std::unique_ptr<webrtc::TransformableFrameInterface> oldest;  // destroyed after the lock is released
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || IsRepeated(*frame)) return;
    // While some still wait, those that follow must not overtake them.
    if (active_ || !waiting_.empty()) {
      if (waiting_.size() >= kWaitingAtMost) {
        oldest = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
        ++dropped_;
      }
      const int64_t token = next_token_++;
      Event event = Describe(*frame, token);
      waiting_.emplace(token, std::move(frame));
      queue_->Post(lane_, std::move(event));
      return;
    }
    callback = CallbackFor(frame->GetSsrc());
  }
  if (callback) callback->OnTransformedFrame(std::move(frame));
}

// Senders probe the bandwidth with packets that they sent before. libwebrtc makes frames of them again and
// throws those away later, after the transform.
bool FrameTransformer::IsRepeated(const webrtc::TransformableFrameInterface& frame) {
  if (of_sender_ || !is_video_) return false;
  const auto data = frame.GetData();
  const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
  const size_t trace =
      std::hash<std::string_view>()(bytes) ^ (size_t{frame.GetTimestamp()} << 32) ^ frame.GetSsrc();
  if (std::find(recent_.begin(), recent_.end(), trace) != recent_.end()) return true;
  recent_.push_back(trace);
  if (recent_.size() > kRemembered) recent_.pop_front();
  return false;
}

Event FrameTransformer::Describe(const webrtc::TransformableFrameInterface& frame, int64_t token) const {
  Event event(RTC_EV_ENCODED_FRAME, owner_);
  event.c.i0 = token;
  event.c.i1 = frame.GetPayloadType();
  event.c.i2 = frame.GetTimestamp();
  event.c.i3 = frame.GetSsrc();
  const bool key =
      !is_video_ || static_cast<const webrtc::TransformableVideoFrameInterface&>(frame).IsKeyFrame();
  if (key) event.c.flags |= RTC_FLAG_KEY_FRAME;
  const auto data = frame.GetData();
  event.payload.SetData(data.data(), data.size());
  return event;
}

rtc::scoped_refptr<webrtc::TransformedFrameCallback> FrameTransformer::CallbackFor(uint32_t ssrc) const {
  const auto found = callbacks_by_ssrc_.find(ssrc);
  return found == callbacks_by_ssrc_.end() ? callback_ : found->second;
}

void FrameTransformer::RegisterTransformedFrameCallback(
    rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closed_) callback_ = std::move(callback);
}

void FrameTransformer::RegisterTransformedFrameSinkCallback(
    rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback, uint32_t ssrc) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closed_) callbacks_by_ssrc_[ssrc] = std::move(callback);
}

void FrameTransformer::UnregisterTransformedFrameCallback() {
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> last;  // released after the lock is
  std::lock_guard<std::mutex> lock(mutex_);
  last.swap(callback_);
}

void FrameTransformer::UnregisterTransformedFrameSinkCallback(uint32_t ssrc) {
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> last;  // released after the lock is
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = callbacks_by_ssrc_.find(ssrc);
  if (found == callbacks_by_ssrc_.end()) return;
  last.swap(found->second);
  callbacks_by_ssrc_.erase(found);
}

namespace {

class TransformHandle final : public Object {
 public:
  static constexpr Type kType = Type::kTransform;

  TransformHandle(const std::shared_ptr<Peer>& peer, rtc::scoped_refptr<FrameTransformer> transformer)
      : factory_(peer->shared_factory()), peer_(peer.get()), transformer_(std::move(transformer)) {}
  ~TransformHandle() override { transformer_->Close(); }

  void Shutdown() override { transformer_->Close(); }
  const Object* factory_object() const override { return factory_.get(); }
  const Object* peer_object() const override { return peer_; }
  FrameTransformer& get() const { return *transformer_; }

 private:
  const std::shared_ptr<Factory> factory_;
  const Object* const peer_;
  const rtc::scoped_refptr<FrameTransformer> transformer_;
};

int64_t NewTransform(Transceiver& transceiver, bool of_sender, std::shared_ptr<Queue> queue, int64_t owner) {
  auto transformer =
      rtc::make_ref_counted<FrameTransformer>(std::move(queue), owner, !transceiver.is_audio(), of_sender);
  if (of_sender) {
    transceiver.get().sender()->SetEncoderToPacketizerFrameTransformer(transformer);
  } else {
    transceiver.get().receiver()->SetDepacketizerToDecoderFrameTransformer(transformer);
  }
  return Registry::Instance().Add(std::make_shared<TransformHandle>(transceiver.peer(), transformer));
}

}  // namespace
}  // namespace rtc_shim

using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Queue;
using rtc_shim::Require;
using rtc_shim::Transceiver;
using rtc_shim::TransformHandle;

extern "C" {

int64_t rtc_transform_new(int64_t transceiver, int of_sender, int64_t queue, int64_t owner) {
  return Guard([&] {
    const auto out = Find<Queue>(queue);
    return rtc_shim::WithTransceiver(transceiver, [&](Transceiver& object) {
      return rtc_shim::NewTransform(object, of_sender != 0, out, owner);
    });
  });
}

int rtc_transform_set_active(int64_t transform, int active) {
  return Guard([&] {
    Find<TransformHandle>(transform)->get().SetActive(active != 0);
    return int{RTC_OK};
  });
}

int rtc_transform_done(int64_t transform, int64_t token, const void* data, size_t len) {
  return Guard([&] {
    const bool waited =
        Find<TransformHandle>(transform)->get().Finish(token, static_cast<const uint8_t*>(data), len);
    return waited ? 1 : 0;
  });
}

int rtc_transform_counts(int64_t transform, int64_t* passed, int64_t* dropped) {
  return Guard([&] {
    Find<TransformHandle>(transform)->get().Counts(passed, dropped);
    return int{RTC_OK};
  });
}

}  // extern "C"
