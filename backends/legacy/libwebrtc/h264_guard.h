// H264 bitstreams that would make libwebrtc abort the process are refused.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_H264_GUARD_H_
#define BACKENDS_LEGACY_LIBWEBRTC_H264_GUARD_H_

#include <api/video_codecs/video_decoder.h>
#include <api/video_codecs/video_decoder_factory.h>

#include <memory>

namespace rtc_shim {

// libwebrtc's H264 decoder; null if it was built without.
std::unique_ptr<webrtc::VideoDecoder> NewH264Decoder();

// libwebrtc's decoders for calls.
std::unique_ptr<webrtc::VideoDecoderFactory> NewVideoDecoders();

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_H264_GUARD_H_
