// SPDX-License-Identifier: MIT
#include "http/server/connection.hpp"

#include <eddy/exceptions.hpp>
#include <eddy/http/http_error.hpp>
#include <fmt/format.h>

#include <cstring>
#include <ctime>

#include "http/server/response_head.hpp"
#include "io/stream_core.hpp"
#include "loop/loop.hpp"

namespace eddy::http::detail {
namespace {

constexpr int kBusyReads = 16;  // reads without a wait before others get a turn

ParseLimits limits_of(const ServeOptions& options) noexcept {
  ParseLimits limits;
  limits.target = options.max_target;
  limits.header_block = options.max_header_block;
  limits.fields = options.max_fields;
  return limits;
}

}  // namespace

// Awaits a handler, which keeps the response it gave. When it has to wait, what was answered before it is sent first.
class Connection::Call {
 public:
  Call(Connection& connection, Coro<Response>& handler) noexcept : connection_(&connection), handler_(&handler) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> parent) {
    if (!eddy::detail::start_child(handler_->frame().promise(), handler_->frame(), parent, true)) return false;
    connection_->handler_waits();
    return true;
  }
  Response* await_resume() {
    auto& result = handler_->frame().promise();
    if (result.outcome != eddy::detail::Outcome::value) result.rethrow();
    return &result.value();
  }

 private:
  Connection* connection_;
  Coro<Response>* handler_;
};

const char* HeadText::assign(const char* text, std::size_t size) {
  if (size > room_) {
    text_ = std::make_unique_for_overwrite<char[]>(size);
    room_ = size;
  }
  std::memcpy(text_.get(), text, size);
  return text_.get();
}

void Exchange::reset() noexcept {
  parser.reset();
  if (head_text.room() > kBatch) head_text = {};
  if (out.capacity() > kBatch) out = {};
}

void Exchange::expect_body(BodyFraming framing) noexcept {
  body = BodyDecoder(framing);
  had_body = framing.kind != BodyFraming::Kind::none;
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
    const auto& routes = server_.application.routes();
    auto* handler = find_handler(routes, head(), exchange_->params);
    Coro<Response> handling;
    std::unique_ptr<Response> own;  // what no handler gave
    Response* response = nullptr;
    if (handler || !routes.middlewares.empty()) {
      std::exception_ptr error;
      try {
        handling = start(handler);
        response = co_await Call(*this, handling);
      } catch (const BaseException&) {  // a cancellation
        throw;
      } catch (...) {
        error = std::current_exception();
      }
      if (error) own = std::make_unique<Response>(answer_exception(std::move(error)));
    } else {
      own = std::make_unique<Response>(unrouted_response(routes, head()));
    }
    if (own) response = own.get();
    settle_body();
    if (response->source()) {
      co_await stream(*response);
    } else {
      append_response(*response);
      if (response->body().size() > kSmallBody && head().method() != Method::head) co_await send_big(*response);
    }
    if (!exchange_->body.done() && keep_alive_) co_await skip_body();
    phase_ = Phase::sending;
    if (!keep_alive_) {
      if (linger_) co_await linger();
      break;
    }
    if (exchange_->out.size() >= Exchange::kBatch) flush();
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
  const auto bytes = reader_.core().buffer().readable();
  if (bytes.empty()) return Progress::needs_more;
  if (!exchange_) take_exchange();
  return exchange_->parser.parse_head(bytes);
}

void Connection::take_exchange() {
  auto& spare = server_.spare;
  if (spare.empty()) {
    exchange_ = std::make_unique<Exchange>(limits_of(server_.options));
    return;
  }
  exchange_ = std::move(spare.back());
  spare.pop_back();
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
  auto& buffer = reader_.core().buffer();
  head.rebase(now.head_text.assign(buffer.readable().data(), head.size()));
  buffer.consume(head.size());
  phase_ = Phase::handling;
  deadline_ = kNever;
  ++serial_;
  linger_ = false;
  keep_alive_ = head.keep_alive() && !server_.closing;
  body_begun_ = body_late_ = false;
  const bool has_body = head.framing().kind != BodyFraming::Kind::none;
  if (has_body || now.had_body) now.expect_body(head.framing());
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
  server_.heads.append_to(out, response, static_cast<std::int64_t>(response.body().size()), false, Persistence::close);
  out.append(response.body());
  return true;
}

// --- time ---------------------------------------------------------------------------------------------

std::int64_t Connection::coarse_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

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
