// libwebrtc gives FFmpeg its own memory for pictures, and checks, by aborting, that it knows their format, and that
// they lie within: RGB, 4:4:4 of 10 bits, or pictures cropped at the left or the top, from whoever is at the other end,
// would end the process. Sequence parameter sets tell before.
#include "h264_guard.h"

#include <api/video/encoded_image.h>
#include <api/video_codecs/builtin_video_decoder_factory.h>
#include <api/video_codecs/sdp_video_format.h>
#include <common_video/h264/h264_common.h>
#include <media/base/media_constants.h>
#include <modules/video_coding/codecs/h264/include/h264.h>
#include <modules/video_coding/include/video_error_codes.h>
#include <rtc_base/bitstream_reader.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace rtc_shim {
namespace {

using webrtc::BitstreamReader;

constexpr uint32_t kHighProfiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
constexpr uint32_t kChroma420 = 1, kChroma422 = 2, kChroma444 = 3;
constexpr uint32_t kMostInOrderCount = 255;
constexpr uint32_t kExtendedAspect = 255;
constexpr uint32_t kMatrixRgb = 0, kMatrixUnknown = 2;

struct Samples {
  uint32_t chroma = kChroma420;
  uint32_t luma_bits = 8;
  uint32_t chroma_bits = 8;
  uint32_t matrix = kMatrixUnknown;
  bool shifted = false;

  // As in libwebrtc's list of formats.
  bool Known() const {
    if (luma_bits != chroma_bits || shifted) return false;
    if (luma_bits == 10) return chroma == kChroma420 || chroma == kChroma422;
    return luma_bits == 8 && chroma <= kChroma444 && (chroma != kChroma444 || matrix != kMatrixRgb);
  }
};

// ITU-T H.264 section 7.3.2.1.1.1.
void SkipScalingLists(BitstreamReader& reader, int lists) {
  for (int list = 0; list < lists && reader.Ok(); ++list) {
    if (reader.ReadBit() == 0) continue;
    int last = 8, next = 8;
    for (int place = list < 6 ? 16 : 64; place > 0 && next != 0 && reader.Ok(); --place) {
      next = (last + reader.ReadSignedExponentialGolomb()) & 0xFF;
      if (next != 0) last = next;
    }
  }
}

void ReadHighProfile(BitstreamReader& reader, Samples& samples) {
  samples.chroma = reader.ReadExponentialGolomb();
  if (samples.chroma == kChroma444) reader.ConsumeBits(1);  // separate_colour_plane_flag
  samples.luma_bits = 8 + reader.ReadExponentialGolomb();
  samples.chroma_bits = 8 + reader.ReadExponentialGolomb();
  reader.ConsumeBits(1);  // qpprime_y_zero_transform_bypass_flag
  if (reader.ReadBit() != 0) SkipScalingLists(reader, samples.chroma == kChroma444 ? 12 : 8);
}

void SkipOrderCount(BitstreamReader& reader) {
  const uint32_t type = reader.ReadExponentialGolomb();
  if (type == 0) reader.ReadExponentialGolomb();
  if (type != 1) return;
  reader.ConsumeBits(1);
  reader.ReadSignedExponentialGolomb();
  reader.ReadSignedExponentialGolomb();
  const uint32_t cycle = reader.ReadExponentialGolomb();
  if (cycle > kMostInOrderCount) reader.Invalidate();
  for (uint32_t i = 0; i < cycle && reader.Ok(); ++i) reader.ReadSignedExponentialGolomb();
}

// Returns whether something is cropped at the left or the top.
bool ReadSize(BitstreamReader& reader) {
  reader.ReadExponentialGolomb();  // max_num_ref_frames
  reader.ConsumeBits(1);
  reader.ReadExponentialGolomb();
  reader.ReadExponentialGolomb();
  if (reader.ReadBit() == 0) reader.ConsumeBits(1);  // mb_adaptive_frame_field_flag
  reader.ConsumeBits(1);
  if (reader.ReadBit() == 0) return false;
  const bool left = reader.ReadExponentialGolomb() != 0;
  reader.ReadExponentialGolomb();
  const bool top = reader.ReadExponentialGolomb() != 0;
  reader.ReadExponentialGolomb();
  return left || top;
}

// ITU-T H.264 section E.1.1.
uint32_t ReadMatrix(BitstreamReader& reader) {
  if (reader.ReadBit() != 0 && reader.ReadBits(8) == kExtendedAspect) reader.ConsumeBits(32);
  if (reader.ReadBit() != 0) reader.ConsumeBits(1);  // overscan
  if (reader.ReadBit() == 0) return kMatrixUnknown;
  reader.ConsumeBits(4);
  if (reader.ReadBit() == 0) return kMatrixUnknown;
  reader.ConsumeBits(16);
  return static_cast<uint32_t>(reader.ReadBits(8));
}

// ITU-T H.264 section 7.3.2.1.1.
bool IsKnownSps(const std::vector<uint8_t>& rbsp) {
  BitstreamReader reader(rbsp);
  Samples samples;
  const auto profile = static_cast<uint32_t>(reader.ReadBits(8));
  reader.ConsumeBits(16);
  reader.ReadExponentialGolomb();
  if (std::find(std::begin(kHighProfiles), std::end(kHighProfiles), profile) != std::end(kHighProfiles)) {
    ReadHighProfile(reader, samples);
  }
  reader.ReadExponentialGolomb();  // log2_max_frame_num_minus4
  SkipOrderCount(reader);
  samples.shifted = ReadSize(reader);
  if (reader.ReadBit() != 0) samples.matrix = ReadMatrix(reader);
  return reader.Ok() && samples.Known();
}

// Without a start code FFmpeg may take it for another form, which has parameter sets that are not seen here.
bool IsHarmless(const uint8_t* data, size_t size) {
  static constexpr uint8_t kStartCode[] = {0, 0, 0, 1};
  const bool is_long = size >= 4 && std::equal(kStartCode, kStartCode + 4, data);
  const bool is_short = size >= 3 && std::equal(kStartCode + 1, kStartCode + 4, data);
  if (!is_long && !is_short) return false;
  const auto units = webrtc::H264::FindNaluIndices(data, size);
  return std::all_of(units.begin(), units.end(), [data](const auto& unit) {
    const uint8_t* start = data + unit.payload_start_offset;
    if (unit.payload_size == 0 || webrtc::H264::ParseNaluType(*start) != webrtc::H264::kSps) return true;
    return IsKnownSps(webrtc::H264::ParseRbsp(start + 1, unit.payload_size - 1));
  });
}

class GuardedH264 final : public webrtc::VideoDecoder {
 public:
  explicit GuardedH264(std::unique_ptr<VideoDecoder> decoder) : decoder_(std::move(decoder)) {}

