// rtc_processor_*: libwebrtc's audio processing module, on 16-bit sound and in place.
#include <api/scoped_refptr.h>
#include <modules/audio_processing/include/audio_processing.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>

#include "abi.h"
#include "factory.h"
#include "handles.h"

namespace rtc_shim {
namespace {

using webrtc::AudioProcessing;

constexpr int kLongestDelayMs = 500;

bool IsNativeRate(int rate) {
  for (const int known : AudioProcessing::kNativeSampleRatesHz) {
    if (rate == known) return true;
  }
  return false;
}

AudioProcessing::Config ConfigFor(const rtc_processor_options& options) {
  AudioProcessing::Config config;
  config.pipeline.multi_channel_capture = config.pipeline.multi_channel_render = options.channels > 1;
  config.echo_canceller.enabled = options.echo_cancellation != 0;
  config.high_pass_filter.enabled = options.high_pass != 0;
  // In the lowest band, whose coefficients let 0.7 % of an offset through: those of 48 kHz let 5 %.
  config.high_pass_filter.apply_in_full_band = false;
  config.noise_suppression.enabled = options.noise_suppression != RTC_NOISE_OFF;
  if (config.noise_suppression.enabled) {
    config.noise_suppression.level = static_cast<AudioProcessing::Config::NoiseSuppression::Level>(
        options.noise_suppression - RTC_NOISE_LOW);
  }
  config.gain_controller2.enabled = options.gain_control != 0;
  config.gain_controller2.adaptive_digital.enabled = options.gain_control != 0;
  return config;
}

class Processor final : public Object {
 public:
  static constexpr Type kType = Type::kProcessor;

  explicit Processor(const rtc_processor_options& options)
      : stream_(options.rate, options.channels), echo_(options.echo_cancellation != 0) {
    module_ = webrtc::AudioProcessingBuilder().SetConfig(ConfigFor(options)).Create();
    if (!module_) throw Error(RTC_ERR_INTERNAL_ERROR, "libwebrtc made no audio processing module");
    // Told in advance, so that the first block is not processed with other channels.
    webrtc::ProcessingConfig form;
    for (webrtc::StreamConfig& stream : form.streams) stream = stream_;
    Check(module_->Initialize(form));
  }

  void Run(int16_t* data, size_t size, int samples, bool reverse) {
    const int block = static_cast<int>(stream_.num_frames());
    Require(samples >= 0 && samples % block == 0, "samples is not a whole number of blocks of 10 ms");
    Require(samples == 0 || data != nullptr, "no samples are given");
    Require(size >= sizeof(int16_t) * samples * stream_.num_channels(), "the samples are shorter than said");
    Require(reinterpret_cast<uintptr_t>(data) % sizeof(int16_t) == 0, "samples are not aligned");
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int done = 0; done < samples; done += block, data += stream_.num_samples()) {
      Check(reverse ? Analyse(data) : Process(data));
    }
    // libwebrtc keeps the oldest that nobody has asked for.
    if (!reverse && samples > 0) stats_ = module_->GetStatistics();
  }

  void SetDelay(int milliseconds) {
    Require(milliseconds >= 0 && milliseconds <= kLongestDelayMs, "the delay is not 0 to 500 ms");
    const std::lock_guard<std::mutex> lock(mutex_);
    delay_ = milliseconds;
  }

  void Tell(rtc_processor_stats* stats) {
    const std::lock_guard<std::mutex> lock(mutex_);
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    stats->echo_return_loss = stats_.echo_return_loss.value_or(kUnknown);
    stats->echo_return_loss_enhancement = stats_.echo_return_loss_enhancement.value_or(kUnknown);
    stats->delay_ms = stats_.delay_ms ? *stats_.delay_ms : kUnknown;
  }

 private:
  int Process(int16_t* data) {
    if (echo_) module_->set_stream_delay_ms(delay_);
    return module_->ProcessStream(data, stream_, stream_, data);
  }

  int Analyse(int16_t* data) { return module_->ProcessReverseStream(data, stream_, stream_, data); }

  static void Check(int result) {
    if (result == AudioProcessing::kNoError || result == AudioProcessing::kBadStreamParameterWarning) return;
    throw Error(RTC_ERR_INTERNAL_ERROR, "libwebrtc's audio processing gave error " + std::to_string(result));
  }

  const webrtc::StreamConfig stream_;
  const bool echo_;
  std::mutex mutex_;
  int delay_ = 0;
  webrtc::AudioProcessingStats stats_;
  rtc::scoped_refptr<AudioProcessing> module_;
};

}  // namespace
}  // namespace rtc_shim

extern "C" {

using namespace rtc_shim;  // NOLINT: the whole file belongs to it

int64_t rtc_processor_new(const rtc_processor_options* options) {
  return Guard([&]() -> int64_t {
    Require(options != nullptr, "no options are given");
    Require(IsNativeRate(options->rate), "rate is not 8000, 16000, 32000 or 48000");
    Require(options->channels == 1 || options->channels == 2, "channels is not 1 or 2");
    Require(options->noise_suppression >= RTC_NOISE_OFF && options->noise_suppression <= RTC_NOISE_VERY_HIGH,
            "unknown level of noise suppression");
    InitializeOnce();
    return Registry::Instance().Add(std::make_shared<Processor>(*options));
  });
}

int rtc_processor_run(int64_t processor, int16_t* data, size_t size, int samples, int reverse) {
  return Guard([&] {
    Find<Processor>(processor)->Run(data, size, samples, reverse != 0);
    return int{RTC_OK};
  });
}

int rtc_processor_set_delay(int64_t processor, int milliseconds) {
  return Guard([&] {
    Find<Processor>(processor)->SetDelay(milliseconds);
    return int{RTC_OK};
  });
}

int rtc_processor_get_stats(int64_t processor, rtc_processor_stats* stats) {
  return Guard([&] {
    Require(stats != nullptr, "nowhere to put the statistics");
    Find<Processor>(processor)->Tell(stats);
    return int{RTC_OK};
  });
}

int rtc_processor_free(int64_t processor) {
  return Guard([&] {
    Registry::Instance().Take<Processor>(processor);
    return int{RTC_OK};
  });
}

}  // extern "C"
