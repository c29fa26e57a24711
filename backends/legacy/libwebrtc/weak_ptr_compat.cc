// Replaces the archive's weak_ptr.cc. After a failed DTLS handshake libwebrtc looks at a weak pointer of the
// connection on the network thread, which binds its sequence checker there; the destructor, on the signaling
// thread, then aborts the process. The archive was built with checks, so the only way out is an
// implementation without them.
#include <rtc_base/weak_ptr.h>

namespace rtc::internal {

WeakReference::Flag::Flag() : is_valid_(true) {}

WeakReference::Flag::~Flag() = default;

void WeakReference::Flag::Invalidate() { __atomic_store_n(&is_valid_, false, __ATOMIC_RELEASE); }

bool WeakReference::Flag::IsValid() const { return __atomic_load_n(&is_valid_, __ATOMIC_ACQUIRE); }

WeakReference::WeakReference() = default;

WeakReference::WeakReference(const Flag* flag) : flag_(flag) {}

WeakReference::~WeakReference() = default;

WeakReference::WeakReference(WeakReference&& other) = default;

WeakReference::WeakReference(const WeakReference& other) = default;

bool WeakReference::is_valid() const { return flag_ && flag_->IsValid(); }

WeakReferenceOwner::WeakReferenceOwner() = default;

WeakReferenceOwner::~WeakReferenceOwner() { Invalidate(); }

WeakReference WeakReferenceOwner::GetRef() const {
  if (!flag_) flag_ = new RefCountedObject<WeakReference::Flag>();
  return WeakReference(flag_.get());
}

void WeakReferenceOwner::Invalidate() {
  if (!flag_) return;
  flag_->Invalidate();
  flag_ = nullptr;
}

WeakPtrBase::WeakPtrBase() = default;

WeakPtrBase::~WeakPtrBase() = default;

WeakPtrBase::WeakPtrBase(const WeakReference& ref) : ref_(ref) {}

}  // namespace rtc::internal
