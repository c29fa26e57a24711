// Lets the archive, which Debian builds as PIE and not as PIC, be linked into a shared object without text
// relocations. It must come first on the link line. x86-64 only.
#include <api/task_queue/task_queue_base.h>
#include <dlfcn.h>
#include <rtc_base/synchronization/yield_policy.h>
#include <string.h>

#include <sstream>

#ifdef NDEBUG
#error "libtg_owt.a was built with DCHECKs: NDEBUG must not be defined"
#endif

// 1. Archive members with local-exec TLS cannot go into a shared object. Defining all of their symbols here
// keeps the linker from ever pulling them.
namespace rtc {
namespace {
thread_local YieldInterface* current_yield_policy = nullptr;
}

ScopedYieldPolicy::ScopedYieldPolicy(YieldInterface* policy) : previous_(current_yield_policy) {
  current_yield_policy = policy;
}
ScopedYieldPolicy::~ScopedYieldPolicy() { current_yield_policy = previous_; }
void ScopedYieldPolicy::YieldExecution() {
  if (current_yield_policy) current_yield_policy->YieldExecution();
}
}  // namespace rtc

namespace webrtc {
namespace {
thread_local TaskQueueBase* current_task_queue = nullptr;
}

TaskQueueBase* TaskQueueBase::Current() { return current_task_queue; }
TaskQueueBase::CurrentTaskQueueSetter::CurrentTaskQueueSetter(TaskQueueBase* task_queue)
    : previous_(current_task_queue) {
  current_task_queue = task_queue;
}
TaskQueueBase::CurrentTaskQueueSetter::~CurrentTaskQueueSetter() { current_task_queue = previous_; }
}  // namespace webrtc

// 2. srtp_session.cc addresses the vtables of these relative to the program counter: have them in this
// object. The version script keeps them local.
template class std::basic_ios<char>;
template class std::basic_streambuf<char>;
template class std::basic_stringbuf<char>;
template class std::basic_ostringstream<char>;

// 3. Plain data of other shared objects which the archive addresses relative to the program counter: hidden
// copies.
#define RTC_SHIM_HIDDEN __attribute__((visibility("hidden")))
#define RTC_SHIM_ASCII_TABLE "_ZN4absl7debian314ascii_internal13kPropertyBitsE"

extern "C" {
RTC_SHIM_HIDDEN char rtc_shim_nothrow asm("_ZSt7nothrow");
RTC_SHIM_HIDDEN unsigned char rtc_shim_in6addr_any[16] asm("in6addr_any");
RTC_SHIM_HIDDEN unsigned char rtc_shim_in6addr_loopback[16] asm("in6addr_loopback") = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
RTC_SHIM_HIDDEN void* rtc_shim_stderr asm("stderr");
RTC_SHIM_HIDDEN void* rtc_shim_stdout asm("stdout");
RTC_SHIM_HIDDEN unsigned char rtc_shim_ascii_table[256] asm(RTC_SHIM_ASCII_TABLE);

// Early priority: static initialisers of the archive may already log.
__attribute__((constructor(101))) static void FillHiddenCopies() {
  if (void* found = dlsym(RTLD_DEFAULT, "stderr")) rtc_shim_stderr = *static_cast<void**>(found);
  if (void* found = dlsym(RTLD_DEFAULT, "stdout")) rtc_shim_stdout = *static_cast<void**>(found);
  if (void* found = dlsym(RTLD_DEFAULT, RTC_SHIM_ASCII_TABLE)) {
    memcpy(rtc_shim_ascii_table, found, sizeof(rtc_shim_ascii_table));
  }
}
}
