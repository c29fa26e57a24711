#include "neteq.h"

#include <api/neteq/custom_neteq_factory.h>
#include <api/neteq/neteq_controller_factory.h>
#include <modules/audio_coding/neteq/decision_logic.h>
#include <modules/audio_coding/neteq/delay_manager.h>

#include <utility>

#include "abi.h"

namespace rtc_shim {
namespace {

class FixedDelayManager : public webrtc::DelayManager {
 public:
  FixedDelayManager(const Config& config, const webrtc::TickTimer* tick_timer, int delay_ms)
      : DelayManager(config, tick_timer), delay_ms_(delay_ms) {}
  int TargetDelayMs() const override { return delay_ms_; }

 private:
  const int delay_ms_;
};

class FixedDelayControllerFactory : public webrtc::NetEqControllerFactory {
 public:
  explicit FixedDelayControllerFactory(int delay_ms) : delay_ms_(delay_ms) {}

  std::unique_ptr<webrtc::NetEqController> CreateNetEqController(
      const webrtc::NetEqController::Config& config) const override {
    webrtc::DelayManager::Config delay;
    delay.max_packets_in_buffer = config.max_packets_in_buffer;
    delay.base_minimum_delay_ms = config.base_min_delay_ms;
    return std::make_unique<webrtc::DecisionLogic>(
        config, std::make_unique<FixedDelayManager>(delay, config.tick_timer, delay_ms_),
        std::make_unique<webrtc::BufferLevelFilter>());
  }

 private:
  const int delay_ms_;
};

}  // namespace

std::unique_ptr<webrtc::NetEqFactory> NewFixedDelayNetEq(int delay_ms) {
  return std::make_unique<webrtc::CustomNetEqFactory>(
      std::make_unique<FixedDelayControllerFactory>(delay_ms));
}

}  // namespace rtc_shim
