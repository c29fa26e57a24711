// Offers, answers, descriptions, candidates and statistics: the asynchronous calls.
#include <api/stats/rtc_stats_collector_callback.h>
#include <api/stats/rtc_stats_report.h>
#include <pc/session_description.h>

#include <utility>

#include "internals.h"
#include "peer.h"
#include "transceiver.h"

namespace rtc_shim {

Request::Request(std::shared_ptr<Queue> queue, int64_t owner, int64_t id)
    : queue_(std::move(queue)), owner_(owner), id_(id) {}

Request::~Request() { Fail(RTC_ERR_INVALID_STATE, "the connection was closed before this was finished"); }

void Request::Answer(Event event) {
  if (answered_.exchange(true)) return;
  event.c.owner = owner_;
  event.c.request = id_;
  queue_->Post(std::move(event));
}

void Request::Done(std::string data, std::string data2) {
  Event event(RTC_EV_DONE, owner_);
  event.data = std::move(data);
  event.data2 = std::move(data2);
  Answer(std::move(event));
}

void Request::Fail(int code, std::string message, std::string line) {
  Event event(RTC_EV_ERROR, owner_);
  event.c.i0 = code;
  event.data = std::move(message);
  event.data2 = std::move(line);
  Answer(std::move(event));
}

void Request::Fail(const webrtc::RTCError& error) { Fail(ErrorCode(error.type()), error.message()); }

namespace {

using RequestPtr = std::shared_ptr<Request>;

class CreateObserver : public webrtc::CreateSessionDescriptionObserver {
 public:
  explicit CreateObserver(RequestPtr request) : request_(std::move(request)) {}

  void OnSuccess(webrtc::SessionDescriptionInterface* description) override {
    const std::unique_ptr<webrtc::SessionDescriptionInterface> owned(description);
    std::string sdp;
    owned->ToString(&sdp);
    request_->Done(std::move(sdp), owned->type());
  }
  void OnFailure(webrtc::RTCError error) override { request_->Fail(error); }

 private:
  const RequestPtr request_;
};

// Answers with the state right after the description was applied, before anything else can change it.
void CompleteSet(const std::weak_ptr<Peer>& weak, Request& request, const webrtc::RTCError& error) {
  const auto peer = weak.lock();
  const bool open = peer && !peer->closed();
  if (open && peer->factory().media()) ForgetLostAssociations(peer->pc());
  if (!error.ok()) {
    request.Fail(error);
  } else if (open) {
    ForgetLostDataSection(peer->pc(), peer->factory());
    if (peer->factory().media()) ForgetHeldStreams(peer->pc());
    request.Done(peer->Snapshot());
    peer->RefreshTransportsSoon();
  }
}

class SetLocalObserver : public webrtc::SetLocalDescriptionObserverInterface {
 public:
  SetLocalObserver(Peer& peer, RequestPtr request) : peer_(peer.Self()), request_(std::move(request)) {}
  void OnSetLocalDescriptionComplete(webrtc::RTCError error) override {
    CompleteSet(peer_, *request_, error);
  }

 private:
  const std::weak_ptr<Peer> peer_;
  const RequestPtr request_;
};

class SetRemoteObserver : public webrtc::SetRemoteDescriptionObserverInterface {
 public:
  SetRemoteObserver(Peer& peer, RequestPtr request) : peer_(peer.Self()), request_(std::move(request)) {}
  void OnSetRemoteDescriptionComplete(webrtc::RTCError error) override {
    CompleteSet(peer_, *request_, error);
  }

 private:
  const std::weak_ptr<Peer> peer_;
  const RequestPtr request_;
};

class StatsCallback : public webrtc::RTCStatsCollectorCallback {
 public:
  explicit StatsCallback(RequestPtr request) : request_(std::move(request)) {}

  void OnStatsDelivered(const rtc::scoped_refptr<const webrtc::RTCStatsReport>& report) override {
    request_->Done(report->ToJson());
  }

