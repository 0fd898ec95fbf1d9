// SPDX-License-Identifier: MIT
// One thread, the keeper, owns a pool's processes: it starts them, gives each a job at a time, takes the
// results and notices deaths. Everybody else only changes what the mutex protects and wakes it. So a pool
// needs no loop, serves any number of them, and its sockets are read also while every loop is busy.
//
//               start           the initializer's answer       job           result
//     (nothing) -----> starting -----------------------> idle ----> busy ------------> idle
//                         |                               |          |  the limit        | enough jobs,
//                         |     death: the pool is broken |          v  passed           v shutdown
//                       (gone) <---------------------------------- leaving <------------ leaving
#include <eddy/processes.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/text.hpp"
#include "exec/child_process.hpp"
#include "exec/code_address.hpp"
#include "exec/exception_text.hpp"
#include "exec/packet.hpp"
#include "exec/polling.hpp"
#include "exec/quiet_thread.hpp"
#include "loop/loop.hpp"

namespace eddy {

using detail::RemoteJob;

namespace {

// With a process that was told to leave; then it is killed.
constexpr auto kPatience = std::chrono::seconds(5);

enum class Stage { starting, idle, busy, leaving };

struct Worker {
  detail::ChildProcess child;
  Stage stage = Stage::starting;
  std::unique_ptr<RemoteJob> job;              // while busy, and while leaving because of its limit
  detail::Deadline deadline{Duration::max()};  // of the job, or of the leave
  std::size_t jobs_done = 0;
  bool channel_ended = false;
};

void nothing() {}

std::string name_of(const RemoteJob& job) {
  return job.code ? detail::describe_code(job.code) : detail::demangled(job.type->name());
}

std::exception_ptr broken(const std::string& text) {
  return std::make_exception_ptr(BrokenProcessPool(text));
}

}  // namespace

struct ProcessPoolExecutor::Impl {
  // What the mutex protects.
  mutable std::mutex mutex;
  std::deque<std::unique_ptr<RemoteJob>> jobs;
  std::exception_ptr error;  // the pool is broken
  std::vector<int> pids;
  std::thread keeper;
  bool keeping = false;
  bool shut_down = false;
  int end_signal = 0;  // of terminate_workers() and kill_workers()

  // Set before the keeper starts.
  ProcessPoolOptions options;
  Parcel initializer;
  detail::UniqueFd alarm{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  // The keeper's own.
  std::vector<std::unique_ptr<Worker>> workers;
  bool was_needed = false;  // a job has come

  void wake() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(alarm.get(), &one, sizeof one);
  }

  void keep();
  bool turn();
  bool obey();
  void staff();
  void hire();
  void assign();
  void dismiss(Worker& worker) noexcept;
  void wait_for_news();
  void listen(Worker& worker);
  void answered(Worker& worker, Parcel& result);
  void bury();
  void died(Worker& worker, int exit_code);
  void enforce_limits();
  void break_pool(std::exception_ptr why);
  std::unique_ptr<RemoteJob> next_job();
  std::size_t waiting_jobs() const;
  void publish_pids();
};

// --- the callers' side ------------------------------------------------------------------------------

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options) : impl_(std::make_shared<Impl>()) {
  if (!impl_->alarm) throw_os_error(errno, "cannot make a process pool: eventfd");
  impl_->options = options;
  if (options.max_workers == 0)
    impl_->options.max_workers = std::max(1u, std::thread::hardware_concurrency());
  set_initializer(detail::pack_call(options.initializer ? options.initializer : &nothing));
}

ProcessPoolExecutor::~ProcessPoolExecutor() { shutdown(); }

void ProcessPoolExecutor::set_initializer(Parcel call) {
  detail::spill(call);
  impl_->initializer = std::move(call);
}

void ProcessPoolExecutor::enqueue(std::unique_ptr<RemoteJob> job) {
  auto& pool = *impl_;
  const std::lock_guard lock(pool.mutex);
  if (pool.error) std::rethrow_exception(pool.error);
  if (pool.shut_down) throw RuntimeError("the process pool takes no new jobs after shutdown()");
  pool.jobs.push_back(std::move(job));
  if (!pool.keeping) {
    pool.keeper = detail::quiet_thread([self = impl_] { self->keep(); });
    pool.keeping = true;
  }
  pool.wake();
}

void ProcessPoolExecutor::shutdown(bool wait, bool cancel_futures) {
  std::deque<std::unique_ptr<RemoteJob>> dropped;
  std::thread keeper;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->shut_down = true;
    if (cancel_futures) dropped.swap(impl_->jobs);
    keeper.swap(impl_->keeper);
  }
  dropped.clear();
  impl_->wake();
  if (!keeper.joinable()) return;
  if (wait) keeper.join();
  else keeper.detach();  // it keeps what it works on
}

namespace {
template <class Impl>
void end_workers(Impl& pool, int signal) {
  std::deque<std::unique_ptr<RemoteJob>> dropped;
  {
    const std::lock_guard lock(pool.mutex);
    pool.shut_down = true;
    pool.end_signal = signal;
    dropped.swap(pool.jobs);
  }
  pool.wake();
}
}  // namespace

