// SPDX-License-Identifier: MIT
#include <eddy/http/headers.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "http/ascii.hpp"
#include "http/codec/scan.hpp"

namespace eddy::http {
namespace {

template <class List>
std::optional<std::string_view> first_of(const List& list, std::string_view name) noexcept {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (const Field field = list[i]; ascii::equal_ignoring_case(field.name, name)) return field.value;
  return std::nullopt;
}

template <class List>
std::string_view need(const List& list, std::string_view name) {
  if (const auto value = first_of(list, name)) return *value;
  throw KeyError(fmt::format("no header '{}' among {} fields", name, list.size()));
}

template <class List>
std::vector<std::string_view> all_of(const List& list, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Field field : list)
    if (ascii::equal_ignoring_case(field.name, name)) values.push_back(field.value);
  return values;
}

std::string shown(char c) {
  return c > 0x20 && c < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
}

}  // namespace

std::optional<std::string_view> HeaderView::get(std::string_view name) const noexcept {
  return first_of(*this, name);
}
std::string_view HeaderView::at(std::string_view name) const { return need(*this, name); }
std::vector<std::string_view> HeaderView::get_all(std::string_view name) const { return all_of(*this, name); }

void check_field(std::string_view name, std::string_view value) {
  if (name.empty()) throw ValueError("header name is empty");
  const char* name_end = name.data() + name.size();
  if (const char* at = scan::past_token(name.data(), name_end); at != name_end)
    throw ValueError(fmt::format("header name holds '{}' at byte {}", shown(*at), at - name.data()));
  const char* value_end = value.data() + value.size();
  if (const char* at = scan::past_value(value.data(), value_end); at != value_end)
    throw ValueError(
        fmt::format("header value of '{}' holds '{}' at byte {}", name, shown(*at), at - value.data()));
}

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

Headers::Headers(const HeaderView& fields) {
  std::size_t bytes = 0;
  for (const Field field : fields) bytes += field.name.size() + field.value.size() + 4;
  text_.reserve(bytes);
  slots_.reserve(fields.size());
  for (const Field field : fields) add(field.name, field.value);
}

std::optional<std::string_view> Headers::get(std::string_view name) const noexcept {
  return first_of(*this, name);
}
std::string_view Headers::at(std::string_view name) const { return need(*this, name); }
std::vector<std::string_view> Headers::get_all(std::string_view name) const { return all_of(*this, name); }

void Headers::add(std::string_view name, std::string_view value) {
  value = ascii::trimmed(value);
  check_field(name, value);
  append(name, value);
}

void Headers::append(std::string_view name, std::string_view value) {
  const std::size_t bytes = text_.size() + name.size() + value.size() + 4;
  if (bytes > std::numeric_limits<std::uint32_t>::max()) throw ValueError("headers of more than 4 GiB");
  const auto at = static_cast<std::uint32_t>(text_.size());
  const auto name_length = static_cast<std::uint32_t>(name.size());
  slots_.push_back({at, name_length, at + name_length + 2, static_cast<std::uint32_t>(value.size())});
  std::string old;  // keeps the old text until the end: name and value may be views into it
  if (bytes > text_.capacity()) {
    old.swap(text_);
    text_.reserve(std::max(bytes, 2 * old.capacity()));
    text_ = old;
  }
  text_.append(name).append(": ").append(value).append("\r\n");
}

void Headers::set(std::string_view name, std::string_view value) {
  Headers changed;  // name and value may be views into this list: build anew, then take over
  changed.text_.reserve(text_.size() + name.size() + value.size() + 4);
  changed.slots_.reserve(slots_.size() + 1);
  bool placed = false;
  for (const Field field : *this) {
    if (!ascii::equal_ignoring_case(field.name, name)) {
      changed.append(field.name, field.value);
    } else if (!placed) {
      changed.add(name, value);
      placed = true;
    }
  }
  if (!placed) changed.add(name, value);
  *this = std::move(changed);
}

void Headers::set_default(std::string_view name, std::string_view value) {
  if (!contains(name)) add(name, value);
}

std::size_t Headers::remove(std::string_view name) {
  const std::size_t before = slots_.size();
  const std::string wanted(name);  // may be a view into this list
  for (std::size_t i = slots_.size(); i-- > 0;)
    if (ascii::equal_ignoring_case((*this)[i].name, wanted)) erase(i);
  return before - slots_.size();
}

void Headers::erase(std::size_t index) {
  const auto slot = slots_[index];
  const std::uint32_t length = slot.value + slot.value_length + 2 - slot.name;
  text_.erase(slot.name, length);
  slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(index));
  for (std::size_t i = index; i < slots_.size(); ++i) {
    slots_[i].name -= length;
    slots_[i].value -= length;
  }
}

void Headers::clear() noexcept {
  text_.clear();
  slots_.clear();
}

}  // namespace eddy::http
