#include "picture.h"

namespace rtc_shim {
namespace {

constexpr int kMaxSide = 16384;
// libyuv's vector code likes rows that start on a cache line, and may read up to one behind a row.
constexpr size_t kAlign = 64;

constexpr Layout kLayouts[] = {
    {3, 1, 1, 1, 1},  // RTC_I420
    {3, 1, 1, 1, 0},  // RTC_I422
    {3, 1, 1, 0, 0},  // RTC_I444
    {2, 1, 2, 1, 1},  // RTC_NV12
    {3, 2, 2, 1, 1},  // RTC_I010
    {1, 4, 0, 0, 0},  // RTC_ARGB
    {1, 4, 0, 0, 0},  // RTC_ABGR
    {1, 4, 0, 0, 0},  // RTC_BGRA
    {1, 4, 0, 0, 0},  // RTC_RGBA
    {1, 3, 0, 0, 0},  // RTC_RGB24
    {1, 3, 0, 0, 0},  // RTC_RAW
};

void CheckPlane(const rtc_picture& picture, const View& view, int plane) {
  const int stride = picture.strides[plane];
  const size_t row = view.row_bytes(plane);
  Require(picture.planes[plane] != nullptr, "a plane is missing");
  Require(stride > 0 && static_cast<size_t>(stride) >= row, "a stride is smaller than its row");
  const size_t needed = static_cast<size_t>(stride) * (view.plane_height(plane) - 1) + row;
  Require(picture.sizes[plane] >= needed, "a plane is shorter than its rows");
  if (LayoutOf(view.format).sample_bytes == 2) {
    const bool even = stride % 2 == 0 && reinterpret_cast<uintptr_t>(picture.planes[plane]) % 2 == 0;
    Require(even, "a plane of 16-bit samples starts or continues at an odd address");
  }
}

}  // namespace

const Layout& LayoutOf(int format) {
  Require(format >= 0 && format < static_cast<int>(std::size(kLayouts)), "unknown pixel format");
  return kLayouts[format];
}

bool IsRgb32(int format) { return LayoutOf(format).sample_bytes == 4; }
bool IsRgb(int format) { return LayoutOf(format).sample_bytes > 2; }

int View::plane_width(int plane) const {
  const int shift = plane ? LayoutOf(format).shift_x : 0;
  return (width + shift) >> shift;
}

int View::plane_height(int plane) const {
  const int shift = plane ? LayoutOf(format).shift_y : 0;
  return (height + shift) >> shift;
}

size_t View::row_bytes(int plane) const {
  const Layout& layout = LayoutOf(format);
  return static_cast<size_t>(plane_width(plane)) * (plane ? layout.chroma_bytes : layout.sample_bytes);
}

View View::Rows(int top, int rows) const {
  View part = *this;
  const Layout& layout = LayoutOf(format);
  for (int plane = 0; plane < layout.planes; ++plane) {
    const int first = plane ? top >> layout.shift_y : top;
    part.data[plane] += static_cast<ptrdiff_t>(first) * stride[plane];
  }
  part.height = rows;
  return part;
}

View Checked(const rtc_picture* picture) {
  Require(picture != nullptr, "a picture is NULL");
  const Layout& layout = LayoutOf(picture->format);
  Require(picture->width > 0 && picture->width <= kMaxSide, "width is not 1 to 16384");
  Require(picture->height > 0 && picture->height <= kMaxSide, "height is not 1 to 16384");
  View view;
  view.format = picture->format;
  view.width = picture->width;
  view.height = picture->height;
  for (int plane = 0; plane < layout.planes; ++plane) {
    CheckPlane(*picture, view, plane);
    view.data[plane] = picture->planes[plane];
    view.stride[plane] = picture->strides[plane];
  }
  return view;
}

Canvas::Canvas(int format, int width, int height) {
  const Layout& layout = LayoutOf(format);
  view_.format = format;
  view_.width = width;
  view_.height = height;
  size_t size = kAlign;
  std::array<size_t, 3> start{};
  for (int plane = 0; plane < layout.planes; ++plane) {
    const size_t stride = (view_.row_bytes(plane) + kAlign - 1) / kAlign * kAlign;
    view_.stride[plane] = static_cast<int>(stride);
    start[plane] = size;
    size += stride * view_.plane_height(plane);
  }
  storage_ = std::make_unique_for_overwrite<uint8_t[]>(size + kAlign);
  const size_t skew = reinterpret_cast<uintptr_t>(storage_.get()) % kAlign;
  for (int plane = 0; plane < layout.planes; ++plane) {
    view_.data[plane] = storage_.get() + start[plane] - skew;
  }
}

}  // namespace rtc_shim
