// SPDX-License-Identifier: MIT
#include "interpreter.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace oracle {
namespace {

constexpr int kMostSteps = 300;
constexpr int kMostCalls = 60;

// The texts of libraries differ; a program's own begin with a mark.
template <class E>
bool describe_as(const std::exception_ptr& error, std::string_view name, Text& text) {
  try {
    std::rethrow_exception(error);
  } catch (const E& caught) {
    const std::string_view what = caught.what();
    text = fmt::format("{}({})", name, what.starts_with('!') ? what : "");
    return true;
  } catch (...) {
    return false;
  }
}

template <class E>
bool is(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

Text describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const eddy::CancelledError& cancelled) {
    return fmt::format("CancelledError({})", cancelled.message());
  } catch (const eddy::ExceptionGroup& group) {
    Text members;
    for (const auto& member : group.exceptions()) members += (members.empty() ? "" : ", ") + describe(member);
    return "Group[" + members + "]";
  } catch (...) {
  }
  Text text;
  if (describe_as<eddy::ValueError>(error, "ValueError", text)) return text;
  if (describe_as<eddy::TimeoutError>(error, "TimeoutError", text)) return text;
  if (describe_as<eddy::BrokenBarrierError>(error, "BrokenBarrierError", text)) return text;
  if (describe_as<eddy::RuntimeError>(error, "RuntimeError", text)) return text;
  if (describe_as<eddy::InvalidStateError>(error, "InvalidStateError", text)) return text;
  if (describe_as<eddy::QueueEmpty>(error, "QueueEmpty", text)) return text;
  if (describe_as<eddy::QueueFull>(error, "QueueFull", text)) return text;
  if (describe_as<eddy::QueueShutDown>(error, "QueueShutDown", text)) return text;
  return "an exception of another type";
}

bool matches(std::string_view kind, const std::exception_ptr& error) {
  if (kind == "CancelledError") return is<eddy::CancelledError>(error);
  if (kind == "Group") return is<eddy::ExceptionGroup>(error);
  if (kind == "ValueError") return is<eddy::ValueError>(error);
  if (kind == "TimeoutError") return is<eddy::TimeoutError>(error);
  return is<std::exception>(error);
}

Interpreter::Interpreter(boost::json::object program) : program_(std::move(program)) {}

void Interpreter::trace(std::string_view who, const Text& what) {
  if (!tracing_) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(loop_->time().time_since_epoch()).count();
  if (!events_.empty()) events_ += "; ";
  events_ += fmt::format("{} {} {}", now, who, what);
}

void Interpreter::make_objects() {
  for (const auto& entry : program_["objs"].get_array()) {
    const Json& spec = entry.get_array();
    const auto kind = op_of(spec);
    Object made;
    if (kind == "future") made.future = loop_->create_future<Text>();
    else if (kind == "lock") made.lock = std::make_unique<eddy::Lock>();
    else if (kind == "cond") made.condition = std::make_unique<eddy::Condition>();
    else if (kind == "event") made.event = std::make_unique<eddy::Event>();
    else if (kind == "sem") made.semaphore = std::make_unique<eddy::Semaphore>(number(spec, 1));
    else if (kind == "bsem") made.semaphore = std::make_unique<eddy::BoundedSemaphore>(number(spec, 1));
    else if (kind == "queue") made.queue = std::make_unique<eddy::Queue<Text>>(number(spec, 1));
    else if (kind == "lifo") made.lifo = std::make_unique<eddy::LifoQueue<Text>>(number(spec, 1));
    else if (kind == "prio") made.priority = std::make_unique<eddy::PriorityQueue<Text>>(number(spec, 1));
    else made.barrier = std::make_unique<eddy::Barrier>(number(spec, 1));
    objects_.push_back(std::move(made));
  }
}

Text Interpreter::run() {
  loop_ = std::make_unique<eddy::EventLoop>(eddy::LoopOptions{.backend = eddy::Backend::simulated});
  loop_->set_exception_handler([](const eddy::ExceptionContext&) {});
  make_objects();
  slots_.resize(program_["procs"].get_array().size());
  slots_[0] = loop_->create_task(proc(0));
  // A run ends when nothing can ever run again: while one more task waits for what never comes, eddy says so.
  auto never = loop_->create_future<void>();
  try {
    loop_->run_until_complete(never);
  } catch (const eddy::DeadlockError&) {
  }
  trace_end();
  tracing_ = false;
  slots_.clear();
  handles_.clear();
  loop_.reset();
  return std::move(events_);
}

void Interpreter::trace_end() {
  Text stuck;
  for (const auto& name : running_) stuck += (stuck.empty() ? "" : ", ") + name;
  trace("end", "stuck [" + stuck + "]");
  for (std::size_t s = 0; s < slots_.size(); ++s) trace(fmt::format("slot{}", s), state_of(slots_[s]));
  for (std::size_t i = 0; i < objects_.size(); ++i) trace(fmt::format("obj{}", i), object_state(objects_[i]));
}

Text Interpreter::object_state(Object& object) const {
  if (object.future) return state_of(object.future);
  if (object.event) return object.event->is_set() ? "set" : "clear";
  if (object.lock) return object.lock->locked() ? "locked" : "free";
  if (object.semaphore) return object.semaphore->locked() ? "locked" : "free";
  if (object.condition) return object.condition->locked() ? "locked" : "free";
  if (object.barrier) {
    return fmt::format("{} waiting{}", object.barrier->n_waiting(), object.barrier->broken() ? ", broken" : "");
  }
  return fmt::format("{} items", object.with_queue([](auto& queue) { return queue.qsize(); }));
}

// --- procedures and blocks --------------------------------------------------------------------------------

