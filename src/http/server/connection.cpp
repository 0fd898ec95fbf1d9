// SPDX-License-Identifier: MIT
#include "http/server/connection.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/http/http_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "http/server/response_head.hpp"
#include "io/stream_core.hpp"
#include "loop/loop.hpp"

namespace eddy::http::detail {
namespace {

constexpr std::size_t kBatch = 64 * 1024;       // bytes of responses that wait for each other
constexpr std::size_t kSmallBody = 16 * 1024;   // a body of up to this is copied behind its head
constexpr std::size_t kSlice = 256 * 1024;      // of a big body, written at a time
constexpr std::size_t kDrainedBody = 64 * 1024; // an unread rest of up to this is read for the connection's sake
constexpr int kBusyReads = 16;                  // reads without a wait before others get a turn

// A few ms old, a fifth of the price.
std::int64_t coarse_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

ParseLimits limits_of(const ServeOptions& options) noexcept {
  ParseLimits limits;
  limits.target = options.max_target;
  limits.header_block = options.max_header_block;
  limits.fields = options.max_fields;
  return limits;
}

}  // namespace

// Awaits a handler, whose response goes to `answer`. When it has to wait, what was answered before it is sent first.
class Connection::Call {
 public:
  Call(Connection& connection, Coro<Response> handler, Response& answer) noexcept
      : connection_(&connection), handler_(std::move(handler)), answer_(&answer) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> parent) {
    if (!eddy::detail::start_child(handler_.frame().promise(), handler_.frame(), parent, true)) return false;
    connection_->handler_waits();
    return true;
  }
  void await_resume() {
    auto& result = handler_.frame().promise().result;
    if (result.outcome() != eddy::detail::Outcome::value) result.rethrow();
    *answer_ = std::move(result.value());
  }

 private:
  Connection* connection_;
  Coro<Response> handler_;
  Response* answer_;
};

void Exchange::reset() noexcept {
  parser.reset();
  if (std::exchange(had_body, false)) body = BodyDecoder();
  if (head_text.capacity() > kBatch) head_text = {};
  if (out.capacity() > kBatch) out = {};
}

Connection::Connection(ServerState& server, StreamReader reader, StreamWriter writer)
    : server_(server), reader_(std::move(reader)), writer_(std::move(writer)) {
  server_.connections.push_back(*this);
  writer_.core().on_hangup(&peer_gone, this);
}

Connection::~Connection() {
  unlink();
  timer_.cancel();
  auto& core = writer_.core();
  core.on_hangup(nullptr, nullptr);
  if (core.queued() > 0) core.abort();  // cancelled: nobody would look at the clock any more
}

Coro<> Connection::run() {
  task_ = &eddy::detail::current_task_core();
  int busy_reads = 0;
  for (;;) {
    const auto progress = parse();
    if (progress == Progress::needs_more) {
      flush();
      if (must_drain()) co_await drain();
      if (reader_.buffered().empty()) {
        if (server_.closing) break;
        rest();
        enter(Phase::idle, serial_ ? server_.options.idle_timeout : server_.options.header_timeout);
      } else if (phase_ != Phase::head) {
        enter(Phase::head, server_.options.header_timeout);
      }
      if (++busy_reads % kBusyReads == 0) co_await eddy::sleep(Duration());
      const bool more = co_await reader_.more();
      if (!more) break;
      continue;
    }
    if (progress == Progress::failed) {
      if (refuse(exchange_->parser.error())) co_await linger();
      break;
    }
    begin_request();
    Response response;
    auto* handler = find_handler(server_.application.routes(), head(), exchange_->params, response);
    if (handler || !server_.application.routes().middlewares.empty()) {
      std::exception_ptr error;
      try {
        co_await Call(*this, start(handler), response);
      } catch (const BaseException&) {  // a cancellation
        throw;
      } catch (...) {
        error = std::current_exception();
      }
      if (error) response = answer_exception(std::move(error));
    }
    settle_body();
    if (response.source()) {
      co_await stream(response);
    } else {
      append_response(response);
      if (response.body().size() > kSmallBody && head().method() != Method::head) co_await send_big(response);
    }
    if (!exchange_->body.done() && keep_alive_) co_await skip_body();
    phase_ = Phase::sending;
    if (!keep_alive_) {
      if (linger_) co_await linger();
      break;
    }
    if (exchange_->out.size() >= kBatch) flush();
    if (must_drain()) co_await drain();
  }
  flush();
  if (writer_.write_buffer_size() == 0) co_return;
  enter_sending();
  writer_.close();
  co_await writer_.wait_closed();
}

void Connection::begin_shutdown() noexcept {
  if (phase_ == Phase::idle) writer_.core().close();
}

// --- a request ----------------------------------------------------------------------------------------

