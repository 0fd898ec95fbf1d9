// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/subprocess_protocol.hpp>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "support.hpp"

using eddy::PIPE;
using eddy::testing::error_of;

namespace {

// Notes each call, and says when the last one has come.
struct Noted final : eddy::SubprocessProtocol {
  explicit Noted(eddy::Event& over) : over_(over) {}

  void connection_made(eddy::SubprocessTransport& transport) override {
    log += "made ";
    if (auto in = transport.get_pipe_transport(0)) {
      in->write("input");
      in->write_eof();
    }
  }
  void pipe_data_received(int fd, std::string_view data) override { (fd == 1 ? out : err) += data; }
  void pipe_connection_lost(int fd, std::exception_ptr) override { log += "lost" + std::to_string(fd) + " "; }
  void process_exited() override { log += "exited "; }
  void connection_lost(std::exception_ptr error) override {
    log += error ? "error" : "end";
    over_.set();
  }

  std::string log, out, err;

 private:
  eddy::Event& over_;
};

std::size_t count(const std::string& text, std::string_view word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

bool no_children() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

}  // namespace

BACKEND_TEST(SubprocessProtocol, TellsOfPipesAndTheEnd) {
  eddy::Event over;
  auto make = [&over] { return std::make_unique<Noted>(over); };
  auto child = co_await eddy::get_running_loop().subprocess_shell(make, {.in = PIPE, .out = PIPE, .err = PIPE},
                                                                  "cat; echo oops >&2; exit 3");
  EXPECT_GT(child.transport->get_pid(), 1);
  EXPECT_EQ(&child.transport->get_protocol(), child.protocol);
  EXPECT_FALSE(child.transport->get_pipe_transport(7));
  co_await over.wait();
  const auto& log = child.protocol->log;
  EXPECT_TRUE(log.starts_with("made ")) << log;
  EXPECT_TRUE(log.ends_with("end")) << log;
  for (auto word : {"lost0 ", "lost1 ", "lost2 ", "exited "}) EXPECT_EQ(count(log, word), 1u) << log;
  EXPECT_EQ(child.protocol->out, "input");
  EXPECT_EQ(child.protocol->err, "oops\n");
  EXPECT_EQ(child.transport->get_returncode(), 3);
  EXPECT_FALSE(child.transport->terminate());
  EXPECT_TRUE(child.transport->is_closing());
}

BACKEND_TEST(SubprocessProtocol, ThatIsClosedKillsTheChild) {
  eddy::Event over;
  auto make = [&over] { return std::make_unique<Noted>(over); };
  auto child = co_await eddy::get_running_loop().subprocess_exec(make, {.out = PIPE}, "sleep", "100");
  child.transport->close();
  child.transport->close();
  co_await over.wait();
  EXPECT_EQ(child.transport->get_returncode(), -SIGKILL);
  EXPECT_TRUE(no_children());
}

BACKEND_TEST(SubprocessProtocol, WithoutPipesEndsWithTheChild) {
  eddy::Event over;
  auto make = [&over] { return std::make_unique<Noted>(over); };
  auto child = co_await eddy::get_running_loop().subprocess_exec(make, {}, "true");
  co_await over.wait();
  EXPECT_EQ(child.protocol->log, "made exited end");
}

BACKEND_TEST(SubprocessProtocol, ThatThrowsIsReportedAndItsChildKilled) {
  struct Throws final : eddy::SubprocessProtocol {
    void pipe_data_received(int, std::string_view) override { throw std::runtime_error("cannot take it"); }
  };
  std::string reported;
  auto& loop = eddy::get_running_loop();
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) { reported = context.message; });
  auto child = co_await loop.subprocess_shell([] { return std::make_unique<Throws>(); }, {.out = PIPE}, "echo x; exec sleep 100");
  while (!child.transport->get_returncode()) co_await eddy::sleep(1ms);
  EXPECT_EQ(reported, "a subprocess's protocol threw");
  EXPECT_EQ(child.transport->get_returncode(), -SIGKILL);
}

BACKEND_TEST(SubprocessProtocol, ThatCannotBeStartedThrows) {
  eddy::Event over;
  auto make = [&over] { return std::make_unique<Noted>(over); };
  auto starting = eddy::get_running_loop().subprocess_exec(make, {.out = PIPE}, "/no/such/program");
  auto error = co_await error_of<eddy::FileNotFoundError>(std::move(starting));
  EXPECT_STREQ(error.what(), "cannot start '/no/such/program': No such file or directory");
}

TEST(SubprocessProtocol, MayBeLeftWhenTheLoopEnds) {
  auto main = []() -> Coro<> {
    eddy::Event over;
    auto make = [&over] { return std::make_unique<Noted>(over); };
    co_await eddy::get_running_loop().subprocess_exec(make, {.out = PIPE, .kill_on_destroy = true}, "sleep", "100");
  };
  eddy::run(main());
}
