#include "factory.h"

#include <api/audio_codecs/L16/audio_decoder_L16.h>
#include <api/audio_codecs/L16/audio_encoder_L16.h>
#include <api/audio_codecs/audio_decoder_factory_template.h>
#include <api/audio_codecs/audio_encoder_factory_template.h>
#include <api/audio_codecs/g711/audio_decoder_g711.h>
#include <api/audio_codecs/g711/audio_encoder_g711.h>
#include <api/audio_codecs/g722/audio_decoder_g722.h>
#include <api/audio_codecs/g722/audio_encoder_g722.h>
#include <api/audio_codecs/opus/audio_decoder_multi_channel_opus.h>
#include <api/audio_codecs/opus/audio_decoder_opus.h>
#include <api/audio_codecs/opus/audio_encoder_multi_channel_opus.h>
#include <api/audio_codecs/opus/audio_encoder_opus.h>
#include <api/call/call_factory_interface.h>
#include <api/task_queue/default_task_queue_factory.h>
#include <api/transport/field_trial_based_config.h>
#include <api/video_codecs/builtin_video_encoder_factory.h>
#include <media/engine/webrtc_media_engine.h>
#include <rtc_base/ssl_adapter.h>
#include <rtc_base/ssl_stream_adapter.h>
#include <system_wrappers/include/field_trial.h>

#include <mutex>
#include <thread>

#include "audio_device.h"
#include "h264_guard.h"
#include "neteq.h"
#include "quiet.h"
#include "sctp.h"

namespace rtc_shim {

void InitializeOnce() {
  static std::once_flag once;
  QuietOnce();
  std::call_once(once, [] { rtc::InitializeSSL(); });
}

namespace {

using webrtc::FieldTrialBasedConfig;

// Field trials are global to libwebrtc, which keeps the pointer to the text.
class FieldTrials {
 public:
  static FieldTrials& Instance() {
    static FieldTrials* const trials = new FieldTrials;
    return *trials;
  }

  void Acquire(const std::string& text) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (text != text_) {
      if (users_ > 0) {
        throw Error(RTC_ERR_INVALID_STATE,
                    "field trials are process-wide: free the factories with others first");
      }
      if (!webrtc::field_trial::FieldTrialsStringIsValid(text.c_str())) {
        throw Error(RTC_ERR_INVALID_PARAMETER, "field trials are not of the form Name/Value/");
      }
      text_ = text;
      webrtc::field_trial::InitFieldTrialsFromString(text_.c_str());
    }
    ++users_;
  }

