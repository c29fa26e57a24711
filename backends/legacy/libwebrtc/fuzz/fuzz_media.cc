// Drives rtc_convert, rtc_resampler_* and rtc_processor_* with random input. Built with AddressSanitizer by
// tests/test_media_abi.py.
//
// libyuv and the resampler come from an archive that is not instrumented, so every plane ends, or begins, at
// a page that nobody may touch, and is as short as the header allows.
#include <rtc_base/logging.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

extern "C" {
#include "../rtc_shim.h"
}

namespace {

std::mt19937_64 generator;

int Random(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

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

rtc_picture Picture(int format, int width, int height, bool at_end, Memory& memory) {
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

int Side() {
  const int kind = Random(0, 9);
  return kind == 0 ? 1 : kind == 1 ? Random(1, 700) : Random(1, 90);
}

void Spoil(rtc_picture& picture) {
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

bool ConvertOnce() {
  Memory memory;
  const bool at_end = Random(0, 1) != 0;
  const int rotation = Random(0, 1) ? 0 : 90 * Random(0, 3);
  const int width = Side(), height = Side();
  const bool scaled = Random(0, 2) == 0, sideways = rotation % 180 != 0;
  const int new_width = scaled ? Side() : sideways ? height : width;
  const int new_height = scaled ? Side() : sideways ? width : height;
  rtc_picture src = Picture(Random(0, 10), width, height, at_end, memory);
  rtc_picture dst = Picture(Random(0, 10), new_width, new_height, at_end, memory);
  const bool spoiled = Random(0, 7) == 0;
  if (spoiled) Spoil(Random(0, 1) ? src : dst);
  const int result = rtc_convert(&src, &dst, Random(0, 2), Random(0, 1), rotation, Random(0, 1));
  if ((result == RTC_ERR_INVALID_ARGUMENT) == spoiled && (result == 0) != spoiled) return true;
  std::fprintf(stderr, "rtc_convert of %d to %d, %dx%d to %dx%d, rotation %d gave %d\n", src.format,
               dst.format, width, height, new_width, new_height, rotation, result);
  return false;
}

rtc_pcm Pcm(int samples, int channels, Memory& memory) {
  rtc_pcm pcm{};
  pcm.format = Random(0, 1);
  pcm.planar = Random(0, 1);
  pcm.samples = samples;
  const size_t bytes = pcm.format == RTC_PCM_S16 ? 2 : 4;
  const int planes = pcm.planar ? channels : 1;
  for (int plane = 0; plane < planes; ++plane) {
    pcm.sizes[plane] = bytes * samples * (pcm.planar ? 1 : channels);
    memory.push_back(std::make_unique<Fenced>(pcm.sizes[plane], true));
    pcm.data[plane] = memory.back()->data();
    if (pcm.format == RTC_PCM_FLOAT && Random(0, 3)) std::memset(pcm.data[plane], 0, pcm.sizes[plane]);
  }
  return pcm;
}

bool ResampleOnce() {
  const int channels = Random(1, 8), in_rate = Random(8000, 192000), out_rate = Random(8000, 192000);
  const int64_t resampler = rtc_resampler_new(in_rate, out_rate, channels);
  if (resampler < 0) return false;
  int64_t taken = 0, given = 0;
  for (int round = Random(1, 12); round >= 0; --round) {
    Memory memory;
    const int samples = Random(0, 3) ? Random(0, 900) : 0;
    const int ready = static_cast<int>(rtc_resampler_ready(resampler, samples, round == 0));
    const rtc_pcm in = Pcm(samples, channels, memory), out = Pcm(ready, channels, memory);
    if (ready > 0 && Random(0, 9) == 0) {
      rtc_pcm shorter = out;
      --shorter.sizes[0];
      if (rtc_resampler_run(resampler, &in, &shorter, round == 0) != RTC_ERR_INVALID_ARGUMENT) return false;
    }
    if (rtc_resampler_run(resampler, &in, &out, round == 0) != ready) return false;
    taken += samples;
    given += ready;
  }
  return given == (taken * out_rate + in_rate - 1) / in_rate && rtc_resampler_free(resampler) == 0;
}

rtc_processor_options Options(bool spoiled) {
  constexpr int kRates[] = {8000, 16000, 32000, 48000};
  rtc_processor_options options{kRates[Random(0, 3)], Random(1, 2), Random(0, 1),
                                Random(0, 4),         Random(0, 1), Random(0, 1)};
  constexpr int kBad[] = {0, -1, 3, 44100, 1 << 30};
  const int bad = kBad[Random(0, 4)];
  if (spoiled) (Random(0, 1) ? options.rate : options.channels) = bad;
  return options;
}

bool ProcessOnce() {
  const bool spoiled = Random(0, 3) == 0;
  const rtc_processor_options options = Options(spoiled);
  const int64_t processor = rtc_processor_new(&options);
  if (spoiled) return processor == RTC_ERR_INVALID_ARGUMENT;
  if (processor < 0) return false;
  const int block = options.rate / 100;
  for (int round = Random(1, 40); round > 0; --round) {
    const int samples = block * Random(0, 3), reverse = Random(0, 1);
    const size_t size = sizeof(int16_t) * samples * options.channels;
    Fenced memory(size, true);
    auto* data = reinterpret_cast<int16_t*>(memory.data());
    if (Random(0, 3) == 0) std::memset(data, 0, size);
    if (samples > 0 &&
        rtc_processor_run(processor, data, size - 1, samples, reverse) != RTC_ERR_INVALID_ARGUMENT)
      return false;
    if (rtc_processor_run(processor, data, size, samples + 1, reverse) != RTC_ERR_INVALID_ARGUMENT)
      return false;
    if (rtc_processor_run(processor, data, size, samples, reverse) != RTC_OK) return false;
    const int delay = Random(-100, 1000);
    if ((rtc_processor_set_delay(processor, delay) == RTC_OK) != (delay >= 0 && delay <= 500)) return false;
  }
  rtc_processor_stats stats;
  return rtc_processor_get_stats(processor, &stats) == RTC_OK && rtc_processor_free(processor) == RTC_OK;
}

}  // namespace

// The processor asks for it; the whole of it would need a factory.
namespace rtc_shim {
void InitializeOnce() { rtc::LogMessage::LogToDebug(rtc::LS_NONE); }
}  // namespace rtc_shim

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1000;
  generator.seed(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  for (int round = 0; round < rounds; ++round) {
    if (!ConvertOnce() || (round % 4 == 0 && !ResampleOnce()) || (round % 50 == 0 && !ProcessOnce())) {
      std::fprintf(stderr, "round %d failed\n", round);
      return 1;
    }
  }
  std::printf("%d rounds, %d handles left\n", rounds, rtc_handle_count());
  return rtc_handle_count() == 0 ? 0 : 1;
}
