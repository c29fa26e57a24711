// Drives rtc_convert, rtc_resampler_* and rtc_processor_* with random input. Built with AddressSanitizer by
// tests/test_media_abi.py.
#include <rtc_base/logging.h>

#include <cstdio>
#include <cstring>

#include "fenced.h"

namespace {

using namespace fuzz;  // NOLINT: the whole file is of it

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