  void Release() {
    std::lock_guard<std::mutex> lock(mutex_);
    --users_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
  int users_ = 0;
};

// libsrtp runs 45 ms of self-tests whenever its number of sessions goes from 0 to 1: one session is held for
// the life of the factory.
std::unique_ptr<cricket::SrtpSession> NewSrtpKeepalive() {
  static constexpr uint8_t kKey[30] = {1};
  auto session = std::make_unique<cricket::SrtpSession>();
  session->SetSend(rtc::kSrtpAes128CmSha1_80, kKey, sizeof(kKey), {});
  return session;
}

// The built-in factories of this build lack Opus.
rtc::scoped_refptr<webrtc::AudioEncoderFactory> NewAudioEncoders() {
  return webrtc::CreateAudioEncoderFactory<webrtc::AudioEncoderOpus, webrtc::AudioEncoderMultiChannelOpus,
                                           webrtc::AudioEncoderG722, webrtc::AudioEncoderG711,
                                           webrtc::AudioEncoderL16>();
}

rtc::scoped_refptr<webrtc::AudioDecoderFactory> NewAudioDecoders() {
  return webrtc::CreateAudioDecoderFactory<webrtc::AudioDecoderOpus, webrtc::AudioDecoderMultiChannelOpus,
                                           webrtc::AudioDecoderG722, webrtc::AudioDecoderG711,
                                           webrtc::AudioDecoderL16>();
}

rtc_factory_options Checked(const rtc_factory_options* given) {
  rtc_factory_options options = {1, nullptr, 0, 0};
  if (given) options = *given;
  if (options.playout_period_ms == 0) options.playout_period_ms = 10;
  const int period = options.playout_period_ms;
  Require(period >= 10 && period <= 100 && period % 10 == 0, "playout_period_ms must be 10, 20, ... 100");
  Require(options.neteq_fixed_delay_ms >= 0 && options.neteq_fixed_delay_ms <= 2000,
          "neteq_fixed_delay_ms must be 0 to 2000");
  return options;
}

}  // namespace

int ErrorCode(webrtc::RTCErrorType type) { return -static_cast<int>(type); }

void ThrowIfError(const webrtc::RTCError& error) {
  if (!error.ok()) throw Error(ErrorCode(error.type()), error.message());
}

std::shared_ptr<Factory> Factory::Create(const rtc_factory_options& options) {
  InitializeOnce();
  FieldTrials::Instance().Acquire(Text(options.field_trials));
  return std::shared_ptr<Factory>(new Factory(options), &Factory::Delete);
}

Factory::Factory(const rtc_factory_options& options)
    : media_(options.media != 0), srtp_keepalive_(NewSrtpKeepalive()) {
  StartThreads();
  webrtc::PeerConnectionFactoryDependencies dependencies;
  dependencies.network_thread = network_.get();
  dependencies.worker_thread = worker_.get();
  dependencies.signaling_thread = signaling_.get();
  dependencies.task_queue_factory = webrtc::CreateDefaultTaskQueueFactory();
  dependencies.trials = std::make_unique<FieldTrialBasedConfig>();
  dependencies.sctp_factory = NewSctpFactory(network_.get());
  if (media_) AddMedia(options, dependencies);
  factory_ = webrtc::CreateModularPeerConnectionFactory(std::move(dependencies));
  webrtc::PeerConnectionFactoryInterface::Options factory_options;
  factory_options.network_ignore_mask = 0;  // gather loopback, too
  factory_->SetOptions(factory_options);
}

void Factory::StartThreads() {
  network_ = rtc::Thread::CreateWithSocketServer();
  worker_ = rtc::Thread::Create();
  signaling_ = rtc::Thread::Create();
  network_->SetName("rtc_network", nullptr);
  worker_->SetName("rtc_worker", nullptr);
  signaling_->SetName("rtc_signaling", nullptr);
  network_->Start();
  worker_->Start();
  signaling_->Start();
}

void Factory::AddMedia(const rtc_factory_options& options,
                       webrtc::PeerConnectionFactoryDependencies& dependencies) {
  puller_ = rtc::make_ref_counted<AudioPuller>();
  device_ = rtc::make_ref_counted<AudioDevice>(puller_, options.playout_period_ms);
  if (options.neteq_fixed_delay_ms > 0) {
    dependencies.neteq_factory = NewFixedDelayNetEq(options.neteq_fixed_delay_ms);
  }
  cricket::MediaEngineDependencies media;
  media.task_queue_factory = dependencies.task_queue_factory.get();
  media.adm = device_;
  media.audio_mixer = puller_;
  media.audio_encoder_factory = NewAudioEncoders();
  media.audio_decoder_factory = NewAudioDecoders();
  media.video_encoder_factory = webrtc::CreateBuiltinVideoEncoderFactory();
  media.video_decoder_factory = NewVideoDecoders();
  media.trials = dependencies.trials.get();
  dependencies.media_engine = cricket::CreateMediaEngine(std::move(media));
  dependencies.call_factory = webrtc::CreateCallFactory();
}

void Factory::RequireMedia() const {
  if (!media_) throw Error(RTC_ERR_UNSUPPORTED_OPERATION, "this factory was made for data channels only");
}

void Factory::Shutdown() {
  const auto children = Registry::Instance().TakeIf(
      [this](const Object& object) { return object.factory_object() == static_cast<const Object*>(this); });
  for (const auto& child : children) child->Shutdown();
  // Tasks still queued may hold references to the children: let them finish here, so that the last reference
  // is ours.
  signaling_->BlockingCall([] {});
}

bool Factory::OnOwnThread() const {
  return network_->IsCurrent() || worker_->IsCurrent() || signaling_->IsCurrent();
}

// The last reference may go away on one of our own threads, which cannot join itself.
void Factory::Delete(Factory* factory) {
  if (factory->OnOwnThread()) {
    std::thread([factory] { delete factory; }).detach();
  } else {
    delete factory;
  }
}

Factory::~Factory() {
  factory_ = nullptr;
  worker_->BlockingCall([this] { device_ = nullptr; });
  puller_ = nullptr;
  signaling_->Stop();
  worker_->Stop();
  network_->Stop();
  FieldTrials::Instance().Release();
}

}  // namespace rtc_shim

using rtc_shim::Factory;
using rtc_shim::Guard;
using rtc_shim::Object;
using rtc_shim::Registry;
using rtc_shim::Type;

extern "C" {

int64_t rtc_factory_new(const rtc_factory_options* options) {
  return Guard([&] { return Registry::Instance().Add(Factory::Create(rtc_shim::Checked(options))); });
}

int rtc_factory_free(int64_t factory) {
  return Guard([&] {
    Registry::Instance().Take<Factory>(factory)->Shutdown();
    return int{RTC_OK};
  });
}

int rtc_shutdown_all(void) {
  return Guard([] {
    Registry& registry = Registry::Instance();
    for (const auto& factory : registry.TakeType(Type::kFactory)) factory->Shutdown();
    for (const auto& object : registry.TakeIf([](const Object&) { return true; })) object->Shutdown();
    return int{RTC_OK};
  });
}

}  // extern "C"
