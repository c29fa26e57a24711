#include "recolour.h"

#include <libyuv.h>

#include <algorithm>

namespace rtc_shim {
namespace {

// Rows of the picture between two passes: few enough to stay in the cache.
constexpr int kStrip = 16;

void Copy(const View& src, const View& dst) {
  for (int plane = 0; plane < LayoutOf(src.format).planes; ++plane) {
    libyuv::CopyPlane(src.data[plane], src.stride[plane], dst.data[plane], dst.stride[plane],
                      static_cast<int>(src.row_bytes(plane)), src.plane_height(plane));
  }
}

bool InOnePass(const View& src, const View& dst, Colour colour) {
  if (src.format == dst.format) {
    Copy(src, dst);
    return true;
  }
  if (!IsRgb(src.format)) return IsRgb(dst.format) ? YuvToRgb(src, dst, colour) : YuvToYuv(src, dst);
  if (IsRgb(dst.format)) return RgbToRgb(src, dst);
  if (RgbToYuv(src, dst, colour)) return true;
  if (src.format != RTC_ARGB) return false;
  ArgbToYuvExactly(src, dst, colour);
  return true;
}

void Pass(const View& src, const View& dst, Colour colour) {
  Require(InOnePass(src, dst, colour), "no conversion between these pixel formats");
}

}  // namespace

void Recolour(const View& src, const View& dst, Colour colour) {
  if (InOnePass(src, dst, colour)) return;
  const bool rgb = IsRgb(src.format) || IsRgb(dst.format);
  // Chroma that is interpolated needs its neighbours: strips would show.
  const int strip = rgb ? kStrip : src.height;
  const Canvas between(rgb ? RTC_ARGB : RTC_I420, src.width, std::min(strip, src.height));
  for (int top = 0; top < src.height; top += strip) {
    const int rows = std::min(strip, src.height - top);
    const View middle = between.view().Rows(0, rows);
    Pass(src.Rows(top, rows), middle, colour);
    Pass(middle, dst.Rows(top, rows), colour);
  }
}

}  // namespace rtc_shim
