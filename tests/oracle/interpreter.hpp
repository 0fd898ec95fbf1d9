// SPDX-License-Identifier: MIT
// The oracle's language on eddy: the state of one run. docs/oracle.md has the language; every function here has
// its twin in asyncio_interpreter.py.
#pragma once

#include <eddy/eddy.hpp>

#include <boost/json.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace oracle {

using eddy::Coro;
using Json = boost::json::array;
using Text = std::string;
using Value = std::optional<Text>;  // what a block returns; nothing: it came to its end
using Task = eddy::Task<Text>;
using Future = eddy::Future<Text>;

struct Object {
  std::unique_ptr<eddy::Lock> lock;
  std::unique_ptr<eddy::Semaphore> semaphore;
  std::unique_ptr<eddy::Condition> condition;
  std::unique_ptr<eddy::Event> event;
  std::unique_ptr<eddy::Queue<Text>> queue;
  std::unique_ptr<eddy::LifoQueue<Text>> lifo;
  std::unique_ptr<eddy::PriorityQueue<Text>> priority;
  std::unique_ptr<eddy::Barrier> barrier;
  Future future;

  /// `call(queue)` with the queue that this is, of whichever kind. What it gives may be a coroutine of `call`.
  template <class F>
  auto with_queue(const F& call) {
    if (queue) return call(*queue);
    if (lifo) return call(*lifo);
    return call(*priority);
  }
};

/// Where a procedure stands: its name, what its handler caught, its innermost scopes.
struct Env {
  Text name;
  std::exception_ptr caught;
  eddy::Timeout* timeout = nullptr;
  eddy::TaskGroup* group = nullptr;
};

using Operand = std::variant<Task, Future, Coro<Text>>;

Text describe(const std::exception_ptr& error);
bool matches(std::string_view kind, const std::exception_ptr& error);

class Interpreter {
 public:
  explicit Interpreter(boost::json::object program);
  /// The trace of the whole run.
  Text run();

 private:
  void trace(std::string_view who, const Text& what);
  void make_objects();
  void trace_end();
  Text object_state(Object& object) const;

  Coro<Text> proc(std::size_t k);
  Coro<Value> block(Env& env, const Json& body);

  // Awaitables, as a value.
  Coro<Text> eval(const Json& a);
  Operand operand(const Json& a);
  Coro<Text> eval_shield(const Json& a);
  Coro<Text> eval_wait_for(const Json& a);
  Coro<Text> eval_gather(const Json& a);
  template <bool kResults>
  Coro<Text> gather_operands(std::vector<Operand> operands);
  Coro<Text> eval_primitive(std::string_view op, const Json& a);

  // Statements that may wait.
  Coro<bool> wait_statement(Env& env, const Json& s, Value& value);
  Coro<Value> do_with(Env& env, const Json& s);
  template <class Primitive>
  Coro<Value> hold(Primitive& primitive, Env& env, const Json& s);
  Coro<Value> do_timeout(Env& env, const Json& s);
  Coro<Value> do_group(Env& env, const Json& s);
  Coro<Value> do_try(Env& env, const Json& s);
  Coro<Value> do_loop(Env& env, const Json& s);
  Coro<> do_wait(Env& env, const Json& s);
  Coro<> do_as_completed(Env& env, const Json& s);

  // Statements that do not: a text.
  Text sync(Env* env, const Json& s);
  Text sync_task(Env* env, std::string_view op, const Json& s);
  Text sync_object(std::string_view op, const Json& s, Object& object);
  Text sync_callback(std::string_view op, const Json& s);
  void callback(const Text& label, const Json& s);

  boost::json::object program_;
  std::vector<Object> objects_;  // outlive the loop: its tasks refer to them
  std::unique_ptr<eddy::EventLoop> loop_;
  std::vector<Task> slots_;
  std::map<Text, eddy::Handle> handles_;
  std::vector<Text> running_;
  Text events_;
  int steps_ = 0, calls_ = 0;
  bool tracing_ = true;
};

inline std::string_view op_of(const Json& a) { return a[0].get_string(); }
inline std::size_t number(const Json& a, std::size_t i) { return static_cast<std::size_t>(a[i].get_int64()); }
inline Text text(const Json& a, std::size_t i) { return Text(a[i].get_string()); }
inline const Json& list(const Json& a, std::size_t i) { return a[i].get_array(); }
/// The language's unit of time is a millisecond here; null is for ever.
inline eddy::Duration delay(const Json& a, std::size_t i) {
  return a[i].is_null() ? eddy::Duration::max() : eddy::Duration(std::chrono::milliseconds(a[i].get_int64()));
}

template <class Handle>
Text state_of(const Handle& future) {
  if (!future) return "unset";
  if (!future.done()) return "pending";
  if (future.cancelled()) return "cancelled";
  const auto error = future.exception();
  return error ? "failed " + describe(error) : "value " + future.result();
}

}  // namespace oracle
