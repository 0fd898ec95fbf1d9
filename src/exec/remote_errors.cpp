// SPDX-License-Identifier: MIT
// Exceptions as bytes: the name of the type, then what makes one of it again.
#include <cxxabi.h>
#include <eddy/mp/process.hpp>
#include <eddy/processes.hpp>
#include <eddy/remote.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "exec/code_address.hpp"

namespace eddy {

RemoteError::RemoteError(std::string_view type_name, std::string_view text)
    : RuntimeError(text.empty() ? fmt::format("{}, thrown in another process", type_name)
                                : fmt::format("{}: {}", type_name, text)),
      type_name_(type_name),
      text_(text) {}

namespace detail {

namespace {

// One kind of exception: how it is told and made. `pack` is called inside of a handler, with the exception.
struct Known {
  const std::type_info* type;
  void (*pack)(Packer&, const void*);  // the exception as its own type
  std::exception_ptr (*unpack)(Unpacker&);
};

template <class E>
const E& as(const void* error) {
  return *static_cast<const E*>(error);
}

// Made of nothing; of its text; of a number and its text.
template <class E>
constexpr Known plain() {
  return {&typeid(E), [](Packer&, const void*) {}, [](Unpacker&) { return std::make_exception_ptr(E()); }};
}
template <class E>
constexpr Known textual() {
  return {&typeid(E), [](Packer& packer, const void* error) { packer.add(std::string(as<E>(error).what())); },
          [](Unpacker& unpacker) { return std::make_exception_ptr(E(unpacker.get<std::string>())); }};
}
template <class E>
constexpr Known numbered() {
  return {&typeid(E),
          [](Packer& packer, const void* error) {
            packer.add(as<E>(error).error_number());
            packer.add(std::string(as<E>(error).what()));
          },
          [](Unpacker& unpacker) {
            const int number = unpacker.get<int>();
            return std::make_exception_ptr(E(number, unpacker.get<std::string>()));
          }};
}

// The text of a system_error is "what: message", and making it again would add the message again.
void pack_system_error(Packer& packer, const void* object) {
  const auto& error = as<std::system_error>(object);
  std::string text = error.what();
  const auto message = ": " + error.code().message();
  if (text.ends_with(message)) text.resize(text.size() - message.size());
  packer.add(error.code().value());
  packer.add(error.code().category() == std::system_category());
  packer.add(text);
}
std::exception_ptr unpack_system_error(Unpacker& unpacker) {
  const int value = unpacker.get<int>();
  const auto& category = unpacker.get<bool>() ? std::system_category() : std::generic_category();
  return std::make_exception_ptr(std::system_error(value, category, unpacker.get<std::string>()));
}

void pack_group(Packer& packer, const void* object) {
  const auto& group = as<ExceptionGroup>(object);
  const std::string_view text = group.what();
  packer.add(std::string(text.substr(0, text.rfind(" (", text.find('\n')))));
  packer.add(std::uint64_t{group.exceptions().size()});
  for (const auto& error : group.exceptions()) pack_exception(packer, error);
}
std::exception_ptr unpack_group(Unpacker& unpacker) {
  const auto message = unpacker.get<std::string>();
  const auto count = unpacker.get<std::uint64_t>();
  if (count > unpacker.left())
    throw UnpackError(fmt::format("cannot unpack: a group of {} exceptions", count));
  std::vector<std::exception_ptr> errors;
  for (auto left = count; left > 0; --left) errors.push_back(unpack_exception(unpacker));
  return std::make_exception_ptr(ExceptionGroup(message, std::move(errors)));
}

constexpr std::array kKnown{
    textual<std::runtime_error>(),
    textual<std::logic_error>(),
    textual<std::invalid_argument>(),
    textual<std::domain_error>(),
    textual<std::length_error>(),
    textual<std::out_of_range>(),
    textual<std::range_error>(),
    textual<std::overflow_error>(),
    textual<std::underflow_error>(),
    plain<std::bad_alloc>(),
    plain<std::exception>(),
    Known{&typeid(std::system_error), &pack_system_error, &unpack_system_error},
    textual<RuntimeError>(),
    textual<DeadlockError>(),
    textual<BrokenBarrierError>(),
    textual<BrokenExecutor>(),
    textual<BrokenThreadPool>(),
    textual<BrokenProcessPool>(),
    textual<InvalidStateError>(),
    textual<ValueError>(),
    textual<UnpackError>(),
    textual<TypeError>(),
    textual<KeyError>(),
    textual<EOFError>(),
    plain<QueueEmpty>(),
    plain<QueueFull>(),
    plain<QueueShutDown>(),
    numbered<OSError>(),
    numbered<BlockingIOError>(),
    numbered<ChildProcessError>(),
    numbered<ConnectionError>(),
    numbered<BrokenPipeError>(),
    numbered<ConnectionAbortedError>(),
    numbered<ConnectionRefusedError>(),
    numbered<ConnectionResetError>(),
    numbered<FileExistsError>(),
    numbered<FileNotFoundError>(),
    numbered<InterruptedError>(),
    numbered<IsADirectoryError>(),
    numbered<NotADirectoryError>(),
    numbered<PermissionError>(),
    numbered<ProcessLookupError>(),
    numbered<TimeoutError>(),
    numbered<GaiError>(),
    plain<CancelledError>(),
    plain<KeyboardInterrupt>(),
    plain<GeneratorExit>(),
    Known{&typeid(SystemExit),
          [](Packer& packer, const void* error) { packer.add(as<SystemExit>(error).code()); },
          [](Unpacker& unpacker) { return std::make_exception_ptr(SystemExit(unpacker.get<int>())); }},
    Known{&typeid(IncompleteReadError),
          [](Packer& packer, const void* error) {
            packer.add(as<IncompleteReadError>(error).partial());
            packer.add(std::uint64_t{as<IncompleteReadError>(error).expected()});
          },
          [](Unpacker& unpacker) {
            auto partial = unpacker.get<std::string>();
            return std::make_exception_ptr(
                IncompleteReadError(std::move(partial), unpacker.get<std::uint64_t>()));
          }},
    Known{&typeid(LimitOverrunError),
          [](Packer& packer, const void* error) {
            packer.add(std::string(as<LimitOverrunError>(error).what()));
            packer.add(std::uint64_t{as<LimitOverrunError>(error).consumed()});
          },
          [](Unpacker& unpacker) {
            const auto what = unpacker.get<std::string>();
            return std::make_exception_ptr(LimitOverrunError(what, unpacker.get<std::uint64_t>()));
          }},
    Known{&typeid(mp::ProcessDied),
          [](Packer& packer, const void* error) { packer.add(as<mp::ProcessDied>(error).exitcode()); },
          [](Unpacker& unpacker) { return std::make_exception_ptr(mp::ProcessDied(unpacker.get<int>())); }},
    Known{&typeid(RemoteError),
          [](Packer& packer, const void* error) {
            packer.add(as<RemoteError>(error).type_name());
            packer.add(as<RemoteError>(error).text());
          },
          [](Unpacker& unpacker) {
            const auto name = unpacker.get<std::string>();
            return std::make_exception_ptr(RemoteError(name, unpacker.get<std::string>()));
          }},
    Known{&typeid(ExceptionGroup), &pack_group, &unpack_group},
};
constexpr std::uint32_t kUnknown = kKnown.size();

void pack_known(Packer& packer, const std::type_info& type, const void* most_derived, std::string_view what) {
  const auto known =
      std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& k) { return *k.type == type; });
  packer.add(static_cast<std::uint32_t>(known - kKnown.begin()));
  if (known != kKnown.end()) return known->pack(packer, most_derived);
  packer.add(demangled(type.name()));
  packer.add(std::string(what));
}

}  // namespace

