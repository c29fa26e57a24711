#include "source.h"

#include <api/notifier.h>
#include <common_audio/resampler/push_sinc_resampler.h>
#include <libyuv.h>
#include <media/base/adapted_video_track_source.h>
#include <rtc_base/helpers.h>
#include <rtc_base/time_utils.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace rtc_shim {
namespace {

constexpr int kMaxRate = 192000;
constexpr int kMaxNativeRate = 48000;  // above it, and at rates without whole 10 ms blocks, we resample
constexpr int kMaxSide = 16384;

}  // namespace

// Cuts what is pushed into the 10 ms blocks that libwebrtc wants.
class PcmSource : public webrtc::Notifier<webrtc::AudioSourceInterface> {
 public:
  PcmSource() {
    options_.echo_cancellation = false;
    options_.auto_gain_control = false;
    options_.noise_suppression = false;
    options_.highpass_filter = false;
  }

  SourceState state() const override { return kLive; }
  bool remote() const override { return false; }
  const cricket::AudioOptions options() const override { return options_; }

  void AddSink(webrtc::AudioTrackSinkInterface* sink) override {
    std::lock_guard<std::mutex> lock(mutex_);
    sinks_.push_back(sink);
  }
  void RemoveSink(webrtc::AudioTrackSinkInterface* sink) override {
    std::lock_guard<std::mutex> lock(mutex_);
    sinks_.erase(std::remove(sinks_.begin(), sinks_.end(), sink), sinks_.end());
  }

  void Push(const int16_t* pcm, int rate, int channels, size_t samples) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (rate != rate_ || channels != channels_) Configure(rate, channels);
    const int16_t* const end = pcm + samples * channels;
    const size_t block = block_samples_ * channels;
    if (!rest_.empty()) {
      const size_t missing = std::min<size_t>(block - rest_.size(), end - pcm);
      rest_.insert(rest_.end(), pcm, pcm + missing);
      pcm += missing;
      if (rest_.size() < block) return;
      PushBlock(rest_.data());
      rest_.clear();
    }
    for (; static_cast<size_t>(end - pcm) >= block; pcm += block) PushBlock(pcm);
    rest_.assign(pcm, end);
  }

 private:
  void Configure(int rate, int channels) {
    rate_ = rate;
    channels_ = channels;
    rest_.clear();
    resamplers_.clear();
    int tens = 1;  // how many times 10 ms hold a whole number of samples
    while (rate * tens % 100 != 0) ++tens;
    block_samples_ = rate * tens / 100;
    block_tens_ = tens;
    if (tens == 1 && rate <= kMaxNativeRate) return;
    const size_t resampled = kMaxNativeRate / 100 * tens;
    for (int i = 0; i < channels; ++i) {
      resamplers_.push_back(std::make_unique<webrtc::PushSincResampler>(block_samples_, resampled));
    }
  }

  void PushBlock(const int16_t* pcm) {
    if (resamplers_.empty()) {
      Deliver(pcm, rate_, block_samples_);
      return;
    }
    const size_t per_ten = kMaxNativeRate / 100;
    const size_t resampled = per_ten * block_tens_;
    std::vector<int16_t> in(block_samples_), out(resampled), interleaved(resampled * channels_);
    for (int channel = 0; channel < channels_; ++channel) {
      for (size_t i = 0; i < block_samples_; ++i) in[i] = pcm[i * channels_ + channel];
      resamplers_[channel]->Resample(in.data(), in.size(), out.data(), out.size());
      for (size_t i = 0; i < resampled; ++i) interleaved[i * channels_ + channel] = out[i];
    }
    for (int ten = 0; ten < block_tens_; ++ten) {
      Deliver(interleaved.data() + ten * per_ten * channels_, kMaxNativeRate, per_ten);
    }
  }

  void Deliver(const int16_t* pcm, int rate, size_t samples) {
    for (auto* sink : sinks_) sink->OnData(pcm, 16, rate, channels_, samples, absl::nullopt);
  }

  cricket::AudioOptions options_;
  std::mutex mutex_;
  std::vector<webrtc::AudioTrackSinkInterface*> sinks_;
  int rate_ = 0;
  int channels_ = 0;
  size_t block_samples_ = 0;
  int block_tens_ = 1;
  std::vector<int16_t> rest_;
  std::vector<std::unique_ptr<webrtc::PushSincResampler>> resamplers_;
};

