// SPDX-License-Identifier: MIT
// Where a worker process begins.
//
// A worker is this program's own file, executed again with EDDY_WORKER in its environment: no thread, no
// lock, no descriptor and no memory of the parent is in it, whatever the parent was doing. Its static objects
// have to be there, because the functions that it will run may use them, but its main() must not run. So an
// entry of ours stands among the initialisers of the program (.init_array, which the C library calls in order
// before main). In a worker it calls those that come after it itself, then serves, and never returns:
//
//     program:  init_1 … init_n  [ours: returns]  init_m …  main()
//     worker:   init_1 … init_n  [ours: init_m …  serve(), _exit()]
//
// If eddy is a shared library, its initialisers come before those of the program: then ours takes the place
// of the program's last one, which it calls first.
//
// An entry in the section, not a constructor function: link-time optimisation joins those into one.
#include <eddy/remote.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "exec/child_process.hpp"
#include "exec/exception_text.hpp"
#include "exec/packet.hpp"

namespace {
using Initialiser = void (*)(int, char**, char**);
}

// The linker's names for the ends of the program's own table; null in a shared library.
extern "C" {
extern Initialiser __init_array_start[] __attribute__((weak, visibility("hidden")));
extern Initialiser __init_array_end[] __attribute__((weak, visibility("hidden")));
}

namespace eddy::detail {
namespace {

constexpr int kChannel = 3;
constexpr int kLifeline = 4;

bool entry_is_in_place = false;

[[noreturn]] void leave(int exit_code) {
  std::cout.flush();
  std::fflush(nullptr);
  ::_exit(exit_code);  // no destructors of static objects: what they would give back goes with the process
}

// Asks the kernel to kill us when the other end of the lifeline closes, whatever we are doing then.
void hold_on_to_parent() {
  ::fcntl(kLifeline, F_SETOWN, ::getpid());
  ::fcntl(kLifeline, F_SETSIG, SIGKILL);
  ::fcntl(kLifeline, F_SETFL, O_NONBLOCK | O_ASYNC);
  pollfd entry{kLifeline, POLLIN, 0};
  if (::poll(&entry, 1, 0) > 0) ::_exit(0);  // it closed before
}

int exit_code_of(Parcel& call) {
  std::string name;
  try {
    Unpacker unpacker(call);
    name = unpacker.get<std::string>();
    ::prctl(PR_SET_NAME, name.c_str());
    ::signal(SIGINT, SIG_DFL);
    Packer result;
    const auto thunk = reinterpret_cast<RemoteThunk>(const_cast<void*>(unpack_code(unpacker)));
    thunk(unpacker, result);
    return 0;
  } catch (const SystemExit& e) {
    return e.code();
  } catch (...) {
    const auto text = fmt::format("process '{}' ended by {}\n", name, text_with_type_of_current_exception());
    std::fputs(text.c_str(), stderr);
    return 1;
  }
}

Parcel failure_of_current_exception() {
  Packer packer;
  packer.add(false);
  pack_exception(packer, std::current_exception());
  return std::move(packer).take();
}

bool answer(Parcel result) {
  try {
    return pass_blocking(kChannel, kResult, result, Duration::max()) == Passed::done;
  } catch (...) {  // a result that cannot be sent: too many descriptors, no memory file
    auto failure = failure_of_current_exception();
    return pass_blocking(kChannel, kResult, failure, Duration::max()) == Passed::done;
  }
}

void serve() {
  for (;;) {
    Parcel call;
    std::uint32_t tag = 0;
    if (take_blocking(kChannel, tag, call, Duration::max()) != Passed::done) return;
    if (tag == kProcess) {
      ::close(kChannel);
      leave(exit_code_of(call));
    }
    Parcel result = run_parcel(call);
    call = Parcel();
    std::cout.flush();
    std::fflush(nullptr);
    if (!answer(std::move(result))) return;
  }
}

[[noreturn]] void be_a_worker() {
  ::unsetenv("EDDY_WORKER");
  for (const int fd : {kChannel, kLifeline}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::signal(SIGINT,
           SIG_IGN);  // Ctrl-C reaches the whole group of processes; what becomes of us, the parent decides
  hold_on_to_parent();
  try {
    serve();
  } catch (...) {
    const auto text =
        fmt::format("worker process {}: {}\n", ::getpid(), text_with_type_of_current_exception());
    std::fputs(text.c_str(), stderr);
    leave(1);
  }
  leave(0);
}

struct InitialiserTable {
  Initialiser* begin = nullptr;
  Initialiser* end = nullptr;
};

InitialiserTable table_of_program() {
  if (__init_array_start) return {__init_array_start, __init_array_end};
  InitialiserTable table;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {  // the program comes first
        auto& found = *static_cast<InitialiserTable*>(data);
        std::size_t size = 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
          const auto* entry =
              reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
          for (; entry->d_tag != DT_NULL; ++entry) {
            if (entry->d_tag == DT_INIT_ARRAY)
              found.begin = reinterpret_cast<Initialiser*>(info->dlpi_addr + entry->d_un.d_ptr);
            if (entry->d_tag == DT_INIT_ARRAYSZ) size = entry->d_un.d_val;
          }
        }
        found.end = found.begin + size / sizeof(Initialiser);
        return 1;
      },
      &table);
  return table;
}

Initialiser last_of_program = nullptr;

void last_then_serve(int argc, char** argv, char** envp) {
  last_of_program(argc, argv, envp);
  be_a_worker();
}

void replace_last(const InitialiserTable& table) {
  if (table.begin == table.end) return;
  auto* last = table.end - 1;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(last) & ~(page - 1);
  if (::mprotect(reinterpret_cast<void*>(begin), page, PROT_READ | PROT_WRITE) != 0) ::_exit(127);
  last_of_program = *last;
  *last = &last_then_serve;
}

void enter(int argc, char** argv, char** envp) {
  entry_is_in_place = true;
  // A program with more rights than its caller takes no orders from the caller's environment.
  if (!::secure_getenv("EDDY_WORKER")) return;
  const auto table = table_of_program();
  for (auto* ours = table.begin; ours != table.end; ++ours) {
    if (*ours != &enter) continue;
    while (++ours != table.end) (*ours)(argc, argv, envp);
    be_a_worker();
  }
  replace_last(table);
}

__attribute__((used, section(".init_array"))) Initialiser entry = &enter;

}  // namespace

bool worker_entry_is_in_place() noexcept { return entry_is_in_place; }

}  // namespace eddy::detail
