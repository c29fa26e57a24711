#include "stream_reset.h"

#include <net/dcsctp/packet/chunk/reconfig_chunk.h>
#include <net/dcsctp/packet/parameter/outgoing_ssn_reset_request_parameter.h>
#include <net/dcsctp/packet/sctp_packet.h>
#include <net/dcsctp/socket/dcsctp_socket.h>
#include <net/dcsctp/socket/stream_reset_handler.h>
#include <net/dcsctp/socket/transmission_control_block.h>

#include <memory>

namespace rtc_shim {
namespace {

using Result = dcsctp::ReconfigurationResponseParameter::Result;

// Names of private members may be used in explicit instantiations.
template <typename Tag, typename Tag::Type member>
struct Opened {
  friend typename Tag::Type Member(Tag) { return member; }
};

struct ControlBlock {
  using Type = std::unique_ptr<dcsctp::TransmissionControlBlock> dcsctp::DcSctpSocket::*;
  friend Type Member(ControlBlock);
};
struct LastNumber {
  using Type = dcsctp::ReconfigRequestSN dcsctp::StreamResetHandler::*;
  friend Type Member(LastNumber);
};
struct LastResult {
  using Type = Result dcsctp::StreamResetHandler::*;
  friend Type Member(LastResult);
};
template struct Opened<ControlBlock, &dcsctp::DcSctpSocket::tcb_>;
template struct Opened<LastNumber, &dcsctp::StreamResetHandler::last_processed_req_seq_nbr_>;
template struct Opened<LastResult, &dcsctp::StreamResetHandler::last_processed_req_result_>;

bool AsksFor(rtc::ArrayView<const uint8_t> data, dcsctp::ReconfigRequestSN number) {
  const auto packet = dcsctp::SctpPacket::Parse(data);
  if (!packet) return false;
  for (const auto& chunk : packet->descriptors()) {
    if (chunk.type != dcsctp::ReConfigChunk::kType) continue;
    const auto reconfig = dcsctp::ReConfigChunk::Parse(chunk.data);
    if (!reconfig) continue;
    const auto request = reconfig->parameters().get<dcsctp::OutgoingSSNResetRequestParameter>();
    if (request && request->request_sequence_number() == number) return true;
  }
  return false;
}

}  // namespace

void LookAgainAtReset(dcsctp::DcSctpSocketInterface& socket, rtc::ArrayView<const uint8_t> packet) {
  // Every socket of dcsctp's factory is one.
  const auto& block = static_cast<dcsctp::DcSctpSocket&>(socket).*Member(ControlBlock());
  if (!block) return;
  dcsctp::StreamResetHandler& handler = block->stream_reset_handler();
  if (handler.*Member(LastResult()) != Result::kInProgress) return;
  dcsctp::ReconfigRequestSN& last = handler.*Member(LastNumber());
  if (AsksFor(packet, last)) last = dcsctp::ReconfigRequestSN(*last - 1);
}

}  // namespace rtc_shim
