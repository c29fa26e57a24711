// rtc_decoder_*: libwebrtc's VP8 and VP9 decoders (libvpx) and its H264 decoder (FFmpeg).
#include <api/video/encoded_image.h>
#include <api/video/video_frame.h>
#include <api/video_codecs/video_decoder.h>
#include <libyuv.h>
#include <modules/video_coding/codecs/vp8/include/vp8.h>
#include <modules/video_coding/codecs/vp9/include/vp9.h>
#include <modules/video_coding/include/video_error_codes.h>

#include <limits>
#include <memory>
#include <mutex>

#include "codec.h"
#include "h264_guard.h"
#include "handles.h"
#include "picture.h"
#include "quiet.h"

namespace rtc_shim {
namespace {

using webrtc::VideoDecoder;
using webrtc::VideoFrameBuffer;

constexpr int kVideoClock = 90000, kFramerate = 30;
constexpr int kUnknownMatrix = 2;

// The caller's bytes, for the time of a call.
class Bytes : public webrtc::EncodedImageBufferInterface {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  const uint8_t* data() const override { return data_; }
  uint8_t* data() override { return const_cast<uint8_t*>(data_); }  // no decoder writes
  size_t size() const override { return size_; }

 private:
  const uint8_t* const data_;
  const size_t size_;
};

std::unique_ptr<VideoDecoder> NewDecoder(int codec) {
  QuietOnce();
  if (codec == RTC_VP8) return webrtc::VP8Decoder::Create();
  if (codec == RTC_VP9) return webrtc::VP9Decoder::Create();
  return NewH264Decoder();
}

template <typename Buffer>
View Planes(const Buffer* buffer, int format) {
  View view;
  view.format = format;
  view.width = buffer->width();
  view.height = buffer->height();
  const void* const planes[] = {buffer->DataY(), buffer->DataU(), buffer->DataV()};
  for (int plane = 0; plane < 3; ++plane) {
    view.data[plane] = const_cast<uint8_t*>(static_cast<const uint8_t*>(planes[plane]));
  }
  const int bytes = LayoutOf(format).sample_bytes;
  view.stride = {buffer->StrideY() * bytes, buffer->StrideU() * bytes, buffer->StrideV() * bytes};
  return view;
}

// A decoded picture, in a format of rtc_pixel_format.
class Picture {
 public:
  explicit Picture(rtc::scoped_refptr<VideoFrameBuffer> buffer) : buffer_(std::move(buffer)) {
    switch (buffer_->type()) {
      case VideoFrameBuffer::Type::kI422:
        view_ = Planes(buffer_->GetI422(), RTC_I422);
        return;
      case VideoFrameBuffer::Type::kI444:
        view_ = Planes(buffer_->GetI444(), RTC_I444);
        return;
      case VideoFrameBuffer::Type::kI010:
        view_ = Planes(buffer_->GetI010(), RTC_I010);
        return;
      default:
        // Also whatever is in memory of its own kind.
        buffer_ = buffer_->ToI420();
        Require(buffer_ != nullptr, "the decoded picture cannot be mapped");
        view_ = Planes(buffer_->GetI420(), RTC_I420);
    }
  }

  const View& view() const { return view_; }

  void CopyTo(const View& to) const {
    for (int plane = 0; plane < LayoutOf(view_.format).planes; ++plane) {
      libyuv::CopyPlane(view_.data[plane], view_.stride[plane], to.data[plane], to.stride[plane],
                        static_cast<int>(view_.row_bytes(plane)), view_.plane_height(plane));
    }
  }

 private:
  rtc::scoped_refptr<VideoFrameBuffer> buffer_;
  View view_;
};

class Decoder final : public Object, private webrtc::DecodedImageCallback {
 public:
  static constexpr Type kType = Type::kDecoder;

  Decoder(int codec, int cores) : codec_(codec), cores_(cores) {
    Start();
    name_ = decoder_->GetDecoderInfo().implementation_name;
  }
  ~Decoder() override { Stop(); }

  const std::string& name() const { return name_; }

