#include "sink.h"

#include <api/video/i420_buffer.h>
#include <libyuv.h>

#include <utility>

#include "audio_device.h"
#include "peer.h"
#include "transceiver.h"

namespace rtc_shim {

std::shared_ptr<Frame> Frame::From(const webrtc::VideoFrame& frame) {
  rtc::scoped_refptr<webrtc::I420BufferInterface> buffer = frame.video_frame_buffer()->ToI420();
  if (!buffer) return nullptr;
  if (frame.rotation() != webrtc::kVideoRotation_0)
    buffer = webrtc::I420Buffer::Rotate(*buffer, frame.rotation());
  return std::make_shared<Frame>(frame, std::move(buffer));
}

Frame::Frame(const webrtc::VideoFrame& frame, rtc::scoped_refptr<webrtc::I420BufferInterface> buffer)
    : frame_(frame), buffer_(std::move(buffer)) {}

void Frame::Describe(rtc_frame_info* out) const {
  out->width = buffer_->width();
  out->height = buffer_->height();
  out->rotation = 0;
  out->y = buffer_->DataY();
  out->u = buffer_->DataU();
  out->v = buffer_->DataV();
  out->stride_y = buffer_->StrideY();
  out->stride_u = buffer_->StrideU();
  out->stride_v = buffer_->StrideV();
  out->timestamp_us = frame_.timestamp_us();
  out->rtp_timestamp = frame_.timestamp();
  out->ntp_time_ms = frame_.ntp_time_ms();
  // libwebrtc numbers both as H.273 does, but for a range that something else is to tell.
  const absl::optional<webrtc::ColorSpace>& colours = frame_.color_space();
  const int range = colours ? static_cast<int>(colours->range()) : 0;
  out->matrix = colours ? static_cast<int>(colours->matrix()) : 2;
  out->range = range == 1 || range == 2 ? range : 0;
}

void Frame::CopyTo(uint8_t* dst, size_t size) const {
  const int width = buffer_->width(), height = buffer_->height();
  const int chroma_width = buffer_->ChromaWidth(), chroma_height = buffer_->ChromaHeight();
  const size_t luma = static_cast<size_t>(width) * height;
  const size_t chroma = static_cast<size_t>(chroma_width) * chroma_height;
  Require(dst && size == luma + 2 * chroma, "dst is NULL or its size is not that of the frame");
  uint8_t* const u = dst + luma;
  uint8_t* const v = u + chroma;
  libyuv::CopyPlane(buffer_->DataY(), buffer_->StrideY(), dst, width, width, height);
  libyuv::CopyPlane(buffer_->DataU(), buffer_->StrideU(), u, chroma_width, chroma_width, chroma_height);
  libyuv::CopyPlane(buffer_->DataV(), buffer_->StrideV(), v, chroma_width, chroma_width, chroma_height);
}

void Frame::CopyTo(uint8_t* y, int stride_y, uint8_t* u, int stride_u, uint8_t* v, int stride_v) const {
  const int width = buffer_->width(), height = buffer_->height();
  const int chroma_width = buffer_->ChromaWidth(), chroma_height = buffer_->ChromaHeight();
  Require(y && u && v, "a plane is NULL");
  Require(stride_y >= width && stride_u >= chroma_width && stride_v >= chroma_width, "a stride is too small");
  libyuv::CopyPlane(buffer_->DataY(), buffer_->StrideY(), y, stride_y, width, height);
  libyuv::CopyPlane(buffer_->DataU(), buffer_->StrideU(), u, stride_u, chroma_width, chroma_height);
  libyuv::CopyPlane(buffer_->DataV(), buffer_->StrideV(), v, stride_v, chroma_width, chroma_height);
}

Sink::Sink(std::shared_ptr<Peer> peer, rtc::scoped_refptr<webrtc::MediaStreamTrackInterface> track,
           std::shared_ptr<Queue> queue, int64_t owner, size_t limit)
    : peer_(std::move(peer)),
      track_(std::move(track)),
      queue_(std::move(queue)),
      lane_(std::make_shared<Lane>(limit)),
      owner_(owner) {}

Sink::~Sink() { Stop(); }

const Object* Sink::factory_object() const { return peer_->factory_object(); }

const Object* Sink::peer_object() const { return peer_.get(); }

bool Sink::is_audio() const { return track_->kind() == webrtc::MediaStreamTrackInterface::kAudioKind; }

void Sink::Start() {
  std::lock_guard<std::mutex> lock(mutex_);
  running_ = true;
  if (is_audio()) {
    static_cast<webrtc::AudioTrackInterface*>(track_.get())->AddSink(this);
  } else {
    static_cast<webrtc::VideoTrackInterface*>(track_.get())->AddOrUpdateSink(this, rtc::VideoSinkWants());
  }
}

void Sink::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!std::exchange(running_, false)) return;
  }
  if (is_audio()) {
    static_cast<webrtc::AudioTrackInterface*>(track_.get())->RemoveSink(this);
  } else {
    static_cast<webrtc::VideoTrackInterface*>(track_.get())->RemoveSink(this);
  }
  queue_->CloseLane(*lane_);
}