Coro<Text> Interpreter::proc(std::size_t k) {
  Env env{fmt::format("p{}.{}", k, ++calls_), nullptr, nullptr, nullptr};
  if (calls_ > kMostCalls) throw eddy::ValueError("!calls");
  running_.push_back(env.name);
  trace(env.name, "begins");
  Value value;
  std::exception_ptr error;
  try {
    value = co_await block(env, program_["procs"].get_array()[k].get_array());
  } catch (...) {
    error = std::current_exception();
  }
  running_.erase(std::find(running_.begin(), running_.end(), env.name));
  if (error) {
    trace(env.name, "throws " + describe(error));
    std::rethrow_exception(error);
  }
  trace(env.name, "returns " + value.value_or(""));
  co_return value.value_or("");
}

Coro<Value> Interpreter::block(Env& env, const Json& body) {
  for (const auto& entry : body) {
    const Json& statement = entry.get_array();
    if (++steps_ > kMostSteps) throw eddy::ValueError("!steps");
    Value value;
    const bool waited = co_await wait_statement(env, statement, value);
    if (!waited) trace(env.name, fmt::format("{} {}", op_of(statement), sync(&env, statement)));
    if (value) co_return value;
  }
  co_return std::nullopt;
}

// --- statements that do not wait --------------------------------------------------------------------------

Text Interpreter::sync(Env* env, const Json& s) {
  const auto op = op_of(s);
  if (op == "raise") throw eddy::ValueError(text(s, 1));
  if (op == "reraise") std::rethrow_exception(env->caught);
  if (op == "expired") return env->timeout->expired() ? "True" : "False";
  if (op == "reschedule") {
    env->timeout->reschedule(s[1].is_null() ? eddy::TimePoint::max() : loop_->time() + std::chrono::nanoseconds(delay(s, 1)));
    return "";
  }
  for (auto name : {"spawn", "gspawn", "cancel", "uncancel", "cancelling", "inspect"}) {
    if (op == name) return sync_task(env, op, s);
  }
  for (auto name : {"on_done", "fon_done", "soon", "later", "drop"}) {
    if (op == name) return sync_callback(op, s);
  }
  return sync_object(op, s, objects_[number(s, 1)]);
}

Text Interpreter::sync_task(Env* env, std::string_view op, const Json& s) {
  const auto slot = s[1].get_int64();
  if (op == "spawn" || op == "gspawn") {
    auto coroutine = eval(list(s, 2));
    auto& made = slots_[number(s, 1)];
    made = op == "spawn" ? eddy::create_task(std::move(coroutine)) : env->group->create_task(std::move(coroutine));
    return std::to_string(slot);
  }
  eddy::AnyTask task = slot == -1 ? eddy::current_task() : eddy::AnyTask(slots_[number(s, 1)]);
  if (op == "uncancel") return std::to_string(task.uncancel());
  if (op == "cancelling") return std::to_string(task.cancelling());
  if (op == "cancel") {
    if (!task) return "unset";
    const bool accepted = s[2].is_null() ? task.cancel() : task.cancel(text(s, 2));
    return fmt::format("{} {}", slot, accepted ? "True" : "False");
  }
  const auto count = task ? fmt::format(" {}", task.cancelling()) : "";
  return fmt::format("{} {}{}", slot, state_of(slots_[number(s, 1)]), count);
}

Text Interpreter::sync_object(std::string_view op, const Json& s, Object& object) {
  if (op == "fset") object.future.set_result(text(s, 2));
  else if (op == "ferr") object.future.set_exception(std::make_exception_ptr(eddy::ValueError(text(s, 2))));
  else if (op == "fcancel") return (s[2].is_null() ? object.future.cancel() : object.future.cancel(text(s, 2))) ? "True" : "False";
  else if (op == "finspect") return state_of(object.future);
  else if (op == "release") object.lock ? object.lock->release() : object.semaphore->release();
  else if (op == "set") object.event->set();
  else if (op == "clear") object.event->clear();
  else if (op == "notify") number(s, 2) ? object.condition->notify(number(s, 2)) : object.condition->notify_all();
  else if (op == "get_nowait") return object.with_queue([](auto& queue) { return queue.get_nowait(); });
  else if (op == "put_nowait") object.with_queue([&](auto& queue) { queue.put_nowait(text(s, 2)); });
  else if (op == "task_done") object.with_queue([](auto& queue) { queue.task_done(); });
  else if (op == "shutdown") object.with_queue([&](auto& queue) { queue.shutdown(s[2].get_bool()); });
  else throw std::logic_error(fmt::format("no statement '{}'", op));
  return "";
}

Text Interpreter::sync_callback(std::string_view op, const Json& s) {
  if (op == "drop") {
    const auto found = handles_.find(text(s, 1));
    if (found != handles_.end()) found->second.cancel();
  } else if (op == "soon") {
    handles_[text(s, 1)] = loop_->call_soon([this, &s] { callback(text(s, 1), list(s, 2)); });
  } else if (op == "later") {
    handles_[text(s, 2)] = loop_->call_later(delay(s, 1), [this, &s] { callback(text(s, 2), list(s, 3)); });
  } else {
    const auto tell = [this, label = text(s, 2)](const auto& future) { trace(label, "done " + state_of(future)); };
    if (op == "fon_done") objects_[number(s, 1)].future.add_done_callback(tell);
    else if (!slots_[number(s, 1)]) return "unset";
    else slots_[number(s, 1)].add_done_callback(tell);
  }
  return "";
}

void Interpreter::callback(const Text& label, const Json& s) {
  try {
    trace(label, fmt::format("{} {}", op_of(s), sync(nullptr, s)));
  } catch (...) {
    trace(label, "throws " + describe(std::current_exception()));
  }
}

}  // namespace oracle
