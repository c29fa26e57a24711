// A jitter buffer which aims at a fixed delay instead of an adaptive one: the only way below libwebrtc's 45
// ms.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_NETEQ_H_
#define BACKENDS_LEGACY_LIBWEBRTC_NETEQ_H_

#include <api/neteq/neteq_factory.h>

#include <memory>

namespace rtc_shim {

std::unique_ptr<webrtc::NetEqFactory> NewFixedDelayNetEq(int delay_ms);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_NETEQ_H_
