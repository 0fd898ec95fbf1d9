// SPDX-License-Identifier: MIT
// What a public class keeps of a type that its header does not define (for every header with a hidden body).
#pragma once

namespace eddy::detail {

/// Owns one object of `new`. As std::unique_ptr, of which every use for another type costs g++ 4 ms: a twentieth of
/// what the whole of eddy.hpp takes beyond its std headers. T is complete where this is destroyed or assigned to.
template <class T>
class Owned {
 public:
  Owned() noexcept = default;
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~Owned() { delete object_; }

  T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  T* release() noexcept {
    T* const object = object_;
    object_ = nullptr;
    return object;
  }
  /// The old one is destroyed when this has the new one.
  void reset(T* object = nullptr) noexcept {
    T* const old = object_;
    object_ = object;
    delete old;
  }

 private:
  T* object_ = nullptr;
};

}  // namespace eddy::detail
