// SPDX-License-Identifier: MIT
#include <eddy/contextvars.hpp>
#include <eddy/detail/references.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "task/task_extra.hpp"

namespace eddy::detail {
namespace {

void retain_value(ContextValue& value) noexcept { add_reference(value.references); }
void release_value(ContextValue& value) noexcept {
  if (drop_reference(value.references)) value.destroy(&value);
}

struct Binding {
  std::uint64_t id;
  std::string_view name;
  ContextValue* value;
};

}  // namespace

// Sorted by id. Shared by the copies of a context until one of them changes.
struct ContextMap {
  std::vector<Binding> bindings;
  std::uint32_t references = 1;

  static std::vector<Binding>::iterator place(std::vector<Binding>& all, std::uint64_t id) noexcept {
    return std::lower_bound(all.begin(), all.end(), id, [](const Binding& b, std::uint64_t key) { return b.id < key; });
  }
  ContextValue* find(std::uint64_t id) noexcept {
    const auto at = place(bindings, id);
    return at != bindings.end() && at->id == id ? at->value : nullptr;
  }
  ContextMap() = default;
  ContextMap(const ContextMap& other) : bindings(other.bindings) {
    for (auto& binding : bindings) retain_value(*binding.value);
  }
  ContextMap& operator=(const ContextMap&) = delete;
  ~ContextMap() {
    for (auto& binding : bindings) release_value(*binding.value);
  }
  void retain() noexcept { add_reference(references); }
  void release() noexcept {
    if (drop_reference(references)) delete this;
  }
};

struct ContextCore : Pooled {
  ContextMap* map = nullptr;  // null: empty
  std::uint32_t references = 1;
  bool entered = false;

  ContextCore() = default;
  explicit ContextCore(ContextMap* shared) noexcept : map(shared) {
    if (map) map->retain();
  }
  ContextCore(const ContextCore&) = delete;
  ContextCore& operator=(const ContextCore&) = delete;
  ~ContextCore() {
    if (map) map->release();
  }

