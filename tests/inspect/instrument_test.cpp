// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::AnyTask;

namespace {

struct Recorder final : eddy::Instrument {
  eddy::testing::Log log;
  void task_made(const AnyTask&) override { log("made"); }
  void task_ended(const AnyTask& task) override { log("ended", task.name()); }
  void before_task_step(const AnyTask& task) override { log("before", task.name()); }
  void after_task_step(const AnyTask& task) override { log("after", task.name()); }
  void before_io_wait(eddy::Duration timeout) override {
    if (timeout > eddy::Duration(0ns)) log("wait", std::chrono::nanoseconds(timeout));
  }
  void after_io_wait(eddy::Duration timeout) override {
    if (timeout > eddy::Duration(0ns)) log("waited", std::chrono::nanoseconds(timeout));
  }
};

}  // namespace

// TRI-09
ASYNC_TEST(Instrument, IsToldOfTasksStepsAndWaits) {
  Recorder recorder;
  eddy::current_task().set_name("main");
  auto& loop = eddy::get_running_loop();
  loop.add_instrument(recorder);
  auto task = eddy::create_task(eddy::sleep(5s), {.name = "t"});
  co_await task;
  loop.remove_instrument(recorder);
  co_await eddy::sleep(1s);
  EXPECT_EQ(recorder.log.str(),
            "made, before t, after t, wait 5s, waited 5s, before t, ended t, after t, before main");
}

ASYNC_TEST(Instrument, ThatThrowsIsRemovedAndReported) {
  struct Bad final : eddy::Instrument {
    int calls = 0;
    void task_made(const AnyTask&) override {
      ++calls;
      throw std::runtime_error("broken tracer");
    }
  } bad;
  Recorder good;
  std::string message;
  auto& loop = eddy::get_running_loop();
  loop.set_exception_handler([&](const eddy::ExceptionContext& context) {
    message = context.message + ": " + TEXT_OF(std::runtime_error, std::rethrow_exception(context.exception));
  });
  loop.add_instrument(bad);
  loop.add_instrument(good);
  auto first = eddy::create_task(eddy::sleep(0s), {.name = "x"});
  auto second = eddy::create_task(eddy::sleep(0s), {.name = "y"});
  EXPECT_EQ(bad.calls, 1);
  EXPECT_EQ(message, "an instrument threw and was removed: broken tracer");
  EXPECT_EQ(good.log.str(), "made, made");
  loop.remove_instrument(good);
  co_await eddy::gather(first, second);
}

struct StepCounter final : eddy::Instrument {
  int steps = 0;
  void before_task_step(const AnyTask&) override { ++steps; }
};

ASYNC_TEST(Instrument, SeesTheStepsThatFollowInTheSameTurn) {
  auto& loop = eddy::get_running_loop();
  StepCounter counter;
  auto add = [&]() -> eddy::Coro<> {
    loop.add_instrument(counter);
    co_return;
  };
  auto nothing = []() -> eddy::Coro<> { co_return; };
  const auto turns = loop.metrics().turns;
  auto first = eddy::create_task(add());
  auto second = eddy::create_task(nothing());
  auto third = eddy::create_task(nothing());
  co_await first;
  EXPECT_EQ(counter.steps, 3);  // the second's, the third's, and this
  EXPECT_LE(loop.metrics().turns - turns, 3u);
  loop.remove_instrument(counter);
  co_await eddy::gather(second, third);
}

ASYNC_TEST(Instrument, HearsOfNoStepOfATaskThatWasCancelledBeforeItsFirst) {
  auto& loop = eddy::get_running_loop();
  StepCounter counter;
  loop.add_instrument(counter);
  auto never = eddy::create_task(eddy::sleep(1s));
  never.cancel();
  co_await eddy::testing::error_of<eddy::CancelledError>(never);
  loop.remove_instrument(counter);
  EXPECT_TRUE(never.cancelled());
  EXPECT_EQ(counter.steps, 1);  // this
}

ASYNC_TEST(Instrument, MayRemoveItself) {
  struct Once final : eddy::Instrument {
    int steps = 0;
    void before_task_step(const AnyTask&) override {
      ++steps;
      eddy::get_running_loop().remove_instrument(*this);
    }
  } once;
  eddy::get_running_loop().add_instrument(once);
  co_await eddy::sleep(1s);
  co_await eddy::sleep(1s);
  EXPECT_EQ(once.steps, 1);
}
