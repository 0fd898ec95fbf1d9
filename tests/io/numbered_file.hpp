// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <string>

/// A file in memory, of `size` bytes that tell their places.
struct NumberedFile {
  explicit NumberedFile(std::size_t size) : fd(::memfd_create("eddy", MFD_CLOEXEC)) {
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
    text.resize(size);
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  NumberedFile(const NumberedFile&) = delete;
  ~NumberedFile() { ::close(fd); }
  int fd;
  std::string text;
};
