// rtc_resampler_*: libwebrtc's SincResampler, the one inside PushSincResampler, per channel of a stream.
//
// PushSincResampler needs blocks of a whole number of samples at both rates, of up to a second for some pairs
// of rates. Fed from a queue, the class inside needs blocks of the input alone, and starts without a gap.
#include <common_audio/resampler/sinc_resampler.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "abi.h"
#include "handles.h"

namespace rtc_shim {
namespace {

constexpr int kLowestRate = 1000, kHighestRate = 768000;
constexpr int kMostChannels = RTC_PCM_CHANNELS;
constexpr int64_t kHalfKernel = webrtc::SincResampler::kKernelSize / 2;
constexpr float kFullScale = 32768.0f;

// Samples that the resampler takes at a time: a part of 10 ms, so that usual frames leave nothing waiting.
int BlockFor(int rate) {
  for (int parts = 1; parts <= 64 && rate % 100 == 0; ++parts) {
    const int block = rate / 100 / parts;
    // Of the first block half a kernel is held back, and SincResampler aborts unless more than a kernel is
    // left.
    if (rate / 100 % parts == 0 && block <= 128 && block > kHalfKernel * 3) return block;
  }
  return 64;
}

class Channel final : public webrtc::SincResamplerCallback {
 public:
  Channel(double ratio, int block) : resampler_(ratio, block, this) {}

  float* Grow(size_t samples) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(read_));
    read_ = 0;
    queue_.resize(queue_.size() + samples);
    return queue_.data() + queue_.size() - samples;
  }

  void Resample(size_t samples, float* out) { resampler_.Resample(samples, out); }

  // After the end there is silence.
  void Run(size_t frames, float* destination) override {
    const size_t count = std::min(frames, queue_.size() - read_);
    std::copy_n(queue_.data() + read_, count, destination);
    std::fill(destination + count, destination + frames, 0.0f);
    read_ += count;
  }

 private:
  std::vector<float> queue_;
  size_t read_ = 0;
  webrtc::SincResampler resampler_;
};

class Resampler final : public Object {
 public:
  static constexpr Type kType = Type::kResampler;

  Resampler(int in_rate, int out_rate, int channels)
      : in_rate_(in_rate), out_rate_(out_rate), block_(BlockFor(in_rate)) {
    for (int channel = 0; channel < channels; ++channel) {
      channels_.push_back(std::make_unique<Channel>(static_cast<double>(in_rate) / out_rate, block_));
    }
  }

  int channels() const { return static_cast<int>(channels_.size()); }
  int block() const { return block_; }

  // How many samples are there to take once `samples` more have come in.
  int64_t Ready(int64_t samples, bool flush) const {
    const int64_t taken = taken_ + samples;
    if (flush) return (taken * out_rate_ + in_rate_ - 1) / in_rate_ - given_;
    const int64_t usable = taken / block_ * block_ - kHalfKernel;
    return std::max<int64_t>(0, usable * out_rate_ / in_rate_ - given_);
  }

  int Run(const rtc_pcm& in, const rtc_pcm& out, bool flush) {
    Require(!ended_, "the resampler was flushed before");
    const int64_t ready = Ready(in.samples, flush);
    Require(ready <= out.samples, "there is less room than samples that are ready");
    for (int channel = 0; channel < channels(); ++channel) {
      Read(in, channel, channels_[channel]->Grow(in.samples));
      scratch_.resize(ready);
      Resample(*channels_[channel], ready);
      Write(out, channel, static_cast<int>(ready));
    }
    taken_ += in.samples;
    given_ += ready;
    ended_ = flush;
    return static_cast<int>(ready);
  }

 private:
  // SincResampler checks, and aborts, that it stays within a block, which rounding makes it leave by one
  // sample: it must be asked for no more than a block has.
  void Resample(Channel& channel, int64_t count) {
    int64_t done = 0;
    while (done < count) {
      const int64_t place = (given_ + done) * in_rate_ / out_rate_ + kHalfKernel;
      const int64_t end = (place / block_ + 1) * block_ - kHalfKernel;
      const int64_t in_block = (end * out_rate_ + in_rate_ - 1) / in_rate_ - given_ - done;
      const int64_t part = std::min(count - done, in_block);
      channel.Resample(part, scratch_.data() + done);
      done += part;
    }
  }

