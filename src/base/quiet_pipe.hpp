// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <ctime>

namespace eddy::detail {

/// Keeps SIGPIPE from ending the process: a pipe, and sendfile(), have no MSG_NOSIGNAL. The signal goes to the thread that
/// writes, so holding it back and taking it out of the queue here disturbs nobody else.
class QuietPipe {
 public:
  QuietPipe() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  QuietPipe(const QuietPipe&) = delete;
  ~QuietPipe() {
    if (sigismember(&before_, SIGPIPE)) return;
    const int saved = errno;
    const timespec at_once{};
    if (saved == EPIPE) ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved;
  }

 private:
  sigset_t pipe_, before_;
};

}  // namespace eddy::detail