 private:
  const RequestPtr request_;
};

webrtc::SdpType CheckedSdpType(int type) {
  switch (type) {
    case RTC_SDP_OFFER:
      return webrtc::SdpType::kOffer;
    case RTC_SDP_PRANSWER:
      return webrtc::SdpType::kPrAnswer;
    case RTC_SDP_ANSWER:
      return webrtc::SdpType::kAnswer;
    case RTC_SDP_ROLLBACK:
      return webrtc::SdpType::kRollback;
  }
  throw Error(RTC_ERR_INVALID_ARGUMENT, "unknown SDP type");
}

// What libwebrtc would follow a null pointer for.
void RequireUsable(const webrtc::SessionDescriptionInterface& description, const Factory& factory) {
  for (const auto& content : description.description()->contents()) {
    const auto* media = content.media_description();
    const auto type = media->type();
    const bool is_sctp = media->protocol().find("SCTP") != std::string::npos;
    if (is_sctp != (type == cricket::MEDIA_TYPE_DATA)) {
      throw Error(RTC_ERR_INVALID_PARAMETER,
                  "section " + content.name + " has a protocol of another media type");
    }
    if (!factory.media() && (type == cricket::MEDIA_TYPE_AUDIO || type == cricket::MEDIA_TYPE_VIDEO)) {
      throw Error(RTC_ERR_UNSUPPORTED_OPERATION,
                  "the description has audio or video, but the factory was made for data channels only");
    }
  }
}

using SetDescription = void (*)(Peer&, std::unique_ptr<webrtc::SessionDescriptionInterface>,
                                const RequestPtr&);

void Apply(int64_t pc, int type, const char* sdp, int64_t request_id, SetDescription set) {
  const webrtc::SdpType sdp_type = CheckedSdpType(type);
  const bool rollback = sdp_type == webrtc::SdpType::kRollback;
  Require(sdp || rollback, "sdp is NULL");
  const auto peer = Find<Peer>(pc);
  webrtc::SdpParseError problem;
  std::shared_ptr<webrtc::SessionDescriptionInterface> parsed =
      webrtc::CreateSessionDescription(sdp_type, rollback ? "" : sdp, &problem);
  if (!parsed) {
    Request(peer->queue(), peer->owner(), request_id)
        .Fail(RTC_ERR_SYNTAX_ERROR, problem.line + ": " + problem.description, problem.line);
    return;
  }
  if (!rollback) RequireUsable(*parsed, peer->factory());
  peer->Later(request_id,
              [parsed, set](Peer& self, const RequestPtr& request) { set(self, parsed->Clone(), request); });
}

std::unique_ptr<webrtc::IceCandidateInterface> ParseCandidate(const std::string& mid, int mline_index,
                                                              const char* line, const char* ufrag,
                                                              webrtc::SdpParseError* problem) {
  std::unique_ptr<webrtc::IceCandidateInterface> parsed(
      webrtc::CreateIceCandidate(mid, mline_index, line, problem));
  if (!parsed || !ufrag || !parsed->candidate().username().empty()) return parsed;
  cricket::Candidate candidate = parsed->candidate();
  candidate.set_username(ufrag);
  return webrtc::CreateIceCandidate(mid, mline_index, candidate);
}

void AddCandidate(int64_t pc, const char* mid, int mline_index, const char* line, const char* ufrag,
                  int64_t request_id) {
  const auto peer = Find<Peer>(pc);
  if (!line || !*line) {
    peer->Later(request_id, [](Peer& self, const RequestPtr& request) {
      if (self.pc().remote_description()) {
        request->Done();
      } else {
        request->Fail(RTC_ERR_INVALID_STATE, "there is no remote description");
      }
    });
    return;
  }
  Require(mid || mline_index >= 0, "mid is NULL and mline_index is negative");
  webrtc::SdpParseError problem;
  std::shared_ptr<webrtc::IceCandidateInterface> parsed =
      ParseCandidate(Text(mid), mline_index, line, ufrag, &problem);
  if (!parsed) {
    Request(peer->queue(), peer->owner(), request_id)
        .Fail(RTC_ERR_SYNTAX_ERROR, problem.line + ": " + problem.description, problem.line);
    return;
  }
  peer->Later(request_id, [parsed](Peer& self, const RequestPtr& request) {
    if (!self.pc().remote_description()) {
      request->Fail(RTC_ERR_INVALID_STATE, "there is no remote description");
      return;
    }
    auto copy = webrtc::CreateIceCandidate(parsed->sdp_mid(), parsed->sdp_mline_index(), parsed->candidate());
    self.pc().AddIceCandidate(std::move(copy), [request](webrtc::RTCError error) {
      if (error.ok()) {
        request->Done();
      } else {
        request->Fail(error);
      }
    });
  });
}

void GetStats(int64_t pc, int64_t request_id, int selector, int64_t transceiver_handle) {
  Require(selector >= RTC_STATS_ALL && selector <= RTC_STATS_RECEIVER, "unknown selector");
  const auto peer = Find<Peer>(pc);
  const auto transceiver = selector == RTC_STATS_ALL ? nullptr : Find<Transceiver>(transceiver_handle);
  Require(!transceiver || transceiver->peer() == peer, "the transceiver is of another connection");
  peer->Later(request_id, [selector, transceiver](Peer& self, const RequestPtr& request) {
    const auto callback = rtc::make_ref_counted<StatsCallback>(request);
    self.pc().ClearStatsCache();
    if (selector == RTC_STATS_SENDER) {
      self.pc().GetStats(transceiver->get().sender(), callback);
    } else if (selector == RTC_STATS_RECEIVER) {
      self.pc().GetStats(transceiver->get().receiver(), callback);
    } else {
      self.pc().GetStats(callback.get());
    }
  });
}

}  // namespace
}  // namespace rtc_shim

