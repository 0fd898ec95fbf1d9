// SPDX-License-Identifier: MIT
#include <eddy/http/http_error.hpp>
#include <eddy/http/message.hpp>
#include <fmt/format.h>

namespace eddy::http {
namespace {

std::string describe(int status, std::string_view detail) {
  if (status < 100 || status > 999) throw ValueError(fmt::format("status {} is outside 100 … 999", status));
  std::string text = fmt::format("{} {}", status, reason_phrase(status));
  if (!detail.empty()) text.append(": ").append(detail);
  return text;
}

}  // namespace

HttpError::HttpError(int status, std::string_view detail)
    : std::runtime_error(describe(status, detail)),
      status_(status),
      detail_(detail.empty() ? reason_phrase(status) : detail) {}

}  // namespace eddy::http
