// From one pixel format to another, at the same size.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_RECOLOUR_H_
#define BACKENDS_LEGACY_LIBWEBRTC_RECOLOUR_H_

#include "picture.h"

namespace rtc_shim {

// What Y, U and V mean, on whichever side has them.
struct Colour {
  int matrix;  // rtc_matrix
  bool full;   // 0 to 255 instead of 16 to 235 and 240
};

// Any format to any other. The pictures have the same size and do not overlap.
void Recolour(const View& src, const View& dst, Colour colour);

// What libyuv has in one pass; false when it has nothing.
bool YuvToRgb(const View& src, const View& dst, Colour colour);
bool RgbToYuv(const View& src, const View& dst, Colour colour);
bool RgbToRgb(const View& src, const View& dst);
bool YuvToYuv(const View& src, const View& dst);

// RTC_ARGB to any YUV with any matrix, rounded exactly: libyuv has BT.601 alone, and not to every format.
void ArgbToYuvExactly(const View& src, const View& dst, Colour colour);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_RECOLOUR_H_
