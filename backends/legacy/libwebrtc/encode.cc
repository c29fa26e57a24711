// rtc_encoder_*: libwebrtc's VP8, VP9 and H264 encoders, each without the adapters around it: these want to be
// called on one thread, and abort on another.
#define RTC_ENABLE_VP9  // as the archive was built
#include <api/field_trials_view.h>
#include <api/transport/field_trial_based_config.h>
#include <api/video/video_bitrate_allocation.h>
#include <api/video/video_frame.h>
#include <common_video/include/video_frame_buffer.h>
#include <libyuv.h>
#include <media/base/codec.h>
#include <media/base/media_constants.h>
#include <modules/video_coding/codecs/h264/include/h264.h>
#include <modules/video_coding/codecs/interface/libvpx_interface.h>
#include <modules/video_coding/codecs/vp8/include/vp8.h>
#include <modules/video_coding/codecs/vp9/libvpx_vp9_encoder.h>
#include <modules/video_coding/include/video_codec_initializer.h>
#include <modules/video_coding/include/video_codec_interface.h>
#include <modules/video_coding/include/video_error_codes.h>
#include <video/config/video_encoder_config.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <vector>

#include "codec.h"
#include "handles.h"
#include "picture.h"
#include "quiet.h"

namespace rtc_shim {
namespace {

using webrtc::VideoCodec;
using webrtc::VideoEncoder;
using webrtc::VideoEncoderConfig;

constexpr int kLeastBitrate = 1000, kMostSide = 16384, kMostFramerate = 1000, kMostLayers = 3;
constexpr int kFastestVp9 = 9, kMostComplexity = 3;
constexpr int kMaxQp = 56, kMaxQpH264 = 51;  // as in calls
constexpr int kPayloadSize = 1200;
constexpr int kVideoClock = 90000;
// The part of the rate up to and including a layer.
constexpr double kShares[kMostLayers][kMostLayers] = {{1.0}, {0.6, 1.0}, {0.4, 0.6, 1.0}};

// Process-wide field trials, with a speed of VP9 that belongs to one encoder.
class Vp9Trials final : public webrtc::FieldTrialsView {
 public:
  explicit Vp9Trials(int speed) : speed_(std::to_string(speed)) {}

  std::string Lookup(absl::string_view key) const override {
    if (key != "WebRTC-VP9-PerformanceFlags") return rest_.Lookup(key);
    return "min_pixel_count:0,base_layer_speed:" + speed_ + ",high_layer_speed:" + speed_ + ",deblock_mode:0";
  }

 private:
  const std::string speed_;
  const webrtc::FieldTrialBasedConfig rest_;
};

// NV12 of the caller, for the time of a call.
class Nv12View : public webrtc::NV12BufferInterface {
 public:
  explicit Nv12View(const View& view) : view_(view) {}

  int width() const override { return view_.width; }
  int height() const override { return view_.height; }
  const uint8_t* DataY() const override { return view_.data[0]; }
  const uint8_t* DataUV() const override { return view_.data[1]; }
  int StrideY() const override { return view_.stride[0]; }
  int StrideUV() const override { return view_.stride[1]; }

  rtc::scoped_refptr<webrtc::I420BufferInterface> ToI420() override {
    auto made = webrtc::I420Buffer::Create(width(), height());
    libyuv::NV12ToI420(DataY(), StrideY(), DataUV(), StrideUV(), made->MutableDataY(), made->StrideY(),
                       made->MutableDataU(), made->StrideU(), made->MutableDataV(), made->StrideV(), width(),
                       height());
    return made;
  }