  void Read(const rtc_pcm& in, int channel, float* to) const {
    const int step = in.planar ? 1 : channels(), start = in.planar ? 0 : channel;
    const void* data = in.data[in.planar ? channel : 0];
    if (in.format == RTC_PCM_S16) {
      const auto* from = static_cast<const int16_t*>(data) + start;
      for (int i = 0; i < in.samples; ++i) to[i] = static_cast<float>(from[static_cast<ptrdiff_t>(i) * step]);
    } else {
      const auto* from = static_cast<const float*>(data) + start;
      for (int i = 0; i < in.samples; ++i) to[i] = from[static_cast<ptrdiff_t>(i) * step] * kFullScale;
    }
  }

  void Write(const rtc_pcm& out, int channel, int count) const {
    const int step = out.planar ? 1 : channels(), start = out.planar ? 0 : channel;
    void* data = out.data[out.planar ? channel : 0];
    if (out.format == RTC_PCM_S16) {
      auto* to = static_cast<int16_t*>(data) + start;
      for (int i = 0; i < count; ++i) {
        const float clipped = std::min(std::max(scratch_[i], -kFullScale), kFullScale - 1);
        to[static_cast<ptrdiff_t>(i) * step] = static_cast<int16_t>(std::lrintf(clipped));
      }
    } else {
      auto* to = static_cast<float*>(data) + start;
      for (int i = 0; i < count; ++i) to[static_cast<ptrdiff_t>(i) * step] = scratch_[i] / kFullScale;
    }
  }

  const int64_t in_rate_;
  const int64_t out_rate_;
  const int block_;
  int64_t taken_ = 0;
  int64_t given_ = 0;
  bool ended_ = false;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<float> scratch_;
};

void CheckPcm(const rtc_pcm* pcm, int channels) {
  Require(pcm != nullptr, "no samples are given");
  Require(pcm->format == RTC_PCM_S16 || pcm->format == RTC_PCM_FLOAT, "unknown sample format");
  Require(pcm->samples >= 0 && pcm->samples <= RTC_PCM_SAMPLES, "samples is not 0 to RTC_PCM_SAMPLES");
  const size_t bytes = pcm->format == RTC_PCM_S16 ? sizeof(int16_t) : sizeof(float);
  const size_t row = bytes * pcm->samples * (pcm->planar ? 1 : channels);
  for (int plane = 0; row && plane < (pcm->planar ? channels : 1); ++plane) {
    Require(pcm->data[plane] != nullptr, "a plane of samples is missing");
    Require(pcm->sizes[plane] >= row, "a plane is shorter than its samples");
    Require(reinterpret_cast<uintptr_t>(pcm->data[plane]) % bytes == 0, "samples are not aligned");
  }
}

}  // namespace
}  // namespace rtc_shim

extern "C" {

using namespace rtc_shim;  // NOLINT: the whole file belongs to it

int64_t rtc_resampler_new(int in_rate, int out_rate, int channels) {
  return Guard([&]() -> int64_t {
    Require(in_rate >= kLowestRate && in_rate <= kHighestRate, "in_rate is not 1000 to 768000");
    Require(out_rate >= kLowestRate && out_rate <= kHighestRate, "out_rate is not 1000 to 768000");
    Require(channels >= 1 && channels <= kMostChannels, "channels is not 1 to 8");
    return Registry::Instance().Add(std::make_shared<Resampler>(in_rate, out_rate, channels));
  });
}

int rtc_resampler_block(int64_t resampler) {
  return Guard([&] { return Find<Resampler>(resampler)->block(); });
}

int64_t rtc_resampler_ready(int64_t resampler, int samples, int flush) {
  return Guard([&]() -> int64_t {
    Require(samples >= 0 && samples <= RTC_PCM_SAMPLES, "samples is not 0 to RTC_PCM_SAMPLES");
    return Find<Resampler>(resampler)->Ready(samples, flush != 0);
  });
}

int rtc_resampler_run(int64_t resampler, const rtc_pcm* in, const rtc_pcm* out, int flush) {
  return Guard([&] {
    const auto found = Find<Resampler>(resampler);
    CheckPcm(in, found->channels());
    CheckPcm(out, found->channels());
    return found->Run(*in, *out, flush != 0);
  });
}

int rtc_resampler_free(int64_t resampler) {
  return Guard([&] {
    Registry::Instance().Take<Resampler>(resampler);
    return int{RTC_OK};
  });
}

}  // extern "C"
