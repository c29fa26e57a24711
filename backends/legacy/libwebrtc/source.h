// What the application sends: PCM and pictures pushed by it.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_SOURCE_H_
#define BACKENDS_LEGACY_LIBWEBRTC_SOURCE_H_

#include <api/media_stream_interface.h>
#include <api/video/i420_buffer.h>

#include <atomic>
#include <memory>
#include <string>

#include "abi.h"
#include "factory.h"
#include "handles.h"

namespace rtc_shim {

class PcmSource;
class FrameSource;

class Source final : public Object {
 public:
  static constexpr Type kType = Type::kSource;

  static std::shared_ptr<Source> NewAudio(std::shared_ptr<Factory> factory);
  static std::shared_ptr<Source> NewVideo(std::shared_ptr<Factory> factory, bool screencast, bool adaptation);
  Source(std::shared_ptr<Factory> factory, rtc::scoped_refptr<PcmSource> audio,
         rtc::scoped_refptr<FrameSource> video);
  ~Source() override;

  const Object* factory_object() const override { return factory_.get(); }
  cricket::MediaType media_type() const;

  // A track fed by this source; an empty id is replaced by a random one. On the signaling thread.
  rtc::scoped_refptr<webrtc::MediaStreamTrackInterface> NewTrack(const std::string& id);

  PcmSource& audio() const;
  FrameSource& video() const;

  std::atomic<int64_t> pushed{0};
  std::atomic<int64_t> dropped{0};

 private:
  const std::shared_ptr<Factory> factory_;
  const rtc::scoped_refptr<PcmSource> audio_;
  const rtc::scoped_refptr<FrameSource> video_;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_SOURCE_H_
