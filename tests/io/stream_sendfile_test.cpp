// SPDX-License-Identifier: MIT
// StreamWriter::sendfile().
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/unique_fd.hpp"
#include "connected.hpp"
#include "numbered_file.hpp"
#include "support.hpp"

using eddy::Streams;
using eddy::StreamWriter;
using eddy::testing::error_of;
using eddy::testing::settle;
using eddy::testing::stream_pair;

namespace {

Coro<Connected> connected() {
  auto [near, far] = eddy::socketpair();
  Connected both;
  both.near = co_await eddy::open_connection(std::move(near));
  both.far = co_await eddy::open_connection(std::move(far));
  co_return both;
}

Coro<std::string> everything(eddy::StreamReader reader) { co_return co_await reader.read(); }

// Begins to send `file`, and waits until the socket is full.
Coro<Task<std::uint64_t>> full_of(StreamWriter writer, const NumberedFile& file) {
  auto sending = eddy::create_task(writer.sendfile(file.fd));
  while (writer.write_buffer_size() == 0) co_await eddy::sleep(1ms);
  co_return sending;
}

Coro<> send_between(Connected both, std::size_t before, std::size_t size) {
  const NumberedFile file(size);
  const std::string first(before, 'b');
  auto receiving = eddy::create_task(everything(both.far.reader));
  both.near.writer.write(first);
  const auto sent = co_await both.near.writer.sendfile(file.fd);
  EXPECT_EQ(sent, size);
  EXPECT_EQ(both.near.writer.write_buffer_size(), 0u);
  both.near.writer.write("after");
  both.near.writer.write_eof();
  auto all = co_await receiving;
  EXPECT_TRUE(all == first + file.text + "after");
}

}  // namespace

