// SPDX-License-Identifier: MIT
#include "loop/uring_buffers.hpp"

#include <liburing.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>

namespace eddy::detail {
namespace {

// Newer than liburing 2.3.
constexpr std::uint16_t kIncremental = 2;      // IOU_PBUF_RING_INC, in the field that 2.3 calls `pad`
constexpr std::uint32_t kMoreInBuffer = 1u << 4;  // IORING_CQE_F_BUF_MORE: the kernel goes on to fill this buffer

constexpr std::size_t kLargeBuffer = 64 * 1024;
constexpr std::size_t kSmallBuffer = 4 * 1024;

std::size_t ring_bytes(std::size_t count) noexcept {
  const auto bytes = count * sizeof(io_uring_buf);
  return bytes < 4096 ? 4096 : bytes;
}

void* map(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

BufferRing::~BufferRing() { detach(); }

void BufferRing::detach() noexcept {
  if (ring_) ::munmap(ring_, ring_bytes(count_));
  if (memory_) ::munmap(memory_, kMemory);
  ring_ = nullptr;
  memory_ = nullptr;
  offered_ = 0;
}

int BufferRing::attach(io_uring& ring, bool incremental) noexcept {
  detach();
  size_ = incremental ? kLargeBuffer : kSmallBuffer;
  count_ = kMemory / size_;
  ring_ = static_cast<io_uring_buf_ring*>(map(ring_bytes(count_)));
  memory_ = static_cast<char*>(map(kMemory));
  uses_.reset(new (std::nothrow) Use[count_]);
  if (!ring_ || !memory_ || !uses_) return ENOMEM;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = static_cast<std::uint32_t>(count_);
  registration.bgid = kGroup;
  registration.pad = incremental ? kIncremental : 0;
  const int result = ::io_uring_register_buf_ring(&ring, &registration, 0);
  if (result != 0) return -result;
  ::io_uring_buf_ring_init(ring_);
  for (std::size_t i = 0; i < count_; ++i) offer(static_cast<std::uint16_t>(i));
  return 0;
}

void BufferRing::offer(std::uint16_t buffer) noexcept {
  uses_[buffer] = {.offered = true};
  ::io_uring_buf_ring_add(ring_, memory_ + buffer * size_, static_cast<unsigned>(size_), buffer,
                          ::io_uring_buf_ring_mask(static_cast<std::uint32_t>(count_)), 0);
  ::io_uring_buf_ring_advance(ring_, 1);
  ++offered_;
}

BufferPiece BufferRing::take(std::uint32_t flags, std::uint32_t size) noexcept {
  const auto buffer = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  auto& use = uses_[buffer];
  const BufferPiece piece{buffer, use.filled, size};
  use.filled += size;
  ++use.pieces;
  if (!(flags & kMoreInBuffer)) {
    use.offered = false;
    --offered_;
  }
  return piece;
}

void BufferRing::give_back(const BufferPiece& piece) noexcept {
  auto& use = uses_[piece.buffer];
  if (--use.pieces == 0 && !use.offered) offer(piece.buffer);
}

}  // namespace eddy::detail