void Sink::OnData(const void* pcm, int bits_per_sample, int rate, size_t channels, size_t samples) {
  auto event = std::make_shared<Event>(RTC_EV_AUDIO_FRAME, owner_);
  event->c.i0 = rate;
  event->c.i1 = static_cast<int64_t>(channels);
  event->c.i2 = static_cast<int64_t>(samples);
  event->c.i3 = -1;
  event->payload.SetData(static_cast<const uint8_t*>(pcm), samples * channels * (bits_per_sample / 8));
  AfterPull post = [queue = queue_, lane = lane_, event](int64_t rtp_timestamp, bool concealed) {
    event->c.i3 = rtp_timestamp;
    if (concealed) event->c.flags |= RTC_FLAG_CONCEALED;
    queue->Post(lane, std::move(*event));
  };
  if (!DeferUntilPulled(post)) queue_->Post(lane_, std::move(*event));
}

void Sink::OnFrame(const webrtc::VideoFrame& frame) {
  auto picture = Frame::From(frame);
  if (!picture) return;
  Event event(RTC_EV_VIDEO_FRAME, owner_);
  event.c.i0 = picture->width();
  event.c.i1 = picture->height();
  event.c.i2 = frame.timestamp_us();
  event.c.i3 = frame.timestamp();
  event.frame = std::move(picture);
  queue_->Post(lane_, std::move(event));
}

}  // namespace rtc_shim

using rtc_shim::Find;
using rtc_shim::Frame;
using rtc_shim::Guard;
using rtc_shim::Queue;
using rtc_shim::Registry;
using rtc_shim::Require;
using rtc_shim::Sink;
using rtc_shim::Transceiver;

extern "C" {

int64_t rtc_receiver_attach_sink(int64_t transceiver, int64_t queue, int64_t owner, int max_queue,
                                 int policy) {
  return Guard([&] {
    Require(policy == RTC_SINK_DROP_OLDEST || policy == RTC_SINK_LATEST, "unknown sink policy");
    const int limit = policy == RTC_SINK_LATEST ? 1 : max_queue;
    Require(limit >= 1 && limit <= 1000, "max_queue must be 1 to 1000");
    const auto out = Find<Queue>(queue);
    return rtc_shim::WithTransceiver(transceiver, [&](Transceiver& object) {
      const auto peer = object.peer();
      const auto sink = std::make_shared<Sink>(peer, object.get().receiver()->track(), out, owner,
                                               static_cast<size_t>(limit));
      peer->AddSink(sink);
      sink->Start();
      return Registry::Instance().Add(sink);
    });
  });
}

int rtc_sink_detach(int64_t sink) {
  return Guard([&] {
    Registry::Instance().Take<Sink>(sink)->Stop();
    return int{RTC_OK};
  });
}

int rtc_sink_counts(int64_t sink, int64_t* received, int64_t* dropped) {
  return Guard([&] {
    Find<Sink>(sink)->Counts(received, dropped);
    return int{RTC_OK};
  });
}

int rtc_frame_get(int64_t frame, rtc_frame_info* out) {
  return Guard([&] {
    Require(out, "out is NULL");
    Find<Frame>(frame)->Describe(out);
    return int{RTC_OK};
  });
}

int rtc_frame_copy_i420(int64_t frame, uint8_t* dst, size_t size) {
  return Guard([&] {
    Find<Frame>(frame)->CopyTo(dst, size);
    return int{RTC_OK};
  });
}

int rtc_frame_copy_planes(int64_t frame, uint8_t* y, int stride_y, uint8_t* u, int stride_u, uint8_t* v,
                          int stride_v) {
  return Guard([&] {
    Find<Frame>(frame)->CopyTo(y, stride_y, u, stride_u, v, stride_v);
    return int{RTC_OK};
  });
}

int rtc_frame_free(int64_t frame) {
  return Guard([&] {
    Registry::Instance().Take<Frame>(frame);
    return int{RTC_OK};
  });
}

}  // extern "C"
