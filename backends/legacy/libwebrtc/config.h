#ifndef BACKENDS_LEGACY_LIBWEBRTC_CONFIG_H_
#define BACKENDS_LEGACY_LIBWEBRTC_CONFIG_H_

#include <api/peer_connection_interface.h>

#include <mutex>

#include "handles.h"

namespace rtc_shim {

using RtcConfiguration = webrtc::PeerConnectionInterface::RTCConfiguration;

RtcConfiguration DefaultConfiguration();

// Throws when the ICE timeouts do not fit together.
void RequireValidIce(const RtcConfiguration& configuration);

class Config final : public Object {
 public:
  static constexpr Type kType = Type::kConfig;

  void AddIceServer(const char* url, const char* username, const char* credential);
  void SetInt(int key, int value);
  void AddCertificate(const char* private_key_pem, const char* certificate_pem);
  RtcConfiguration Copy() const;

 private:
  mutable std::mutex mutex_;
  RtcConfiguration configuration_ = DefaultConfiguration();
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_CONFIG_H_