class FrameSource : public rtc::AdaptedVideoTrackSource {
 public:
  FrameSource(bool screencast, bool adaptation) : screencast_(screencast), adaptation_(adaptation) {}

  SourceState state() const override { return kLive; }
  bool remote() const override { return false; }
  bool is_screencast() const override { return screencast_; }
  absl::optional<bool> needs_denoising() const override { return absl::nullopt; }

  void set_adaptation(bool on) { adaptation_ = on; }

  // The base class knows the size of what was adapted only.
  bool GetStats(Stats* stats) override {
    const uint64_t size = size_;
    if (size == 0) return false;
    stats->input_width = static_cast<int>(size >> 32);
    stats->input_height = static_cast<int>(size & 0xFFFFFFFF);
    return true;
  }

  // Returns false when adaptation dropped the frame.
  bool Push(rtc::scoped_refptr<webrtc::VideoFrameBuffer> buffer, int64_t timestamp_us, int rotation) {
    if (timestamp_us <= 0) timestamp_us = rtc::TimeMicros();
    size_ = uint64_t{static_cast<uint32_t>(buffer->width())} << 32 | static_cast<uint32_t>(buffer->height());
    if (adaptation_) {
      int out_width, out_height, crop_width, crop_height, crop_x, crop_y;
      if (!AdaptFrame(buffer->width(), buffer->height(), timestamp_us, &out_width, &out_height, &crop_width,
                      &crop_height, &crop_x, &crop_y)) {
        return false;
      }
      if (out_width != buffer->width() || out_height != buffer->height()) {
        buffer = buffer->CropAndScale(crop_x, crop_y, crop_width, crop_height, out_width, out_height);
      }
    }
    OnFrame(webrtc::VideoFrame::Builder()
                .set_video_frame_buffer(buffer)
                .set_timestamp_us(timestamp_us)
                .set_rotation(static_cast<webrtc::VideoRotation>(rotation))
                .build());
    return true;
  }

 private:
  const bool screencast_;
  std::atomic<bool> adaptation_;
  // Width and height, in one piece: whoever asks for statistics is on another thread.
  std::atomic<uint64_t> size_ = 0;
};

std::shared_ptr<Source> Source::NewAudio(std::shared_ptr<Factory> factory) {
  factory->RequireMedia();
  return std::make_shared<Source>(std::move(factory), rtc::make_ref_counted<PcmSource>(), nullptr);
}

std::shared_ptr<Source> Source::NewVideo(std::shared_ptr<Factory> factory, bool screencast, bool adaptation) {
  factory->RequireMedia();
  return std::make_shared<Source>(std::move(factory), nullptr,
                                  rtc::make_ref_counted<FrameSource>(screencast, adaptation));
}

Source::Source(std::shared_ptr<Factory> factory, rtc::scoped_refptr<PcmSource> audio,
               rtc::scoped_refptr<FrameSource> video)
    : factory_(std::move(factory)), audio_(std::move(audio)), video_(std::move(video)) {}

Source::~Source() = default;

cricket::MediaType Source::media_type() const {
  return audio_ ? cricket::MEDIA_TYPE_AUDIO : cricket::MEDIA_TYPE_VIDEO;
}

rtc::scoped_refptr<webrtc::MediaStreamTrackInterface> Source::NewTrack(const std::string& id) {
  const std::string track_id = id.empty() ? rtc::CreateRandomUuid() : id;
  if (audio_) return factory_->get()->CreateAudioTrack(track_id, audio_.get());
  return factory_->get()->CreateVideoTrack(track_id, video_.get());
}

PcmSource& Source::audio() const {
  Require(audio_ != nullptr, "this is a video source");
  return *audio_;
}

FrameSource& Source::video() const {
  Require(video_ != nullptr, "this is an audio source");
  return *video_;
}