void ProcessPoolExecutor::terminate_workers() { end_workers(*impl_, SIGTERM); }
void ProcessPoolExecutor::kill_workers() { end_workers(*impl_, SIGKILL); }

std::vector<int> ProcessPoolExecutor::worker_pids() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->pids;
}

// --- the keeper -------------------------------------------------------------------------------------

void ProcessPoolExecutor::Impl::keep() {
  pthread_setname_np(pthread_self(), "eddy-processes");
  while (turn()) wait_for_news();
}

// False: all is done and everybody is gone.
bool ProcessPoolExecutor::Impl::turn() {
  const bool over = obey();
  staff();
  assign();
  if (!over) return true;
  const bool busy =
      std::any_of(workers.begin(), workers.end(), [](auto& w) { return w->stage == Stage::busy; });
  if (waiting_jobs() == 0 && !busy) {
    for (auto& worker : workers) dismiss(*worker);
  }
  return !workers.empty() || waiting_jobs() > 0;
}

// What the callers asked for. True: the pool was shut down.
bool ProcessPoolExecutor::Impl::obey() {
  int signal = 0;
  bool over = false;
  {
    const std::lock_guard lock(mutex);
    signal = std::exchange(end_signal, 0);
    over = shut_down || error;
  }
  if (signal == 0) return over;
  for (auto& worker : workers) {
    const bool ran = worker->stage == Stage::busy;
    worker->stage = Stage::leaving;
    worker->deadline = detail::Deadline(Duration::max());
    worker->child.send_signal(signal);
    if (ran && worker->job) {
      auto job = std::exchange(worker->job, nullptr);
      job->fail(
          broken(fmt::format("the worker processes of the pool were ended while one ran {}", name_of(*job))));
    }
  }
  return over;
}

std::size_t ProcessPoolExecutor::Impl::waiting_jobs() const {
  const std::lock_guard lock(mutex);
  return jobs.size();
}

// Starts processes for the jobs that wait.
void ProcessPoolExecutor::Impl::staff() {
  const auto waiting = waiting_jobs();
  if (waiting == 0) return;
  const auto at = [this](Stage stage) {
    return static_cast<std::size_t>(
        std::count_if(workers.begin(), workers.end(), [stage](auto& w) { return w->stage == stage; }));
  };
  const auto present = workers.size() - at(Stage::leaving);
  const auto free = at(Stage::idle) + at(Stage::starting);
  auto wanted = waiting > free ? waiting - free : 0;
  if (options.prestart && !std::exchange(was_needed, true)) wanted = options.max_workers;
  try {
    for (auto n = std::min(wanted, options.max_workers - std::min(present, options.max_workers)); n > 0; --n)
      hire();
  } catch (...) {
    break_pool(broken(fmt::format("a worker process of the pool could not be started: {}",
                                  detail::text_of_current_exception())));
  }
  publish_pids();
}

void ProcessPoolExecutor::Impl::hire() {
  auto worker = std::make_unique<Worker>();
  worker->child = detail::start_worker();
  workers.push_back(std::move(worker));
  detail::pass(workers.back()->child.channel.get(), detail::kCall, initializer);
}

std::unique_ptr<RemoteJob> ProcessPoolExecutor::Impl::next_job() {
  for (;;) {
    std::unique_ptr<RemoteJob> job;
    {
      const std::lock_guard lock(mutex);
      if (jobs.empty()) return nullptr;
      job = std::move(jobs.front());
      jobs.pop_front();
    }
    if (job->start()) return job;
  }
}

void ProcessPoolExecutor::Impl::assign() {
  for (auto& worker : workers) {
    if (worker->stage != Stage::idle) continue;
    auto job = next_job();
    if (!job) return;
    worker->stage = Stage::busy;
    worker->deadline = detail::Deadline(job->timeout);
    worker->job = std::move(job);
    try {
      // It waits in a read, so there is room. If it is gone, its death will be noticed.
      detail::spill(worker->job->call);
      detail::pass(worker->child.channel.get(), detail::kCall, worker->job->call);
      worker->job->call = Parcel();
    } catch (...) {
      worker->stage = Stage::idle;
      std::exchange(worker->job, nullptr)->fail(std::current_exception());
    }
  }
}

// It leaves by itself when the channel ends.
void ProcessPoolExecutor::Impl::dismiss(Worker& worker) noexcept {
  if (worker.stage == Stage::leaving) return;
  worker.stage = Stage::leaving;
  worker.deadline = detail::Deadline(kPatience);
  worker.child.channel.reset();
}

