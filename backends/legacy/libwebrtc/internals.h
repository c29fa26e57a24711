// What libwebrtc needs to be told and has no public call for.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_
#define BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_

#include <api/peer_connection_interface.h>

#include "factory.h"

namespace rtc_shim {

// Forgets a data section that a rollback took back: libwebrtc takes it for present, and so offers none for
// the channels that wait for it. On the signaling thread, after a description was applied.
void ForgetLostDataSection(webrtc::PeerConnectionInterface& pc, const Factory& factory);

// Gives each new section of a remote offer the first transceiver of its kind that has none, as aiortc does.
// libwebrtc lets it have one of addTrack that the remote wants to hear (RFC 9429 section 5.10), and makes
// another one otherwise. On the signaling thread, before the offer is set.
void AssociateWaiting(webrtc::PeerConnectionInterface& pc, const webrtc::SessionDescriptionInterface& offer);

// Takes sections back from transceivers for which no description has one: after an offer that was refused or
// rolled back.
void ForgetLostAssociations(webrtc::PeerConnectionInterface& pc);

// Lets receivers forget the stream of a section on hold. libwebrtc removes the stream, but the receiver takes
// it for its own when a stream of the same number comes again, and then hands out nothing.
void ForgetHeldStreams(webrtc::PeerConnectionInterface& pc);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_INTERNALS_H_
