// SPDX-License-Identifier: MIT
#include <eddy/pack.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace eddy {

Parcel::~Parcel() {
  for (const int fd : descriptors) {
    if (fd >= 0) ::close(fd);
  }
}

namespace detail {
void throw_nested_too_deep() {
  throw UnpackError(
      fmt::format("cannot pack or unpack: values are nested deeper than {} levels", kMaxNesting));
}
}  // namespace detail

void Packer::add_descriptor(int fd) {
  parcel_.descriptors.reserve(parcel_.descriptors.size() + 1);
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw_os_error(errno, fmt::format("cannot copy descriptor {} for another process", fd));
  parcel_.descriptors.push_back(copy);
}

void Unpacker::get_memory(void* to, std::size_t size) {
  if (size > left()) {
    throw UnpackError(fmt::format("cannot unpack: {} bytes are wanted at byte {} and {} are left", size,
                                  position_, left()));
  }
  if (size > 0) std::memcpy(to, bytes_.data() + position_, size);
  position_ += size;
}

bool Unpacker::get_bool() {
  const auto byte = get_scalar<std::uint8_t>();
  if (byte > 1) throw UnpackError(fmt::format("cannot unpack: a bool at byte {} is {}", position_ - 1, byte));
  return byte == 1;
}

std::size_t Unpacker::get_size(std::size_t each) {
  const auto count = get_scalar<std::uint64_t>();
  if (count > left() / each) {
    throw UnpackError(fmt::format("cannot unpack: {} elements are announced at byte {} and {} bytes are left",
                                  count, position_ - sizeof count, left()));
  }
  return static_cast<std::size_t>(count);
}

std::size_t Unpacker::get_choice(std::size_t choices) {
  const auto choice = get_scalar<std::uint64_t>();
  if (choice >= choices) {
    throw UnpackError(fmt::format("cannot unpack: alternative {} of {} at byte {}", choice, choices,
                                  position_ - sizeof choice));
  }
  return static_cast<std::size_t>(choice);
}

int Unpacker::take_descriptor() {
  if (!descriptors_ || next_descriptor_ >= descriptors_->size()) {
    throw UnpackError("cannot unpack: a descriptor is wanted and none is left");
  }
  return std::exchange((*descriptors_)[next_descriptor_++], -1);
}

void Unpacker::finish() const {
  if (left() > 0) throw UnpackError(fmt::format("cannot unpack: {} bytes follow the value", left()));
}

}  // namespace eddy
