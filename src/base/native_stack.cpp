// SPDX-License-Identifier: MIT
// Names come from the symbol table of the file that the code was loaded from. backtrace_symbols() knows what
// is exported alone, which of a program is nothing.
#include "base/native_stack.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace eddy::detail {
namespace {

// A mapped ELF file. What is out of its bounds counts as absent: files on disk may be newer than what runs.
class ElfFile {
 public:
  explicit ElfFile(const char* path) {
    const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || status.st_size < static_cast<off_t>(sizeof(ElfW(Ehdr))))
      return;
    size_ = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapped == MAP_FAILED) return;
    bytes_ = static_cast<const char*>(mapped);
    if (std::memcmp(bytes_, ELFMAG, SELFMAG) == 0) find_symbols();
  }
  ElfFile(const ElfFile&) = delete;
  ~ElfFile() {
    if (bytes_) ::munmap(const_cast<char*>(bytes_), size_);
  }

  bool is_relocated() const noexcept { return header().e_type == ET_DYN; }
  bool has_symbols() const noexcept { return !symbols_.empty(); }

  // The mangled name of the function at an address of the file, and how far into it that is.
  std::string_view function(std::uintptr_t address, std::uintptr_t& offset) const noexcept {
    for (const auto& symbol : symbols_) {
      const auto type = symbol.st_info & 0xf;
      if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) continue;
      const auto length = std::max<std::uintptr_t>(symbol.st_size, 1);
      if (address < symbol.st_value || address - symbol.st_value >= length) continue;
      if (symbol.st_name >= names_.size()) continue;
      offset = address - symbol.st_value;
      return names_.data() + symbol.st_name;
    }
    return {};
  }

 private:
  const ElfW(Ehdr) & header() const noexcept { return *reinterpret_cast<const ElfW(Ehdr)*>(bytes_); }

  template <class T>
  std::span<const T> table(std::uintptr_t offset, std::uintptr_t bytes) const noexcept {
    if (offset > size_ || bytes > size_ - offset || offset % alignof(T) != 0) return {};
    return {reinterpret_cast<const T*>(bytes_ + offset), bytes / sizeof(T)};
  }

  void find_symbols() noexcept {
    const auto sections = table<ElfW(Shdr)>(header().e_shoff, header().e_shnum * sizeof(ElfW(Shdr)));
    for (const auto wanted : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (const auto& section : sections) {
        if (section.sh_type != static_cast<ElfW(Word)>(wanted) || section.sh_link >= sections.size())
          continue;
        const auto& strings = sections[section.sh_link];
        const auto names = table<char>(strings.sh_offset, strings.sh_size);
        if (names.empty() || names.back() != '\0') continue;
        names_ = {names.data(), names.size()};
        symbols_ = table<ElfW(Sym)>(section.sh_offset, section.sh_size);
        if (has_symbols()) return;
      }
    }
  }

  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::span<const ElfW(Sym)> symbols_;
  std::string_view names_;
};

// Turns addresses into names; keeps the file of the last module, since neighbours on a stack share it.
class Symbolizer {
 public:
  struct Place {
    std::string function;  // "" if unknown
    std::string module;
    std::uintptr_t offset = 0;         // in the function
    std::uintptr_t module_offset = 0;  // in the file, as addr2line wants it
  };

  Place find(const void* code) {
    Place place;
    Dl_info info{};
    link_map* map = nullptr;
    if (::dladdr1(code, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0 || !map) return place;
    const bool is_program = !*map->l_name;
    const char* path = is_program ? "/proc/self/exe" : map->l_name;
    if (!file_ || path_ != path) {
      file_ = std::make_unique<ElfFile>(path);
      path_ = path;
    }
    place.module = file_name(is_program ? program_invocation_name : map->l_name);
    place.module_offset = reinterpret_cast<std::uintptr_t>(code) - map->l_addr;
    auto mangled =
        file_->has_symbols() ? file_->function(place.module_offset, place.offset) : std::string_view();
    if (mangled.empty() && info.dli_sname) {
      mangled = info.dli_sname;
      place.offset =
          reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(info.dli_saddr);
    }
    if (!mangled.empty()) place.function = demangle(std::string(mangled));
    return place;
  }

 private:
  static std::string demangle(const std::string& mangled) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(
        abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
    return without_frame(status == 0 ? name.get() : mangled);
  }

  std::unique_ptr<ElfFile> file_;
  std::string path_;
};

}  // namespace

void NativeStack::capture(int skip) noexcept {
  size = ::backtrace(frames, kMost);
  const int dropped = std::min(skip + 1, size);
  size -= dropped;
  std::memmove(frames, frames + dropped, static_cast<std::size_t>(size) * sizeof frames[0]);
}

void NativeStack::warm_up() noexcept {
  void* frame[2];
  static_cast<void>(::backtrace(frame, 2));
}

std::vector<std::string> NativeStack::lines() const {
  std::vector<std::string> text;
  Symbolizer symbols;
  for (int i = 0; i < size; ++i) {
    // A return address is behind its call, perhaps already in another function.
    const auto* code = static_cast<const char*>(frames[i]) - (i > 0 ? 1 : 0);
    const auto place = symbols.find(code);
    if (place.module.empty()) {
      text.push_back(fmt::format("{}", fmt::ptr(frames[i])));
    } else if (place.function.empty()) {
      text.push_back(fmt::format("{}+0x{:x}", place.module, place.module_offset));
    } else {
      text.push_back(fmt::format("{}+0x{:x} ({}+0x{:x})", place.function, place.offset, place.module,
                                 place.module_offset));
    }
  }
  return text;
}

std::string function_at(const void* code) { return Symbolizer().find(code).function; }

std::string without_frame(std::string demangled) {
  if (const auto clone = demangled.find(" [clone"); clone != demangled.npos) demangled.resize(clone);
  // g++: "f(f(int)::_Z1fi.Frame*)": the scope of the parameter's type is the coroutine as it was written.
  constexpr std::string_view kFrame = ".Frame*)";
  if (!std::string_view(demangled).ends_with(kFrame)) return demangled;
  std::size_t open = demangled.size() - 1;
  for (int depth = 1; depth > 0 && open > 0;) {
    --open;
    depth += demangled[open] == ')' ? 1 : demangled[open] == '(' ? -1 : 0;
  }
  const auto scope = demangled.rfind("::", demangled.size() - kFrame.size());
  if (scope == demangled.npos || scope <= open) return demangled;
  return demangled.substr(open + 1, scope - open - 1);
}

}  // namespace eddy::detail
