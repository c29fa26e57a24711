#include "audio_device.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace rtc_shim {
namespace {

constexpr int kRate = 48000;
constexpr int kBlockMs = 10;
constexpr int64_t kNanosPerMs = 1000000;
constexpr int64_t kNanosPerSecond = 1000 * kNanosPerMs;
// After a longer stall (suspend, a starved machine) go on from now instead of catching up in a burst.
constexpr int64_t kMaxLagNanos = 50 * kNanosPerMs;

thread_local std::vector<AfterPull>* deferred = nullptr;

int64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

void SleepUntil(int64_t nanos) {
  const timespec until = {static_cast<time_t>(nanos / kNanosPerSecond),
                          static_cast<long>(nanos % kNanosPerSecond)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace

bool DeferUntilPulled(AfterPull& work) {
  if (!deferred) return false;
  deferred->push_back(std::move(work));
  return true;
}

bool AudioPuller::AddSource(Source* source) {
  std::lock_guard<std::mutex> lock(mutex_);
  sources_.push_back(source);
  return true;
}

void AudioPuller::RemoveSource(Source* source) {
  std::lock_guard<std::mutex> lock(mutex_);
  sources_.erase(std::remove(sources_.begin(), sources_.end(), source), sources_.end());
}

void AudioPuller::Pull() {
  std::vector<AfterPull> work;
  std::lock_guard<std::mutex> lock(mutex_);
  deferred = &work;
  for (Source* source : sources_) {
    const Source::AudioFrameInfo info = source->GetAudioFrameWithInfo(kRate, &frame_);
    const bool concealed =
        info != Source::AudioFrameInfo::kNormal || frame_.speech_type_ != webrtc::AudioFrame::kNormalSpeech;
    for (AfterPull& deliver : work) deliver(frame_.timestamp_, concealed);
    work.clear();
  }
  deferred = nullptr;
}

void AudioPuller::Mix(size_t channels, webrtc::AudioFrame* frame) {
  Pull();
  frame->UpdateFrame(0, nullptr, kRate / 1000 * kBlockMs, kRate, webrtc::AudioFrame::kNormalSpeech,
                     webrtc::AudioFrame::kVadUnknown, channels);
}

AudioDevice::AudioDevice(rtc::scoped_refptr<AudioPuller> puller, int period_ms)
    : puller_(std::move(puller)), period_ms_(period_ms) {}

AudioDevice::~AudioDevice() { StopPlayout(); }

int32_t AudioDevice::PlayoutIsAvailable(bool* available) {
  *available = true;
  return 0;
}

int32_t AudioDevice::StereoPlayoutIsAvailable(bool* available) const {
  *available = true;
  return 0;
}

int32_t AudioDevice::StereoRecordingIsAvailable(bool* available) const {
  *available = true;
  return 0;
}

int32_t AudioDevice::StartPlayout() {
  if (!playing_.exchange(true)) thread_ = std::thread([this] { Run(); });
  return 0;
}

int32_t AudioDevice::StopPlayout() {
  if (playing_.exchange(false)) thread_.join();
  return 0;
}

void AudioDevice::Run() {
  pthread_setname_np(pthread_self(), "rtc_shim_audio");
  const int64_t period = period_ms_ * kNanosPerMs;
  int64_t next = NowNanos();
  while (playing_) {
    for (int block = 0; block < period_ms_ / kBlockMs; ++block) puller_->Pull();
    next += period;
    const int64_t now = NowNanos();
    if (now > next + kMaxLagNanos) next = now;
    SleepUntil(next);
  }
}

}  // namespace rtc_shim
