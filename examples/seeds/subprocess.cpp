// SPDX-License-Identifier: MIT
// Table 1e, its last part: other programs. On the real clock.
#include "seed.hpp"

THREAD_SEED("SYN-19", "a shell command, its output, errors and exit code", any_time,
            "['ls /zzz' exited with 2]\n[stderr]\nls: cannot access '/zzz': No such file or directory\n") {
  const std::vector<std::string> plain{"LC_ALL=C"};
  auto process = co_await eddy::create_subprocess_shell({.out = eddy::PIPE, .err = eddy::PIPE, .env = plain}, "ls /zzz");
  auto [out, err] = co_await process.communicate();
  print("['ls /zzz' exited with " + std::to_string(*process.returncode()) + "]");
  if (!out.empty()) print("[stdout]\n" + out);
  if (!err.empty()) print("[stderr]\n" + err);
}