  int Decode(const uint8_t* data, size_t size, bool key_frame, rtc_decoded& out) {
    std::lock_guard<std::mutex> lock(mutex_);
    picture_ = nullptr;
    if (!decoder_) Start();
    webrtc::EncodedImage image;
    image.SetEncodedData(rtc::make_ref_counted<Bytes>(data, size));
    image.SetTimestamp(time_ += kVideoClock / kFramerate);
    image._frameType =
        key_frame ? webrtc::VideoFrameType::kVideoFrameKey : webrtc::VideoFrameType::kVideoFrameDelta;
    const int code = decoder_->Decode(image, false, 0);
    if (code < 0) {
      Stop();
      throw CodecFailure("the bitstream is damaged, or what it refers to is missing", code);
    }
    return Describe(out);
  }

  void Take(const View& to) {
    std::lock_guard<std::mutex> lock(mutex_);
    Require(picture_ != nullptr, "there is no decoded picture");
    const View& from = picture_->view();
    Require(to.format == from.format && to.width == from.width && to.height == from.height,
            "the decoded picture has another format or size");
    picture_->CopyTo(to);
    picture_ = nullptr;  // the decoder has few buffers
  }

 private:
  void Start() {
    auto decoder = NewDecoder(codec_);
    VideoDecoder::Settings settings;
    settings.set_codec_type(CodecType(codec_));
    settings.set_number_of_cores(cores_);
    if (!decoder || !decoder->Configure(settings)) {
      throw Error(RTC_ERR_UNSUPPORTED_PARAMETER, "this libwebrtc has no such decoder");
    }
    decoder->RegisterDecodeCompleteCallback(this);
    decoder_ = std::move(decoder);
  }

  // What a decoder remembers of a damaged stream is not to be relied on.
  void Stop() {
    picture_ = nullptr;
    if (decoder_) decoder_->Release();
    decoder_ = nullptr;
  }

  int Describe(rtc_decoded& out) const {
    if (!picture_) return 0;
    const View& view = picture_->view();
    out = {view.format, view.width, view.height, range_, matrix_};
    return 1;
  }

  // Called within Decode.
  int32_t Decoded(webrtc::VideoFrame& frame) override {
    const auto& colour = frame.color_space();
    range_ = colour ? static_cast<int>(colour->range()) : 0;
    matrix_ = colour ? static_cast<int>(colour->matrix()) : kUnknownMatrix;
    picture_ = std::make_unique<Picture>(frame.video_frame_buffer());
    return WEBRTC_VIDEO_CODEC_OK;
  }
  int32_t Decoded(webrtc::VideoFrame& frame, int64_t) override { return Decoded(frame); }
  void Decoded(webrtc::VideoFrame& frame, absl::optional<int32_t>, absl::optional<uint8_t>) override {
    Decoded(frame);
  }

  const int codec_;
  const int cores_;
  std::mutex mutex_;
  std::unique_ptr<VideoDecoder> decoder_;
  std::string name_;
  uint32_t time_ = 0;
  std::unique_ptr<Picture> picture_;
  int range_ = 0;
  int matrix_ = kUnknownMatrix;
};

}  // namespace
}  // namespace rtc_shim

extern "C" {

using namespace rtc_shim;  // NOLINT: the whole file belongs to it

int64_t rtc_decoder_new(int codec, int cores) {
  return Guard([&]() -> int64_t {
    CodecType(codec);
    Require(cores >= 1 && cores <= kMostCores, "cores is not 1 to 256");
    return Registry::Instance().Add(std::make_shared<Decoder>(codec, cores));
  });
}

int rtc_decoder_decode(int64_t decoder, const uint8_t* data, size_t size, int key_frame, rtc_decoded* out) {
  return Guard([&] {
    const auto found = Find<Decoder>(decoder);
    Require(data != nullptr && size > 0, "there are no bytes to decode");
    Require(size <= static_cast<size_t>(std::numeric_limits<int>::max() / 2), "there are too many bytes to decode");
    Require(out != nullptr, "out is NULL");
    return found->Decode(data, size, key_frame != 0, *out);
  });
}

int rtc_decoder_take(int64_t decoder, const rtc_picture* dst) {
  return Guard([&] {
    const auto found = Find<Decoder>(decoder);
    found->Take(Checked(dst));
    return int{RTC_OK};
  });
}

int64_t rtc_decoder_name(int64_t decoder) {
  return Guard([&]() -> int64_t { return NewString(Find<Decoder>(decoder)->name()); });
}

int rtc_decoder_free(int64_t decoder) {
  return Guard([&] {
    Registry::Instance().Take<Decoder>(decoder);
    return int{RTC_OK};
  });
}

}  // extern "C"
