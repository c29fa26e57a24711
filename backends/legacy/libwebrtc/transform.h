// Encoded frames that leave for the application and come back, or do not.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_TRANSFORM_H_
#define BACKENDS_LEGACY_LIBWEBRTC_TRANSFORM_H_

#include <api/frame_transformer_interface.h>
#include <api/make_ref_counted.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "handles.h"
#include "queue.h"

namespace rtc_shim {

// What libwebrtc holds. It cannot be exchanged while media flows, so that there is one for the life of a
// sender or receiver, and `SetActive` tells whether frames take the way through the application.
class FrameTransformer : public webrtc::FrameTransformerInterface {
 public:
  FrameTransformer(std::shared_ptr<Queue> queue, int64_t owner, bool is_video, bool of_sender);

  void SetActive(bool active);
  // Nothing goes on or is drained afterwards.
  void Close();
  // Lets the frame of that token go on, with other bytes, or drops it. Those before it, which were never
  // answered, are dropped. False if it waits no more.
  bool Finish(int64_t token, const uint8_t* data, size_t size);
  void Counts(int64_t* passed, int64_t* dropped);

  // On threads of libwebrtc. They only take the lock for moments and never wait for the application.
  void Transform(std::unique_ptr<webrtc::TransformableFrameInterface> frame) override;
  void RegisterTransformedFrameCallback(
      rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback) override;
  void RegisterTransformedFrameSinkCallback(rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback,
                                            uint32_t ssrc) override;
  void UnregisterTransformedFrameCallback() override;
  void UnregisterTransformedFrameSinkCallback(uint32_t ssrc) override;

 private:
  using Frames = std::map<int64_t, std::unique_ptr<webrtc::TransformableFrameInterface>>;

  bool IsRepeated(const webrtc::TransformableFrameInterface& frame);
  Event Describe(const webrtc::TransformableFrameInterface& frame, int64_t token) const;
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> CallbackFor(uint32_t ssrc) const;

  const std::shared_ptr<Queue> queue_;
  const std::shared_ptr<Lane> lane_;
  const int64_t owner_;
  const bool is_video_;
  const bool of_sender_;
  std::mutex mutex_;
  bool active_ = true;
  bool closed_ = false;
  int64_t next_token_ = 1;
  int64_t passed_ = 0;
  int64_t dropped_ = 0;
  Frames waiting_;
  std::deque<size_t> recent_;
  rtc::scoped_refptr<webrtc::TransformedFrameCallback> callback_;
  std::map<uint32_t, rtc::scoped_refptr<webrtc::TransformedFrameCallback>> callbacks_by_ssrc_;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_TRANSFORM_H_