 private:
  const View view_;
};

rtc::scoped_refptr<webrtc::VideoFrameBuffer> Wrapped(const View& view) {
  if (view.format == RTC_NV12) return rtc::make_ref_counted<Nv12View>(view);
  const auto wrapped =
      webrtc::WrapI420Buffer(view.width, view.height, view.data[0], view.stride[0], view.data[1], view.stride[1],
                             view.data[2], view.stride[2], [] {});
  if (view.stride[1] == view.stride[2]) return wrapped;
  return webrtc::I420Buffer::Copy(*wrapped);  // OpenH264 takes one stride for both, and would read past the end
}

std::unique_ptr<VideoEncoder> NewEncoder(const rtc_encoder_options& options) {
  QuietOnce();
  if (options.codec == RTC_VP8) return webrtc::VP8Encoder::Create();
  if (options.codec == RTC_H264) {
    cricket::VideoCodec codec(cricket::kH264CodecName);
    codec.SetParam(cricket::kH264FmtpPacketizationMode, "1");  // else every slice has to fit into a packet
    return webrtc::H264Encoder::Create(codec);
  }
  const cricket::VideoCodec codec(cricket::kVp9CodecName);
  auto libvpx = webrtc::LibvpxInterface::Create();
  if (options.speed < 0) {
    return std::make_unique<webrtc::LibvpxVp9Encoder>(codec, std::move(libvpx), webrtc::FieldTrialBasedConfig());
  }
  return std::make_unique<webrtc::LibvpxVp9Encoder>(codec, std::move(libvpx), Vp9Trials(options.speed));
}

void AddVp8(VideoEncoderConfig& config, int layers) {
  auto settings = VideoEncoder::GetDefaultVp8Settings();
  settings.numberOfTemporalLayers = static_cast<unsigned char>(layers);
  settings.automaticResizeOn = false;
  settings.keyFrameInterval = 0;
  config.encoder_specific_settings =
      rtc::make_ref_counted<VideoEncoderConfig::Vp8EncoderSpecificSettings>(settings);
}

void AddVp9(VideoEncoderConfig& config, int layers) {
  auto settings = VideoEncoder::GetDefaultVp9Settings();
  settings.numberOfTemporalLayers = static_cast<unsigned char>(layers);
  settings.numberOfSpatialLayers = 1;
  settings.automaticResizeOn = false;
  settings.keyFrameInterval = 0;
  config.encoder_specific_settings =
      rtc::make_ref_counted<VideoEncoderConfig::Vp9EncoderSpecificSettings>(settings);
}

webrtc::VideoStream Stream(const rtc_encoder_options& options, int max_qp) {
  webrtc::VideoStream stream;
  stream.width = options.width;
  stream.height = options.height;
  stream.max_framerate = std::max(1, static_cast<int>(std::lround(options.framerate)));
  stream.min_bitrate_bps = kLeastBitrate;
  stream.target_bitrate_bps = options.bitrate;
  stream.max_bitrate_bps = options.bitrate;
  stream.max_qp = max_qp;
  stream.num_temporal_layers = options.temporal_layers;
  stream.scale_resolution_down_by = 1;
  stream.active = true;
  return stream;
}

VideoCodec Settings(const rtc_encoder_options& options) {
  VideoEncoderConfig config;
  config.codec_type = CodecType(options.codec);
  config.video_format = webrtc::SdpVideoFormat(webrtc::CodecTypeToPayloadString(config.codec_type));
  config.content_type =
      options.screen ? VideoEncoderConfig::ContentType::kScreen : VideoEncoderConfig::ContentType::kRealtimeVideo;
  config.frame_drop_enabled = false;
  config.max_bitrate_bps = options.bitrate;
  config.min_transmit_bitrate_bps = 0;
  config.number_of_streams = 1;
  config.max_qp = options.codec == RTC_H264 ? kMaxQpH264 : kMaxQp;
  if (options.codec == RTC_VP8) AddVp8(config, options.temporal_layers);
  if (options.codec == RTC_VP9) AddVp9(config, options.temporal_layers);
  VideoCodec codec;
  if (!webrtc::VideoCodecInitializer::SetupCodec(config, {Stream(options, config.max_qp)}, &codec)) {
    throw Error(RTC_ERR_UNSUPPORTED_PARAMETER, "libwebrtc refuses these settings");
  }
  codec.startBitrate = std::max(1, options.bitrate / 1000);
  codec.maxBitrate = 0;  // rates are set later on, and may rise
  if (options.codec == RTC_H264) codec.H264()->numberOfTemporalLayers = options.temporal_layers;
  if (options.codec == RTC_VP8 && options.speed > 0) {
    codec.SetVideoEncoderComplexity(static_cast<webrtc::VideoCodecComplexity>(options.speed));
  }
  return codec;
}

int LayerOf(const webrtc::CodecSpecificInfo* info) {
  if (!info) return 0;
  const auto& specific = info->codecSpecific;
  const int layer = info->codecType == webrtc::kVideoCodecVP8   ? specific.VP8.temporalIdx
                    : info->codecType == webrtc::kVideoCodecVP9 ? specific.VP9.temporal_idx
                                                                : specific.H264.temporal_idx;
  return layer < kMostLayers ? layer : 0;  // libwebrtc's "none" is 255
}

// Of odd sides the last row or column is left out where the encoder would do so itself, or, for layers of VP9,
// complain to standard output for every picture.
bool IsEven(const rtc_encoder_options& options) {
  return options.codec == RTC_H264 || (options.codec == RTC_VP9 && options.temporal_layers > 1);
}

int Fitted(int side, bool even) { return even && side > 1 ? side & ~1 : side; }

Error Refusal(const char* what, int code) {
  return {RTC_ERR_UNSUPPORTED_PARAMETER, CodecFailure(what, code).what()};
}

class Encoder final : public Object, private webrtc::EncodedImageCallback {
 public:
  static constexpr Type kType = Type::kEncoder;

