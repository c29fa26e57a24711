// rtc_convert: one picture into another, through as few passes as libyuv allows.
#include <functional>
#include <memory>
#include <vector>

#include "picture.h"
#include "recolour.h"
#include "reshape.h"

namespace rtc_shim {
namespace {

// The picture before a step; each step makes the next one.
using Work = std::function<void(const View& from, const View& to)>;

struct Step {
  int format;
  int width;
  int height;
  Work work;
};

struct Wish {
  Colour colour;
  int rotation;
  bool mirror;
};

bool IsTurned(const Wish& wish) { return wish.rotation != 0 || wish.mirror; }

// The format in which libyuv can turn a picture that is to have this format.
int TurningFormat(int format, int rotation) {
  if (IsRgb(format)) return IsRgb32(format) ? format : RTC_ARGB;
  if (format == RTC_NV12) return RTC_I420;
  return format == RTC_I422 && rotation % 180 != 0 ? RTC_I444 : format;
}

int ScalingFormat(int format) { return IsRgb(format) && !IsRgb32(format) ? RTC_ARGB : format; }

class Plan {
 public:
  Plan(const View& src, const View& dst, const Wish& wish) : wish_(wish) {
    now_ = {src.format, src.width, src.height, nullptr};
    const bool sideways = wish.rotation % 180 != 0;
    const int width = sideways ? dst.height : dst.width, height = sideways ? dst.width : dst.height;
    if (width != src.width || height != src.height) {
      ToFormat(ScalingFormat(src.format));
      Add(now_.format, width, height, Scale);
    }
    if (IsTurned(wish)) {
      ToFormat(TurningFormat(dst.format, wish.rotation));
      Add(now_.format, dst.width, dst.height,
          [wish](const View& from, const View& to) { Turn(from, to, wish.rotation, wish.mirror); });
    }
    if (now_.format != dst.format || steps_.empty()) AddRecolour(dst.format);
  }

  void Run(View from, const View& dst) const {
    std::unique_ptr<Canvas> kept;
    for (const Step& step : steps_) {
      const bool last = &step == &steps_.back();
      auto made = last ? nullptr : std::make_unique<Canvas>(step.format, step.width, step.height);
      const View& to = last ? dst : made->view();
      step.work(from, to);
      from = to;
      kept = std::move(made);
    }
  }

 private:
  void ToFormat(int format) {
    if (format != now_.format) AddRecolour(format);
  }

  void AddRecolour(int format) {
    const Colour colour = wish_.colour;
    Add(format, now_.width, now_.height,
        [colour](const View& from, const View& to) { Recolour(from, to, colour); });
  }

  void Add(int format, int width, int height, Work work) {
    now_ = {format, width, height, nullptr};
    steps_.push_back({format, width, height, std::move(work)});
  }

  const Wish wish_;
  Step now_;
  std::vector<Step> steps_;
};

}  // namespace
}  // namespace rtc_shim

extern "C" {

using namespace rtc_shim;  // NOLINT: the whole file belongs to it

int rtc_convert(const rtc_picture* src, const rtc_picture* dst, int matrix, int full_range, int rotation,
                int mirror) {
  return Guard([&] {
    const View from = Checked(src), to = Checked(dst);
    Require(matrix >= RTC_BT601 && matrix <= RTC_BT2020, "unknown matrix");
    Require(rotation == 0 || rotation == 90 || rotation == 180 || rotation == 270,
            "rotation is not 0, 90, 180 or 270");
    Plan(from, to, {{matrix, full_range != 0}, rotation, mirror != 0}).Run(from, to);
    return int{RTC_OK};
  });
}

}  // extern "C"
