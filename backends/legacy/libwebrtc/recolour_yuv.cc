// Between the YUV formats. Range and matrix stay.
#include <libyuv.h>

#include "recolour.h"

namespace rtc_shim {
namespace {

constexpr int kTenToEight = 16384;

bool IsPlanar8(int format) { return format == RTC_I420 || format == RTC_I422 || format == RTC_I444; }

void CopyLuma(const View& src, const View& dst) {
  libyuv::CopyPlane(src.data[0], src.stride[0], dst.data[0], dst.stride[0], src.width, src.height);
}

void Resample(const View& src, const View& dst) {
  CopyLuma(src, dst);
  for (int plane = 1; plane < 3; ++plane) {
    libyuv::ScalePlane(src.data[plane], src.stride[plane], src.plane_width(plane), src.plane_height(plane),
                       dst.data[plane], dst.stride[plane], dst.plane_width(plane), dst.plane_height(plane),
                       libyuv::kFilterBox);
  }
}

void Merge(const View& src, const View& dst) {
  CopyLuma(src, dst);
  libyuv::MergeUVPlane(src.data[1], src.stride[1], src.data[2], src.stride[2], dst.data[1], dst.stride[1],
                       dst.plane_width(1), dst.plane_height(1));
}

void Split(const View& src, const View& dst) {
  CopyLuma(src, dst);
  libyuv::SplitUVPlane(src.data[1], src.stride[1], dst.data[1], dst.stride[1], dst.data[2], dst.stride[2],
                       dst.plane_width(1), dst.plane_height(1));
}

void Narrow(const View& src, const View& dst) {
  for (int plane = 0; plane < 3; ++plane) {
    libyuv::Convert16To8Plane(src.wide(plane), src.stride[plane] / 2, dst.data[plane], dst.stride[plane],
                              kTenToEight, src.plane_width(plane), src.plane_height(plane));
  }
}

// libyuv's Convert8To16Plane copies the upper bits into the lower ones, which is right for full range alone.
void Widen(const View& src, const View& dst) {
  for (int plane = 0; plane < 3; ++plane) {
    for (int y = 0; y < src.plane_height(plane); ++y) {
      const uint8_t* in = src.data[plane] + static_cast<ptrdiff_t>(y) * src.stride[plane];
      uint16_t* out =
          reinterpret_cast<uint16_t*>(dst.data[plane] + static_cast<ptrdiff_t>(y) * dst.stride[plane]);
      for (int x = 0; x < src.plane_width(plane); ++x) out[x] = static_cast<uint16_t>(in[x] << 2);
    }
  }
}

}  // namespace

bool YuvToYuv(const View& src, const View& dst) {
  if (IsPlanar8(src.format) && IsPlanar8(dst.format)) {
    Resample(src, dst);
  } else if (src.format == RTC_I420 && dst.format == RTC_NV12) {
    Merge(src, dst);
  } else if (src.format == RTC_NV12 && dst.format == RTC_I420) {
    Split(src, dst);
  } else if (src.format == RTC_I010 && dst.format == RTC_I420) {
    Narrow(src, dst);
  } else if (src.format == RTC_I420 && dst.format == RTC_I010) {
    Widen(src, dst);
  } else {
    return false;
  }
  return true;
}

}  // namespace rtc_shim
