// SPDX-License-Identifier: MIT
// Stacks of machine code, for reports: which functions a thread is in.
#pragma once

#include <string>
#include <vector>

namespace eddy::detail {

struct NativeStack {
  static constexpr int kMost = 48;
  void* frames[kMost];  // return addresses, innermost first
  int size = 0;

  /// The calling thread's, without the `skip` innermost frames and this function. Allocates nothing and takes
  /// no lock, so a signal handler may call it, once warm_up() has been: with glibc 2.35 or newer and libgcc
  /// 12 or newer the unwinder finds modules without a lock.
  void capture(int skip) noexcept;
  /// Loads the unwinder, which the first use would do by dlopen().
  static void warm_up() noexcept;

  /// A line a frame: "read_all(int)+0x1c (prog+0x2f3a)". For addr2line, the part in brackets.
  std::vector<std::string> lines() const;
};

/// The function at an address, demangled; "" if the program was stripped of it.
std::string function_at(const void* code);

/// "a(int)" of "a(a(int)::_Z1ai.Frame*) [clone .actor]": what g++ and clang make of a coroutine's body.
std::string without_frame(std::string demangled);

}  // namespace eddy::detail
