// The DTLS, ICE and SCTP transports of a connection. They live on the network thread: calling their getters
// elsewhere aborts the process.
#include "transports.h"

#include <api/ice_transport_interface.h>
#include <p2p/base/ice_transport_internal.h>
#include <pc/webrtc_sdp.h>
#include <rtc_base/ssl_certificate.h>
#include <rtc_base/ssl_fingerprint.h>
#include <rtc_base/ssl_stream_adapter.h>
#include <rtc_base/third_party/base64/base64.h>

#include <algorithm>
#include <utility>

namespace rtc_shim {
namespace {

const char* DtlsName(webrtc::DtlsTransportState state) {
  static constexpr const char* kNames[] = {"new", "connecting", "connected", "closed", "failed"};
  return kNames[static_cast<int>(state)];
}

const char* SctpName(webrtc::SctpTransportState state) {
  static constexpr const char* kNames[] = {"new", "connecting", "connected", "closed"};
  return kNames[static_cast<int>(state)];
}

const char* IceName(webrtc::IceTransportState state) {
  static constexpr const char* kNames[] = {"new",    "checking",     "connected", "completed",
                                           "failed", "disconnected", "closed"};
  return kNames[static_cast<int>(state)];
}

const char* GatheringName(cricket::IceGatheringState state) {
  static constexpr const char* kNames[] = {"new", "gathering", "complete"};
  return kNames[state];
}

const char* RoleName(cricket::IceRole role) {
  static constexpr const char* kNames[] = {"controlling", "controlled", "unknown"};
  return kNames[role];
}

std::string W3cType(const std::string& type) {
  if (type == "local") return "host";
  if (type == "stun") return "srflx";
  return type;
}

void WriteCertificates(Json& json, const rtc::SSLCertChain* chain) {
  json.Key("remoteCertificates").BeginArray();
  const size_t count = chain ? chain->GetSize() : 0;
  for (size_t i = 0; i < count; ++i) {
    rtc::Buffer der;
    chain->Get(i).ToDER(&der);
    std::string encoded;
    rtc::Base64::EncodeFromArray(der.data(), der.size(), &encoded);
    json.Value(encoded);
  }
  json.EndArray().Key("remoteFingerprint");
  const auto fingerprint = count > 0 ? rtc::SSLFingerprint::Create("sha-256", chain->Get(0)) : nullptr;
  if (!fingerprint) {
    json.Null();
    return;
  }
  json.BeginObject()
      .Field("algorithm", fingerprint->algorithm)
      .Field("value", fingerprint->GetRfc4572Fingerprint())
      .EndObject();
}

void WriteIce(Json& json, webrtc::DtlsTransportInterface& dtls) {
  const auto ice = dtls.ice_transport();
  cricket::IceTransportInternal* const internal = ice ? ice->internal() : nullptr;
  if (!internal) {
    json.Field("iceState", "closed").Field("iceRole", "unknown").Field("gatheringState", "complete");
    json.Key("selectedPair").Null();
    return;
  }
  json.Field("iceState", IceName(internal->GetIceTransportState()))
      .Field("iceRole", RoleName(internal->GetIceRole()))
      .Field("gatheringState", GatheringName(internal->gathering_state()))
      .Key("selectedPair");
  const auto pair = internal->GetSelectedCandidatePair();
  if (!pair) {
    json.Null();
    return;
  }
  json.BeginObject().Key("local");
  WriteCandidate(json, pair->local);
  json.Key("remote");
  WriteCandidate(json, pair->remote);
  json.EndObject();
}

void WriteTransport(Json& json, const std::string& mid, const std::string& first_mid,
                    webrtc::DtlsTransportInterface& dtls) {
  const webrtc::DtlsTransportInformation information = dtls.Information();
  json.BeginObject()
      .Field("mid", mid)
      .Field("transport", first_mid)
      .Field("dtlsState", DtlsName(information.state()));
  WriteIce(json, dtls);
  WriteCertificates(json, information.remote_ssl_certificates());
  json.Key("srtpCipher");
  if (const auto cipher = information.srtp_cipher_suite()) {
    json.Value(rtc::SrtpCryptoSuiteToName(*cipher));
  } else {
    json.Null();
  }
  json.FieldOrNull("dtlsCipher", information.ssl_cipher_suite());
  json.FieldOrNull("tlsVersion", information.tls_version()).EndObject();
}

std::string MidOf(webrtc::PeerConnectionInterface& pc, const std::vector<std::string>& mids,
                  const webrtc::DtlsTransportInterface* dtls) {
  for (const std::string& mid : mids) {
    if (pc.LookupDtlsTransportByMid(mid).get() == dtls) return mid;
  }
  return std::string();
}

}  // namespace

void WriteCandidate(Json& json, const cricket::Candidate& candidate) {
  json.BeginObject()
      .Field("candidate", webrtc::SdpSerializeCandidate(candidate))
      .Field("address", candidate.address().hostname().empty() ? candidate.address().ipaddr().ToString()
                                                               : candidate.address().hostname())
      .Field("port", candidate.address().port())
      .Field("protocol", candidate.protocol())
      .Field("type", W3cType(candidate.type()))
      .Field("priority", candidate.priority())
      .Field("foundation", candidate.foundation())
      .Field("component", candidate.component())
      .Field("ufrag", candidate.username());
  if (!candidate.related_address().IsNil()) {
    json.Field("relatedAddress", candidate.related_address().ipaddr().ToString());
    json.Field("relatedPort", candidate.related_address().port());
  }
  if (!candidate.tcptype().empty()) json.Field("tcpType", candidate.tcptype());
  json.EndObject();
}

class TransportWatch::DtlsObserver : public webrtc::DtlsTransportObserverInterface {
 public:
  explicit DtlsObserver(Peer* peer) : peer_(peer) {}
  void OnStateChange(webrtc::DtlsTransportInformation) override { peer_->RefreshTransportsSoon(); }
  void OnError(webrtc::RTCError) override { peer_->RefreshTransportsSoon(); }

