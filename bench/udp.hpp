// SPDX-License-Identifier: MIT
// What udp_raw.cpp and udp_eddy.cpp measure alike.
#pragma once

#include <cstdio>
#include <ctime>

inline constexpr int kSize = 1200;    // bytes of a datagram, as QUIC's
inline constexpr int kBurst = 32;     // datagrams that are sent before any is received
inline constexpr int kEchoes = 20'000;
inline constexpr int kBursts = 2'000;

inline double cpu_now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// ns of CPU time that each of `count` datagrams takes in `work()`.
template <class F>
double cpu_a_datagram(int count, F work) {
  work();  // warm
  const double before = cpu_now();
  work();
  return (cpu_now() - before) / count;
}

inline void report(const char* name, double nanoseconds) { std::printf("%s %.1f\n", name, nanoseconds); }
