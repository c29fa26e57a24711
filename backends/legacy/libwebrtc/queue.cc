#include "queue.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sink.h"

namespace rtc_shim {
namespace {

int64_t MonotonicMicros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000} + now.tv_nsec / 1000;
}

void Signal(int fd) {
  const uint64_t one = 1;
  // Cannot fail: the counter is at most 1, as it is only written when unarmed.
  [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof(one));
}

void Point(const std::string& text, const char** data, size_t* len) {
  *data = text.c_str();
  *len = text.size();
}

}  // namespace

Queue::Queue() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw Error(RTC_ERR_RESOURCE_EXHAUSTED, std::string("eventfd: ") + std::strerror(errno));
}

Queue::~Queue() { Shutdown(); }

void Queue::Shutdown() {
  std::deque<Slot> dropped;
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return;
  closed_ = true;
  close(fd_);
  dropped.swap(slots_);
}

void Queue::Append(Slot slot) {
  slots_.push_back(std::move(slot));
  if (!armed_) {
    armed_ = true;
    Signal(fd_);
  }
}

void Queue::Post(Event event) {
  event.c.time_us = MonotonicMicros();
  std::lock_guard<std::mutex> lock(mutex_);
  if (!closed_) Append({std::move(event), nullptr});
}

void Queue::Post(const std::shared_ptr<Lane>& lane, Event event) {
  event.c.time_us = MonotonicMicros();
  Event oldest;  // destroyed after the lock is released
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_ || lane->closed_) return;
  ++lane->received_;
  const bool full = lane->events_.size() >= lane->limit_;
  if (full) {
    oldest = std::move(lane->events_.front());
    lane->events_.pop_front();
    ++lane->dropped_;
  }
  lane->events_.push_back(std::move(event));
  // The slot of the dropped event serves the new one.
  if (!full) Append({Event(), lane});
}

void Queue::CloseLane(Lane& lane) {
  std::deque<Event> dropped;
  std::lock_guard<std::mutex> lock(mutex_);
  lane.closed_ = true;
  dropped.swap(lane.events_);
}

void Queue::LaneCounts(const Lane& lane, int64_t* received, int64_t* dropped) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (received) *received = lane.received_;
  if (dropped) *dropped = lane.dropped_;
}

std::vector<Event> Queue::TakeBatch(int max) {
  std::vector<Event> batch;
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return batch;
  uint64_t counter;
  [[maybe_unused]] const ssize_t got = read(fd_, &counter, sizeof(counter));
  while (!slots_.empty() && batch.size() < static_cast<size_t>(max)) {
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    if (!slot.lane) {
      batch.push_back(std::move(slot.event));
    } else if (!slot.lane->events_.empty()) {
      batch.push_back(std::move(slot.lane->events_.front()));
      slot.lane->events_.pop_front();
    }
  }
  armed_ = !slots_.empty();
  if (armed_) Signal(fd_);
  return batch;
}

void Queue::Publish(Event& event, rtc_event* out) {
  if (event.frame) {
    event.c.object = Registry::Instance().Add(event.frame);
    event.frame.reset();
  }
  Point(event.data, &event.c.data, &event.c.len);
  Point(event.data2, &event.c.data2, &event.c.len2);
  Point(event.data3, &event.c.data3, &event.c.len3);
  if (event.payload.size() > 0) {
    event.c.data = event.payload.cdata<char>();
    event.c.len = event.payload.size();
  }
  *out = event.c;
}

int Queue::Drain(rtc_event* out, int max) {
  std::lock_guard<std::mutex> lock(drain_mutex_);
  drained_ = TakeBatch(max);
  for (size_t i = 0; i < drained_.size(); ++i) Publish(drained_[i], &out[i]);
  return static_cast<int>(drained_.size());
}

}  // namespace rtc_shim

using rtc_shim::Find;
using rtc_shim::Guard;
using rtc_shim::Queue;
using rtc_shim::Registry;
using rtc_shim::Require;

extern "C" {

int64_t rtc_queue_new(int* fd_out) {
  return Guard([&] {
    Require(fd_out, "fd_out is NULL");
    const auto queue = std::make_shared<Queue>();
    *fd_out = queue->fd();
    return Registry::Instance().Add(queue);
  });
}

int rtc_queue_drain(int64_t queue, rtc_event* out, int max) {
  return Guard([&] {
    Require(out && max >= 1, "out is NULL or max < 1");
    return Find<Queue>(queue)->Drain(out, max);
  });
}

int rtc_queue_free(int64_t queue) {
  return Guard([&] {
    Registry::Instance().Take<Queue>(queue)->Shutdown();
    return int{RTC_OK};
  });
}

}  // extern "C"
