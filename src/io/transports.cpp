// SPDX-License-Identifier: MIT
// The loop's ways to a transport, and the public face of one.
#include <eddy/exceptions.hpp>
#include <eddy/transports.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/unique_fd.hpp"
#include "io/given_sockets.hpp"
#include "io/sockets.hpp"
#include "io/tls_streams.hpp"
#include "io/transport_core.hpp"

namespace eddy {
namespace detail {
namespace {

void set_nonblocking(int fd) noexcept { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// Closes the transport if its opener gives up before connection_made().
class CloseUnlessMade {
 public:
  explicit CloseUnlessMade(TransportPtr transport) noexcept : transport_(std::move(transport)) {}
  CloseUnlessMade(CloseUnlessMade&&) = delete;
  ~CloseUnlessMade() {
    if (transport_) transport_->close();
  }
  TransportPtr take() noexcept { return std::exchange(transport_, {}); }

 private:
  TransportPtr transport_;
};

Coro<TransportPtr> start_on(FactoryPtr factory, UniqueFd fd, TransportKind kind, TlsStart tls) {
  auto& loop = Loop::running();
  auto made = loop.facade->create_future<>();
  auto protocol = factory->make();
  CloseUnlessMade opened(open_transport(loop, std::move(protocol), fd.release(), kind, nullptr, made, tls.context ? &tls : nullptr));
  co_await made;
  co_return opened.take();
}

}  // namespace

TransportPtr open_transport(Loop& loop, AnyProtocol protocol, const MakeDriver& make, TransportKind kind,
                            TransportOwner* owner, Future<> made) {
  auto* core = new TransportCore(loop, std::move(protocol), kind);
  TransportPtr transport(*core, *core);
  core->attach(make(*core), owner, std::move(made));
  return transport;
}

TransportPtr open_transport(Loop& loop, AnyProtocol protocol, int fd, TransportKind kind, TransportOwner* owner,
                            Future<> made, const TlsStart* tls) {
  UniqueFd guard(fd);
  auto* core = new TransportCore(loop, std::move(protocol), kind);
  TransportPtr transport(*core, *core);
  auto driver = loop.backend->make_stream(fd, *core);
  guard.release();
  core->attach(std::move(driver), owner, std::move(made), tls);
  return transport;
}

Coro<TransportPtr> start_transport(FactoryPtr factory, MakeDriver make, TransportKind kind) {
  auto& loop = Loop::running();
  auto made = loop.facade->create_future<>();
  auto protocol = factory->make();
  CloseUnlessMade opened(open_transport(loop, std::move(protocol), make, kind, nullptr, made));
  co_await made;
  co_return opened.take();
}

namespace {

Coro<TransportPtr> connect(FactoryPtr factory, std::string host, int port, ConnectionOptions options, TlsStart tls) {
  auto fd = co_await connect_to_host(std::move(host), port, options);
  auto transport = co_await start_on(std::move(factory), std::move(fd), TransportKind::socket, std::move(tls));
  co_return transport;
}

Coro<> start_tls(TransportPtr transport, TlsStart tls) {
  auto& core = transport.core();
  if (core.is_closing()) throw RuntimeError(fmt::format("start TLS with {}: the transport is closed or closing", core.describe()));
  if (core.driver()->tls()) throw RuntimeError(fmt::format("start TLS with {}: it has TLS already", core.describe()));
  while (core.queued() > 0 && !core.is_closing()) co_await core.drained(0);  // others may write until we go on
  // RFC 2595, 2.1: what somebody put in front of the handshake would be taken for the peer's.
  if (core.has_unread()) throw RuntimeError(fmt::format("start TLS with {}: bytes came unencrypted before the handshake", core.describe()));
  if (core.is_closing()) throw_os_error(ECONNABORTED, "start TLS with " + core.describe());
  struct AbortUnlessDone {
    TransportCore& core;
    bool done = false;
    explicit AbortUnlessDone(TransportCore& c) noexcept : core(c) {}
    ~AbortUnlessDone() {
      if (!done) core.abort(nullptr);
    }
  } guard(core);
  auto made = get_running_loop().create_future<>();
  core.start_tls(tls, made);
  co_await made;
  guard.done = true;
}

}  // namespace

Coro<TransportPtr> create_connection(FactoryPtr factory, std::string host, int port, ConnectionOptions options) {
  TlsStart tls;
  if (options.tls) {  // it points to somebody's who may be gone when this runs
    check_tls_side(*options.tls, false, "create_connection");
    std::string wanted(options.server_hostname.empty() ? host : options.server_hostname);
    tls = {options.tls->shared_core(), std::move(wanted), options.tls_handshake_timeout, options.tls_shutdown_timeout};
  }
  return connect(std::move(factory), std::move(host), port, options, std::move(tls));
}

namespace {
Coro<TransportPtr> connect_given(FactoryPtr factory, UniqueFd fd, TlsStart tls) {
  auto transport = co_await start_on(std::move(factory), std::move(fd), TransportKind::socket, std::move(tls));
  co_return transport;
}
}  // namespace

Coro<TransportPtr> create_connection(FactoryPtr factory, Socket&& socket, ConnectionOptions options) {
  auto fd = take_connected(std::move(socket), "create_connection");
  TlsStart tls;
  auto host = given_host(options, "create_connection");
  if (options.tls) {
    tls = {options.tls->shared_core(), std::move(host), options.tls_handshake_timeout, options.tls_shutdown_timeout};
  }
  return connect_given(std::move(factory), std::move(fd), std::move(tls));
}

Coro<TransportPtr> create_unix_connection(FactoryPtr factory, std::string path) {
  auto fd = co_await connect_to_path(std::move(path), Address());
  TlsStart plain;
  auto transport = co_await start_on(std::move(factory), std::move(fd), TransportKind::socket, std::move(plain));
  co_return transport;
}

Coro<TransportPtr> connect_accepted_socket(FactoryPtr factory, int fd) {
  UniqueFd owned(fd);
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    throw ValueError(fmt::format("connect_accepted_socket: descriptor {} is no stream socket", fd));
  }
  set_nonblocking(fd);
  set_nodelay(fd);
  TlsStart plain;
  auto transport = co_await start_on(std::move(factory), std::move(owned), TransportKind::socket, std::move(plain));
  co_return transport;
}

Coro<TransportPtr> connect_pipe(FactoryPtr factory, int fd, PipeEnd end) {
  UniqueFd owned(fd);
  struct stat status{};
  const bool known = ::fstat(fd, &status) == 0;
  if (!known || !(S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || S_ISCHR(status.st_mode))) {
    throw ValueError(fmt::format("connect_{}_pipe: descriptor {} is no pipe, socket or terminal",
                                 end == PipeEnd::reads ? "read" : "write", fd));
  }
  set_nonblocking(fd);
  const auto kind = end == PipeEnd::reads ? TransportKind::read_pipe : TransportKind::write_pipe;
  TlsStart plain;
  auto transport = co_await start_on(std::move(factory), std::move(owned), kind, std::move(plain));
  co_return transport;
}

namespace {
TransportCore& core_of(Transport& transport) noexcept { return static_cast<TransportCore&>(transport); }
const TransportCore& core_of(const Transport& transport) noexcept { return static_cast<const TransportCore&>(transport); }
}  // namespace

TransportPtr pointer_to(Transport& transport) noexcept { return TransportPtr(transport, core_of(transport)); }

}  // namespace detail

using detail::core_of;

Coro<> Transport::start_tls(const tls::Context& context, StartTlsOptions options) {
  auto host = detail::start_tls_host(context, std::string(options.server_hostname));
  return detail::start_tls(detail::pointer_to(*this),
                           {context.shared_core(), std::move(host), options.handshake_timeout, options.shutdown_timeout});
}

void Transport::write(std::string_view data) { core_of(*this).write(data); }
void Transport::writelines(const std::vector<std::string_view>& pieces) { core_of(*this).writelines(pieces); }
void Transport::write_eof() { core_of(*this).write_eof(); }
bool Transport::can_write_eof() const noexcept { return core_of(*this).can_write_eof(); }
void Transport::close() { core_of(*this).close(); }
void Transport::abort() { core_of(*this).abort(nullptr); }
bool Transport::is_closing() const noexcept { return core_of(*this).is_closing(); }
void Transport::pause_reading() { core_of(*this).pause_reading(); }
void Transport::resume_reading() { core_of(*this).resume_reading(); }
bool Transport::is_reading() const noexcept { return core_of(*this).is_reading(); }
void Transport::set_write_buffer_limits(WriteLimits limits) { core_of(*this).set_limits(limits); }
WriteLimits Transport::get_write_buffer_limits() const noexcept { return core_of(*this).limits(); }
std::size_t Transport::get_write_buffer_size() const noexcept { return core_of(*this).queued(); }
void Transport::exchange_protocol(detail::AnyProtocol protocol) { core_of(*this).exchange_protocol(std::move(protocol)); }
BaseProtocol& Transport::get_protocol() const noexcept { return core_of(*this).protocol(); }
Address Transport::local_address() const { return core_of(*this).local_address(); }
Address Transport::peer_address() const { return core_of(*this).peer_address(); }
int Transport::fileno() const noexcept { return core_of(*this).fd(); }

}  // namespace eddy
