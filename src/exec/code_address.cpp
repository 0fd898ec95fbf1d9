// SPDX-License-Identifier: MIT
// Functions by module and offset. Every process of the program maps the same files, each at its own
// addresses.
#include <cxxabi.h>
#include <dlfcn.h>
#include <eddy/remote.hpp>
#include <fmt/format.h>
#include <link.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/text.hpp"
#include "exec/code_address.hpp"

namespace eddy::detail {
namespace {

struct Module {
  std::string name;  // empty: the program itself
  std::uintptr_t base = 0;
  std::uint64_t build = 0;  // a hash of its build id; 0: it has none
};

bool holds_code(const dl_phdr_info& info, std::uintptr_t address) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
    const auto begin = info.dlpi_addr + segment.p_vaddr;
    if (address >= begin && address - begin < segment.p_memsz) return true;
  }
  return false;
}

std::uint64_t hash_build_id(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* at = reinterpret_cast<const char*>(info.dlpi_addr + segment.p_vaddr);
    const auto* end = at + segment.p_memsz;
    const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
    while (static_cast<std::size_t>(end - at) > sizeof(ElfW(Nhdr))) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      at += sizeof note;
      const auto size = padded(note.n_namesz) + padded(note.n_descsz);
      if (static_cast<std::size_t>(end - at) < size) break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(at, "GNU", 4) == 0) {
        std::uint64_t hash = 14695981039346656037u;  // FNV-1a
        for (const char* p = at + 4; p < at + 4 + note.n_descsz; ++p) {
          hash = (hash ^ static_cast<unsigned char>(*p)) * 1099511628211u;
        }
        return hash;
      }
      at += size;
    }
  }
  return 0;
}

template <class Wanted>
bool find_module(Wanted wanted, Module& found) {
  struct Search {
    Wanted& wanted;
    Module& found;
  } search{wanted, found};
  return ::dl_iterate_phdr(
             [](dl_phdr_info* info, std::size_t, void* data) {
               auto& [is_wanted, module] = *static_cast<Search*>(data);
               if (!is_wanted(*info)) return 0;
               module = {info->dlpi_name, info->dlpi_addr, hash_build_id(*info)};
               return 1;
             },
             &search) != 0;
}

bool find_module_of(std::uintptr_t address, Module& found) {
  return find_module([address](const dl_phdr_info& info) { return holds_code(info, address); }, found);
}
bool find_module_named(const std::string& name, Module& found) {
  return find_module([&name](const dl_phdr_info& info) { return name == info.dlpi_name; }, found);
}

}  // namespace

void pack_code(Packer& packer, const void* address) {
  Module module;
  if (!find_module_of(reinterpret_cast<std::uintptr_t>(address), module)) {
    throw ValueError(
        fmt::format("cannot name the function at {} to another process: it is in no module", address));
  }
  packer.add(module.name);
  packer.add(module.build);
  packer.add(std::uint64_t{reinterpret_cast<std::uintptr_t>(address) - module.base});
}

const void* unpack_code(Unpacker& unpacker) {
  const auto name = unpacker.get<std::string>();
  const auto build = unpacker.get<std::uint64_t>();
  const auto offset = unpacker.get<std::uint64_t>();
  Module module, holder;
  if (!find_module_named(name, module)) {
    // A plug-in: the program loaded it after it began. It stays.
    if (!::dlopen(name.c_str(), RTLD_NOW) || !find_module_named(name, module)) {
      throw RuntimeError(fmt::format("cannot load '{}' in another process: {}", name, ::dlerror()));
    }
  }
  if (module.build != build) {
    throw RuntimeError(
        fmt::format("cannot run a function of '{}' in another process: the file was replaced since the "
                    "program loaded it; restart the program",
                    name));
  }
  const auto address = module.base + offset;
  if (!find_module_of(address, holder) || holder.name != name) {
    throw UnpackError(fmt::format("cannot unpack a function: '{}' has no code at {:#x}", name, offset));
  }
  return reinterpret_cast<const void*>(address);
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                    &std::free);
  return status == 0 ? text.get() : name;
}

std::string describe_code(const void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) != 0 && info.dli_sname) return demangled(info.dli_sname);
  Module module;
  if (!find_module_of(reinterpret_cast<std::uintptr_t>(address), module)) return fmt::format("{}", address);
  const std::string file = module.name.empty() ? program_invocation_short_name : module.name;
  return fmt::format("{}+{:#x}", file_name(file), reinterpret_cast<std::uintptr_t>(address) - module.base);
}

}  // namespace eddy::detail
