// SPDX-License-Identifier: MIT
#include "snippets.hpp"

#include <iostream>

using namespace std::chrono_literals;
using eddy::Coro;
namespace mp = eddy::mp;

// [pool]
long count_primes(long below) {
  long count = 0;
  for (long n = 2; n < below; ++n) {
    bool prime = true;
    for (long d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
    count += prime;
  }
  return count;
}

Coro<> count() {
  eddy::ProcessPoolExecutor pool{{.max_workers = 2}};
  auto& loop = eddy::get_running_loop();
  auto [few, many] = co_await eddy::gather(loop.run_in_executor(pool, count_primes, 100),
                                           loop.run_in_executor(pool, count_primes, 10'000));
  std::cout << few << " and " << many << '\n';
}
// [/pool]

// [blocking]
void count_without_a_loop() {
  eddy::ProcessPoolExecutor pool;
  auto job = pool.submit(count_primes, 100);
  auto limited = pool.with_timeout(10s).submit(count_primes, 1'000);
  std::cout << job.result() << ' ' << limited.result() << '\n';
  for (long n : pool.map(count_primes, std::vector{10L, 20L, 30L}, {.timeout = 30s, .chunksize = 2}))
    std::cout << n << '\n';
}
// [/blocking]

// [hook]
class Title {  // has no default constructor and checks what it is made of
 public:
  explicit Title(std::string text) : text_(std::move(text)) {
    if (text_.empty()) throw eddy::ValueError("a title needs a letter");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <>
struct eddy::PackAs<Title> {
  static std::string pack(const Title& title) { return title.text(); }
  static Title unpack(std::string text) { return Title(std::move(text)); }
};
// [/hook]

static Title shorter(Title title) { return Title(title.text().substr(0, 3)); }

// [answers]
struct Query {
  std::string text;
  mp::Connection<std::string, int> answer_to;  // the end of a pipe that only this query has
};

void database(mp::Queue<std::optional<Query>> queries) {  // runs in a process of its own
  while (auto query = queries.blocking_get()) query->answer_to.blocking_send("rows of " + query->text);
}

Coro<std::string> ask(mp::Queue<std::optional<Query>>& queries, std::string text) {
  auto [here, there] = mp::pipe<int, std::string>();
  std::optional query(Query{std::move(text), std::move(there)});
  co_await queries.put(query);
  query.reset();  // the database has a copy of the end: it shall be the only one
  co_return co_await here.recv();
}
// [/answers]

static Coro<> ask_twice() {
  mp::Queue<std::optional<Query>> queries;
  mp::Process process({.name = "database"}, database, queries);
  process.start();
  auto [a, b] = co_await eddy::gather(ask(queries, "novels"), ask(queries, "chapters"));
  std::cout << a << ", " << b << '\n';
  co_await queries.put(std::nullopt);
  co_await process.wait();
}

// [limit]
Coro<> count_for_a_while() {
  try {
    std::cout << co_await mp::run_process({.timeout = 20ms}, count_primes, 1'000'000'000L) << '\n';
  } catch (const eddy::TimeoutError& late) {
    std::cout << late.what() << '\n';
  }
}
// [/limit]

Coro<> processes_program() {
  co_await count();
  count_without_a_loop();
  eddy::ProcessPoolExecutor pool{{.max_workers = 1}};
  std::cout << pool.submit(shorter, Title("novel")).result().text() << '\n';
  co_await ask_twice();
  co_await count_for_a_while();
}