namespace {

void RequirePicture(int width, int height, int rotation) {
  Require(width >= 1 && width <= kMaxSide && height >= 1 && height <= kMaxSide,
          "width or height is out of range");
  Require(rotation == 0 || rotation == 90 || rotation == 180 || rotation == 270,
          "rotation must be 0, 90, 180 or 270");
}

int PushFrame(Source& source, rtc::scoped_refptr<webrtc::I420Buffer> buffer, int64_t timestamp_us,
              int rotation) {
  ++source.pushed;
  if (source.video().Push(std::move(buffer), timestamp_us, rotation)) return 0;
  ++source.dropped;
  return 1;
}

}  // namespace
}  // namespace rtc_shim

using rtc_shim::Factory;
using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Registry;
using rtc_shim::Require;
using rtc_shim::Source;

extern "C" {

int64_t rtc_audio_source_new(int64_t factory) {
  return Guard([&] { return Registry::Instance().Add(Source::NewAudio(Find<Factory>(factory))); });
}

int rtc_audio_source_push(int64_t source, const int16_t* pcm, int rate, int channels, int samples) {
  return Guard([&] {
    const auto object = Find<Source>(source);
    Require(samples >= 0 && (pcm || samples == 0), "pcm is NULL or samples is negative");
    Require(rate >= 8000 && rate <= rtc_shim::kMaxRate && rate % 25 == 0,
            "rate must be 8000 to 192000 and a multiple of 25");
    Require(channels == 1 || channels == 2 || channels == 4 || channels == 6 || channels == 8,
            "channels must be 1, 2, 4, 6 or 8");
    object->audio().Push(pcm, rate, channels, samples);
    object->pushed += samples;
    return int{RTC_OK};
  });
}

int64_t rtc_video_source_new(int64_t factory, int is_screencast, int adaptation) {
  return Guard([&] {
    return Registry::Instance().Add(Source::NewVideo(Find<Factory>(factory), is_screencast, adaptation));
  });
}

int rtc_video_source_set_adaptation(int64_t source, int adaptation) {
  return Guard([&] {
    Find<Source>(source)->video().set_adaptation(adaptation);
    return int{RTC_OK};
  });
}

int rtc_video_source_push_i420(int64_t source, const uint8_t* y, int stride_y, const uint8_t* u, int stride_u,
                               const uint8_t* v, int stride_v, int width, int height, int64_t timestamp_us,
                               int rotation) {
  return Guard([&] {
    const auto object = Find<Source>(source);
    object->video();
    rtc_shim::RequirePicture(width, height, rotation);
    Require(y && u && v, "a plane is NULL");
    const int chroma = (width + 1) / 2;
    Require(stride_y >= width && stride_u >= chroma && stride_v >= chroma,
            "a stride is shorter than its row");
    return rtc_shim::PushFrame(*object,
                               webrtc::I420Buffer::Copy(width, height, y, stride_y, u, stride_u, v, stride_v),
                               timestamp_us, rotation);
  });
}

int rtc_video_source_push_nv12(int64_t source, const uint8_t* y, int stride_y, const uint8_t* uv,
                               int stride_uv, int width, int height, int64_t timestamp_us, int rotation) {
  return Guard([&] {
    const auto object = Find<Source>(source);
    object->video();
    rtc_shim::RequirePicture(width, height, rotation);
    Require(y && uv, "a plane is NULL");
    Require(stride_y >= width && stride_uv >= (width + 1) / 2 * 2, "a stride is shorter than its row");
    const auto buffer = webrtc::I420Buffer::Create(width, height);
    libyuv::NV12ToI420(y, stride_y, uv, stride_uv, buffer->MutableDataY(), buffer->StrideY(),
                       buffer->MutableDataU(), buffer->StrideU(), buffer->MutableDataV(), buffer->StrideV(),
                       width, height);
    return rtc_shim::PushFrame(*object, buffer, timestamp_us, rotation);
  });
}

int rtc_source_counts(int64_t source, int64_t* pushed, int64_t* dropped) {
  return Guard([&] {
    const auto object = Find<Source>(source);
    if (pushed) *pushed = object->pushed;
    if (dropped) *dropped = object->dropped;
    return int{RTC_OK};
  });
}

int rtc_source_free(int64_t source) {
  return Guard([&] {
    Registry::Instance().Take<Source>(source);
    return int{RTC_OK};
  });
}

}  // extern "C"