void pack_exception(Packer& packer, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    pack_known(packer, typeid(e), dynamic_cast<const void*>(&e), e.what());
  } catch (const CancelledError& e) {  // these have no virtual functions: each by its type
    pack_known(packer, typeid(CancelledError), &e, {});
  } catch (const KeyboardInterrupt& e) {
    pack_known(packer, typeid(KeyboardInterrupt), &e, {});
  } catch (const GeneratorExit& e) {
    pack_known(packer, typeid(GeneratorExit), &e, {});
  } catch (const SystemExit& e) {
    pack_known(packer, typeid(SystemExit), &e, {});
  } catch (...) {
    const auto* type = abi::__cxa_current_exception_type();
    packer.add(kUnknown);
    packer.add(type ? demangled(type->name()) : "an exception of another language");
    packer.add(std::string());
  }
}

std::exception_ptr unpack_exception(Unpacker& unpacker) {
  const detail::Nesting nesting(unpacker.depth());
  const auto kind = unpacker.get<std::uint32_t>();
  if (kind < kUnknown) return kKnown[kind].unpack(unpacker);
  if (kind > kUnknown) throw UnpackError(fmt::format("cannot unpack: an exception of kind {}", kind));
  const auto name = unpacker.get<std::string>();
  return std::make_exception_ptr(RemoteError(name, unpacker.get<std::string>()));
}

Parcel run_parcel(Parcel& call) noexcept {
  std::exception_ptr error;
  try {
    Packer result;
    result.add(true);
    Unpacker unpacker(call);
    const auto thunk = reinterpret_cast<RemoteThunk>(const_cast<void*>(unpack_code(unpacker)));
    thunk(unpacker, result);
    return std::move(result).take();
  } catch (...) {
    error = std::current_exception();
  }
  Packer result;
  result.add(false);
  pack_exception(result, error);
  return std::move(result).take();
}

std::exception_ptr outcome_of(Unpacker& result) {
  if (result.get<bool>()) return nullptr;
  return unpack_exception(result);
}

}  // namespace detail
}  // namespace eddy
