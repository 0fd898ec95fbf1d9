// SPDX-License-Identifier: MIT
// Tables 1f and 1g: what runs in other processes. On the real clock.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "seed.hpp"

namespace mp = eddy::mp;

namespace {

int sleeps(int hundredths) {
  std::this_thread::sleep_for(std::chrono::milliseconds(hundredths));
  return hundredths;
}
int pid_of(int) { return ::getpid(); }

struct Query {
  std::string sql;
  mp::Connection<std::string, int> answer;  // the way back travels with the question
};
void database(mp::Queue<Query> queries) {
  for (;;) {
    auto query = queries.blocking_get();
    if (query.sql.empty()) return;
    query.answer.blocking_send("rows of " + query.sql);
  }
}

Coro<int> ask(mp::Queue<Query>& queries, int number) {
  auto ends = mp::pipe<int, std::string>();
  const auto sql = "select " + std::to_string(number);
  Query query{sql, std::move(ends.second)};
  co_await queries.put(query);
  const auto rows = co_await ends.first.recv();
  co_return rows == "rows of " + sql ? 1 : 0;
}

void shout(mp::Queue<std::string> words, mp::Connection<std::string> back) {
  for (int i = 0; i < 2; ++i) back.blocking_send(words.blocking_get() + "!");
}
int square(int x) { return x * x; }

void works_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

struct Progress {
  int task, percent;
};
void reports(int task, mp::Connection<Progress> parent) {
  for (int percent : {50, 100}) parent.blocking_send({task, percent});
}

std::ptrdiff_t shared_memory_files() {
  return std::distance(std::filesystem::directory_iterator("/dev/shm"), std::filesystem::directory_iterator());
}

}  // namespace

PLAIN_THREAD_SEED("EXE-07", "ProcessPoolExecutor: map in order, in other processes", any_time,
                  "[60, 30, 40]\nother processes: True") {
  eddy::ProcessPoolExecutor pool{{.max_workers = 3}};
  print(pool.map(sleeps, std::vector<int>{60, 30, 40}));
  bool elsewhere = true;
  for (int pid : pool.map(pid_of, std::vector<int>{1, 2, 3})) elsewhere = elsewhere && pid != ::getpid();
  print("other processes:", elsewhere);
}

THREAD_SEED("MP-01", "the question carries the pipe for its answer", any_time, "8 of 8 got their own answer") {
  mp::Queue<Query> queries;
  mp::Process daemon({.name = "database", .daemon = true}, database, queries);
  daemon.start();
  std::vector<Coro<int>> askers;
  for (int i = 0; i < 8; ++i) askers.push_back(ask(queries, i));
  const auto right = co_await eddy::gather(std::move(askers));
  print(std::count(right.begin(), right.end(), 1), "of 8 got their own answer");
}

THREAD_SEED("MP-02", "Pipe, Queue, Pool", any_time, "hello!\nworld!\n[1, 4, 9]") {
  mp::Queue<std::string> words;
  auto [here, there] = mp::pipe<std::string>();
  mp::Process child(shout, words, there);
  child.start();
  there.close();
  co_await words.put("hello");
  co_await words.put("world");
  for (int i = 0; i < 2; ++i) {
    const auto answer = co_await here.recv();
    print(answer);
  }
  co_await child.wait();
  mp::Pool pool(2);
  print(pool.map(square, std::vector<int>{1, 2, 3}));
}

PLAIN_THREAD_SEED("MP-03", "a queue leaves nothing in /dev/shm", any_time, "10000000 bytes came\n0 files more") {
  const auto before = shared_memory_files();
  mp::Queue<std::string> queue;
  queue.blocking_put(std::string(10'000'000, 'x'));
  print(queue.blocking_get().size(), "bytes came");
  print(shared_memory_files() - before, "files more");
}

THREAD_SEED("MP-04", "a process over its time is killed; by request, too", any_time, "timed out\nexit code -9") {
  try {
    co_await mp::run_process({.timeout = 2_s}, works_for_ever);
  } catch (const eddy::TimeoutError&) {
    print("timed out");
  }
  mp::Process process(works_for_ever);
  process.start();
  process.kill();
  const int code = co_await process.wait();
  print("exit code", code);
}

THREAD_SEED("MP-05", "progress from the child", any_time, "task 7 50 %\ntask 7 100 %") {
  auto [here, there] = mp::pipe<Progress>();
  mp::Process child(reports, 7, there);
  child.start();
  there.close();
  for (int i = 0; i < 2; ++i) {
    const auto report = co_await here.recv();
    print("task", report.task, report.percent, "%");
  }
  co_await child.wait();
}