void ProcessPoolExecutor::Impl::wait_for_news() {
  std::vector<pollfd> entries{{alarm.get(), POLLIN, 0}};
  auto left = Duration::max();
  bool all_idle = waiting_jobs() == 0;
  for (auto& worker : workers) {
    const bool hears = worker->child.channel && !worker->channel_ended;
    entries.push_back({hears ? worker->child.channel.get() : -1, POLLIN, 0});
    entries.push_back({worker->child.process.get(), POLLIN, 0});
    left = std::min(left, worker->deadline.left());
    all_idle = all_idle && worker->stage == Stage::idle;
  }
  if (all_idle) detail::thread_idle(true);  // no loop need hope for us
  ::poll(entries.data(), entries.size(), detail::poll_milliseconds(left));
  if (all_idle) detail::thread_idle(false);

  std::uint64_t alarms = 0;
  [[maybe_unused]] const auto got = ::read(alarm.get(), &alarms, sizeof alarms);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (entries[2 * i + 1].revents != 0) listen(*workers[i]);
  }
  bury();
  enforce_limits();
}

void ProcessPoolExecutor::Impl::listen(Worker& worker) {
  while (worker.child.channel && !worker.channel_ended) {
    Parcel result;
    std::uint32_t tag = 0;
    auto taken = detail::Passed::closed;
    try {
      taken = detail::take(worker.child.channel.get(), tag, result);
    } catch (...) {  // a result that cannot be received, as of too many descriptors
      if (worker.job) std::exchange(worker.job, nullptr)->fail(std::current_exception());
      if (worker.stage == Stage::busy) worker.stage = Stage::idle;
      continue;
    }
    if (taken == detail::Passed::must_wait) return;
    if (taken == detail::Passed::closed) {
      // It is dying, or a function closed what is not its own: then it is of no more use.
      worker.channel_ended = true;
      worker.child.send_signal(SIGKILL);
      return;
    }
    answered(worker, result);
  }
}

void ProcessPoolExecutor::Impl::answered(Worker& worker, Parcel& parcel) {
  Unpacker result(parcel);
  std::exception_ptr thrown;
  try {
    thrown = detail::outcome_of(result);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (worker.stage == Stage::starting) {
    worker.stage = Stage::idle;
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (...) {
      return break_pool(broken(fmt::format("the initializer of a worker process of the pool failed: {}",
                                           detail::text_of_current_exception())));
    }
  }
  auto job = std::exchange(worker.job, nullptr);
  if (!job) return;
  ++worker.jobs_done;
  if (worker.stage == Stage::busy) {
    worker.stage = Stage::idle;
    worker.deadline = detail::Deadline(Duration::max());
    if (options.max_tasks_per_child > 0 && worker.jobs_done >= options.max_tasks_per_child) dismiss(worker);
  }
  if (thrown) job->fail(thrown);
  else job->finish(result);
}

// Lets go of those that have ended.
void ProcessPoolExecutor::Impl::bury() {
  for (std::size_t i = 0; i < workers.size();) {
    const auto exit_code = workers[i]->child.reap();
    if (!exit_code) {
      ++i;
      continue;
    }
    listen(*workers[i]);  // what it said before
    const auto dead = std::move(workers[i]);
    workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
    publish_pids();
    died(*dead, *exit_code);
  }
}

void ProcessPoolExecutor::Impl::died(Worker& worker, int exit_code) {
  auto job = std::exchange(worker.job, nullptr);
  if (worker.stage == Stage::leaving) {
    if (!job) return;
    job->fail(std::make_exception_ptr(
        TimeoutError(fmt::format("{} ran longer than {} and its process was killed", name_of(*job),
                                 detail::format_duration(job->timeout.count())))));
    return;
  }
  const auto what_it_did = job                               ? "while it ran " + name_of(*job)
                           : worker.stage == Stage::starting ? "while it started"
                                                             : "while it waited for a job";
  const auto why = broken(
      fmt::format("a worker process of the pool {} {}", detail::describe_exit(exit_code), what_it_did));
  if (job) job->fail(why);
  break_pool(why);
}

void ProcessPoolExecutor::Impl::enforce_limits() {
  for (auto& worker : workers) {
    if (worker->deadline.left() > Duration()) continue;
    worker->stage = Stage::leaving;
    worker->deadline = detail::Deadline(Duration::max());
    worker->child.send_signal(SIGKILL);
  }
}

void ProcessPoolExecutor::Impl::break_pool(std::exception_ptr why) {
  std::deque<std::unique_ptr<RemoteJob>> dropped;
  {
    const std::lock_guard lock(mutex);
    if (!error) error = why;
    dropped.swap(jobs);
  }
  for (auto& worker : workers) {
    if (auto job = std::exchange(worker->job, nullptr)) job->fail(why);
    worker->stage = Stage::leaving;
    worker->deadline = detail::Deadline(Duration::max());
    worker->child.send_signal(SIGKILL);
  }
  for (auto& job : dropped) {
    if (job->start()) job->fail(why);
  }
}

void ProcessPoolExecutor::Impl::publish_pids() {
  const std::lock_guard lock(mutex);
  pids.clear();
  for (auto& worker : workers) pids.push_back(worker->child.pid);
}

}  // namespace eddy