  bool Configure(const Settings& settings) override { return decoder_->Configure(settings); }
  int32_t Decode(const webrtc::EncodedImage& image, bool missing_frames, int64_t render_time_ms) override {
    if (!image.data() || !IsHarmless(image.data(), image.size())) return WEBRTC_VIDEO_CODEC_ERROR;
    return decoder_->Decode(image, missing_frames, render_time_ms);
  }
  int32_t RegisterDecodeCompleteCallback(webrtc::DecodedImageCallback* callback) override {
    return decoder_->RegisterDecodeCompleteCallback(callback);
  }
  int32_t Release() override { return decoder_->Release(); }
  DecoderInfo GetDecoderInfo() const override { return decoder_->GetDecoderInfo(); }

 private:
  const std::unique_ptr<VideoDecoder> decoder_;
};

class GuardedFactory final : public webrtc::VideoDecoderFactory {
 public:
  std::vector<webrtc::SdpVideoFormat> GetSupportedFormats() const override {
    return builtin_->GetSupportedFormats();
  }
  CodecSupport QueryCodecSupport(const webrtc::SdpVideoFormat& format, bool reference_scaling) const override {
    return builtin_->QueryCodecSupport(format, reference_scaling);
  }
  std::unique_ptr<webrtc::VideoDecoder> CreateVideoDecoder(const webrtc::SdpVideoFormat& format) override {
    auto decoder = builtin_->CreateVideoDecoder(format);
    if (!decoder || format.name != cricket::kH264CodecName) return decoder;
    return std::make_unique<GuardedH264>(std::move(decoder));
  }

 private:
  const std::unique_ptr<webrtc::VideoDecoderFactory> builtin_ = webrtc::CreateBuiltinVideoDecoderFactory();
};

}  // namespace

std::unique_ptr<webrtc::VideoDecoder> NewH264Decoder() {
  auto decoder = webrtc::H264Decoder::Create();
  return decoder ? std::make_unique<GuardedH264>(std::move(decoder)) : nullptr;
}

std::unique_ptr<webrtc::VideoDecoderFactory> NewVideoDecoders() { return std::make_unique<GuardedFactory>(); }

}  // namespace rtc_shim
