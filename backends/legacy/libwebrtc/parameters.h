#ifndef BACKENDS_LEGACY_LIBWEBRTC_PARAMETERS_H_
#define BACKENDS_LEGACY_LIBWEBRTC_PARAMETERS_H_

#include <api/rtp_parameters.h>

#include "abi.h"

namespace rtc_shim {

// Everything but the rid, which cannot change.
void ApplyEncoding(const rtc_encoding& from, webrtc::RtpEncodingParameters* to);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_PARAMETERS_H_
