// SPDX-License-Identifier: MIT
// One request and the head of its response on one connection.
#include <eddy/exceptions.hpp>
#include <eddy/http/percent.hpp>
#include <eddy/http/write.hpp>
#include <eddy/timeouts.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "http/ascii.hpp"
#include "http/client/state.hpp"

namespace eddy::http::detail {
namespace {

constexpr std::size_t kSmallBody = 64 * 1024;       // a body of up to this leaves together with its head
constexpr Duration kContinueWait = std::chrono::seconds(1);

ParseLimits response_limits() noexcept {
  ParseLimits limits;
  limits.header_block = 128 * 1024;
  return limits;
}

std::string base64(std::string_view bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k > bytes.size() ? '=' : kLetters[group >> (18 - 6 * k) & 63];
  }
  return text;
}

// How the body ends and whether the connection lives on is said by us alone.
bool is_ours(std::string_view name) noexcept {
  return ascii::equal_ignoring_case(name, "content-length") || ascii::equal_ignoring_case(name, "transfer-encoding") ||
         ascii::equal_ignoring_case(name, "connection") || ascii::equal_ignoring_case(name, "expect");
}

void write_unless(std::string& out, const Headers& headers, std::string_view name, std::string_view value) {
  if (!headers.contains(name)) write_field(out, name, value);
}

std::string write_head(SessionState& session, const OwnedRequest& request) {
  const auto& url = request.url;
  const auto& own = request.headers;
  std::string out;
  write_request_line(out, request.method, url.target());
  write_unless(out, own, "Host", url.authority());
  if (!session.headers.contains("user-agent")) write_unless(out, own, "User-Agent", session.user_agent);
  if (!session.headers.contains("accept")) write_unless(out, own, "Accept", "*/*");
  if (session.options.decompress && !session.headers.contains("accept-encoding")) {
    write_unless(out, own, "Accept-Encoding", "gzip, deflate, br");
  }
  if (!url.username().empty() || !url.password().empty()) {
    const auto credentials = fmt::format("{}:{}", percent_decode(url.username()), percent_decode(url.password()));
    write_unless(out, own, "Authorization", "Basic " + base64(credentials));
  }
  for (const Field field : own) {
    if (!is_ours(field.name)) write_field(out, field.name, field.value);
  }
  for (const Field field : session.headers) {
    if (!is_ours(field.name) && !ascii::equal_ignoring_case(field.name, "host")) write_unless(out, own, field.name, field.value);
  }
  if (session.options.cookies && !own.contains("cookie")) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (const auto cookies = session.jar.field_for(url, now); !cookies.empty()) write_field(out, "Cookie", cookies);
  }
  const bool has_place = request.kind == Method::post || request.kind == Method::put || request.kind == Method::patch;
  if (!request.body.empty() || has_place) write_content_length(out, request.body.size());
  if (request.expect_continue && !request.body.empty()) out += "Expect: 100-continue\r\n";
  write_head_end(out);
  return out;
}

[[noreturn]] void throw_disconnected(const OwnedRequest& request, bool untouched) {
  throw ServerDisconnectedError(ECONNRESET, request.prefix() + (untouched ? "the server closed the connection without an answer"
                                                                          : "the server closed the connection inside a response's head"));
}

// True: the server wants the body, or does not say. False: an answer has come, or the end.
Coro<bool> wait_for_continue(StreamReader& reader) {
  bool silent = false;
  try {
    co_await eddy::timeout(kContinueWait, reader.more());
  } catch (const TimeoutError&) {
    silent = true;
  }
  co_return silent || reader.buffered().starts_with("HTTP/1.1 100");
}

}  // namespace

Coro<bool> wait_for_more(StreamReader& reader, const OwnedRequest& request, TimePoint deadline) {
  auto& loop = eddy::get_running_loop();
  Duration limit = request.read_timeout.count() > 0 ? request.read_timeout : Duration::max();
  bool total = false;
  if (deadline != TimePoint::max()) {
    const Duration left = std::max<std::chrono::nanoseconds>(deadline - loop.time(), std::chrono::nanoseconds(0));
    if (left < limit) limit = left, total = true;
  }
  bool late = false, more = false;
  const auto began = loop.time();
  try {
    more = co_await eddy::timeout(limit, reader.more());
  } catch (const TimeoutError&) {
    if (loop.time() - began < std::chrono::nanoseconds(limit)) throw;  // the system's own
    late = true;
  }
  if (!late) co_return more;
  const auto whole = eddy::detail::format_duration((total ? request.timeout : limit).count());
  throw RequestTimeoutError(request.prefix() + (total ? "not done within " + whole : "nothing came for " + whole),
                            total ? TimeoutKind::total : TimeoutKind::read);
}

Coro<> exchange(ResponseState& response, Lease lease, bool& untouched) {
  const auto& request = response.request;
  auto& reader = lease.reader();
  auto& writer = lease.writer();
  auto head = write_head(*response.session, request);
  const bool asks = request.expect_continue && !request.body.empty();
  const bool together = !asks && request.body.size() <= kSmallBody;
  if (together) head += request.body;
  writer.write(head);
  bool send_body = !together;
  if (asks) send_body = co_await wait_for_continue(reader);
  // What the kernel does not take now goes out while we read: a server may answer before it has read all.
  if (send_body) writer.write(request.body);

  ResponseParser parser(response_limits());
  parser.expect(request.kind);
  for (;;) {
    const auto progress = parser.parse_head(reader.buffered());
    if (!reader.buffered().empty()) untouched = false;
    if (progress == Progress::failed) {
      throw BadResponseError(fmt::format("{}bad response: {}", request.prefix(), parser.error().text));
    }
    if (progress == Progress::complete) {
      if (!parser.head().is_interim()) break;
      reader.consume(parser.head().size());
      continue;
    }
    const bool more = co_await wait_for_more(reader, request, response.deadline);
    if (!more) throw_disconnected(request, untouched);
  }
  const bool sent_all = together || send_body;
  response.begin(parser, std::move(lease));
  if (!sent_all) response.reusable = false;
}

}  // namespace eddy::http::detail
