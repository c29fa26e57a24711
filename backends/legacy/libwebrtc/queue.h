// The one way out: events wait here until the application drains them; an eventfd says so.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_QUEUE_H_
#define BACKENDS_LEGACY_LIBWEBRTC_QUEUE_H_

#include <rtc_base/copy_on_write_buffer.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi.h"
#include "handles.h"

namespace rtc_shim {

class Frame;

struct Event {
  Event() = default;
  Event(uint32_t type, int64_t owner) {
    c.type = type;
    c.owner = owner;
  }

  rtc_event c{};
  std::string data, data2, data3;
  rtc::CopyOnWriteBuffer payload;  // instead of `data` where bytes are to be passed on without a copy
  std::shared_ptr<Frame> frame;  // gets its handle when it is drained, so that a dropped frame costs nothing
};

// A bounded run of events inside a queue. What exceeds the limit pushes out the oldest of the same lane.
// Guarded by the mutex of the queue.
class Lane {
 public:
  explicit Lane(size_t limit) : limit_(limit) {}

 private:
  friend class Queue;
  const size_t limit_;
  bool closed_ = false;
  std::deque<Event> events_;
  int64_t received_ = 0;
  int64_t dropped_ = 0;
};

class Queue final : public Object {
 public:
  static constexpr Type kType = Type::kQueue;

  Queue();
  ~Queue() override;
  void Shutdown() override;

  int fd() const { return fd_; }
  void Post(Event event);
  void Post(const std::shared_ptr<Lane>& lane, Event event);

  // Nothing of this lane is drained afterwards.
  void CloseLane(Lane& lane);
  void LaneCounts(const Lane& lane, int64_t* received, int64_t* dropped);

  int Drain(rtc_event* out, int max);

 private:
  // A place in the order of arrival: of `event`, or of whatever is then at the front of `lane`.
  struct Slot {
    Event event;
    std::shared_ptr<Lane> lane;
  };

  void Append(Slot slot);
  std::vector<Event> TakeBatch(int max);
  static void Publish(Event& event, rtc_event* out);

  std::mutex drain_mutex_;  // taken before mutex_
  std::vector<Event> drained_;
  std::mutex mutex_;
  std::deque<Slot> slots_;
  bool armed_ = false;
  bool closed_ = false;
  int fd_ = -1;
};

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_QUEUE_H_
