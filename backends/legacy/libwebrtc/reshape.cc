#include "reshape.h"

#include <libyuv.h>

namespace rtc_shim {
namespace {

using libyuv::RotationMode;

void ScaleWide(const View& src, const View& dst, int plane) {
  libyuv::ScalePlane_12(src.wide(plane), src.stride[plane] / 2, src.plane_width(plane),
                        src.plane_height(plane), reinterpret_cast<uint16_t*>(dst.data[plane]),
                        dst.stride[plane] / 2, dst.plane_width(plane), dst.plane_height(plane),
                        libyuv::kFilterBox);
}

void ScaleNarrow(const View& src, const View& dst, int plane) {
  libyuv::ScalePlane(src.data[plane], src.stride[plane], src.plane_width(plane), src.plane_height(plane),
                     dst.data[plane], dst.stride[plane], dst.plane_width(plane), dst.plane_height(plane),
                     libyuv::kFilterBox);
}

// libyuv turns no 16-bit planes.
void TurnWide(const View& src, const View& dst, int plane, int rotation, bool mirror) {
  const int w = dst.plane_width(plane), h = dst.plane_height(plane);
  const ptrdiff_t stride = src.stride[plane] / 2;
  for (int y = 0; y < h; ++y) {
    auto* out = reinterpret_cast<uint16_t*>(dst.data[plane] + static_cast<ptrdiff_t>(y) * dst.stride[plane]);
    for (int x = 0; x < w; ++x) {
      const int turned = mirror ? w - 1 - x : x;
      ptrdiff_t from = y * stride + turned;
      if (rotation == 90) from = (w - 1 - turned) * stride + y;
      if (rotation == 180) from = (h - 1 - y) * stride + (w - 1 - turned);
      if (rotation == 270) from = turned * stride + (h - 1 - y);
      out[x] = src.wide(plane)[from];
    }
  }
}

void Rotate(const View& src, const View& dst, int rotation) {
  const auto mode = static_cast<RotationMode>(rotation);
  if (IsRgb32(src.format)) {
    libyuv::ARGBRotate(src.data[0], src.stride[0], dst.data[0], dst.stride[0], src.width, src.height, mode);
    return;
  }
  for (int plane = 0; plane < 3; ++plane) {
    libyuv::RotatePlane(src.data[plane], src.stride[plane], dst.data[plane], dst.stride[plane],
                        src.plane_width(plane), src.plane_height(plane), mode);
  }
}

void Mirror(const View& src, const View& dst) {
  if (IsRgb32(src.format)) {
    libyuv::ARGBMirror(src.data[0], src.stride[0], dst.data[0], dst.stride[0], src.width, src.height);
    return;
  }
  for (int plane = 0; plane < 3; ++plane) {
    libyuv::MirrorPlane(src.data[plane], src.stride[plane], dst.data[plane], dst.stride[plane],
                        src.plane_width(plane), src.plane_height(plane));
  }
}

}  // namespace

void Scale(const View& src, const View& dst) {
  const Layout& layout = LayoutOf(src.format);
  if (IsRgb32(src.format)) {
    // libyuv's box filter aborts when the columns become a quarter and the rows something else.
    const bool quarter = src.width == 4 * dst.width && src.height % (4 * dst.height) != 0;
    libyuv::ARGBScale(src.data[0], src.stride[0], src.width, src.height, dst.data[0], dst.stride[0],
                      dst.width, dst.height, quarter ? libyuv::kFilterBilinear : libyuv::kFilterBox);
    return;
  }
  for (int plane = 0; plane < layout.planes; ++plane) {
    if (layout.sample_bytes == 2) {
      ScaleWide(src, dst, plane);
    } else if (plane && layout.chroma_bytes == 2) {
      libyuv::UVScale(src.data[1], src.stride[1], src.plane_width(1), src.plane_height(1), dst.data[1],
                      dst.stride[1], dst.plane_width(1), dst.plane_height(1), libyuv::kFilterBox);
    } else {
      ScaleNarrow(src, dst, plane);
    }
  }
}

void Turn(const View& src, const View& dst, int rotation, bool mirror) {
  if (LayoutOf(src.format).sample_bytes == 2) {
    for (int plane = 0; plane < 3; ++plane) TurnWide(src, dst, plane, rotation, mirror);
  } else if (!mirror) {
    Rotate(src, dst, rotation);
  } else if (rotation == 0) {
    Mirror(src, dst);
  } else {
    const Canvas between(src.format, dst.width, dst.height);
    Rotate(src, between.view(), rotation);
    Mirror(between.view(), dst);
  }
}

}  // namespace rtc_shim
