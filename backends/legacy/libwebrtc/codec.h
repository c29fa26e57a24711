// What encoders and decoders share.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_CODEC_H_
#define BACKENDS_LEGACY_LIBWEBRTC_CODEC_H_

#include <api/video/video_codec_type.h>

#include <string>

#include "abi.h"

namespace rtc_shim {

constexpr int kMostCores = 256;

// Throws for a codec that there is not.
inline webrtc::VideoCodecType CodecType(int codec) {
  Require(codec >= RTC_VP8 && codec <= RTC_H264, "unknown video codec");
  return codec == RTC_VP8   ? webrtc::kVideoCodecVP8
         : codec == RTC_VP9 ? webrtc::kVideoCodecVP9
                            : webrtc::kVideoCodecH264;
}

inline Error CodecFailure(const char* what, int code) {
  return {RTC_ERR_OPERATION_FAILED, std::string(what) + " (libwebrtc code " + std::to_string(code) + ")"};
}

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_CODEC_H_
