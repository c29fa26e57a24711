// Pictures of the caller, checked, and pictures of our own.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_PICTURE_H_
#define BACKENDS_LEGACY_LIBWEBRTC_PICTURE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "abi.h"

namespace rtc_shim {

// What a pixel format is made of. `shift_x` and `shift_y` halve the chroma planes.
struct Layout {
  int planes;
  int sample_bytes;  // of the first plane; 3 or 4 when packed
  int chroma_bytes;  // of one position of the other planes
  int shift_x;
  int shift_y;
};

// Throws for a format that there is not.
const Layout& LayoutOf(int format);
bool IsRgb(int format);
bool IsRgb32(int format);

struct View {
  int format = 0;
  int width = 0;
  int height = 0;
  std::array<uint8_t*, 3> data{};
  std::array<int, 3> stride{};

  int plane_width(int plane) const;
  int plane_height(int plane) const;
  size_t row_bytes(int plane) const;

  // The rows from `top` on; `top` is even.
  View Rows(int top, int rows) const;
  const uint16_t* wide(int plane) const { return reinterpret_cast<const uint16_t*>(data[plane]); }
  uint16_t* wide(int plane) { return reinterpret_cast<uint16_t*>(data[plane]); }
};

// Throws unless every row of every plane lies within what the caller says it has.
View Checked(const rtc_picture* picture);

// Owns its planes.
class Canvas {
 public:
  Canvas(int format, int width, int height);
  const View& view() const { return view_; }

 private:
  std::unique_ptr<uint8_t[]> storage_;
  View view_;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_PICTURE_H_
