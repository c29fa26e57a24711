// Threads, codecs and the audio device: what connections are made from.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_FACTORY_H_
#define BACKENDS_LEGACY_LIBWEBRTC_FACTORY_H_

#include <api/peer_connection_interface.h>
#include <pc/srtp_session.h>
#include <rtc_base/thread.h>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "abi.h"
#include "handles.h"

namespace rtc_shim {

class AudioDevice;
class AudioPuller;

// Readies libwebrtc for anything, and keeps it from writing to stderr.
void InitializeOnce();

// Runs `body` on `thread` and waits; an exception comes out on the calling thread, where the boundary expects
// it. A task's last reference may be the last one of an object, whose destructor then runs on that thread:
// libwebrtc aborts if a thread waits for itself.
template <typename Body>
auto RunOn(rtc::Thread* thread, Body&& body) -> decltype(body()) {
  using Result = decltype(body());
  if (thread->IsCurrent()) return body();
  std::exception_ptr problem;
  if constexpr (std::is_void_v<Result>) {
    thread->BlockingCall([&] {
      try {
        body();
      } catch (...) {
        problem = std::current_exception();
      }
    });
    if (problem) std::rethrow_exception(problem);
  } else {
    std::optional<Result> result;
    thread->BlockingCall([&] {
      try {
        result.emplace(body());
      } catch (...) {
        problem = std::current_exception();
      }
    });
    if (problem) std::rethrow_exception(problem);
    return std::move(*result);
  }
}

class Factory final : public Object {
 public:
  static constexpr Type kType = Type::kFactory;

  static std::shared_ptr<Factory> Create(const rtc_factory_options& options);

  // Frees all that belongs to it. The threads end with the last reference, normally the caller's.
  void Shutdown() override;

  bool media() const { return media_; }
  void RequireMedia() const;
  rtc::Thread* network() const { return network_.get(); }
  rtc::Thread* signaling() const { return signaling_.get(); }
  webrtc::PeerConnectionFactoryInterface* get() const { return factory_.get(); }

 private:
  explicit Factory(const rtc_factory_options& options);
  ~Factory() override;
  static void Delete(Factory* factory);

  void StartThreads();
  void AddMedia(const rtc_factory_options& options, webrtc::PeerConnectionFactoryDependencies& dependencies);
  bool OnOwnThread() const;

  const bool media_;
  std::unique_ptr<cricket::SrtpSession> srtp_keepalive_;
  std::unique_ptr<rtc::Thread> network_;
  std::unique_ptr<rtc::Thread> worker_;
  std::unique_ptr<rtc::Thread> signaling_;
  rtc::scoped_refptr<AudioPuller> puller_;
  rtc::scoped_refptr<AudioDevice> device_;
  rtc::scoped_refptr<webrtc::PeerConnectionFactoryInterface> factory_;
};

// libwebrtc's error as ours, for the boundary.
int ErrorCode(webrtc::RTCErrorType type);
void ThrowIfError(const webrtc::RTCError& error);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_FACTORY_H_
