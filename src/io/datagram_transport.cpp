// SPDX-License-Identifier: MIT
#include "io/datagram_transport.hpp"

#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <cerrno>

#include "io/transport_core.hpp"

namespace eddy {
namespace detail {
namespace {

constexpr int kBatch = 16;          // datagrams delivered before others get a turn
constexpr std::size_t kHeader = 8;  // what a kept datagram counts beyond its bytes, as in asyncio

}  // namespace

void retain(DatagramTransportCore& core) noexcept { core.retain(); }
void release(DatagramTransportCore& core) noexcept { core.release(); }

DatagramTransportCore::DatagramTransportCore(Loop& loop, AnyProtocol protocol, const DatagramOptions& options)
    : loop_(loop), protocol_(std::move(protocol)), max_size_(options.max_size) {
  if (!protocol_.owner) throw RuntimeError("the protocol factory returned no protocol");
  prepare<&DatagramTransportCore::live>(life_);
  prepare<&DatagramTransportCore::read_step>(reading_);
  prepare<&DatagramTransportCore::write_step>(writing_);
}

void DatagramTransportCore::attach(std::unique_ptr<DatagramDriver> driver, Future<> made) {
  driver_ = std::move(driver);
  made_future_ = std::move(made);
  remote_ = driver_->remote_address();
  loop_.own_descriptor(driver_->fd(), true);
  loop_.resources.push_back(static_cast<LoopResource&>(*this));
  has_peer_ = driver_->fd() >= 0;
  if (has_peer_) loop_.io_opened();
  retain();  // until it is gone
  push(life_);
}

std::string DatagramTransportCore::describe() const {
  if (remote_) return remote_.str();
  return driver_ ? driver_->local_address().str() : "closed";
}

// --- the calls of the protocol ------------------------------------------------------------------------

void DatagramTransportCore::fail(const std::string& message, std::exception_ptr error) noexcept {
  report_protocol_error(loop_, message, *protocol_.owner, describe(), error);
  lose();
}

void DatagramTransportCore::tell_error(int error_number, const char* operation) noexcept {
  call("error_received", [&] {
    protocol_.datagrams->error_received(make_os_error(error_number, fmt::format("{} {}", operation, describe())));
  });
}

void DatagramTransportCore::live() noexcept {
  if (!made_) begin();
  else if (lost_ && driver_) end();
}

void DatagramTransportCore::begin() noexcept {
  made_ = true;
  call("connection_made", [this] { protocol_.datagrams->connection_made(*this); });
  if (made_future_ && !made_future_.done()) made_future_.set_result();
  made_future_ = {};
  if (lost_) push(life_);
  else want();
}

void DatagramTransportCore::end() noexcept {
  try {
    const ContextEntry entry(context_);
    protocol_.owner->connection_lost(nullptr);
  } catch (...) {
    report_protocol_error(loop_, "protocol.connection_lost() call failed.", *protocol_.owner, describe(),
                          std::current_exception());
  }
  loop_.own_descriptor(driver_->fd(), false);
  driver_.reset();
  static_cast<LoopResource&>(*this).unlink();
  if (has_peer_) loop_.io_closed();
  release();
}

void DatagramTransportCore::loop_closed() noexcept {
  if (has_peer_) loop_.io_closed();
  closing_ = lost_ = made_ = true;
  driver_.reset();
  made_future_ = {};
  release();
}

void DatagramTransportCore::close() noexcept {
  if (std::exchange(closing_, true)) return;
  if (kept_.empty()) lose();
  else want();
}

void DatagramTransportCore::lose() noexcept {
  closing_ = true;
  if (std::exchange(lost_, true)) return;
  kept_.clear();
  queued_ = 0;
  want();
  push(life_);
}

// --- receiving ----------------------------------------------------------------------------------------

void DatagramTransportCore::want() noexcept {
  if (driver_) driver_->want((closing_ || !made_ ? 0u : kReadable) | (kept_.empty() ? 0u : kWritable));
}

void DatagramTransportCore::ready(unsigned events) noexcept {
  if ((events & (kReadable | kHangup)) && made_ && !closing_) push(reading_);
  if ((events & (kWritable | kHangup)) && !kept_.empty()) push(writing_);
}

void DatagramTransportCore::read_step() noexcept {
  for (int i = 0; i < kBatch && !closing_; ++i) {
    Address sender;
    char* const space = datagram_scratch(max_size_);
    const auto size = driver_->receive({space, max_size_}, sender);
    if (size == -EAGAIN) return;
    if (size < 0) {
      tell_error(static_cast<int>(-size), "receive on");
      continue;
    }
    if (static_cast<std::size_t>(size) > max_size_) {
      tell_error(EMSGSIZE, "receive on");
      continue;
    }
    const std::string_view data(space, static_cast<std::size_t>(size));
    call("datagram_received", [&] { protocol_.datagrams->datagram_received(data, sender); });
  }
}

// --- sending ------------------------------------------------------------------------------------------

void DatagramTransportCore::send(std::string_view data, const Address* to) {
  if (remote_ && to && !(*to == remote_)) {
    throw ValueError(fmt::format("sendto {}: this transport is connected to {}", to->str(), remote_.str()));
  }
  if (remote_) to = nullptr;
  if (lost_ || !driver_) return;
  if (kept_.empty() && transfer(data, to)) return;
  keep(data, to);
}

// True: the socket took it, or refused it for good.
bool DatagramTransportCore::transfer(std::string_view data, const Address* to) noexcept {
  const auto sent = driver_->send(data, to);
  if (sent == -EAGAIN) return false;
  if (sent < 0) tell_error(static_cast<int>(-sent), "send to");
  return true;
}

void DatagramTransportCore::keep(std::string_view data, const Address* to) {
  kept_.push_back({std::string(data), to ? *to : Address()});
  queued_ += data.size() + kHeader;
  want();
  if (writing_paused_ || queued_ <= limits_.high) return;
  writing_paused_ = true;
  try {
    const ContextEntry entry(context_);
    protocol_.owner->pause_writing();
  } catch (...) {
    fail("protocol.pause_writing() failed", std::current_exception());
  }
}

void DatagramTransportCore::write_step() noexcept {
  while (!kept_.empty() && !lost_) {
    const auto& oldest = kept_.front();
    const auto size = oldest.data.size();
    if (!transfer(oldest.data, oldest.to ? &oldest.to : nullptr)) break;
    if (lost_) return;  // error_received() ended it
    kept_.pop_front();
    queued_ -= size + kHeader;
  }
  want();
  if (writing_paused_ && queued_ <= limits_.low && !lost_) {
    writing_paused_ = false;
    call("resume_writing", [this] { protocol_.owner->resume_writing(); });
  }
  if (closing_ && kept_.empty()) lose();
}

void DatagramTransportCore::set_limits(WriteLimits limits) {
  if (limits.high < limits.low) {
    throw ValueError(fmt::format("write limits: high is {} and low is {}: high must not be below low", limits.high, limits.low));
  }
  limits_ = limits;
}

namespace {

DatagramTransportCore& core_of(DatagramTransport& transport) noexcept { return static_cast<DatagramTransportCore&>(transport); }
const DatagramTransportCore& core_of(const DatagramTransport& transport) noexcept {
  return static_cast<const DatagramTransportCore&>(transport);
}

// Closes the transport if its opener gives up before connection_made().
struct CloseUnlessMade {
  DatagramTransportPtr transport;
  ~CloseUnlessMade() {
    if (transport) transport->close();
  }
};

}  // namespace

Coro<DatagramTransportPtr> create_datagram_endpoint(FactoryPtr factory, DatagramOptions options) {
  auto& loop = Loop::running();
  if (options.gro) throw ValueError("create_datagram_endpoint: .gro is for receive_batch() of open_datagram()");
  auto fd = make_datagram_socket(options);
  auto made = loop.facade->create_future<>();
  auto* core = new DatagramTransportCore(loop, factory->make(), options);
  CloseUnlessMade opened{DatagramTransportPtr(*core, *core)};
  core->attach(make_kernel_datagrams(*loop.backend, std::move(fd), *core), made);
  co_await made;
  co_return std::exchange(opened.transport, {});
}

}  // namespace detail

void DatagramTransport::sendto(std::string_view data) { detail::core_of(*this).send(data, nullptr); }
void DatagramTransport::sendto(std::string_view data, const Address& to) { detail::core_of(*this).send(data, &to); }
void DatagramTransport::close() { detail::core_of(*this).close(); }
void DatagramTransport::abort() { detail::core_of(*this).abort(); }
bool DatagramTransport::is_closing() const noexcept { return detail::core_of(*this).is_closing(); }
void DatagramTransport::set_write_buffer_limits(WriteLimits limits) { detail::core_of(*this).set_limits(limits); }
WriteLimits DatagramTransport::get_write_buffer_limits() const noexcept { return detail::core_of(*this).limits(); }
std::size_t DatagramTransport::get_write_buffer_size() const noexcept { return detail::core_of(*this).queued(); }
Address DatagramTransport::local_address() const {
  const auto* driver = detail::core_of(*this).driver();
  return driver ? driver->local_address() : Address();
}
Address DatagramTransport::peer_address() const {
  const auto* driver = detail::core_of(*this).driver();
  return driver ? driver->remote_address() : Address();
}
int DatagramTransport::fileno() const noexcept {
  const auto* driver = detail::core_of(*this).driver();
  return driver ? driver->fd() : -1;
}

}  // namespace eddy
