// SPDX-License-Identifier: MIT
// The examples that live in virtual time, without sockets and threads, cancelled everywhere and failing everywhere. As
// under run(), what still runs when the main coroutine has ended is cancelled.
// The examples' main() becomes an ordinary function of a namespace.
#pragma GCC diagnostic ignored "-Wreturn-type"
#pragma GCC diagnostic ignored "-Wsubobject-linkage"

#include <eddy/eddy.hpp>

#include <chrono>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support.hpp"

namespace hello_example {
#include "../../examples/hello.cpp"
}
namespace fruit_example {
#include "../../examples/fruit.cpp"
}
namespace gather_example {
#include "../../examples/gather.cpp"
}
namespace timeout_example {
#include "../../examples/timeout.cpp"
}
namespace task_group_example {
#include "../../examples/task_group.cpp"
}
namespace producer_consumer_example {
#include "../../examples/producer_consumer.cpp"
}

namespace {

struct Failure {};

// Quiet, and as often as it takes.
void sweep(Coro<> (*program)()) {
  struct Silence {
    std::ostringstream nowhere;
    std::streambuf* before = std::cout.rdbuf(nowhere.rdbuf());
    ~Silence() { std::cout.rdbuf(before); }
  } silence;
  EXPECT_GE(eddy::testing::cancel_everywhere(program, {.cancel_rest = true}), 4u);
  EXPECT_GE(eddy::testing::fail_everywhere(program, Failure(), {.cancel_rest = true}), 2u);
}

}  // namespace

TEST(ExamplesLeaveNothing, Hello) { sweep(hello_example::hello); }
TEST(ExamplesLeaveNothing, Fruit) { sweep(fruit_example::program); }
TEST(ExamplesLeaveNothing, Gather) { sweep(gather_example::main_program); }
TEST(ExamplesLeaveNothing, Timeout) { sweep(timeout_example::main_program); }
TEST(ExamplesLeaveNothing, TaskGroup) { sweep(task_group_example::main_program); }
TEST(ExamplesLeaveNothing, ProducerConsumer) { sweep(producer_consumer_example::main_program); }