BACKEND_TEST(StreamSendfile, AFileGoesBetweenWhatIsWrittenBeforeAndAfter) {
  auto over_tcp = co_await connected_over_tcp();
  co_await send_between(std::move(over_tcp), 500'000, 10'000'000);
  auto over_unix = co_await connected();
  co_await send_between(std::move(over_unix), 500'000, 10'000'000);
}

TEST(StreamSendfile, EachByteKeepsItsPlaceWhenTransfersAreShortAndLate) {
  const eddy::testing::Faults faults{.short_writes = 1, .not_ready = 0.5};
  auto body = []() -> Coro<> {
    auto both = co_await connected();
    co_await send_between(std::move(both), 2000, 700'000);
  };
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    eddy::run(eddy::timeout(20s, body()), {.backend = backend, .faults = &faults});
  }
}

BACKEND_TEST(StreamSendfile, APartIsWhatLiesBetweenOffsetCountAndTheEnd) {
  const NumberedFile file(100'000), empty(0);
  auto both = co_await connected();
  auto receiving = eddy::create_task(everything(both.far.reader));
  auto& writer = both.near.writer;
  EXPECT_EQ(co_await writer.sendfile(file.fd, {.offset = 5000, .count = 70'000}), 70'000u);
  EXPECT_EQ(co_await writer.sendfile(file.fd, {.offset = 99'000, .count = 70'000}), 1000u);
  EXPECT_EQ(co_await writer.sendfile(file.fd, {.offset = 100'000}), 0u);
  EXPECT_EQ(co_await writer.sendfile(file.fd, {.offset = 100'001}), 0u);
  EXPECT_EQ(co_await writer.sendfile(file.fd, {.count = 0}), 0u);
  EXPECT_EQ(co_await writer.sendfile(empty.fd), 0u);
  EXPECT_EQ(::lseek(file.fd, 0, SEEK_CUR), 100'000) << "the file's position is not used";
  writer.write_eof();
  EXPECT_TRUE(co_await receiving == file.text.substr(5000, 70'000) + file.text.substr(99'000));
}

BACKEND_TEST(StreamSendfile, ACorkEndsWithIt) {
  const NumberedFile file(1000);
  auto both = co_await connected();
  auto cork = both.near.writer.cork();
  both.near.writer.write("head ");
  co_await both.near.writer.sendfile(file.fd);
  auto got = co_await both.far.reader.readexactly(1005);
  EXPECT_TRUE(got == "head " + file.text);
  both.near.writer.write("tail");
  got = co_await both.far.reader.readexactly(4);
  EXPECT_EQ(got, "tail");
}

BACKEND_TEST(StreamSendfile, WhatThePageCacheHasNotIsReadWithoutTheKernelsHelp) {
  const NumberedFile pages(2'000'000);
  std::FILE* disk = std::tmpfile();
  EXPECT_EQ(std::fwrite(pages.text.data(), 1, pages.text.size(), disk), pages.text.size());
  std::fflush(disk);
  const int fd = ::fileno(disk);
  ::fdatasync(fd);
  ::posix_fadvise(fd, 400'000, 1'000'000, POSIX_FADV_DONTNEED);
  auto both = co_await connected();
  auto receiving = eddy::create_task(everything(both.far.reader));
  EXPECT_EQ(co_await both.near.writer.sendfile(fd), pages.text.size());
  both.near.writer.write_eof();
  EXPECT_TRUE(co_await receiving == pages.text);
  std::fclose(disk);
}

BACKEND_TEST(StreamSendfile, APipeIsReadAndWrittenUnlessThatIsForbidden) {
  const NumberedFile file(700'000);
  auto pipe = co_await eddy::open_pipe();
  const auto text = fmt::format("sendfile(2) cannot serve descriptor {}: it is no plain socket", pipe.writer.fileno());
  auto error = co_await error_of<eddy::SendfileNotAvailableError>(pipe.writer.sendfile(file.fd, {.fallback = false}));
  EXPECT_EQ(std::string(error.what()), text);
  auto receiving = eddy::create_task(everything(pipe.reader));
  EXPECT_EQ(co_await pipe.writer.sendfile(file.fd), file.text.size());
  pipe.writer.write_eof();
  EXPECT_TRUE(co_await receiving == file.text);
}

ASYNC_TEST(StreamSendfile, OverMemoryTheFileIsCopied) {
  const NumberedFile file(300'000);
  auto pair = stream_pair({.room = 1000});
  auto receiving = eddy::create_task(everything(pair.far.reader));
  EXPECT_EQ(co_await pair.near.writer.sendfile(file.fd, {.offset = 10}), file.text.size() - 10);
  pair.near.writer.close();
  EXPECT_TRUE(co_await receiving == file.text.substr(10));
}

BACKEND_TEST(StreamSendfile, AFileThatSendfileRefusesIsReadAndWrittenUnlessThatIsForbidden) {
  const eddy::detail::UniqueFd file(::open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
  std::string text(64, '\0');
  text.resize(static_cast<std::size_t>(::pread(file.get(), text.data(), text.size(), 0)));
  EXPECT_NE(text, "");
  auto both = co_await connected();
  auto& writer = both.near.writer;
  auto refused = co_await error_of<eddy::SendfileNotAvailableError>(writer.sendfile(file.get(), {.fallback = false}));
  EXPECT_EQ(std::string(refused.what()),
            fmt::format("sendfile(2) does not work from descriptor {} to descriptor {}", file.get(), writer.fileno()));
  EXPECT_EQ(co_await writer.sendfile(file.get()), text.size());
  writer.write_eof();
  EXPECT_EQ(co_await everything(both.far.reader), text);
}

BACKEND_TEST(StreamSendfile, WhatCannotBeReadIsAnErrorOfTheFileAndNotOfTheConnection) {
  int pipe[2];
  EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  eddy::detail::UniqueFd no_place(pipe[0]), no_reading(pipe[1]);
  auto both = co_await connected();
  auto& writer = both.near.writer;
  auto error = co_await error_of<eddy::OSError>(writer.sendfile(pipe[1]));
  EXPECT_EQ(std::string(error.what()), fmt::format("sendfile from descriptor {}: Bad file descriptor", pipe[1]));
  error = co_await error_of<eddy::OSError>(writer.sendfile(pipe[0]));
  EXPECT_EQ(std::string(error.what()), fmt::format("sendfile from descriptor {}: Illegal seek", pipe[0]));
  both.near.writer.write("unharmed");
  auto got = co_await both.far.reader.readexactly(8);
  EXPECT_EQ(got, "unharmed");
}

BACKEND_TEST(StreamSendfile, NobodyElseWritesMeanwhile) {
  const NumberedFile file(8'000'000);
  auto both = co_await connected();
  auto& writer = both.near.writer;
  const auto name = fmt::format("descriptor {}", writer.fileno());
  auto sending = co_await full_of(writer, file);
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, writer.write("x")), "write to " + name + " while sendfile() is in progress");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, writer.writelines({"x"})), "write to " + name + " while sendfile() is in progress");
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, writer.write_eof()), "write_eof() to " + name + " while sendfile() is in progress");
  const auto cork = writer.cork();  // holds nothing back
  auto second = co_await error_of<eddy::BusyResourceError>(writer.sendfile(file.fd));
  EXPECT_EQ(std::string(second.what()), "sendfile to " + name + ": another task already sends a file");
  both.far.writer.write("the other direction is free");
  auto got = co_await both.near.reader.readexactly(27);
  EXPECT_EQ(got, "the other direction is free");
  auto receiving = eddy::create_task(everything(both.far.reader));
  EXPECT_EQ(co_await sending, file.text.size());
  writer.write_eof();
  EXPECT_TRUE(co_await receiving == file.text);
}

BACKEND_TEST(StreamSendfile, ACancellationLeavesTheStreamUsable) {
  const NumberedFile file(8'000'000);
  auto both = co_await connected();
  auto sending = co_await full_of(both.near.writer, file);
  sending.cancel();
  co_await settle();
  EXPECT_TRUE(sending.cancelled());
  both.near.writer.write("end");
  both.near.writer.close();
  auto got = co_await both.far.reader.read();
  EXPECT_LT(got.size(), file.text.size());
  EXPECT_TRUE(got == file.text.substr(0, got.size() - 3) + "end");
}

BACKEND_TEST(StreamSendfile, AFileThatBecomesShorterMeanwhileEndsIt) {
  const NumberedFile file(8'000'000);
  auto both = co_await connected();
  auto sending = co_await full_of(both.near.writer, file);
  EXPECT_EQ(::ftruncate(file.fd, 7'000'000), 0);
  auto receiving = eddy::create_task(everything(both.far.reader));
  EXPECT_EQ(co_await sending, 7'000'000u);
  both.near.writer.write_eof();
  EXPECT_TRUE(co_await receiving == file.text.substr(0, 7'000'000));
}

BACKEND_TEST(StreamSendfile, CloseAndAbortEndIt) {
  const NumberedFile file(8'000'000);
  for (const bool gently : {true, false}) {
    auto both = co_await connected();
    auto sending = co_await full_of(both.near.writer, file);
    if (gently) both.near.writer.close();
    else both.near.writer.abort();
    if (gently) eddy::create_task(everything(both.far.reader));
    auto error = co_await error_of<eddy::ConnectionAbortedError>(std::move(sending));
    EXPECT_TRUE(std::string(error.what()).starts_with("sendfile to ")) << error.what();
    EXPECT_EQ(TEXT_OF(eddy::RuntimeError, both.near.writer.write("x")).empty(), !gently);
  }
  auto closed = co_await connected();
  closed.near.writer.close();
  auto late = co_await error_of<eddy::RuntimeError>(closed.near.writer.sendfile(file.fd));
  EXPECT_EQ(std::string(late.what()), "sendfile to a closed stream after close()");
}

BACKEND_TEST(StreamSendfile, APeerThatResetsTheConnectionEndsIt) {
  const NumberedFile file(8'000'000);
  auto both = co_await connected_over_tcp();
  const linger reset{1, 0};
  ::setsockopt(both.far.writer.fileno(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  auto sending = co_await full_of(both.near.writer, file);
  both.far.writer.abort();
  auto error = co_await error_of<eddy::ConnectionError>(std::move(sending));
  EXPECT_TRUE(std::string(error.what()).starts_with("sendfile to ")) << error.what();
  EXPECT_TRUE(both.near.writer.is_closing());
  co_await error_of<eddy::ConnectionError>(both.near.writer.drain());
  co_await error_of<eddy::ConnectionError>(both.near.writer.sendfile(file.fd));
}

// A connection that breaks inside of sendfile(2) raises SIGPIPE also where the call gives a count: the program would end.
BACKEND_TEST(StreamSendfile, APeerThatResetsInTheMiddleOfACallRaisesNoSignal) {
  const NumberedFile file(4'000'000);
  for (std::size_t i = 0; i < 100; ++i) {
    auto both = co_await connected_over_tcp();
    const linger reset{1, 0};
    ::setsockopt(both.far.writer.fileno(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    eddy::detail::UniqueFd peer(::fcntl(both.far.writer.fileno(), F_DUPFD_CLOEXEC, 0));
    both.far = {};
    ::shutdown(peer.get(), SHUT_WR);  // a reset is a broken pipe then
    // On another thread, so that it reads and goes while the kernel is sending.
    auto read_and_go = [&peer, enough = i * 40'000] {
      std::string bytes(1 << 16, '\0');
      std::size_t total = 0;
      while (total < enough) {
        const auto count = ::recv(peer.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (count > 0) total += static_cast<std::size_t>(count);
      }
      peer.reset();
    };
    auto going = eddy::create_task(eddy::to_thread(read_and_go));
    try {
      for (;;) co_await both.near.writer.sendfile(file.fd);
    } catch (const eddy::ConnectionError&) {
    }
    co_await going;
  }
}

BACKEND_TEST(StreamSendfile, TheTreeNamesIt) {
  const NumberedFile file(8'000'000);
  auto both = co_await connected();
  auto sending = co_await full_of(both.near.writer, file);
  const auto tree = eddy::format_tasks();
  EXPECT_NE(tree.find(fmt::format("room to send a file to descriptor {}", both.near.writer.fileno())), tree.npos) << tree;
  sending.cancel();
  co_await settle();
}