Progress Connection::parse() {
  if (reader_.buffered().empty()) return Progress::needs_more;
  auto& spare = server_.spare;
  if (!exchange_ && !spare.empty()) {
    exchange_ = std::move(spare.back());
    spare.pop_back();
  }
  if (!exchange_) exchange_ = std::make_unique<Exchange>(limits_of(server_.options));
  return exchange_->parser.parse_head(reader_.buffered());
}

// Nothing has come, and nothing waits to be sent: the memory for both goes to those that have something.
void Connection::rest() noexcept {
  auto& buffer = reader_.core().buffer();
  buffer.rest();
  if (!exchange_) return;
  exchange_->reset();
  if (server_.spare.size() == server_.spare.capacity()) exchange_.reset();
  else server_.spare.push_back(std::move(exchange_));
}

void Connection::begin_request() {
  Exchange& now = *exchange_;
  auto& head = now.parser.head();
  now.head_text.assign(reader_.buffered().substr(0, head.size()));
  reader_.consume(head.size());
  head.rebase(now.head_text.data());
  phase_ = Phase::handling;
  deadline_ = kNever;
  ++serial_;
  linger_ = false;
  keep_alive_ = head.keep_alive() && !server_.closing;
  body_begun_ = body_late_ = false;
  const bool has_body = head.framing().kind != BodyFraming::Kind::none;
  if (has_body || now.had_body) now.body = BodyDecoder(head.framing());
  now.had_body = has_body;
  body_limit_ = server_.options.max_body;
}

Coro<Response> Connection::start(Handler* handler) {
  const auto& routes = server_.application.routes();
  if (!routes.middlewares.empty()) return Next(routes, 0, handler)(request_);
  return handler->call(request_);
}

// The handler is suspended, and we are still on its stack.
void Connection::handler_waits() {
  flush();
  auto& buffer = reader_.core().buffer();
  buffer.rest();
  if (peer_gone_) cancel_later();
}

Response Connection::answer_exception(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const HttpError& e) {
    return response_of(e);
  } catch (...) {
  }
  return answer_unexpected(error);
}

Response Connection::answer_unexpected(const std::exception_ptr& error) {
  const auto text = fmt::format("the handler of {} {} threw; the client got 500", head().method_text(), head().path());
  eddy::get_running_loop().call_exception_handler({text, error, AnyTask::from_core(*task_)});
  return error_response(500, {});
}

// What cannot be read is answered and ends the connection. False: there is nobody to answer.
bool Connection::refuse(const ParseError& error) {
  if (writer_.is_closing()) return false;
  keep_alive_ = false;
  const auto response = error_response(error.status ? error.status : 400, error.text);
  auto& out = exchange_->out;
  server_.start.append_to(out, response.status());
  append_fields(out, response, static_cast<std::int64_t>(response.body().size()), false, Persistence::close);
  out.append(response.body());
  return true;
}

// Decides what becomes of a body that the handler did not read: one that is here, or small, is skipped; past
// that, or if the client waits for a word before it sends, the connection ends with the response.
void Connection::settle_body() {
  auto& body = exchange_->body;
  if (body.done()) return;
  const auto framing = head().framing();
  if (!body_begun_ && head().expects_continue()) {
    keep_alive_ = false;
    linger_ = true;
    return;
  }
  body_begun_ = true;
  while (!body.done() && !body.failed() && !reader_.buffered().empty()) {
    const auto step = body.next(reader_.buffered());
    reader_.consume(step.consumed);
  }
  if (body.done()) return;
  const bool small = framing.kind == BodyFraming::Kind::length && framing.length - body.size() <= kDrainedBody;
  if (small && keep_alive_ && !body.failed() && !body_late_) return;
  keep_alive_ = false;
  linger_ = true;
}

Coro<> Connection::skip_body() {
  std::optional<std::string> chunk("");
  try {
    while (chunk) chunk = co_await next_chunk();
  } catch (const HttpError&) {
    keep_alive_ = false;
  }
}

// --- the request's body -------------------------------------------------------------------------------

Coro<std::optional<std::string>> Connection::next_chunk() {
  std::optional<std::string> chunk;
  start_body();
  while (!take_chunk(chunk)) co_await wait_for_body();
  co_return chunk;
}

void Connection::start_body() {
  auto& body = exchange_->body;
  if (std::exchange(body_begun_, true) || body.done()) return;
  const auto framing = head().framing();
  if (framing.kind == BodyFraming::Kind::length && framing.length > body_limit_) {
    throw ContentTooLarge(fmt::format("the body has {} bytes; the limit is {}", framing.length, body_limit_));
  }
  ParseLimits limits;
  limits.body = body_limit_;
  body = BodyDecoder(framing, limits);
  body_waited_ = 0;
  if (!head().expects_continue() || !reader_.buffered().empty()) return;
  exchange_->out += "HTTP/1.1 100 Continue\r\n\r\n";
  flush();
}

