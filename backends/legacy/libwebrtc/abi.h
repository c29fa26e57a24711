// The C header as C++ sees it, and the boundary: no C++ exception leaves the library.
#ifndef BACKENDS_LEGACY_LIBWEBRTC_ABI_H_
#define BACKENDS_LEGACY_LIBWEBRTC_ABI_H_

#ifdef NDEBUG
#error "libtg_owt.a was built with DCHECKs: with NDEBUG class layouts differ and the heap gets corrupted"
#endif

extern "C" {
#include "rtc_shim.h"
}

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace rtc_shim {

// What code below the boundary throws to return a code together with its text.
class Error : public std::exception {
 public:
  Error(int code, std::string message) : code_(code), message_(std::move(message)) {}
  int code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int code_;
  std::string message_;
};

// Remembers the text for rtc_last_error of this thread; returns the code for convenience.
int SetLastError(int code, const char* message) noexcept;

inline void Require(bool condition, const char* message) {
  if (!condition) throw Error(RTC_ERR_INVALID_ARGUMENT, message);
}

// Runs the body of an exported function that returns int or int64_t.
template <typename Body>
auto Guard(Body&& body) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    return SetLastError(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return SetLastError(RTC_ERR_NO_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return SetLastError(RTC_ERR_EXCEPTION, error.what());
  } catch (...) {
    return SetLastError(RTC_ERR_EXCEPTION, "unknown C++ exception");
  }
}

inline std::string Text(const char* text) { return text ? text : std::string(); }

}  // namespace rtc_shim

#endif  // BACKENDS_LEGACY_LIBWEBRTC_ABI_H_