  explicit Encoder(const rtc_encoder_options& options)
      : even_(IsEven(options)), options_(options), encoder_(NewEncoder(options)) {
    options_.width = Fitted(options.width, even_);
    options_.height = Fitted(options.height, even_);
    if (!encoder_) throw Error(RTC_ERR_UNSUPPORTED_PARAMETER, "this libwebrtc has no such encoder");
    const int code = Start();
    if (code != WEBRTC_VIDEO_CODEC_OK) throw Refusal("libwebrtc refuses these settings", code);
    name_ = encoder_->GetEncoderInfo().implementation_name;
  }
  ~Encoder() override { encoder_->Release(); }

  const std::string& name() const { return name_; }

  void SetRates(int bitrate, double framerate) {
    std::lock_guard<std::mutex> lock(mutex_);
    options_.bitrate = bitrate;
    options_.framerate = framerate;
    ApplyRates();
  }

  int Encode(View view, bool key_frame, rtc_encoded& out) {
    view.width = Fitted(view.width, even_);
    view.height = Fitted(view.height, even_);
    std::lock_guard<std::mutex> lock(mutex_);
    image_ = {};
    if (view.width != options_.width || view.height != options_.height) stale_ = true;
    if (stale_) Restart(view.width, view.height);
    const auto frame = webrtc::VideoFrame::Builder()
                           .set_video_frame_buffer(Wrapped(view))
                           .set_timestamp_rtp(static_cast<uint32_t>(std::llround(clock_ * kVideoClock)))
                           .set_timestamp_us(std::llround(clock_ * 1e6))
                           .set_ntp_time_ms(std::llround(clock_ * 1e3))
                           .build();
    clock_ += 1 / options_.framerate;
    const std::vector<webrtc::VideoFrameType> types{key_frame ? webrtc::VideoFrameType::kVideoFrameKey
                                                              : webrtc::VideoFrameType::kVideoFrameDelta};
    const int code = encoder_->Encode(frame, &types);
    stale_ = code < 0;
    if (stale_) throw CodecFailure("the encoder failed", code);
    return Describe(out);
  }

 private:
  int Start() {
    const VideoCodec codec = Settings(options_);
    const VideoEncoder::Settings settings(VideoEncoder::Capabilities(false), options_.cores, kPayloadSize);
    const int code = encoder_->InitEncode(&codec, settings);
    if (code != WEBRTC_VIDEO_CODEC_OK) return code;
    encoder_->RegisterEncodeCompleteCallback(this);
    ApplyRates();
    return code;
  }

  void Restart(int width, int height) {
    stale_ = true;
    options_.width = width;
    options_.height = height;
    encoder_->Release();
    const int code = Start();
    if (code != WEBRTC_VIDEO_CODEC_OK) throw Refusal("the encoder does not take this size", code);
    stale_ = false;
  }

