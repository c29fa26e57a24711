// RGB to YUV with any matrix and range, in fixed point that rounds to the nearest.
#include <algorithm>
#include <cmath>

#include "recolour.h"

namespace rtc_shim {
namespace {

constexpr int kBits = 16;

// One row of the matrix, for B, G and R, and the middle or black with half a unit for rounding.
struct Row {
  int64_t b, g, r, offset;
};

struct Matrix {
  Row y, u, v;
  int most;
};

Row Scaled(double b, double g, double r, double scale, double zero) {
  const double unit = scale / 255 * (1 << kBits);
  return {std::llround(b * unit), std::llround(g * unit), std::llround(r * unit),
          std::llround((zero + 0.5) * (1 << kBits))};
}

Matrix MatrixOf(Colour colour, int bits) {
  static constexpr double kWeights[3][2] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};
  const double kr = kWeights[colour.matrix][0], kb = kWeights[colour.matrix][1], kg = 1 - kr - kb;
  const double deep = 1 << (bits - 8);
  const double most = (1 << bits) - 1;
  const double luma = colour.full ? most : 219 * deep;
  const double chroma = colour.full ? most : 224 * deep;
  const double middle = 128 * deep;
  const double cb = 0.5 / (1 - kb), cr = 0.5 / (1 - kr);
  return {Scaled(kb, kg, kr, luma, colour.full ? 0 : 16 * deep),
          Scaled((1 - kb) * cb, -kg * cb, -kr * cb, chroma, middle),
          Scaled(-kb * cr, -kg * cr, (1 - kr) * cr, chroma, middle), static_cast<int>(most)};
}

// The sum of `count` pixels; `count` is a power of two with this exponent.
struct Sum {
  int b = 0, g = 0, r = 0;
};

int Apply(const Row& row, Sum sum, int exponent, int most) {
  const int64_t value = (row.b * sum.b + row.g * sum.g + row.r * sum.r) + (row.offset << exponent);
  return std::clamp(static_cast<int>(value >> (kBits + exponent)), 0, most);
}

// The pixels under one chroma sample; those past the edge repeat the last.
Sum Block(const View& src, int x, int y, const Layout& layout) {
  Sum sum;
  for (int dy = 0; dy <= layout.shift_y; ++dy) {
    const uint8_t* row =
        src.data[0] + static_cast<ptrdiff_t>(std::min(y + dy, src.height - 1)) * src.stride[0];
    for (int dx = 0; dx <= layout.shift_x; ++dx) {
      const uint8_t* pixel = row + static_cast<ptrdiff_t>(std::min(x + dx, src.width - 1)) * 4;
      sum = {sum.b + pixel[0], sum.g + pixel[1], sum.r + pixel[2]};
    }
  }
  return sum;
}

template <typename Sample>
Sample* RowOf(const View& view, int plane, int y) {
  return reinterpret_cast<Sample*>(view.data[plane] + static_cast<ptrdiff_t>(y) * view.stride[plane]);
}

template <typename Sample>
void Luma(const View& src, const View& dst, const Matrix& matrix) {
  for (int y = 0; y < src.height; ++y) {
    const uint8_t* pixel = RowOf<uint8_t>(src, 0, y);
    Sample* out = RowOf<Sample>(dst, 0, y);
    for (int x = 0; x < src.width; ++x, pixel += 4) {
      out[x] = static_cast<Sample>(Apply(matrix.y, {pixel[0], pixel[1], pixel[2]}, 0, matrix.most));
    }
  }
}

template <typename Sample>
void Chroma(const View& src, const View& dst, const Matrix& matrix) {
  const Layout& layout = LayoutOf(dst.format);
  const bool merged = layout.planes == 2;
  const int exponent = layout.shift_x + layout.shift_y, step = merged ? 2 : 1;
  for (int y = 0; y < dst.plane_height(1); ++y) {
    Sample* u = RowOf<Sample>(dst, 1, y);
    Sample* v = merged ? u + 1 : RowOf<Sample>(dst, 2, y);
    for (int x = 0; x < dst.plane_width(1); ++x) {
      const Sum sum = Block(src, x << layout.shift_x, y << layout.shift_y, layout);
      u[x * step] = static_cast<Sample>(Apply(matrix.u, sum, exponent, matrix.most));
      v[x * step] = static_cast<Sample>(Apply(matrix.v, sum, exponent, matrix.most));
    }
  }
}

}  // namespace

void ArgbToYuvExactly(const View& src, const View& dst, Colour colour) {
  const bool wide = LayoutOf(dst.format).sample_bytes == 2;
  const Matrix matrix = MatrixOf(colour, wide ? 10 : 8);
  if (wide) {
    Luma<uint16_t>(src, dst, matrix);
    Chroma<uint16_t>(src, dst, matrix);
  } else {
    Luma<uint8_t>(src, dst, matrix);
    Chroma<uint8_t>(src, dst, matrix);
  }
}

}  // namespace rtc_shim