  // A map that nobody else sees.
  ContextMap& own_map() {
    if (!map) map = new ContextMap;
    if (is_only_reference(map->references)) return *map;
    auto* copy = new ContextMap(*map);
    map->release();
    map = copy;
    return *map;
  }
  // Takes `value` over, gives the reference to the old one back. Null removes.
  ContextValue* exchange(std::uint64_t id, std::string_view name, ContextValue* value) {
    auto& all = own_map().bindings;
    const auto at = ContextMap::place(all, id);
    const bool found = at != all.end() && at->id == id;
    ContextValue* old = found ? at->value : nullptr;
    if (found && value) at->value = value;
    else if (found) all.erase(at);
    else if (value) all.insert(at, {id, name, value});
    return old;
  }
};

void retain_context(ContextCore& context) noexcept { add_reference(context.references); }
void release_context(ContextCore& context) noexcept {
  if (drop_reference(context.references)) delete &context;
}

namespace {

// A thread's own context goes with the thread.
struct ThreadContext {
  ~ThreadContext() {
    if (auto* context = std::exchange(this_thread.context, nullptr)) release_context(*context);
  }
};
thread_local ThreadContext thread_context;

ContextCore* current_context() noexcept {
  if (const auto* task = this_thread.task) return task->extra ? task->extra->context.get() : nullptr;
  return this_thread.context;
}

ContextCore& task_context(TaskCore& task) {
  auto& slot = extra_of(task).context.get();
  if (!slot) slot = new ContextCore;
  return *slot;
}

ContextCore& own_current_context() {
  if (auto* task = this_thread.task) return task_context(*task);
  static_cast<void>(thread_context);
  if (!this_thread.context) this_thread.context = new ContextCore;
  return *this_thread.context;
}

ContextCore* reference_to(ContextCore& context) noexcept {
  retain_context(context);
  return &context;
}

}  // namespace

ContextCore* copy_current_context() {
  auto* current = current_context();
  return current && current->map ? new ContextCore(current->map) : nullptr;
}

void inherit_context(TaskCore& task) {
  if (auto* copy = copy_current_context()) extra_of(task).context.get() = copy;
}

void give_context(TaskCore& task, const Context& context) {
  extra_of(task).context = ContextRef(reference_to(context.core()));
}

ContextKey::ContextKey(std::string_view name) : name_(name) {
  static std::atomic<std::uint64_t> last{0};
  id_ = last.fetch_add(1, std::memory_order_relaxed) + 1;
}

TokenCore::TokenCore(ContextCore& context, const ContextKey& key, ContextValue* old) noexcept
    : context_(reference_to(context)), name_(key.name()), id_(key.id()), old_(old) {}
TokenCore::TokenCore(TokenCore&& other) noexcept
    : context_(std::move(other.context_)), name_(other.name_), id_(other.id_), old_(std::exchange(other.old_, nullptr)),
      used_(std::exchange(other.used_, true)) {}
TokenCore::~TokenCore() {
  if (old_) release_value(*old_);
}

const ContextValue* find_context_value(const ContextKey& key, const ContextCore& context) noexcept {
  return context.map ? context.map->find(key.id()) : nullptr;
}

const ContextValue* find_context_value(const ContextKey& key) noexcept {
  const auto* current = current_context();
  return current ? find_context_value(key, *current) : nullptr;
}

TokenCore set_context_value(const ContextKey& key, ContextValue* value) {
  auto& context = own_current_context();
  auto* old = context.exchange(key.id(), key.name(), value);
  return TokenCore(context, key, old);
}

void reset_context_value(const ContextKey& key, TokenCore& token) {
  if (token.used_) throw RuntimeError(fmt::format("reset of context variable '{}': its token was used already", key.name()));
  if (token.id_ != key.id()) {
    throw ValueError(fmt::format("reset of context variable '{}': the token is of variable '{}'", key.name(),
                                 token.name_));
  }
  if (token.context_.get() != current_context()) {
    throw ValueError(fmt::format("reset of context variable '{}': the token was made in another context", key.name()));
  }
  restore_context_value(token);
}

void restore_context_value(TokenCore& token) noexcept {
  if (std::exchange(token.used_, true)) return;
  auto* old = token.old_;
  if (old) retain_value(*old);
  if (auto* replaced = token.context_.get()->exchange(token.id_, token.name_, old)) release_value(*replaced);
}

void throw_not_set(const ContextKey& key) {
  throw LookupError(fmt::format("context variable '{}' has no value here, and no default; set() it first, or get(fallback)",
                                key.name()));
}

namespace {
// Where the context of the code that runs in a task, or in none, is looked up.
ContextCore*& slot_of(TaskCore* task) noexcept { return task ? extra_of(*task).context.get() : this_thread.context; }
}  // namespace

EnteredContext::EnteredContext(ContextCore& context) : context_(context), task_(this_thread.task) {
  if (context.entered || current_context() == &context) {
    throw RuntimeError("cannot enter a context twice: it is entered already; run in a copy() of it");
  }
  context.entered = true;
  outer_ = std::exchange(slot_of(task_), &context);
}

EnteredContext::~EnteredContext() {
  context_.entered = false;
  slot_of(task_) = outer_;
}

}  // namespace eddy::detail

namespace eddy {

Context::Context() : core_(new detail::ContextCore) {}

Context Context::copy() const { return Context(detail::ContextRef(new detail::ContextCore(core().map))); }

std::size_t Context::size() const noexcept { return core().map ? core().map->bindings.size() : 0; }

std::vector<std::string_view> Context::names() const {
  std::vector<std::string_view> all;
  if (!core().map) return all;
  for (const auto& binding : core().map->bindings) all.push_back(binding.name);
  return all;
}

Context copy_context() {
  auto* current = detail::current_context();
  return Context(detail::ContextRef(new detail::ContextCore(current ? current->map : nullptr)));
}

Context AnyTask::get_context() const {
  auto& context = detail::task_context(*core_);
  return Context(detail::ContextRef(detail::reference_to(context)));
}

Context Handle::get_context() const {
  if (!core_) return Context();
  auto& slot = core_->context.get();
  if (!slot) slot = new detail::ContextCore;
  return Context(detail::ContextRef(detail::reference_to(*slot)));
}

}  // namespace eddy
