// SPDX-License-Identifier: MIT
// Files by a back end that takes requests and completes them later, as io_uring does.
#include <eddy/eddy.hpp>
#include <eddy/fs.hpp>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <fstream>

#include "loop/loop.hpp"
#include "support.hpp"

namespace fs = eddy::fs;
using eddy::detail::AcceptSink;
using eddy::detail::Backend;
using eddy::detail::FileRequest;
using eddy::detail::IoWatch;
using eddy::detail::Listener;
using eddy::detail::StreamDriver;
using eddy::detail::StreamSink;

namespace {

// Completes each request at the third poll after it came, a short one if `most` says so.
class LateFiles final : public Backend {
 public:
  explicit LateFiles(std::unique_ptr<Backend> kernel) : kernel_(std::move(kernel)) {}

  std::string_view name() const noexcept override { return kernel_->name(); }
  std::int64_t now() const noexcept override { return kernel_->now(); }
  void poll(std::int64_t timeout) override {
    kernel_->poll(pending_.empty() ? timeout : 0);
    if (pending_.empty() || ++polls_ % 3 != 0) return;
    auto& request = *pending_.front();
    pending_.pop_front();
    ++completed;
    request.done(request, perform(request));
  }
  void wake() noexcept override { kernel_->wake(); }
  void watch(IoWatch& watch) override { kernel_->watch(watch); }
  void update(IoWatch& watch) override { kernel_->update(watch); }
  void unwatch(IoWatch& watch) noexcept override { kernel_->unwatch(watch); }
  std::unique_ptr<StreamDriver> make_stream(int fd, StreamSink& sink) override { return kernel_->make_stream(fd, sink); }
  std::unique_ptr<Listener> make_listener(int fd, AcceptSink& sink) override { return kernel_->make_listener(fd, sink); }
  bool submit(FileRequest& request) override {
    if (refuse) return false;
    pending_.push_back(&request);
    return true;
  }

  std::size_t most = 1u << 20;
  int completed = 0;
  bool refuse = false;

 private:
  int perform(const FileRequest& request) const {
    const auto size = std::min(request.size, most);
    ssize_t count = 0;
    if (request.kind == FileRequest::Kind::sync) count = ::fsync(request.fd);
    else if (request.kind == FileRequest::Kind::read) {
      count = request.offset < 0 ? ::read(request.fd, request.data, size) : ::pread(request.fd, request.data, size, request.offset);
    } else {
      count = request.offset < 0 ? ::write(request.fd, request.data, size) : ::pwrite(request.fd, request.data, size, request.offset);
    }
    return count < 0 ? -errno : static_cast<int>(count);
  }

  std::unique_ptr<Backend> kernel_;
  std::deque<FileRequest*> pending_;
  int polls_ = 0;
};

LateFiles& take_files_over() {
  auto& loop = eddy::detail::Loop::running();
  auto late = std::make_unique<LateFiles>(std::move(loop.backend));
  auto& files = *late;
  loop.backend = std::move(late);
  return files;
}

template <class F>
void run_with_late_files(F body) {
  auto main = [&]() -> Coro<> {
    auto& files = take_files_over();  // while no thread of the pool can look at the loop's back end
    auto folder = co_await fs::temporary_directory();
    co_await body(files, folder / "file");
  };
  eddy::run(eddy::timeout(20s, main()), {.backend = eddy::Backend::epoll});
}

}  // namespace

TEST(FileTransfer, GoesThroughTheBackEndIfItCan) {
  run_with_late_files([](LateFiles& files, std::string path) -> Coro<> {
    files.most = 5;  // short transfers are gone on with
    auto file = co_await fs::open(path, "w+");
    co_await file.write("0123456789abc");
    co_await file.fsync();
    EXPECT_EQ(files.completed, 4);
    co_await file.seek(0);
    auto all = co_await file.read();
    EXPECT_EQ(all, "0123456789abc");
    auto part = co_await file.read_at(8, 3);
    EXPECT_EQ(part, "3456789a");
    EXPECT_GT(files.completed, 7);
    const int before = files.completed;
    files.refuse = true;
    auto again = co_await file.read_at(2, 0);
    EXPECT_EQ(again, "01");
    EXPECT_EQ(files.completed, before);
  });
}

TEST(FileTransfer, TellsTheBackEndsErrors) {
  run_with_late_files([](LateFiles&, std::string path) -> Coro<> {
    std::ofstream(path) << "x";
    auto file = co_await fs::open(path);
    auto error = co_await eddy::testing::error_of<eddy::OSError>(file.write("y"));
    EXPECT_EQ(std::string(error.what()), "write '" + path + "': Bad file descriptor");
  });
}

TEST(FileTransfer, ThatIsCancelledKeepsItsMemoryUntilItIsOver) {
  run_with_late_files([](LateFiles& files, std::string path) -> Coro<> {
    std::ofstream(path) << "text";
    auto file = co_await fs::open(path);
    auto read = [&]() -> Coro<> {
      std::string memory(4, '.');  // on the heap, where a late write would be found out
      co_await file.readinto_at(memory, 0);
    };
    auto task = eddy::create_task(read());
    co_await eddy::sleep(0s);
    const auto tree = eddy::format_task_tree();
    EXPECT_NE(tree.find("a read of the file of descriptor "), tree.npos) << tree;
    EXPECT_TRUE(task.cancel());
    EXPECT_EQ(files.completed, 0);
    EXPECT_FALSE(task.done());
    while (!task.done()) co_await eddy::sleep(1ms);
    EXPECT_EQ(files.completed, 1);
    EXPECT_TRUE(task.cancelled());
  });
}

TEST(FileTransfer, ThatIsCancelledCountsWhatWasWritten) {
  run_with_late_files([](LateFiles& files, std::string path) -> Coro<> {
    files.most = 3;
    auto file = co_await fs::open(path, "w+");
    auto write = [&]() -> Coro<> { co_await file.write("abcdef"); };
    auto task = eddy::create_task(write());
    co_await eddy::sleep(0s);
    task.cancel();
    while (!task.done()) co_await eddy::sleep(1ms);
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(file.tell(), 3);
    auto there = co_await file.read_at(10, 0);
    EXPECT_EQ(there, "abc");
  });
}