// True: `chunk` is the next piece, or the body has ended.
bool Connection::take_chunk(std::optional<std::string>& chunk) {
  auto& body = exchange_->body;
  while (!body.done() && !body.failed() && !reader_.buffered().empty()) {
    const auto step = body.next(reader_.buffered());
    if (!step.payload.empty()) chunk.emplace(step.payload);
    reader_.consume(step.consumed);
    if (chunk) break;
  }
  if (body.failed()) {
    if (body.error().code == ParseErrorCode::body_too_large) {
      throw ContentTooLarge(fmt::format("the body has more than {} bytes, the limit", body_limit_));
    }
    throw HttpError(body.error().status, body.error().text);
  }
  if (body.done() && peer_gone_) cancel_later();
  return chunk || body.done();
}

// How long the rest of the body may still keep us waiting, ns.
std::int64_t Connection::wait_allowance() const noexcept {
  const auto& options = server_.options;
  const auto rate = std::max<std::uint64_t>(options.min_body_rate, 1);
  const auto earned = static_cast<std::int64_t>(std::min<std::uint64_t>(exchange_->body.size() / rate, 1u << 30)) * 1'000'000'000;
  return std::max<std::int64_t>(options.body_timeout.count() + earned - body_waited_, 1);
}

// Waits until there are more bytes of the body. In the handler's task, or after the handler in ours.
Coro<> Connection::wait_for_body() {
  struct Waiting {
    Connection& connection;
    Phase before;
    std::int64_t since;
    explicit Waiting(Connection& c) noexcept : connection(c), before(c.phase_), since(coarse_now()) {
      c.body_reader_ = &eddy::detail::current_task_core();
    }
    ~Waiting() {
      connection.body_reader_ = nullptr;
      connection.body_waited_ += coarse_now() - since;
      connection.phase_ = before;
      connection.deadline_ = kNever;
    }
  };
  bool more = false, late = false;
  {
    flush();
    Waiting waiting(*this);
    enter(Phase::handling, Duration::nanoseconds(wait_allowance()));
    try {
      more = co_await reader_.more();
    } catch (const CancelledError&) {
      if (!body_late_) throw;
      late = true;
    } catch (const OSError&) {  // the client has gone
    }
  }
  if (late) {
    eddy::current_task().uncancel();
    throw RequestTimeout(fmt::format("the body came too slowly: {} bytes so far", exchange_->body.size()));
  }
  if (more) co_return;
  exchange_->body.end_of_stream();
  throw BadRequest(fmt::format("the connection ended after {} bytes of the body", exchange_->body.size()));
}

// --- the response -------------------------------------------------------------------------------------

void Connection::append_head(const Response& response, std::int64_t length) {
  if (keep_alive_ && wants_close(response)) keep_alive_ = false;
  const bool old = head().version() == Version::http_1_0;
  chunked_ = length < 0 && !old && may_have_body(response.status());
  if (length < 0 && old) keep_alive_ = false;
  auto& out = exchange_->out;
  const auto persistence = !keep_alive_ ? Persistence::close : old ? Persistence::keep_alive : Persistence::unsaid;
  server_.start.append_to(out, response.status());
  append_fields(out, response, length, chunked_, persistence);
}

void Connection::append_response(const Response& response) {
  const auto& body = response.body();
  append_head(response, static_cast<std::int64_t>(body.size()));
  if (body.size() <= kSmallBody && head().method() != Method::head && may_have_body(response.status())) exchange_->out += body;
}

// Slice by slice: the stream copies no more than it cannot send, and each slice is a step forward for the
// write timeout.
Coro<> Connection::send_big(const Response& response) {
  std::string_view rest = response.body();
  if (!may_have_body(response.status())) co_return;
  writer_.core().cork();
  flush();
  writer_.write(rest.substr(0, kSlice));
  writer_.core().uncork();
  rest.remove_prefix(std::min(rest.size(), kSlice));
  while (!rest.empty()) {
    co_await drain();
    writer_.write(rest.substr(0, kSlice));
    rest.remove_prefix(std::min(rest.size(), kSlice));
  }
}

