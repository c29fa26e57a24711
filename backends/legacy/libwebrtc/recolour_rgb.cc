// Between YUV and RGB, and between the orders of RGB.
#include <libyuv.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "recolour.h"

namespace rtc_shim {
namespace {

using Constants = libyuv::YuvConstants;

const Constants* ConstantsOf(Colour colour, bool swapped) {
  using namespace libyuv;  // NOLINT: twelve names
  static const Constants* const kTable[3][2][2] = {
      {{&kYuvI601Constants, &kYvuI601Constants}, {&kYuvJPEGConstants, &kYvuJPEGConstants}},
      {{&kYuvH709Constants, &kYvuH709Constants}, {&kYuvF709Constants, &kYvuF709Constants}},
      {{&kYuv2020Constants, &kYvu2020Constants}, {&kYuvV2020Constants, &kYvuV2020Constants}},
  };
  return kTable[colour.matrix][colour.full][swapped];
}

// libyuv makes the mirrored order of RGB by swapping U with V, together with a mirrored matrix.
struct Chroma {
  int u;
  int v;
  const Constants* constants;
};

Chroma ChromaOf(Colour colour, bool swapped) {
  return {swapped ? 2 : 1, swapped ? 1 : 2, ConstantsOf(colour, swapped)};
}

// clang-format off
#define PLANES(view, c) \
  (view).data[0], (view).stride[0], (view).data[(c).u], (view).stride[(c).u], (view).data[(c).v], (view).stride[(c).v]
#define WIDE_PLANES(view, c) \
  (view).wide(0), (view).stride[0] / 2, (view).wide((c).u), (view).stride[(c).u] / 2, (view).wide((c).v), \
  (view).stride[(c).v] / 2
#define FIRST(view) (view).data[0], (view).stride[0]
#define SECOND(view) (view).data[1], (view).stride[1]
#define THIRD(view) (view).data[2], (view).stride[2]
// clang-format on

bool To32(const View& src, const View& dst, Colour colour) {
  const Chroma c = ChromaOf(colour, dst.format == RTC_ABGR);
  const int w = src.width, h = src.height;
  switch (src.format) {
    case RTC_I420:
      return !libyuv::I420ToARGBMatrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I422:
      return !libyuv::I422ToARGBMatrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I444:
      return !libyuv::I444ToARGBMatrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I010:
      return !libyuv::I010ToARGBMatrix(WIDE_PLANES(src, c), FIRST(dst), c.constants, w, h);
    default:  // RTC_NV12: swapped, it reads as NV21
      return dst.format == RTC_ABGR
                 ? !libyuv::NV21ToARGBMatrix(FIRST(src), SECOND(src), FIRST(dst), c.constants, w, h)
                 : !libyuv::NV12ToARGBMatrix(FIRST(src), SECOND(src), FIRST(dst), c.constants, w, h);
  }
}

bool ToAlphaFirst(const View& src, const View& dst, Colour colour) {
  const Chroma c = ChromaOf(colour, dst.format == RTC_BGRA);
  const int w = src.width, h = src.height;
  switch (src.format) {
    case RTC_I420:
      return !libyuv::I420ToRGBAMatrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I422:
      return !libyuv::I422ToRGBAMatrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    default:
      return false;
  }
}

bool To24(const View& src, const View& dst, Colour colour) {
  const bool swapped = dst.format == RTC_RAW;
  const Chroma c = ChromaOf(colour, swapped);
  const int w = src.width, h = src.height;
  switch (src.format) {
    case RTC_I420:
      return !libyuv::I420ToRGB24Matrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I422:
      return !libyuv::I422ToRGB24Matrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_I444:
      return !libyuv::I444ToRGB24Matrix(PLANES(src, c), FIRST(dst), c.constants, w, h);
    case RTC_NV12:
      return swapped ? !libyuv::NV21ToRGB24Matrix(FIRST(src), SECOND(src), FIRST(dst), c.constants, w, h)
                     : !libyuv::NV12ToRGB24Matrix(FIRST(src), SECOND(src), FIRST(dst), c.constants, w, h);
    default:
      return false;
  }
}

using ToI420 = int (*)(const uint8_t*, int, uint8_t*, int, uint8_t*, int, uint8_t*, int, int, int);

ToI420 LimitedToI420(int format) {
  switch (format) {
    case RTC_ARGB:
      return libyuv::ARGBToI420;
    case RTC_ABGR:
      return libyuv::ABGRToI420;
    case RTC_BGRA:
      return libyuv::BGRAToI420;
    case RTC_RGBA:
      return libyuv::RGBAToI420;
    case RTC_RGB24:
      return libyuv::RGB24ToI420;
    default:
      return libyuv::RAWToI420;
  }
}

// The places of B, G, R and A in memory.
std::array<uint8_t, 4> PlacesOf(int format) {
  switch (format) {
    case RTC_ARGB:
      return {0, 1, 2, 3};
    case RTC_ABGR:
      return {2, 1, 0, 3};
    case RTC_BGRA:
      return {3, 2, 1, 0};
    default:  // RTC_RGBA
      return {1, 2, 3, 0};
  }
}

bool Shuffle(const View& src, const View& dst) {
  const auto from = PlacesOf(src.format), to = PlacesOf(dst.format);
  uint8_t shuffler[16];
  for (int pixel = 0; pixel < 4; ++pixel) {
    for (int channel = 0; channel < 4; ++channel) {
      shuffler[pixel * 4 + to[channel]] = static_cast<uint8_t>(pixel * 4 + from[channel]);
    }
  }
  return !libyuv::ARGBShuffle(FIRST(src), FIRST(dst), shuffler, src.width, src.height);
}

}  // namespace

bool YuvToRgb(const View& src, const View& dst, Colour colour) {
  switch (dst.format) {
    case RTC_ARGB:
    case RTC_ABGR:
      return To32(src, dst, colour);
    case RTC_BGRA:
    case RTC_RGBA:
      return ToAlphaFirst(src, dst, colour);
    default:
      return To24(src, dst, colour);
  }
}

bool RgbToYuv(const View& src, const View& dst, Colour colour) {
  if (colour.matrix != RTC_BT601 || colour.full) return false;
  const int w = src.width, h = src.height;
  if (dst.format == RTC_I420) {
    return !LimitedToI420(src.format)(FIRST(src), FIRST(dst), SECOND(dst), THIRD(dst), w, h);
  }
  if (dst.format == RTC_NV12 && src.format == RTC_ARGB) {
    return !libyuv::ARGBToNV12(FIRST(src), FIRST(dst), SECOND(dst), w, h);
  }
  if (dst.format == RTC_NV12 && src.format == RTC_ABGR) {
    return !libyuv::ABGRToNV12(FIRST(src), FIRST(dst), SECOND(dst), w, h);
  }
  if (dst.format == RTC_I422 && src.format == RTC_ARGB) {
    return !libyuv::ARGBToI422(FIRST(src), FIRST(dst), SECOND(dst), THIRD(dst), w, h);
  }
  if (dst.format == RTC_I444 && src.format == RTC_ARGB) {
    return !libyuv::ARGBToI444(FIRST(src), FIRST(dst), SECOND(dst), THIRD(dst), w, h);
  }
  return false;
}

bool RgbToRgb(const View& src, const View& dst) {
  const int w = src.width, h = src.height;
  if (IsRgb32(src.format) && IsRgb32(dst.format)) return Shuffle(src, dst);
  if (src.format == RTC_ARGB) {
    return !(dst.format == RTC_RAW ? libyuv::ARGBToRAW : libyuv::ARGBToRGB24)(FIRST(src), FIRST(dst), w, h);
  }
  if (dst.format == RTC_ARGB) {
    return !(src.format == RTC_RAW ? libyuv::RAWToARGB : libyuv::RGB24ToARGB)(FIRST(src), FIRST(dst), w, h);
  }
  // Between RTC_RGB24 and RTC_RAW; it is its own inverse.
  if (!IsRgb32(src.format) && !IsRgb32(dst.format)) {
    return !libyuv::RAWToRGB24(FIRST(src), FIRST(dst), w, h);
  }
  return false;
}

}  // namespace rtc_shim