  void ApplyRates() {
    webrtc::VideoBitrateAllocation allocation;
    const double* shares = kShares[options_.temporal_layers - 1];
    uint32_t given = 0;
    for (int layer = 0; layer < options_.temporal_layers; ++layer) {
      const auto up_to = static_cast<uint32_t>(std::llround(options_.bitrate * shares[layer]));
      allocation.SetBitrate(0, layer, up_to - given);
      given = up_to;
    }
    // Less than 1 a second is ignored.
    const double framerate = std::max(1.0, options_.framerate);
    encoder_->SetRates({allocation, framerate, webrtc::DataRate::BitsPerSec(options_.bitrate)});
  }

  int Describe(rtc_encoded& out) const {
    if (!image_.data() || image_.size() == 0) return 0;
    out.data = image_.data();
    out.size = image_.size();
    out.key_frame = image_._frameType == webrtc::VideoFrameType::kVideoFrameKey;
    out.temporal_layer = layer_;
    out.width = static_cast<int>(image_._encodedWidth);
    out.height = static_cast<int>(image_._encodedHeight);
    return 1;
  }

  // Called within Encode. The bytes have their own count of references.
  Result OnEncodedImage(const webrtc::EncodedImage& image, const webrtc::CodecSpecificInfo* info) override {
    image_ = image;
    layer_ = LayerOf(info);
    return Result(Result::OK);
  }

  const bool even_;
  std::mutex mutex_;
  rtc_encoder_options options_;
  const std::unique_ptr<VideoEncoder> encoder_;
  std::string name_;
  double clock_ = 0;
  bool stale_ = false;
  webrtc::EncodedImage image_;
  int layer_ = 0;
};

void CheckRates(int bitrate, double framerate) {
  Require(bitrate >= kLeastBitrate, "bitrate is not 1000 or more");
  Require(framerate > 0 && framerate <= kMostFramerate, "framerate is not above 0 and at most 1000");
}

const rtc_encoder_options& CheckedOptions(const rtc_encoder_options* options) {
  Require(options != nullptr, "no options are given");
  CodecType(options->codec);
  Require(options->width > 0 && options->width <= kMostSide, "width is not 1 to 16384");
  Require(options->height > 0 && options->height <= kMostSide, "height is not 1 to 16384");
  CheckRates(options->bitrate, options->framerate);
  Require(options->temporal_layers >= 1 && options->temporal_layers <= kMostLayers,
          "temporal_layers is not 1 to 3");
  Require(options->cores >= 1 && options->cores <= kMostCores, "cores is not 1 to 256");
  const int fastest = options->codec == RTC_VP8 ? kMostComplexity : kFastestVp9;
  Require(options->speed >= RTC_SPEED_DEFAULT && options->speed <= fastest, "speed is out of the codec's range");
  return *options;
}

}  // namespace
}  // namespace rtc_shim

extern "C" {

using namespace rtc_shim;  // NOLINT: the whole file belongs to it

int64_t rtc_encoder_new(const rtc_encoder_options* options) {
  return Guard([&]() -> int64_t {
    return Registry::Instance().Add(std::make_shared<Encoder>(CheckedOptions(options)));
  });
}

int rtc_encoder_set_rates(int64_t encoder, int bitrate, double framerate) {
  return Guard([&] {
    const auto found = Find<Encoder>(encoder);
    CheckRates(bitrate, framerate);
    found->SetRates(bitrate, framerate);
    return int{RTC_OK};
  });
}

int rtc_encoder_encode(int64_t encoder, const rtc_picture* picture, int key_frame, rtc_encoded* out) {
  return Guard([&] {
    const auto found = Find<Encoder>(encoder);
    const View view = Checked(picture);
    Require(view.format == RTC_I420 || view.format == RTC_NV12, "the picture is neither I420 nor NV12");
    Require(out != nullptr, "out is NULL");
    return found->Encode(view, key_frame != 0, *out);
  });
}

int64_t rtc_encoder_name(int64_t encoder) {
  return Guard([&]() -> int64_t { return NewString(Find<Encoder>(encoder)->name()); });
}

int rtc_encoder_free(int64_t encoder) {
  return Guard([&] {
    Registry::Instance().Take<Encoder>(encoder);
    return int{RTC_OK};
  });
}

}  // extern "C"
