// What libwebrtc says, and to whom.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_QUIET_H_
#define BACKENDS_LEGACY_LIBWEBRTC_QUIET_H_

namespace rtc_shim {

// Ends libwebrtc's log to stderr, the first time: what was set since then stays.
void QuietOnce();

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_QUIET_H_
