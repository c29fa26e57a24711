#include "quiet.h"

#include <rtc_base/logging.h>
extern "C" {
#include <libavutil/log.h>
}

#include <mutex>

#include "abi.h"

namespace rtc_shim {

namespace {

void SetLevel(rtc::LoggingSeverity level) {
  rtc::LogMessage::LogToDebug(level);
  // FFmpeg decodes H264, and tells stderr what is wrong with a bitstream.
  av_log_set_level(level < rtc::LS_ERROR ? AV_LOG_WARNING : level == rtc::LS_ERROR ? AV_LOG_ERROR : AV_LOG_QUIET);
}

}  // namespace

void QuietOnce() {
  static std::once_flag once;
  std::call_once(once, [] { SetLevel(rtc::LS_NONE); });
}

}  // namespace rtc_shim

extern "C" {

int rtc_set_log_level(int level) {
  return rtc_shim::Guard([&] {
    rtc_shim::Require(level >= 0 && level <= 4, "level must be 0 to 4");
    rtc_shim::QuietOnce();
    rtc_shim::SetLevel(static_cast<rtc::LoggingSeverity>(level));
    return int{RTC_OK};
  });
}

}  // extern "C"