 private:
  Peer* const peer_;
};

class TransportWatch::SctpObserver : public webrtc::SctpTransportObserverInterface {
 public:
  explicit SctpObserver(Peer* peer) : peer_(peer) {}
  void OnStateChange(webrtc::SctpTransportInformation) override { peer_->RefreshTransportsSoon(); }

 private:
  Peer* const peer_;
};

struct TransportWatch::Dtls {
  Dtls(Peer* peer, rtc::scoped_refptr<webrtc::DtlsTransportInterface> watched)
      : transport(std::move(watched)), observer(peer) {
    transport->RegisterObserver(&observer);
  }

  const rtc::scoped_refptr<webrtc::DtlsTransportInterface> transport;
  DtlsObserver observer;
  std::string mids;  // joined with "\n"
  webrtc::DtlsTransportState state = webrtc::DtlsTransportState::kNew;
};

TransportWatch::TransportWatch(Peer* peer) : peer_(peer) {}

TransportWatch::~TransportWatch() = default;

void TransportWatch::RefreshDtls(const std::vector<std::string>& mids) {
  for (const auto& dtls : dtls_) dtls->mids.clear();
  for (const std::string& mid : mids) {
    const auto transport = peer_->pc().LookupDtlsTransportByMid(mid);
    if (!transport) continue;
    auto found = std::find_if(dtls_.begin(), dtls_.end(),
                              [&](const auto& dtls) { return dtls->transport == transport; });
    if (found == dtls_.end()) {
      dtls_.push_back(std::make_unique<Dtls>(peer_, transport));
      found = std::prev(dtls_.end());
    }
    std::string& joined = (*found)->mids;
    joined += joined.empty() ? mid : "\n" + mid;
  }
  // Bundling leaves transports behind which no section uses any more.
  for (const auto& dtls : dtls_) {
    if (dtls->mids.empty()) Forget(*dtls);
  }
  dtls_.erase(std::remove_if(dtls_.begin(), dtls_.end(), [](const auto& dtls) { return dtls->mids.empty(); }),
              dtls_.end());
}

void TransportWatch::RefreshSctp() {
  const auto sctp = peer_->pc().GetSctpTransport();
  if (sctp == sctp_) return;
  if (sctp_) sctp_->UnregisterObserver();
  sctp_ = sctp;
  sctp_observer_ = std::make_unique<SctpObserver>(peer_);
  if (sctp_) sctp_->RegisterObserver(sctp_observer_.get());
}

void TransportWatch::Forget(Dtls& dtls) { dtls.transport->UnregisterObserver(); }

void TransportWatch::CollectDtls(Dtls& dtls, webrtc::DtlsTransportState state, std::vector<Event>* events) {
  if (std::exchange(dtls.state, state) == state) return;
  Event event(RTC_EV_DTLS_STATE, peer_->owner());
  event.c.i0 = static_cast<int64_t>(state);
  event.data = DtlsName(state);
  event.data2 = dtls.mids;
  events->push_back(std::move(event));
}

void TransportWatch::CollectSctp(const webrtc::SctpTransportInformation& information,
                                 std::vector<Event>* events) {
  max_message_size_ = static_cast<int64_t>(information.MaxMessageSize().value_or(0));
  if (std::exchange(sctp_state_, information.state()) == information.state()) return;
  Event event(RTC_EV_SCTP_STATE, peer_->owner());
  event.c.i0 = static_cast<int64_t>(information.state());
  event.c.i1 = max_message_size_ > 0 ? max_message_size_ : -1;
  event.c.i2 = information.MaxChannels().value_or(-1);
  event.data = SctpName(information.state());
  events->push_back(std::move(event));
}

std::vector<Event> TransportWatch::Refresh(const std::vector<std::string>& mids) {
  std::vector<Event> events;
  RefreshDtls(mids);
  RefreshSctp();
  for (const auto& dtls : dtls_) CollectDtls(*dtls, dtls->transport->Information().state(), &events);
  if (sctp_) CollectSctp(sctp_->Information(), &events);
  return events;
}

std::vector<Event> TransportWatch::Close() {
  std::vector<Event> events;
  for (const auto& dtls : dtls_) {
    Forget(*dtls);
    CollectDtls(*dtls, webrtc::DtlsTransportState::kClosed, &events);
  }
  dtls_.clear();
  if (sctp_) {
    sctp_->UnregisterObserver();
    CollectSctp(webrtc::SctpTransportInformation(webrtc::SctpTransportState::kClosed), &events);
  }
  sctp_ = nullptr;
  return events;
}

std::string Peer::Transports() {
  const std::vector<std::string> mids = MidsOf(*pc_);
  return RunOn(factory_->network(), [&] {
    Json json;
    json.BeginObject().Key("transports").BeginArray();
    for (const std::string& mid : mids) {
      if (const auto dtls = pc_->LookupDtlsTransportByMid(mid)) {
        WriteTransport(json, mid, MidOf(*pc_, mids, dtls.get()), *dtls);
      }
    }
    json.EndArray().Key("sctp");
    if (const auto sctp = pc_->GetSctpTransport()) {
      const webrtc::SctpTransportInformation information = sctp->Information();
      json.BeginObject()
          .Field("mid", MidOf(*pc_, mids, information.dtls_transport().get()))
          .Field("state", SctpName(information.state()))
          .FieldOrNull("maxMessageSize", information.MaxMessageSize())
          .FieldOrNull("maxChannels", information.MaxChannels())
          .EndObject();
    } else {
      json.Null();
    }
    return json.EndObject().Take();
  });
}

}  // namespace rtc_shim
