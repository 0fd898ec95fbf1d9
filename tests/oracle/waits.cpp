// SPDX-License-Identifier: MIT
// What may wait: awaitables and the statements around them.
#include <fmt/format.h>

#include <algorithm>

#include "interpreter.hpp"

namespace oracle {

// --- awaitables -------------------------------------------------------------------------------------------

Operand Interpreter::operand(const Json& a) {
  if (op_of(a) == "task" && slots_[number(a, 1)]) return slots_[number(a, 1)];
  if (op_of(a) == "fut") return objects_[number(a, 1)].future;
  return eval(a);
}

Coro<Text> Interpreter::eval(const Json& a) {
  const auto op = op_of(a);
  Text value;
  if (op == "sleep") {
    co_await eddy::sleep(delay(a, 1));
  } else if (op == "proc") {
    value = co_await proc(number(a, 1));
  } else if (op == "task") {
    const Task task = slots_[number(a, 1)];
    if (!task) co_return "unset";
    value = co_await task;
  } else if (op == "fut") {
    const Future future = objects_[number(a, 1)].future;
    value = co_await future;
  } else if (op == "shield") {
    value = co_await eval_shield(list(a, 1));
  } else if (op == "wait_for") {
    value = co_await eval_wait_for(a);
  } else if (op == "gather") {
    value = co_await eval_gather(a);
  } else {
    value = co_await eval_primitive(op, a);
  }
  co_return value;
}

Coro<Text> Interpreter::eval_shield(const Json& a) {
  Operand inner = operand(a);
  Text value;
  if (auto* task = std::get_if<Task>(&inner)) value = co_await eddy::shield(*task);
  else if (auto* future = std::get_if<Future>(&inner)) value = co_await eddy::shield(*future);
  else value = co_await eddy::shield(std::get<Coro<Text>>(std::move(inner)));
  co_return value;
}

Coro<Text> Interpreter::eval_wait_for(const Json& a) {
  const auto limit = delay(a, 1);
  Operand inner = operand(list(a, 2));
  Text value;
  if (auto* task = std::get_if<Task>(&inner)) value = co_await eddy::wait_for(*task, limit);
  else if (auto* future = std::get_if<Future>(&inner)) value = co_await eddy::wait_for(*future, limit);
  else value = co_await eddy::wait_for(std::get<Coro<Text>>(std::move(inner)), limit);
  co_return value;
}

namespace {

Text show(const Text& value) { return value; }
Text show(const eddy::Result<Text>& result) { return result.error() ? describe(result.error()) : result.value(); }

template <class R>
Text show_all(const std::vector<R>& results) {
  Text shown;
  for (std::size_t i = 0; i < results.size(); ++i) shown += (i ? ", " : "") + show(results[i]);
  return "[" + shown + "]";
}

template <bool kResults, class A>
Coro<Text> gather_all(std::vector<Operand> operands) {
  std::vector<A> inputs;
  for (auto& operand : operands) inputs.push_back(std::get<A>(std::move(operand)));
  if constexpr (kResults) {
    const auto results = co_await eddy::gather(eddy::return_exceptions, std::move(inputs));
    co_return show_all(results);
  } else {
    const auto results = co_await eddy::gather(std::move(inputs));
    co_return show_all(results);
  }
}

template <bool kResults, class A, class B>
Coro<Text> gather_pair(A first, B second) {
  if constexpr (kResults) {
    const auto results = co_await eddy::gather(eddy::return_exceptions, std::move(first), std::move(second));
    co_return "[" + show(std::get<0>(results)) + ", " + show(std::get<1>(results)) + "]";
  } else {
    const auto results = co_await eddy::gather(std::move(first), std::move(second));
    co_return "[" + show(std::get<0>(results)) + ", " + show(std::get<1>(results)) + "]";
  }
}

template <class A>
bool all_are(const std::vector<Operand>& operands) {
  return std::all_of(operands.begin(), operands.end(), [](const Operand& o) { return std::holds_alternative<A>(o); });
}

}  // namespace

template <bool kResults>
Coro<Text> Interpreter::gather_operands(std::vector<Operand> operands) {
  if (all_are<Task>(operands)) return gather_all<kResults, Task>(std::move(operands));
  if (all_are<Future>(operands)) return gather_all<kResults, Future>(std::move(operands));
  if (all_are<Coro<Text>>(operands)) return gather_all<kResults, Coro<Text>>(std::move(operands));
  if (operands.size() == 2) {
    return std::visit([](auto& a, auto& b) { return gather_pair<kResults>(std::move(a), std::move(b)); }, operands[0],
                      operands[1]);
  }
  for (auto& operand : operands) {  // in a vector, coroutines become tasks as asyncio makes them
    if (auto* coroutine = std::get_if<Coro<Text>>(&operand)) operand = eddy::create_task(std::move(*coroutine));
  }
  return gather_all<kResults, Task>(std::move(operands));
}

Coro<Text> Interpreter::eval_gather(const Json& a) {
  std::vector<Operand> operands;
  for (const auto& child : list(a, 2)) operands.push_back(operand(child.get_array()));
  auto gathered = a[1].get_bool() ? gather_operands<true>(std::move(operands)) : gather_operands<false>(std::move(operands));
  Text value = co_await std::move(gathered);
  co_return value;
}

Coro<Text> Interpreter::eval_primitive(std::string_view op, const Json& a) {
  Object& object = objects_[number(a, 1)];
  Text value;
  if (op == "acquire") {
    if (object.lock) co_await object.lock->acquire();
    else co_await object.semaphore->acquire();
  } else if (op == "event") {
    co_await object.event->wait();
  } else if (op == "cwait") {
    co_await object.condition->wait();
  } else if (op == "barrier") {
    const auto index = co_await object.barrier->wait();
    value = std::to_string(index);
  } else if (op == "breset") {
    co_await object.barrier->reset();
  } else if (op == "babort") {
    co_await object.barrier->abort();
  } else {
    auto get = [](auto& queue) -> Coro<Text> {
      Text item = co_await queue.get();
      co_return item;
    };
    auto put = [&a](auto& queue) -> Coro<Text> {
      co_await queue.put(text(a, 2));
      co_return "";
    };
    auto join = [](auto& queue) -> Coro<Text> {
      co_await queue.join();
      co_return "";
    };
    Coro<Text> operation;
    if (op == "get") operation = object.with_queue(get);
    else if (op == "put") operation = object.with_queue(put);
    else operation = object.with_queue(join);
    value = co_await std::move(operation);
  }
  co_return value;
}

// --- statements -------------------------------------------------------------------------------------------

// False: not one of these.
Coro<bool> Interpreter::wait_statement(Env& env, const Json& s, Value& value) {
  const auto op = op_of(s);
  if (op == "await") {
    const Text result = co_await eval(list(s, 1));
    trace(env.name, fmt::format("await {} -> {}", op_of(list(s, 1)), result));
  } else if (op == "return") {
    value = text(s, 1);
  } else if (op == "loop") {
    value = co_await do_loop(env, s);
  } else if (op == "with") {
    value = co_await do_with(env, s);
  } else if (op == "timeout") {
    value = co_await do_timeout(env, s);
  } else if (op == "group") {
    value = co_await do_group(env, s);
    trace(env.name, "group ends");
  } else if (op == "try") {
    value = co_await do_try(env, s);
  } else if (op == "wait") {
    co_await do_wait(env, s);
  } else if (op == "as_completed") {
    co_await do_as_completed(env, s);
  } else {
    co_return false;
  }
  co_return true;
}

Coro<Value> Interpreter::do_loop(Env& env, const Json& s) {
  for (std::size_t turn = 0; turn < number(s, 1); ++turn) {
    Value value = co_await block(env, list(s, 2));
    if (value) co_return value;
  }
  co_return std::nullopt;
}

template <class Primitive>
Coro<Value> Interpreter::hold(Primitive& primitive, Env& env, const Json& s) {
  auto held = co_await primitive;
  trace(env.name, fmt::format("holds {}", number(s, 1)));
  Value value;
  std::exception_ptr error;
  try {
    value = co_await block(env, list(s, 2));
  } catch (...) {
    error = std::current_exception();
  }
  held.release();  // what it throws is thrown, as of Python's `async with`
  if (error) std::rethrow_exception(error);
  co_return value;
}

Coro<Value> Interpreter::do_with(Env& env, const Json& s) {
  Object& object = objects_[number(s, 1)];
  Coro<Value> body;
  if (object.lock) body = hold(*object.lock, env, s);
  else if (object.semaphore) body = hold(*object.semaphore, env, s);
  else body = hold(*object.condition, env, s);
  Value value = co_await std::move(body);
  co_return value;
}

Coro<Value> Interpreter::do_timeout(Env& env, const Json& s) {
  auto body = [&](eddy::Timeout& scope) -> Coro<Value> {
    Env inner = env;
    inner.timeout = &scope;
    Value value = co_await block(inner, list(s, 2));
    co_return value;
  };
  Value value = co_await eddy::timeout(delay(s, 1), body);
  co_return value;
}

Coro<Value> Interpreter::do_group(Env& env, const Json& s) {
  auto body = [&](eddy::TaskGroup& group) -> Coro<Value> {
    Env inner = env;
    inner.group = &group;
    Value value = co_await block(inner, list(s, 1));
    co_return value;
  };
  Value value = co_await eddy::task_group(body);
  co_return value;
}

Coro<Value> Interpreter::do_try(Env& env, const Json& s) {
  Value value;
  std::exception_ptr error;
  try {
    value = co_await block(env, list(s, 1));
  } catch (...) {
    error = std::current_exception();
  }
  const Json* handler = nullptr;
  for (const auto& entry : list(s, 2)) {
    if (error && !handler && matches(op_of(entry.get_array()), error)) handler = &list(entry.get_array(), 1);
  }
  if (handler) {
    trace(env.name, "catches " + describe(error));
    Env inner = env;
    inner.caught = std::exchange(error, nullptr);
    try {
      value = co_await block(inner, *handler);
    } catch (...) {
      error = std::current_exception();
    }
  }
  Value last = co_await block(env, list(s, 3));
  if (last) co_return last;
  if (error) std::rethrow_exception(error);
  co_return value;
}

Coro<> Interpreter::do_wait(Env& env, const Json& s) {
  std::vector<std::size_t> slots;
  std::vector<Task> tasks;
  for (const auto& entry : list(s, 3)) {
    const auto slot = static_cast<std::size_t>(entry.get_int64());
    if (!slots_[slot]) continue;
    slots.push_back(slot);
    tasks.push_back(slots_[slot]);
  }
  const auto mode = text(s, 1);
  const auto until = mode == "ALL_COMPLETED"     ? eddy::ALL_COMPLETED
                     : mode == "FIRST_COMPLETED" ? eddy::FIRST_COMPLETED
                                                 : eddy::FIRST_EXCEPTION;
  const auto sets = co_await eddy::wait(tasks, {.timeout = delay(s, 2), .return_when = until});
  Text shown;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const bool done = std::find(sets.done.begin(), sets.done.end(), tasks[i]) != sets.done.end();
    shown += fmt::format("{}{}{}", i ? ", " : "", slots[i], done ? "+" : "-");
  }
  trace(env.name, "wait [" + shown + "]");
}

Coro<> Interpreter::do_as_completed(Env& env, const Json& s) {
  std::vector<std::size_t> slots;
  std::vector<Task> tasks;
  for (const auto& entry : list(s, 2)) {
    const auto slot = static_cast<std::size_t>(entry.get_int64());
    if (!slots_[slot]) continue;
    slots.push_back(slot);
    tasks.push_back(slots_[slot]);
  }
  auto completed = eddy::as_completed(tasks, delay(s, 1));
  for (;;) {
    const auto task = co_await completed.next();
    if (!task) break;
    const auto at = std::find(tasks.begin(), tasks.end(), *task) - tasks.begin();
    trace(env.name, fmt::format("completed {} {}", slots[static_cast<std::size_t>(at)], state_of(*task)));
  }
}

}  // namespace oracle
