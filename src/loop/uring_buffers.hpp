// SPDX-License-Identifier: MIT
// Where the kernel puts what it receives: memory that all streams of a loop share.
//
// A fixed number of buffers, so the memory of a ring is bounded, however many connections there are; an idle one
// holds none. Where the kernel can (6.12), it fills a buffer piece by piece: a message of 64 bytes takes 64
// bytes. Else each message takes a buffer, and there are more and smaller ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct io_uring;
struct io_uring_buf_ring;

namespace eddy::detail {

/// Bytes in a buffer of the ring, from one completion.
struct BufferPiece {
  std::uint16_t buffer = 0;
  std::uint32_t at = 0;
  std::uint32_t size = 0;
};

class BufferRing {
 public:
  static constexpr int kGroup = 0;
  static constexpr std::size_t kMemory = 2 * 1024 * 1024;

  BufferRing() noexcept = default;
  BufferRing(const BufferRing&) = delete;
  ~BufferRing();

  /// Offers all buffers to `ring`. 0, or the error number; EINVAL: the kernel cannot do that.
  int attach(io_uring& ring, bool incremental) noexcept;
  /// Of a ring that is gone.
  void detach() noexcept;

  /// What a completion with the flag IORING_CQE_F_BUFFER brought. Each piece is given back.
  BufferPiece take(std::uint32_t flags, std::uint32_t size) noexcept;
  const char* data(const BufferPiece& piece) const noexcept { return memory_ + piece.buffer * size_ + piece.at; }
  void give_back(const BufferPiece& piece) noexcept;

  /// Few buffers are left for the kernel.
  bool is_scarce() const noexcept { return offered_ * 4 <= count_; }

 private:
  struct Use {
    std::uint32_t filled = 0;  // up to here
    std::uint32_t pieces = 0;  // that were taken and not given back
    bool offered = false;      // the kernel may fill it
  };

  void offer(std::uint16_t buffer) noexcept;

  io_uring_buf_ring* ring_ = nullptr;  // shared with the kernel
  char* memory_ = nullptr;
  std::unique_ptr<Use[]> uses_;
  std::size_t size_ = 0;  // of a buffer
  std::size_t count_ = 0;
  std::size_t offered_ = 0;
};

}  // namespace eddy::detail
