// Between the YUV formats. Range and matrix stay.
#include <libyuv.h>

#include <algorithm>
#include <vector>

#include "recolour.h"

namespace rtc_shim {
namespace {

constexpr int kTenToEight = 16384;

bool IsPlanar8(int format) { return format == RTC_I420 || format == RTC_I422 || format == RTC_I444; }

void CopyLuma(const View& src, const View& dst) {
  libyuv::CopyPlane(src.data[0], src.stride[0], dst.data[0], dst.stride[0], src.width, src.height);
}

// Two samples of one axis, with weights in quarters.
struct Taps {
  int near, far;
  int near_weight, far_weight;
};

Taps TapsOf(int index, int size, int new_size) {
  if (new_size == size) return {index, index, 4, 0};
  if (new_size < size) return {2 * index, std::min(2 * index + 1, size - 1), 2, 2};
  return {index / 2, std::clamp(index / 2 + (index % 2 ? 1 : -1), 0, size - 1), 3, 1};
}

// Halves or doubles; libyuv's filters lie askew when a size is odd, and when it doubles the rows alone.
void ResamplePlane(const View& src, const View& dst, int plane) {
  const int width = dst.plane_width(plane), height = dst.plane_height(plane);
  std::vector<Taps> across(width);
  for (int x = 0; x < width; ++x) across[x] = TapsOf(x, src.plane_width(plane), width);
  for (int y = 0; y < height; ++y) {
    const Taps down = TapsOf(y, src.plane_height(plane), height);
    const uint8_t* near = src.data[plane] + static_cast<ptrdiff_t>(down.near) * src.stride[plane];
    const uint8_t* far = src.data[plane] + static_cast<ptrdiff_t>(down.far) * src.stride[plane];
    uint8_t* out = dst.data[plane] + static_cast<ptrdiff_t>(y) * dst.stride[plane];
    for (int x = 0; x < width; ++x) {
      const Taps& t = across[x];
      const int first = near[t.near] * t.near_weight + near[t.far] * t.far_weight;
      const int second = far[t.near] * t.near_weight + far[t.far] * t.far_weight;
      out[x] = static_cast<uint8_t>((first * down.near_weight + second * down.far_weight + 8) >> 4);
    }
  }
}

void Resample(const View& src, const View& dst) {
  CopyLuma(src, dst);
  const bool odd = src.width % 2 != 0 || src.height % 2 != 0;
  for (int plane = 1; plane < 3; ++plane) {
    if (odd || (src.format == RTC_I420 && dst.format == RTC_I422)) {
      ResamplePlane(src, dst, plane);
      continue;
    }
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
