// SPDX-License-Identifier: MIT
// One client of a server: requests in, responses out, in order.
//
//                 first byte            whole head                 handler has answered
//        idle ---------------> head ----------------> handling ----------------------> sending --.
//         ^                     |                        |                                        |
//         |                     | bad, too slow          | client gone: cancelled                 |
//         |                     v                        v                                        |
//         |                 lingering ------------->  closed  <-----------------------------------|
//         '---------------------------------------------------------------------------------------'
//
// connection_receiving.cpp reads bodies, connection_sending.cpp sends responses, connection.cpp has the rest.
//
// Responses gather in `Exchange::out` and leave in one send when no whole request is left in the buffer, when a handler
// has to wait, or when there is much. The time limits share one timer: it looks at `deadline_`, which moves
// with every request while the timer stays where it was armed.
#pragma once

#include <eddy/detail/list.hpp>
#include <eddy/events.hpp>
#include <eddy/http/body_decoder.hpp>
#include <eddy/http/parser.hpp>
#include <eddy/http/server.hpp>
#include <eddy/streams.hpp>
#include <eddy/tasks.hpp>

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/router.hpp"
#include "http/server/response_head.hpp"
#include "http/server/routes.hpp"

namespace eddy::http::detail {

class Connection;
using eddy::detail::List;
using eddy::detail::ListNode;

/// A copy of the head under way, at rest while the stream's buffer moves on.
class HeadText {
 public:
  /// Copies it over the last one; gives where it is.
  const char* assign(const char* text, std::size_t size);
  std::size_t room() const noexcept { return room_; }

 private:
  std::unique_ptr<char[]> text_;
  std::size_t room_ = 0;
};

/// What a connection needs while there is something to parse or to answer, and an idle one does without: the
/// server keeps a few, and the one that is warm in the caches serves connection after connection.
struct Exchange {
  static constexpr std::size_t kBatch = 64 * 1024;  // bytes of responses that wait for each other

  explicit Exchange(const ParseLimits& limits) noexcept : parser(limits) {}
  void reset() noexcept;
  void expect_body(BodyFraming framing) noexcept;

  PathParams params;
  BodyDecoder body;       // of the request
  bool had_body = false;  // body has to be made anew for the next request
  HeadText head_text;
  std::string out;        // responses that have not been sent
  RequestParser parser;
};

struct ServerState {
  ServerState(Application a, const ServeOptions& o) : application(std::move(a)), options(o) { spare.reserve(kSpare); }
  static constexpr std::size_t kSpare = 16;

  Application application;
  ServeOptions options;  // its `host` has ended
  ResponseHeads heads;
  List connections;
  std::vector<std::unique_ptr<Exchange>> spare;  // last in, first out
  bool closing = false;
};

class Connection final : public ListNode {
 public:
  Connection(ServerState& server, StreamReader reader, StreamWriter writer);
  Connection(const Connection&) = delete;
  ~Connection();

  /// Serves until the connection ends.
  Coro<> run();
  /// Closes it if it is idle, else after the response under way.
  void begin_shutdown() noexcept;

  // --- for Request, RequestBody, ResponseWriter
  const RequestHead& head() const noexcept { return exchange_->parser.head(); }
  const PathParams& params() const noexcept { return exchange_->params; }
  const BodyDecoder& body() const noexcept { return exchange_->body; }
  void set_body_limit(std::uint64_t bytes) noexcept { body_limit_ = bytes; }
  Coro<std::optional<std::string>> next_chunk();
  Coro<> write_piece(std::string_view data);
  /// A part of the announced body out of a file, by sendfile(2) where that works; gives how many bytes went.
  Coro<std::uint64_t> send_file(int file, std::uint64_t offset, std::uint64_t count);
  Address peer() const { return writer_.peer_address(); }
  bool closing() const noexcept { return server_.closing; }

 private:
  enum class Phase : std::uint8_t {
    idle,       // between requests, nothing has come
    head,       // in the middle of a head
    handling,   // the handler runs
    sending,    // waits for the client to take bytes
    lingering,  // the last response is out; reads on so that the client can read it
  };
  class Call;

  Progress parse();
  void take_exchange();
  void rest() noexcept;
  void begin_request();
  Coro<Response> start(Handler* handler);
  Response answer_exception(std::exception_ptr error);
  Response answer_unexpected(const std::exception_ptr& error);
  bool refuse(const ParseError& error);

  void append_response(const Response& response);
  void append_head(const Response& response, std::int64_t length);
  Coro<> send_big(const Response& response);
  Coro<> stream(Response& response);
  void flush();
  Coro<> drain();
  Coro<> linger();
  bool must_drain() const noexcept;

  void enter(Phase phase, Duration limit);
  void enter_sending();
  void handler_waits();
  void check_deadline() noexcept;
  void arm() noexcept;
  static void peer_gone(void* connection) noexcept;
  void cancel_later();

  void start_body();
  bool take_chunk(std::optional<std::string>& chunk);
  std::int64_t wait_allowance() const noexcept;
  Coro<> wait_for_body();
  void settle_body();
  Coro<> skip_body();

  /// ns on the loop's clock: a few ms old, a fifth of the price.
  static std::int64_t coarse_now() noexcept;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  static constexpr std::size_t kSmallBody = 16 * 1024;  // a body of up to this is copied behind its head

  ServerState& server_;
  StreamReader reader_;
  StreamWriter writer_;
  eddy::detail::TaskCore* task_ = nullptr;  // the one that runs run()
  Request request_{*this};
  std::uint64_t serial_ = 0;  // of the request under way

  // The request's body.
  std::uint64_t body_limit_ = 0;
  std::int64_t body_waited_ = 0;  // ns spent waiting for its bytes
  eddy::detail::TaskCore* body_reader_ = nullptr;  // the task that waits for them
  bool body_begun_ = false;
  bool body_late_ = false;

  // The response's body, while it is streamed.
  std::int64_t announced_ = -1;  // bytes that are left of it; -1: unknown
  bool chunked_ = false;

  TimerHandle timer_;
  std::int64_t deadline_ = kNever;  // on the loop's clock, ns
  std::int64_t armed_ = kNever;     // when the timer looks
  std::uint64_t sent_before_ = 0;   // bytes that had gone when the write deadline was set
  Phase phase_ = Phase::idle;
  bool keep_alive_ = true;
  bool peer_gone_ = false;
  bool linger_ = false;  // the client may still be sending
  std::unique_ptr<Exchange> exchange_;  // null while the connection is idle
};

}  // namespace eddy::http::detail
