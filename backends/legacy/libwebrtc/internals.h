// What libwebrtc needs to be told and has no public call for.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_
#define BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_

#include <api/peer_connection_interface.h>

#include "factory.h"

namespace rtc_shim {

// Forgets a data section that a rollback took back: libwebrtc takes it for present, and so offers none for
// the channels that wait for it. On the signaling thread, after a description was applied.
void ForgetLostDataSection(webrtc::PeerConnectionInterface& pc, const Factory& factory);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_
