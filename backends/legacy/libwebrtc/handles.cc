#include "handles.h"

#include <algorithm>
#include <cstring>

#include "abi.h"

namespace rtc_shim {
namespace {

// The type sits above the serial number, so that a handle of another type is recognised even after it was
// freed.
constexpr int kTypeShift = 48;

Type TypeOf(int64_t handle) { return static_cast<Type>(handle >> kTypeShift); }

const char* TypeName(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kQueue:
      return "queue";
    case Type::kFactory:
      return "factory";
    case Type::kConfig:
      return "config";
    case Type::kPeer:
      return "connection";
    case Type::kTransceiver:
      return "transceiver";
    case Type::kSource:
      return "source";
    case Type::kSink:
      return "sink";
    case Type::kFrame:
      return "frame";
    case Type::kChannel:
      return "channel";
    case Type::kResampler:
      return "resampler";
    case Type::kEncoder:
      return "encoder";
    case Type::kDecoder:
      return "decoder";
    case Type::kTransform:
      return "transform";
    case Type::kProcessor:
      return "processor";
  }
  return "unknown";
}

thread_local std::string last_error;

}  // namespace

int SetLastError(int code, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return code;
}

Registry& Registry::Instance() {
  // Never destroyed: the caller may still use handles while static destructors run.
  static Registry* const registry = new Registry;
  return *registry;
}

int64_t Registry::AddObject(std::shared_ptr<Object> object, Type type) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int64_t handle = (static_cast<int64_t>(type) << kTypeShift) | next_serial_++;
  object->handle_ = handle;
  objects_.emplace(handle, std::move(object));
  return handle;
}

std::shared_ptr<Object> Registry::FindObject(int64_t handle, Type type, bool take) {
  const char* problem = "is not alive";
  if (TypeOf(handle) == type) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(handle);
    if (found != objects_.end()) {
      std::shared_ptr<Object> object = found->second;
      if (take) objects_.erase(found);
      return object;
    }
  } else {
    problem = "is not of this type";
  }
  throw Error(RTC_ERR_INVALID_HANDLE,
              std::string(TypeName(type)) + " handle " + std::to_string(handle) + " " + problem);
}

std::vector<std::shared_ptr<Object>> Registry::TakeIf(const Predicate& predicate) {
  std::vector<std::shared_ptr<Object>> taken;
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto it = objects_.begin(); it != objects_.end();) {
    if (predicate(*it->second)) {
      taken.push_back(std::move(it->second));
      it = objects_.erase(it);
    } else {
      ++it;
    }
  }
  return taken;
}

std::vector<std::shared_ptr<Object>> Registry::TakeType(Type type) {
  return TakeIf([type](const Object& object) { return TypeOf(object.handle()) == type; });
}

int Registry::Count() {
  std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int>(objects_.size());
}

int64_t NewString(std::string text) {
  return Registry::Instance().Add(std::make_shared<String>(std::move(text)));
}

}  // namespace rtc_shim

using rtc_shim::Guard;
using rtc_shim::Registry;
using rtc_shim::String;

extern "C" {

int rtc_last_error(char* buf, int len) {
  const std::string& text = rtc_shim::last_error;
  if (buf && len > 0) {
    const size_t copied = std::min(text.size(), static_cast<size_t>(len - 1));
    std::memcpy(buf, text.data(), copied);
    buf[copied] = 0;
  }
  return static_cast<int>(text.size());
}

int rtc_abi_version(void) { return RTC_SHIM_ABI_VERSION; }

const char* rtc_version_string(void) { return "libwebrtc M109 (tg_owt)"; }

int rtc_handle_count(void) {
  return Guard([] { return Registry::Instance().Count(); });
}

const char* rtc_string_data(int64_t string, size_t* len) {
  const char* data = nullptr;
  const int code = Guard([&] {
    const auto object = Registry::Instance().Find<String>(string);
    data = object->text().c_str();
    if (len) *len = object->text().size();
    return int{RTC_OK};
  });
  return code < 0 ? nullptr : data;
}

int rtc_string_free(int64_t string) {
  return Guard([&] {
    Registry::Instance().Take<String>(string);
    return int{RTC_OK};
  });
}

}  // extern "C"
