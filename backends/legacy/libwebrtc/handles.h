// One process-wide, thread-safe and type-checked table of everything the caller holds.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_HANDLES_H_
#define BACKENDS_LEGACY_LIBWEBRTC_HANDLES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace rtc_shim {

enum class Type : int64_t {
  kString = 1,
  kQueue,
  kFactory,
  kConfig,
  kPeer,
  kTransceiver,
  kSource,
  kSink,
  kFrame,
  kChannel,
  kResampler,
  kEncoder,
  kDecoder,
  kProcessor,
  kTransform = 20,
};

// Base of all that has a handle. Derived classes define `static constexpr Type kType`.
class Object : public std::enable_shared_from_this<Object> {
 public:
  virtual ~Object() = default;

  // Lets go of libwebrtc. Called after the handle is gone, perhaps twice, never on a libwebrtc thread.
  virtual void Shutdown() {}

  // What the object belongs to: it is freed together with either.
  virtual const Object* factory_object() const { return nullptr; }
  virtual const Object* peer_object() const { return nullptr; }

  int64_t handle() const { return handle_; }

 private:
  friend class Registry;
  int64_t handle_ = 0;
};

class Registry {
 public:
  static Registry& Instance();

  template <typename T>
  int64_t Add(const std::shared_ptr<T>& object) {
    return AddObject(object, T::kType);
  }

  // Both throw Error(RTC_ERR_INVALID_HANDLE) when there is no such object of that type.
  template <typename T>
  std::shared_ptr<T> Find(int64_t handle) {
    return std::static_pointer_cast<T>(FindObject(handle, T::kType, false));
  }
  template <typename T>
  std::shared_ptr<T> Take(int64_t handle) {
    return std::static_pointer_cast<T>(FindObject(handle, T::kType, true));
  }

  using Predicate = std::function<bool(const Object&)>;
  std::vector<std::shared_ptr<Object>> TakeIf(const Predicate& predicate);
  std::vector<std::shared_ptr<Object>> TakeType(Type type);

  int Count();

 private:
  int64_t AddObject(std::shared_ptr<Object> object, Type type);
  std::shared_ptr<Object> FindObject(int64_t handle, Type type, bool take);

  std::mutex mutex_;
  int64_t next_serial_ = 1;
  std::unordered_map<int64_t, std::shared_ptr<Object>> objects_;
};

template <typename T>
std::shared_ptr<T> Find(int64_t handle) {
  return Registry::Instance().Find<T>(handle);
}

// Text given to the caller.
class String final : public Object {
 public:
  static constexpr Type kType = Type::kString;
  explicit String(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }

 private:
  const std::string text_;
};

int64_t NewString(std::string text);

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_HANDLES_H_