Coro<> Connection::stream(Response& response) {
  auto& source = *response.source();
  announced_ = source.length;
  append_head(response, source.length);
  if (head().method() == Method::head || !may_have_body(response.status())) co_return;
  ResponseWriter writer(*this);
  std::exception_ptr error;
  try {
    co_await source.send(writer);
  } catch (const BaseException&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  if (writer_.is_closing()) {  // the client has gone
    keep_alive_ = false;
    co_return;
  }
  if (!error && announced_ > 0) {
    error = std::make_exception_ptr(ValueError(fmt::format("the body ended {} bytes before its length", announced_)));
  }
  if (error) {
    const auto text = fmt::format("the body of {} {} broke off; the connection was closed", head().method_text(),
                                  head().path());
    eddy::get_running_loop().call_exception_handler({text, error, AnyTask::from_core(*task_)});
    writer_.abort();
    keep_alive_ = linger_ = false;
    exchange_->out.clear();
    co_return;
  }
  if (chunked_) exchange_->out += "0\r\n\r\n";
}

Coro<> Connection::write_piece(std::string_view data) {
  if (data.empty()) co_return;
  if (announced_ >= 0) {
    if (static_cast<std::uint64_t>(announced_) < data.size()) {
      throw ValueError(fmt::format("a piece of {} bytes; {} were left of the length that was announced", data.size(),
                                   announced_));
    }
    announced_ -= static_cast<std::int64_t>(data.size());
  }
  if (chunked_) append_chunk_head(exchange_->out, data.size());
  writer_.core().cork();
  flush();
  if (!writer_.is_closing()) {
    writer_.write(data);
    if (chunked_) writer_.write("\r\n");
  }
  writer_.core().uncork();
  co_await drain();
}

Coro<std::uint64_t> Connection::send_file(int file, std::uint64_t offset, std::uint64_t count) {
  flush();
  const Phase before = phase_;
  enter_sending();
  const auto sent = co_await writer_.sendfile(file, {.offset = offset, .count = count});
  phase_ = before;
  deadline_ = kNever;
  announced_ -= static_cast<std::int64_t>(sent);
  co_return sent;
}

void Connection::flush() {
  if (!exchange_ || exchange_->out.empty()) return;
  auto& out = exchange_->out;
  if (!writer_.is_closing()) writer_.write(out);
  if (out.capacity() > 4 * kBatch) out = {};
  else out.clear();
}

bool Connection::must_drain() const noexcept { return writer_.core().must_drain(); }

Coro<> Connection::drain() {
  if (!must_drain()) co_return;
  const Phase before = phase_;
  enter_sending();
  co_await writer_.drain();
  phase_ = before;
  deadline_ = kNever;
}

// Closing now, with bytes of the client unread, would reset the connection and take the answer away from it.
Coro<> Connection::linger() {
  flush();
  if (peer_gone_) co_return;
  writer_.write_eof();
  enter(Phase::lingering, server_.options.linger_timeout);
  for (;;) {
    reader_.consume(reader_.buffered().size());
    const bool more = co_await reader_.more();
    if (!more) break;
  }
}

// --- time ---------------------------------------------------------------------------------------------

void Connection::enter(Phase phase, Duration limit) {
  phase_ = phase;
  deadline_ = limit.count() > 0 ? coarse_now() + limit.count() : kNever;
  if (deadline_ < armed_) arm();
}

void Connection::enter_sending() {
  sent_before_ = writer_.core().total_sent();
  enter(Phase::sending, server_.options.write_timeout);
}

void Connection::arm() noexcept {
  timer_.cancel();
  armed_ = deadline_;
  const TimePoint when{std::chrono::nanoseconds(armed_)};
  timer_ = eddy::get_running_loop().call_at(when, [this] { check_deadline(); });
}

void Connection::check_deadline() noexcept {
  armed_ = kNever;
  if (deadline_ == kNever) return;
  auto& core = writer_.core();
  if (coarse_now() + 5'000'000 < deadline_) return arm();
  if (phase_ == Phase::sending && core.total_sent() > sent_before_) return enter_sending();  // slow, but alive
  deadline_ = kNever;
  switch (phase_) {
    case Phase::idle:
    case Phase::lingering: return core.close();
    case Phase::sending: return core.abort();
    case Phase::head:
      refuse({ParseErrorCode::none, 408, 0, "the request's head came too slowly"});
      flush();
      return core.close();
    case Phase::handling:
      body_late_ = true;
      if (body_reader_) body_reader_->cancel_task(nullptr);
  }
}

// --- a client that goes away --------------------------------------------------------------------------

void Connection::peer_gone(void* connection) noexcept {
  auto& self = *static_cast<Connection*>(connection);
  self.peer_gone_ = true;
  if (self.phase_ == Phase::handling && !self.body_reader_ && self.exchange_->body.done() && self.task_) {
    self.task_->cancel_task(nullptr);
  }
}

// The client was gone before the handler began to wait: it may still answer within this step.
void Connection::cancel_later() {
  auto alive = AnyTask::from_core(*task_);
  eddy::get_running_loop().call_soon([this, alive, serial = serial_] {
    if (!alive.done() && serial_ == serial && phase_ == Phase::handling && !body_reader_) alive.cancel();
  });
}

}  // namespace eddy::http::detail
