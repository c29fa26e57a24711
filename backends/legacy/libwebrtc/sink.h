// What the application receives: PCM and pictures of one receiver, bounded, in a queue.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_SINK_H_
#define BACKENDS_LEGACY_LIBWEBRTC_SINK_H_

#include <api/media_stream_interface.h>
#include <api/video/video_frame.h>

#include <memory>
#include <mutex>

#include "handles.h"
#include "queue.h"

namespace rtc_shim {

class Peer;

class Frame final : public Object {
 public:
  static constexpr Type kType = Type::kFrame;

  // Null when the picture cannot be had as I420.
  static std::shared_ptr<Frame> From(const webrtc::VideoFrame& frame);
  Frame(const webrtc::VideoFrame& frame, rtc::scoped_refptr<webrtc::I420BufferInterface> buffer);

  void Describe(rtc_frame_info* out) const;
  void CopyTo(uint8_t* dst, size_t size) const;
  void CopyTo(uint8_t* y, int stride_y, uint8_t* u, int stride_u, uint8_t* v, int stride_v) const;
  int width() const { return buffer_->width(); }
  int height() const { return buffer_->height(); }

 private:
  const webrtc::VideoFrame frame_;
  const rtc::scoped_refptr<webrtc::I420BufferInterface> buffer_;
};

class Sink final : public Object,
                   public webrtc::AudioTrackSinkInterface,
                   public rtc::VideoSinkInterface<webrtc::VideoFrame> {
 public:
  static constexpr Type kType = Type::kSink;

  Sink(std::shared_ptr<Peer> peer, rtc::scoped_refptr<webrtc::MediaStreamTrackInterface> track,
       std::shared_ptr<Queue> queue, int64_t owner, size_t limit);
  ~Sink() override;

  void Start();
  // Idempotent. Once it returns, no callback runs and nothing more is drained.
  void Stop();
  void Shutdown() override { Stop(); }
  const Object* factory_object() const override;
  const Object* peer_object() const override;
  void Counts(int64_t* received, int64_t* dropped) const { queue_->LaneCounts(*lane_, received, dropped); }

  void OnData(const void* pcm, int bits_per_sample, int rate, size_t channels, size_t samples) override;
  void OnFrame(const webrtc::VideoFrame& frame) override;

 private:
  bool is_audio() const;

  const std::shared_ptr<Peer> peer_;
  const rtc::scoped_refptr<webrtc::MediaStreamTrackInterface> track_;
  const std::shared_ptr<Queue> queue_;
  const std::shared_ptr<Lane> lane_;
  const int64_t owner_;
  std::mutex mutex_;
  bool running_ = false;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_SINK_H_
