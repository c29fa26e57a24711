// Stream resets of newer senders, which dcsctp of this age never finishes.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_STREAM_RESET_H_
#define BACKENDS_LEGACY_LIBWEBRTC_STREAM_RESET_H_

#include <api/array_view.h>
#include <net/dcsctp/public/dcsctp_socket.h>

#include <cstdint>

namespace rtc_shim {

// To be called before `socket` handles a packet, on the network thread.
//
// A reset that comes before the last of its stream's data is answered "in progress" (RFC 6525 section 5.2.2),
// and asked for again. dcsctp of this age numbers it anew then; a newer one, as browsers have it, keeps the
// number, and would be told "in progress" for ever (section 5.2.1: the answer to a repeated request is
// repeated). A repeated request is handled as a new one here, so that channels close.
void LookAgainAtReset(dcsctp::DcSctpSocketInterface& socket, rtc::ArrayView<const uint8_t> packet);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_STREAM_RESET_H_
