// SPDX-License-Identifier: MIT
#include <eddy/backends.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "loop/backend.hpp"
#include "loop/loop.hpp"
#include "loop/uring_features.hpp"

namespace eddy {
namespace {

constexpr std::pair<Backend, std::string_view> kBackends[] = {
    {Backend::automatic, "automatic"}, {Backend::epoll, "epoll"},       {Backend::poll, "poll"},
    {Backend::select, "select"},       {Backend::io_uring, "io_uring"}, {Backend::simulated, "simulated"},
};

Backend backend_called(std::string_view wanted) {
  for (const auto& [backend, name] : kBackends) {
    if (name == wanted && backend != Backend::automatic) return backend;
  }
  throw ValueError(fmt::format("EDDY_BACKEND is '{}': it must be epoll, poll, select, io_uring or simulated", wanted));
}

}  // namespace

std::string_view to_string(Backend backend) noexcept {
  for (const auto& [kind, name] : kBackends) {
    if (kind == backend) return name;
  }
  return "unknown";
}

std::vector<BackendStatus> backend_statuses() {
  auto uring = detail::uring_features();
  return {{Backend::epoll, true, "", ""},
          {Backend::poll, true, "", ""},
          {Backend::select, true, "", ""},
          {Backend::io_uring, uring.usable, std::move(uring.reason), std::move(uring.remedy)}};
}

std::vector<Backend> available_backends() {
  std::vector<Backend> usable;
  for (const auto& status : backend_statuses()) {
    if (status.usable) usable.push_back(status.backend);
  }
  return usable;
}

BackendChoice choose_backend() {
  const char* wanted = std::getenv("EDDY_BACKEND");
  if (wanted && *wanted) return {backend_called(wanted), "EDDY_BACKEND asks for it"};
  return {Backend::epoll, "the default"};
}

std::vector<BackendFeature> io_uring_features() {
  const auto uring = detail::uring_features();
  if (!uring.usable) return {};
  return {{"multishot receive into a ring of provided buffers", true, "one request a connection; idle ones hold no buffer"},
          {"deferred task work (Linux 6.1)", uring.deferred, "completions are made when the loop asks for them"},
          {"incremental buffers (Linux 6.12)", uring.incremental_buffers, "a small message takes a small part of a buffer"},
          {"zero-copy send (Linux 6.0)", uring.zero_copy_send, "not used: see docs/reference/backends.md"}};
}

namespace detail {
namespace {

std::unique_ptr<Backend> make_kernel_backend(eddy::Backend kind) {
  switch (kind) {
    case eddy::Backend::poll: return make_readiness_backend(make_poll_poller());
    case eddy::Backend::select: return make_readiness_backend(make_select_poller());
    case eddy::Backend::io_uring: {
      const auto features = uring_features();
      if (features.usable) return make_uring_backend(features);
      throw RuntimeError(fmt::format("the io_uring back end cannot be used: {}; choose epoll", features.reason));
    }
    default: return make_readiness_backend(make_epoll_poller());
  }
}

}  // namespace

std::unique_ptr<Backend> make_backend(const LoopOptions& options, const ReadyQueue& ready, const TimerQueue& timers) {
  const auto kind = options.backend == eddy::Backend::automatic ? choose_backend().backend : options.backend;
  if (kind == eddy::Backend::simulated) return make_simulated_backend();
  auto kernel = make_kernel_backend(kind);
  if (options.faults) kernel = make_faulty_backend(std::move(kernel), *options.faults);
  return options.virtual_time ? make_virtual_time_backend(std::move(kernel), ready, timers) : std::move(kernel);
}

}  // namespace detail
}  // namespace eddy
