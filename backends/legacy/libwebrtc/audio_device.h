// Pulls remote audio at an even pace. Nothing is mixed and nothing is played: receivers hand each 10 ms to
// their sinks only while somebody asks them for audio.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_AUDIO_DEVICE_H_
#define BACKENDS_LEGACY_LIBWEBRTC_AUDIO_DEVICE_H_

#include <api/audio/audio_mixer.h>
#include <modules/audio_device/include/audio_device_default.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rtc_shim {

// Sinks get PCM without its RTP timestamp, which is only known once the pull that fed them has returned.
// During a pull they leave their work here.
using AfterPull = std::function<void(int64_t rtp_timestamp, bool concealed)>;

// False when this thread is not inside a pull: then the work is not taken.
bool DeferUntilPulled(AfterPull& work);

class AudioPuller : public webrtc::AudioMixer {
 public:
  bool AddSource(Source* source) override;
  void RemoveSource(Source* source) override;
  void Mix(size_t channels, webrtc::AudioFrame* frame) override;

  void Pull();

 private:
  std::mutex mutex_;
  std::vector<Source*> sources_;
  webrtc::AudioFrame frame_;
};

class AudioDevice : public webrtc::webrtc_impl::AudioDeviceModuleDefault<webrtc::AudioDeviceModule> {
 public:
  AudioDevice(rtc::scoped_refptr<AudioPuller> puller, int period_ms);
  ~AudioDevice() override;

  int32_t PlayoutIsAvailable(bool* available) override;
  int32_t StereoPlayoutIsAvailable(bool* available) const override;
  int32_t StereoRecordingIsAvailable(bool* available) const override;
  int32_t StartPlayout() override;
  int32_t StopPlayout() override;
  bool Playing() const override { return playing_; }

 private:
  void Run();

  const rtc::scoped_refptr<AudioPuller> puller_;
  const int period_ms_;
  std::atomic<bool> playing_{false};
  std::thread thread_;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_AUDIO_DEVICE_H_
