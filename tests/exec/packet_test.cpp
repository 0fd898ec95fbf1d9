// SPDX-License-Identifier: MIT
#include "exec/packet.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/unique_fd.hpp"
#include "support.hpp"

using eddy::Parcel;
using eddy::UnpackError;
using eddy::detail::Passed;

namespace {

struct Pair {
  Pair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    a = eddy::detail::UniqueFd(fds[0]);
    b = eddy::detail::UniqueFd(fds[1]);
  }
  Passed take() const {
    std::uint32_t tag = 0;
    Parcel parcel;
    return eddy::detail::take(b.get(), tag, parcel);
  }
  eddy::detail::UniqueFd a, b;
};

std::string header(std::uint32_t flags, std::uint64_t size) {
  const std::uint32_t tag = 1;
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &tag, 4);
  std::memcpy(bytes.data() + 4, &flags, 4);
  std::memcpy(bytes.data() + 8, &size, 8);
  return bytes;
}

std::string refusal_of(const std::string& packet) {
  const Pair pair;
  EXPECT_EQ(::send(pair.a.get(), packet.data(), packet.size(), 0), static_cast<ssize_t>(packet.size()));
  return TEXT_OF(UnpackError, pair.take());
}

}  // namespace

TEST(Packet, ThatIsNoneIsRefused) {
  EXPECT_EQ(refusal_of("abc"), "cannot receive: a packet of 3 bytes is none of eddy's");
  EXPECT_EQ(refusal_of(header(0, 5) + "ab"), "cannot receive: a packet of 18 bytes is none of eddy's");
  EXPECT_EQ(refusal_of(header(0, 1 << 20) + std::string(100'000, 'x')),
            "cannot receive: a packet of 32784 bytes is none of eddy's");
  EXPECT_EQ(refusal_of(header(1, 5)), "cannot receive: the packet's bytes did not come along");
}

TEST(Packet, WithAnotherFileThanAnnouncedIsRefused) {
  const Pair pair;
  Parcel parcel;
  parcel.bytes = "longer than what the file has";
  parcel.descriptors.push_back(::memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(::write(parcel.descriptors[0], "abc", 3), 3);
  parcel.spilled = true;
  ASSERT_EQ(eddy::detail::pass(pair.a.get(), 1, parcel), Passed::done);
  EXPECT_EQ(TEXT_OF(UnpackError, pair.take()), "cannot receive: the packet announces 29 bytes and brings 3");
}

TEST(Packet, CarriesNoMoreDescriptorsThanTheKernelTakes) {
  const Pair pair;
  Parcel parcel;
  for (int i = 0; i < 251; ++i) parcel.descriptors.push_back(::dup(pair.a.get()));
  EXPECT_EQ(TEXT_OF(eddy::ValueError, static_cast<void>(eddy::detail::pass(pair.a.get(), 1, parcel))),
            "cannot send 251 descriptors in one message: at most 250 can travel together");
  ::close(parcel.descriptors.back());
  parcel.descriptors.pop_back();
  EXPECT_EQ(eddy::detail::pass(pair.a.get(), 1, parcel), Passed::done);
  EXPECT_EQ(pair.take(), Passed::done);
}

TEST(Packet, KnowsFullEmptyAndEnded) {
  Pair pair;
  EXPECT_EQ(pair.take(), Passed::must_wait);
  Parcel parcel;
  parcel.bytes.assign(30'000, 'x');
  while (eddy::detail::pass(pair.a.get(), 1, parcel) == Passed::done) {
  }
  EXPECT_EQ(eddy::detail::pass(pair.a.get(), 1, parcel), Passed::must_wait);
  pair.a.reset();
  while (pair.take() == Passed::done) {
  }
  EXPECT_EQ(pair.take(), Passed::closed);
  EXPECT_EQ(eddy::detail::pass(pair.b.get(), 1, parcel), Passed::closed);
}
