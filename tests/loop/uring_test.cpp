// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "loop/uring_sinks.hpp"

namespace eddy::detail {
namespace {

struct Watched final : IoWatch {
  std::string log;
  Watched(int descriptor, unsigned wanted, bool changes_only = false) {
    fd = descriptor;
    interest = wanted;
    edge = changes_only;
    on_events = [](IoWatch& watch, unsigned events) noexcept {
      static_cast<Watched&>(watch).log += events & kReadable ? "r" : events & kWritable ? "w" : "h";
    };
  }
};

struct File final : FileRequest {
  int result = 1'000'000;
  bool is_done = false;
  File(Kind k, int descriptor, char* memory = nullptr, std::size_t bytes = 0, std::int64_t at = 0) {
    kind = k;
    fd = descriptor;
    data = memory;
    size = bytes;
    offset = at;
    done = [](FileRequest& request, int value) noexcept {
      static_cast<File&>(request).result = value;
      static_cast<File&>(request).is_done = true;
    };
  }
};

void wait_for(Backend& backend, const File& file) {
  while (!file.is_done) backend.poll(1'000'000'000);
}

UniqueFd listening(sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(fd.get(), 64), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return fd;
}

UniqueFd connected(const sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

}  // namespace

TEST(Uring, AWatchOfStatesTellsAsLongAsTheStateLasts) {
  NEEDS_IO_URING();
  RunningBackend backend;
  SocketPair pair;
  Watched watch(pair.ours.get(), kReadable);
  backend->watch(watch);
  backend->poll(0);
  EXPECT_EQ(watch.log, "");
  ASSERT_EQ(::send(pair.theirs.get(), "x", 1, 0), 1);
  for (int i = 0; i < 3; ++i) backend->poll(1'000'000);
  EXPECT_EQ(watch.log, "rrr");
  watch.interest = kWritable;
  backend->update(watch);
  backend->poll(1'000'000);
  EXPECT_EQ(watch.log, "rrrw");
  watch.interest = 0;
  backend->update(watch);
  backend->poll(1'000'000);
  EXPECT_EQ(watch.log, "rrrw");
  backend->unwatch(watch);
}

TEST(Uring, AWatchOfChangesTellsEachOnce) {
  NEEDS_IO_URING();
  RunningBackend backend;
  SocketPair pair;
  Watched watch(pair.ours.get(), kReadable, true);
  backend->watch(watch);
  backend.settle();
  EXPECT_EQ(watch.log, "w");
  ASSERT_EQ(::send(pair.theirs.get(), "x", 1, 0), 1);
  backend.settle();
  EXPECT_EQ(watch.log, "wr");
  ASSERT_EQ(::send(pair.theirs.get(), "y", 1, 0), 1);
  backend.settle();
  EXPECT_EQ(watch.log, "wrr");
  backend->unwatch(watch);
}

// The request was filled in and not submitted, and the number belongs to another descriptor by then.
TEST(Uring, ARequestThatIsWithdrawnIsNeverAskedOfTheNextDescriptor) {
  NEEDS_IO_URING();
  RunningBackend backend;
  SocketPair old;
  const int number = old.ours.get();
  CollectingSink first;
  first.open(*backend, std::move(old.ours));
  first.driver.reset();
  SocketPair fresh;
  ASSERT_TRUE(fresh.ours.get() == number || fresh.theirs.get() == number);
  const int other = fresh.ours.get() == number ? fresh.theirs.get() : fresh.ours.get();
  ASSERT_EQ(::send(other, "x", 1, 0), 1);
  backend.settle();
  char byte = 0;
  EXPECT_EQ(::recv(number, &byte, 1, MSG_DONTWAIT), 1);
}

TEST(Uring, WakesFromAnotherThread) {
  NEEDS_IO_URING();
  RunningBackend backend;
  for (int i = 0; i < 20; ++i) {
    std::thread waker([&] { backend->wake(); });
    backend->poll(-1);  // or the test's time runs out
    waker.join();
    backend->poll(0);
  }
}

TEST(Uring, WaitsAsLongAsItIsTold) {
  NEEDS_IO_URING();
  RunningBackend backend;
  backend.settle();
  const auto begin = monotonic_now();
  backend->poll(20'000'000);
  const auto took = monotonic_now() - begin;
  EXPECT_GE(took, 20'000'000);
  EXPECT_LT(took, 2'000'000'000);
}

TEST(Uring, ItsDescriptorsAreClosedByExec) {
  NEEDS_IO_URING();
  RunningBackend backend;
  int rings = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry, gone).string();
    if (target.find("io_uring") == target.npos && target.find("eventfd") == target.npos) continue;
    rings += target.find("io_uring") != target.npos;
    EXPECT_TRUE(::fcntl(std::atoi(entry.path().filename().c_str()), F_GETFD) & FD_CLOEXEC) << target;
  }
  EXPECT_EQ(rings, 1);
}

TEST(Uring, AChildOfForkRunsItsCopyOnARingOfItsOwnAndTheParentGoesOn) {
  NEEDS_IO_URING();
  auto backend = make_uring_backend(uring_features());
  backend->run_begins();
  SocketPair pair;
  CollectingSink sink;
  sink.open(*backend, std::move(pair.ours));
  const auto child = ::fork();  // the receive is filled in, and not submitted
  if (child == 0) {
    SocketPair own;
    CollectingSink mine;
    mine.open(*backend, std::move(own.ours));
    sink.driver.reset();
    backend->run_begins();
    const bool sent = ::send(own.theirs.get(), "hello", 5, 0) == 5;
    while (mine.came.empty()) backend->poll(100'000'000);
    mine.driver.reset();
    backend->settle();
    backend.reset();
    ::_exit(sent && mine.came == "hello" ? 7 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  ASSERT_EQ(::send(pair.theirs.get(), "still here", 10, 0), 10);
  while (sink.came.empty()) backend->poll(100'000'000);
  EXPECT_EQ(sink.came, "still here");
  sink.driver.reset();
  backend->settle();
}

TEST(UringListener, AcceptsPausesAndParksWhatTheKernelHadAccepted) {
  NEEDS_IO_URING();
  RunningBackend backend;
  sockaddr_in address{};
  auto fd = listening(address);
  CountingSink sink;
  auto listener = backend->make_listener(fd.get(), sink);
  fd.release();
  backend->poll(0);
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(connected(address));
  backend.settle();
  EXPECT_EQ(sink.connections.size(), 5u);
  for (const auto& connection : sink.connections) {
    EXPECT_TRUE(::fcntl(connection.get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(connection.get(), F_GETFL) & O_NONBLOCK);
  }
  for (int i = 0; i < 3; ++i) clients.push_back(connected(address));
  listener->pause();
  backend.settle();
  for (int i = 0; i < 3; ++i) clients.push_back(connected(address));
  backend.settle();
  EXPECT_EQ(sink.connections.size(), 5u);
  listener->resume();
  backend.settle();
  EXPECT_EQ(sink.connections.size(), 11u);
  EXPECT_TRUE(sink.errors.empty());
  listener.reset();
  EXPECT_FALSE(connected(address));
  EXPECT_EQ(backend->watched(), 0u);
}

TEST(UringFiles, AreWrittenSyncedAndReadAtOffsets) {
  NEEDS_IO_URING();
  RunningBackend backend;
  const UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(fd);
  std::string text = "hello, file";
  File write(FileRequest::Kind::write, fd.get(), text.data(), text.size(), 1000);
  ASSERT_TRUE(backend->submit(write));
  wait_for(*backend, write);
  EXPECT_EQ(write.result, 11);
  File sync(FileRequest::Kind::sync, fd.get());
  ASSERT_TRUE(backend->submit(sync));
  wait_for(*backend, sync);
  EXPECT_EQ(sync.result, 0);
  std::string back(20, '.');
  File read(FileRequest::Kind::read, fd.get(), back.data(), back.size(), 1007);
  ASSERT_TRUE(backend->submit(read));
  wait_for(*backend, read);
  EXPECT_EQ(read.result, 4);
  EXPECT_EQ(back, "file................");
  File beyond(FileRequest::Kind::read, fd.get(), back.data(), back.size(), 5000);
  ASSERT_TRUE(backend->submit(beyond));
  wait_for(*backend, beyond);
  EXPECT_EQ(beyond.result, 0);
}

TEST(UringFiles, ManyAtOnceEachEndOnce) {
  NEEDS_IO_URING();
  RunningBackend backend;
  const UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(fd);
  std::string bytes = "abcdefgh";
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 1000; ++i) {  // more than the ring has entries
    files.push_back(std::make_unique<File>(FileRequest::Kind::write, fd.get(), bytes.data(), bytes.size(), i * 8));
    ASSERT_TRUE(backend->submit(*files.back()));
  }
  for (const auto& file : files) {
    wait_for(*backend, *file);
    EXPECT_EQ(file->result, 8);
  }
  struct stat status{};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_size, 8000);
}

TEST(UringFiles, AnErrorIsANegativeNumber) {
  NEEDS_IO_URING();
  RunningBackend backend;
  const UniqueFd directory(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  char byte = 0;
  File read(FileRequest::Kind::read, directory.get(), &byte, 1);
  ASSERT_TRUE(backend->submit(read));
  wait_for(*backend, read);
  EXPECT_EQ(read.result, -EISDIR);
}

TEST(UringFiles, HaveEndedWhenTheRunEnds) {
  NEEDS_IO_URING();
  RunningBackend backend;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]), writing(ends[1]);
  char byte = 0;
  File never(FileRequest::Kind::read, reading.get(), &byte, 1, -1);
  ASSERT_TRUE(backend->submit(never));
  backend.settle();
  EXPECT_FALSE(never.is_done);
  backend->settle();
  EXPECT_TRUE(never.is_done);
  EXPECT_EQ(never.result, -ECANCELED);
}

TEST(UringFiles, ReadinessBackEndsLeaveThemToTheThreadPool) {
  auto backend = make_readiness_backend(make_epoll_poller());
  File file(FileRequest::Kind::sync, 0);
  EXPECT_FALSE(backend->submit(file));
}

}  // namespace eddy::detail