using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Peer;
using rtc_shim::RequestPtr;
using rtc_shim::SetLocalObserver;
using rtc_shim::SetRemoteObserver;

extern "C" {

int rtc_pc_create_offer(int64_t pc, int64_t request, int ice_restart) {
  return Guard([&] {
    Find<Peer>(pc)->Later(request, [ice_restart](Peer& self, const RequestPtr& pending) {
      webrtc::PeerConnectionInterface::RTCOfferAnswerOptions options;
      options.ice_restart = ice_restart;
      self.pc().CreateOffer(rtc::make_ref_counted<rtc_shim::CreateObserver>(pending).get(), options);
    });
    return int{RTC_OK};
  });
}

int rtc_pc_create_answer(int64_t pc, int64_t request) {
  return Guard([&] {
    Find<Peer>(pc)->Later(request, [](Peer& self, const RequestPtr& pending) {
      self.pc().CreateAnswer(rtc::make_ref_counted<rtc_shim::CreateObserver>(pending).get(), {});
    });
    return int{RTC_OK};
  });
}

int rtc_pc_set_local(int64_t pc, int type, const char* sdp, int64_t request) {
  return Guard([&] {
    rtc_shim::Apply(pc, type, sdp, request, [](Peer& self, auto description, const RequestPtr& pending) {
      self.pc().SetLocalDescription(std::move(description),
                                    rtc::make_ref_counted<SetLocalObserver>(self, pending));
    });
    return int{RTC_OK};
  });
}

int rtc_pc_set_remote(int64_t pc, int type, const char* sdp, int64_t request) {
  return Guard([&] {
    rtc_shim::Apply(pc, type, sdp, request, [](Peer& self, auto description, const RequestPtr& pending) {
      if (self.factory().media() && description->GetType() == webrtc::SdpType::kOffer) {
        rtc_shim::AssociateWaiting(self.pc(), *description);
      }
      self.pc().SetRemoteDescription(std::move(description),
                                     rtc::make_ref_counted<SetRemoteObserver>(self, pending));
    });
    return int{RTC_OK};
  });
}

int rtc_pc_set_local_implicit(int64_t pc, int64_t request) {
  return Guard([&] {
    Find<Peer>(pc)->Later(request, [](Peer& self, const RequestPtr& pending) {
      self.pc().SetLocalDescription(rtc::make_ref_counted<SetLocalObserver>(self, pending));
    });
    return int{RTC_OK};
  });
}

int rtc_pc_add_ice_candidate(int64_t pc, const char* mid, int mline_index, const char* candidate,
                             const char* ufrag, int64_t request) {
  return Guard([&] {
    rtc_shim::AddCandidate(pc, mid, mline_index, candidate, ufrag, request);
    return int{RTC_OK};
  });
}

int rtc_pc_get_stats(int64_t pc, int64_t request, int selector, int64_t transceiver) {
  return Guard([&] {
    rtc_shim::GetStats(pc, request, selector, transceiver);
    return int{RTC_OK};
  });
}

}  // extern "C"
