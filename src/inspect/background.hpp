// SPDX-License-Identifier: MIT
// Threads that watch: they take no signals, keep no process alive, and count as idle for the deadlock report,
// since they wake no loop of their own accord.
#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>

#include "loop/loop.hpp"

namespace eddy::detail {

/// Runs `function` on a detached thread.
template <class F>
void run_in_background(F function) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Unmask {
    sigset_t& mask;
    ~Unmask() { ::pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } unmask{before};
  thread_idle(true);  // before it exists: a loop that looks meanwhile must not count it
  std::thread([function = std::move(function)]() mutable {
    ::pthread_setname_np(::pthread_self(), "eddy-inspect");
    function();
    thread_idle(false);
  }).detach();
}

}  // namespace eddy::detail
