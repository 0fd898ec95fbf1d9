// SPDX-License-Identifier: MIT
// Counts what the whole process allocates: at malloc, which operator new calls, or at operator new where sanitizers own
// malloc. It replaces them: for one source of a test program that measures nothing else.
#pragma once

#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS_MALLOC 0
#endif
#endif
#ifndef COUNTS_MALLOC
#define COUNTS_MALLOC 1
#endif

namespace {
std::size_t allocations = 0;
}  // namespace

#if COUNTS_MALLOC
extern "C" void* __libc_malloc(std::size_t bytes);
extern "C" void* malloc(std::size_t bytes) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  return __libc_malloc(bytes);
}
#else
void* operator new(std::size_t bytes) {
  __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
// Not inlined, or g++ takes what it sees for a mismatch of new and free().
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif
