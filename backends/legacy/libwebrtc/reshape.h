// Scaling, turning and mirroring: the pixel format stays.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_RESHAPE_H_
#define BACKENDS_LEGACY_LIBWEBRTC_RESHAPE_H_

#include "picture.h"

namespace rtc_shim {

// Not for 24-bit formats: libyuv has no good filter for them.
void Scale(const View& src, const View& dst);

// Clockwise, then exchanges left and right. Not for 24-bit formats and RTC_NV12, nor by a quarter for
// RTC_I422.
void Turn(const View& src, const View& dst, int rotation, bool mirror);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_RESHAPE_H_
