// Drives rtc_encoder_* and rtc_decoder_* with random pictures, and with bitstreams that were damaged. Built with
// AddressSanitizer by tests/test_media_abi.py.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "fenced.h"

namespace {

using namespace fuzz;  // NOLINT: the whole file is of it

using Bytes = std::vector<uint8_t>;

struct Chunk {
  Bytes data;
  bool key_frame;
};

rtc_encoder_options Options() {
  rtc_encoder_options options{};
  options.codec = Random(0, 2);
  options.width = Random(16, 180);
  options.height = Random(16, 140);
  options.bitrate = Random(10, 3000) * 1000;
  options.framerate = Random(1, 60);
  options.temporal_layers = Random(1, 3);
  options.cores = Random(1, 8);
  options.speed = options.codec == RTC_VP8 ? Random(-1, 3) : Random(4, 9);
  options.screen = Random(0, 3) == 0;
  return options;
}

// Noise is hard to encode; mostly it is somewhat smooth.
void Smooth(const rtc_picture& picture) {
  if (Random(0, 3) == 0) return;
  const int shade = Random(16, 200);
  for (int plane = 0; plane < (picture.format == RTC_NV12 ? 2 : 3); ++plane) {
    for (size_t i = 0; i < picture.sizes[plane]; ++i) {
      uint8_t& sample = picture.planes[plane][i];
      sample = static_cast<uint8_t>(shade + (sample & 7) + static_cast<int>(i % 64) / 4);
    }
  }
}

bool EncodeSome(const rtc_encoder_options& options, std::vector<Chunk>& chunks) {
  const int64_t encoder = rtc_encoder_new(&options);
  if (encoder < 0) return false;
  int width = options.width, height = options.height;
  for (int round = Random(2, 7); round > 0; --round) {
    Memory memory;
    if (Random(0, 5) == 0) width = Random(16, 180);
    if (Random(0, 5) == 0) height = Random(16, 140);
    rtc_picture picture = Picture(Random(0, 1) ? RTC_I420 : RTC_NV12, width, height, Random(0, 1) != 0, memory);
    Smooth(picture);
    const bool spoiled = Random(0, 7) == 0;
    if (spoiled) Spoil(picture);
    if (Random(0, 5) == 0) rtc_encoder_set_rates(encoder, Random(10, 3000) * 1000, Random(1, 60));
    rtc_encoded out{};
    const int result = rtc_encoder_encode(encoder, &picture, Random(0, 5) == 0, &out);
    // OpenH264 gives up where a strip of noise needs too many bits.
    const bool failed = options.codec == RTC_H264 && result == RTC_ERR_OPERATION_FAILED;
    if (spoiled != (result == RTC_ERR_INVALID_ARGUMENT) || (!spoiled && result < 0 && !failed)) return false;
    if (result == 1) chunks.push_back({Bytes(out.data, out.data + out.size), out.key_frame != 0});
  }
  return rtc_encoder_free(encoder) == 0 && rtc_encoder_free(encoder) == RTC_ERR_INVALID_HANDLE;
}

void Damage(Bytes& data, const std::vector<Chunk>& others) {
  const int reach = static_cast<int>(data.size()) - 1;
  switch (Random(0, 5)) {
    case 0:
      data.resize(Random(1, reach + 1));
      return;
    case 1:
      for (int i = Random(1, 20); i > 0; --i) data[Random(0, reach)] = static_cast<uint8_t>(generator());
      return;
    case 2:  // headers
      for (int i = Random(1, 4); i > 0; --i) data[Random(0, std::min(reach, 40))] = static_cast<uint8_t>(generator());
      return;
    case 3: {
      const Bytes& other = others[Random(0, static_cast<int>(others.size()) - 1)].data;
      data.insert(data.end(), other.begin(), other.end());
      return;
    }
    case 4:
      data.resize(Random(1, 200));
      for (uint8_t& byte : data) byte = static_cast<uint8_t>(generator());
      return;
    default:
      data[Random(0, reach)] ^= static_cast<uint8_t>(1 << Random(0, 7));
  }
}

bool Take(int64_t decoder, const rtc_decoded& decoded) {
  Memory memory;
  rtc_picture picture = Picture(decoded.format, decoded.width, decoded.height, Random(0, 1) != 0, memory);
  if (Random(0, 5) == 0) {
    rtc_picture wrong = picture;
    Spoil(wrong);
    if (rtc_decoder_take(decoder, &wrong) != RTC_ERR_INVALID_ARGUMENT) return false;
  }
  return rtc_decoder_take(decoder, &picture) == 0 && rtc_decoder_take(decoder, &picture) == RTC_ERR_INVALID_ARGUMENT;
}

// Returns what the call did; what it gave is taken.
int Give(int64_t decoder, const Bytes& data, bool key_frame) {
  const Fenced fenced(data.size(), true);
  std::memcpy(fenced.data(), data.data(), data.size());
  rtc_decoded decoded{};
  const int result = rtc_decoder_decode(decoder, fenced.data(), data.size(), key_frame, &decoded);
  return result == 1 && !Take(decoder, decoded) ? RTC_ERR_EXCEPTION : result;
}

bool DecodeSome(int codec, const std::vector<Chunk>& chunks) {
  const int64_t decoder = rtc_decoder_new(codec, Random(1, 4));
  if (decoder < 0) return false;
  for (int round = Random(1, 12); round > 0; --round) {
    const Chunk& chunk = chunks[Random(0, static_cast<int>(chunks.size()) - 1)];
    Bytes data = chunk.data;
    if (Random(0, 3)) Damage(data, chunks);
    const int result = Give(decoder, data, Random(0, 3) ? chunk.key_frame : Random(0, 1) != 0);
    if (result < 0 && result != RTC_ERR_OPERATION_FAILED) return false;
  }
  // A decoder that says nothing of the damage may need a key frame to find out: one of the next two is shown.
  const bool lives = Give(decoder, chunks[0].data, true) == 1 || Give(decoder, chunks[0].data, true) == 1;
  return lives && rtc_decoder_free(decoder) == 0;
}

bool Once() {
  const rtc_encoder_options options = Options();
  std::vector<Chunk> chunks;
  if (!EncodeSome(options, chunks)) {
    std::fprintf(stderr, "encoding %d of %dx%d\n", options.codec, options.width, options.height);
    return false;
  }
  if (chunks.empty()) return true;
  for (int round = 0; round < 4; ++round) {
    if (DecodeSome(options.codec, chunks)) continue;
    std::fprintf(stderr, "decoding %d of %dx%d\n", options.codec, options.width, options.height);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  generator.seed(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  for (int round = 0; round < rounds; ++round) {
    if (Once()) continue;
    char text[200];
    rtc_last_error(text, sizeof(text));
    std::fprintf(stderr, "round %d failed; the last error was: %s\n", round, text);
    return 1;
  }
  std::printf("%d rounds, %d handles left\n", rounds, rtc_handle_count());
  return rtc_handle_count() == 0 ? 0 : 1;
}
