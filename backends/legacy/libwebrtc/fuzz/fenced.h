// Random numbers, and pictures of the least memory that the header allows, between pages that nobody may touch:
// libyuv and the codecs come from an archive that is not instrumented.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_FUZZ_FENCED_H_
#define BACKENDS_LEGACY_LIBWEBRTC_FUZZ_FENCED_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

extern "C" {
#include "../rtc_shim.h"
}

namespace fuzz {

inline std::mt19937_64 generator;

inline int Random(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

// Memory between two pages that nobody may touch.
class Fenced {
 public:
  explicit Fenced(size_t size, bool at_end) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t inner = (size + page - 1) / page * page;
    length_ = inner + 2 * page;
    base_ = static_cast<uint8_t*>(mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
    if (inner > 0) mprotect(base_ + page, inner, PROT_READ | PROT_WRITE);
    data_ = base_ + page + (at_end ? inner - size : 0);
    for (size_t i = 0; i < size; ++i) data_[i] = static_cast<uint8_t>(generator());
  }
  ~Fenced() { munmap(base_, length_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  uint8_t* data() const { return data_; }

 private:
  uint8_t* base_;
  uint8_t* data_;
  size_t length_;
};

struct Shape {
  int planes;
  int bytes[3];
  int shift_x;
  int shift_y;
};

constexpr Shape kShapes[] = {{3, {1, 1, 1}, 1, 1}, {3, {1, 1, 1}, 1, 0}, {3, {1, 1, 1}, 0, 0},
                             {2, {1, 2, 0}, 1, 1}, {3, {2, 2, 2}, 1, 1}, {1, {4, 0, 0}, 0, 0},
                             {1, {4, 0, 0}, 0, 0}, {1, {4, 0, 0}, 0, 0}, {1, {4, 0, 0}, 0, 0},
                             {1, {3, 0, 0}, 0, 0}, {1, {3, 0, 0}, 0, 0}};

using Memory = std::vector<std::unique_ptr<Fenced>>;

inline rtc_picture Picture(int format, int width, int height, bool at_end, Memory& memory) {
  rtc_picture picture{};
  picture.format = format;
  picture.width = width;
  picture.height = height;
  const Shape& shape = kShapes[format];
  for (int plane = 0; plane < shape.planes; ++plane) {
    const int columns = plane ? (width + shape.shift_x) >> shape.shift_x : width;
    const int rows = plane ? (height + shape.shift_y) >> shape.shift_y : height;
    const int row = columns * shape.bytes[plane];
    const int unit = shape.bytes[0] == 2 ? 2 : 1;
    picture.strides[plane] = row + unit * (Random(0, 2) ? 0 : Random(0, 70));
    picture.sizes[plane] = static_cast<size_t>(picture.strides[plane]) * (rows - 1) + row;
    memory.push_back(std::make_unique<Fenced>(picture.sizes[plane], at_end));
    picture.planes[plane] = memory.back()->data();
  }
  return picture;
}

inline int Side() {
  const int kind = Random(0, 9);
  return kind == 0 ? 1 : kind == 1 ? Random(1, 700) : Random(1, 90);
}

inline void Spoil(rtc_picture& picture) {
  const int plane = Random(0, kShapes[picture.format].planes - 1);
  switch (Random(0, 6)) {
    case 0:
      picture.planes[plane] = nullptr;
      break;
    case 1:
      --picture.sizes[plane];
      break;
    case 2:
      picture.strides[plane] = Random(0, 1) ? 0 : -picture.strides[plane];
      break;
    case 3:
      picture.width = Random(0, 1) ? 0 : -picture.width;
      break;
    case 4:
      picture.height = Random(0, 1) ? 16385 : 0;
      break;
    case 5:
      picture.format = Random(0, 1) ? 11 : -1;
      break;
    default:
      picture.sizes[plane] = 0;
  }
}

}  // namespace fuzz

#endif  // BACKENDS_LEGACY_LIBWEBRTC_FUZZ_FENCED_H_
