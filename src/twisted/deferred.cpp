// SPDX-License-Identifier: MIT
#include <eddy/twisted/deferred.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <typeinfo>

#include "base/text.hpp"
#include "exec/code_address.hpp"
#include "loop/loop.hpp"
#include "loop/report.hpp"

namespace eddy::twisted {
namespace detail {

struct Callbacks {
  Link on_value, on_error;  // empty: passes through
};

struct DeferredState : std::enable_shared_from_this<DeferredState> {
  ~DeferredState();

  void fire(Result first);
  void run();
  void take(Step step);
  void cancel();

  std::deque<Callbacks> links;
  Result result;
  std::function<void(Deferred&)> canceller;
  std::shared_ptr<DeferredState> chained_to;  // what a callback returned, and has no result yet
  int pauses = 0;
  bool called = false;
  bool running = false;        // a callback runs: add_callback() inside it only queues
  bool ignores_result = false;  // cancelled without a canceller: the real result comes late
};

void throw_wrong_type(const std::type_info& wanted, const std::any& value) {
  throw TypeError(fmt::format("a Deferred's callback takes {}, and its result is {}",
                              eddy::detail::demangled(wanted.name()),
                              value.has_value() ? eddy::detail::demangled(value.type().name()) : "nothing"));
}

DeferredState::~DeferredState() {
  if (!called || !result.error) return;
  if (auto* loop = eddy::detail::this_thread.loop) {
    eddy::detail::Loop::of(*loop).report("Unhandled error in Deferred", result.error, nullptr);
  } else {
    std::fprintf(stderr, "eddy: Unhandled error in Deferred\n  %s\n", eddy::detail::describe_exception(result.error).c_str());
  }
}

void DeferredState::fire(Result first) {
  if (called) {
    if (std::exchange(ignores_result, false)) return;
    throw AlreadyCalledError("this Deferred has its result already");
  }
  called = true;
  result = std::move(first);
  run();
}

// Iterative, as in Twisted: a chain of any length needs no stack.
void DeferredState::run() {
  if (running || pauses > 0 || !called) return;
  const auto self = shared_from_this();
  while (!links.empty() && pauses == 0) {
    auto next = std::move(links.front());
    links.pop_front();
    auto& link = result.error ? next.on_error : next.on_value;
    if (!link) continue;
    running = true;
    Step step;
    try {
      step = link(std::exchange(result, {}));
    } catch (...) {
      step.result.error = std::current_exception();
    }
    running = false;
    take(std::move(step));
  }
}

void DeferredState::take(Step step) {
  if (!step.deferred) {
    result = std::move(step.result);
    return;
  }
  auto& other = *step.deferred;
  if (&other == this) {
    result.error = std::make_exception_ptr(RuntimeError("a Deferred's callback returned the Deferred itself: it would wait for ever"));
    return;
  }
  if (other.called && other.pauses == 0 && !other.running && other.links.empty()) {
    result = std::exchange(other.result, {});
    return;
  }
  ++pauses;
  chained_to = step.deferred;
  auto go_on = [self = shared_from_this()](Result&& came) {
    self->chained_to = nullptr;
    self->result = std::move(came);
    --self->pauses;
    self->run();
    return Step();
  };
  other.links.push_back({go_on, go_on});
  other.run();
}

void DeferredState::cancel() {
  if (called) {
    const auto waited_for = chained_to;
    if (waited_for) waited_for->cancel();
    return;
  }
  if (canceller) {
    Deferred self(shared_from_this());
    const auto call = canceller;
    call(self);
  } else {
    ignores_result = true;
  }
  if (!called) fire({{}, std::make_exception_ptr(CancelledError("the Deferred was cancelled"))});
}

}  // namespace detail

std::string Failure::message() const {
  try {
    std::rethrow_exception(error_);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "";
  }
}

Deferred::Deferred() : state_(std::make_shared<detail::DeferredState>()) {}
Deferred::Deferred(std::function<void(Deferred&)> canceller) : Deferred() { state_->canceller = std::move(canceller); }

Deferred& Deferred::add(detail::Link on_value, detail::Link on_error) {
  state_->links.push_back({std::move(on_value), std::move(on_error)});
  const auto keep = state_;
  keep->run();
  return *this;
}

void Deferred::fire(detail::Result result) {
  const auto keep = state_;
  keep->fire(std::move(result));
}
void Deferred::cancel() {
  const auto keep = state_;
  keep->cancel();
}
void Deferred::pause() { ++state_->pauses; }
void Deferred::unpause() {
  const auto keep = state_;
  if (keep->pauses > 0) --keep->pauses;
  keep->run();
}
bool Deferred::called() const noexcept { return state_->called; }

Deferred& Deferred::add_timeout(Duration timeout) {
  auto timed_out = std::make_shared<bool>(false);
  const std::weak_ptr<detail::DeferredState> weak = state_;
  auto timer = get_running_loop().call_later(timeout, [weak, timed_out] {
    const auto state = weak.lock();
    if (!state) return;
    *timed_out = true;
    Deferred(state).cancel();
  });
  const auto text = eddy::detail::format_duration(timeout.count());
  add_errback([timed_out, text](Failure failure) {
    if (*timed_out && failure.check<CancelledError>()) return Failure(TimeoutError("timed out after " + text));
    return failure;
  });
  auto stop_timer = [timer](detail::Result&& result) {
    timer.cancel();
    return detail::Step{std::move(result), nullptr};
  };
  return add(stop_timer, stop_timer);
}

Deferred& Deferred::chain_deferred(Deferred other) {
  auto hand_on = [other](detail::Result&& result) mutable {
    other.fire(std::move(result));
    return detail::Step();
  };
  return add(hand_on, hand_on);
}

// --- many ---------------------------------------------------------------------------------------------

FirstError::FirstError(std::exception_ptr sub_failure, std::size_t index)
    : RuntimeError(fmt::format("the first of several Deferreds to fail was number {}: {}", index, Failure(sub_failure).message())),
      sub_failure_(std::move(sub_failure)),
      index_(index) {}

namespace {

struct Listed {
  std::vector<ListedResult> results;
  std::size_t missing;
};

}  // namespace

Deferred deferred_list(std::vector<Deferred> deferreds, DeferredListOptions options) {
  std::vector<std::weak_ptr<detail::DeferredState>> states;
  for (const auto& d : deferreds) states.push_back(d.state());
  Deferred all([states](Deferred&) {
    for (const auto& weak : states) {
      if (const auto state = weak.lock()) state->cancel();
    }
  });
  const auto listed = std::make_shared<Listed>();
  listed->missing = deferreds.size();
  listed->results.resize(deferreds.size());
  if (deferreds.empty() && !options.fire_on_one_callback) all.callback(listed->results);
  auto count = [listed, all, options](std::size_t index, ListedResult result) mutable {
    listed->results[index] = result;
    --listed->missing;
    if (all.called()) return;
    if (result.success && options.fire_on_one_callback) all.callback(std::pair(std::move(result.value), index));
    else if (!result.success && options.fire_on_one_errback) all.errback(FirstError(std::move(result.error), index));
    else if (listed->missing == 0) all.callback(listed->results);
  };
  for (std::size_t i = 0; i < deferreds.size(); ++i) {
    auto on_value = [count, i](std::any& value) mutable {
      count(i, {true, value, nullptr});
      return value;
    };
    auto on_error = [count, i, options](Failure failure) mutable {
      count(i, {false, {}, failure.error()});
      if (options.consume_errors) return std::any();
      failure.raise();
    };
    deferreds[i].add_callbacks(std::move(on_value), std::move(on_error));
  }
  return all;
}

Deferred gather_results(std::vector<Deferred> deferreds, bool consume_errors) {
  auto all = deferred_list(std::move(deferreds), {.fire_on_one_errback = true, .consume_errors = consume_errors});
  all.add_callback([](std::vector<ListedResult>& results) {
    std::vector<std::any> values;
    for (auto& result : results) values.push_back(std::move(result.value));
    return values;
  });
  return all;
}

}  // namespace eddy::twisted
