// SPDX-License-Identifier: MIT
// Header fields: `Headers` owns its text, `HeaderView` looks into a parser's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/exceptions.hpp>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy::http {

/// One header field as it came: the name keeps its case, the value has no spaces at its ends.
struct Field {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const Field&, const Field&) = default;
};

/// Walks the fields of `Headers` or `HeaderView` in order.
template <class List>
class FieldIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Field;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Field;

  FieldIterator() = default;
  FieldIterator(const List* list, std::size_t index) noexcept : list_(list), index_(index) {}
  Field operator*() const noexcept { return (*list_)[index_]; }
  FieldIterator& operator++() noexcept { return ++index_, *this; }
  FieldIterator operator++(int) noexcept { return {list_, index_++}; }
  friend bool operator==(const FieldIterator&, const FieldIterator&) = default;

 private:
  const List* list_ = nullptr;
  std::size_t index_ = 0;
};

namespace detail {
/// Where a field stands in the text that holds it.
struct FieldSlot {
  std::uint32_t name;
  std::uint32_t name_length;
  std::uint32_t value;
  std::uint32_t value_length;
};
}  // namespace detail

/// The header fields of a message inside the buffer it was parsed from.
///
/// Copies nothing and allocates nothing: up to `kCapacity` fields stand in an inline array of offsets. The
/// views it hands out live as long as the buffer's bytes stay where they are; after the buffer has moved,
/// `rebase()` makes the list right again.
class HeaderView {
 public:
  static constexpr std::size_t kCapacity = 100;
  using iterator = FieldIterator<HeaderView>;

  HeaderView() noexcept {}  // leaves the slots raw: they are 1,600 bytes

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// The field at `index`, which must be below `size()`.
  Field operator[](std::size_t index) const noexcept {
    const auto& slot = slots_[index];
    return {{base_ + slot.name, slot.name_length}, {base_ + slot.value, slot.value_length}};
  }
  iterator begin() const noexcept { return {this, 0}; }
  iterator end() const noexcept { return {this, size_}; }

  /// The value of the first field called `name`, in any case of letters.
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  /// The same; throws KeyError, which names the field, if there is none.
  std::string_view at(std::string_view name) const;
  bool contains(std::string_view name) const noexcept { return get(name).has_value(); }
  /// The values of all fields called `name`, in order.
  std::vector<std::string_view> get_all(std::string_view name) const;

  /// Tells where the parsed text starts now.
  void rebase(const char* text) noexcept { base_ = text; }
  void clear() noexcept { size_ = 0; }
  /// False if the list is full.
  bool push(const detail::FieldSlot& slot) noexcept {
    if (size_ == kCapacity) return false;
    slots_[size_++] = slot;
    return true;
  }

 private:
  const char* base_ = nullptr;
  std::uint32_t size_ = 0;
  detail::FieldSlot slots_[kCapacity];
};

/// An ordered list of header fields; names are compared without regard to case, duplicates are kept.
///
///     http::Headers headers{{"Accept", "text/html"}};
///     headers.add("Cookie", "a=1");
///     headers.at("accept");  // "text/html"
///
/// The text is kept in the form it has on the wire (`Name: value\r\n` …), so writing a message copies it
/// once. Therefore names and values are checked when they come in: a name that is no token or a value with
/// CR, LF, NUL or another control character throws ValueError (nobody can smuggle a header in through a
/// value). Spaces and tabs at a value's ends are dropped. Views handed out live until the next change.
class Headers {
 public:
  using iterator = FieldIterator<Headers>;

  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
  explicit Headers(const HeaderView& fields);
  Headers(const Headers&) = default;
  Headers& operator=(const Headers&) = default;
  /// What is moved from is empty.
  Headers(Headers&& other) noexcept : slots_(std::move(other.slots_)) {
    if (!slots_.empty()) text_.swap(other.text_);
  }
  Headers& operator=(Headers&& other) noexcept {
    Headers old(std::move(*this));
    slots_.swap(other.slots_);
    if (!slots_.empty()) text_.swap(other.text_);
    return *this;
  }
  ~Headers() = default;

  std::size_t size() const noexcept { return slots_.size(); }
  bool empty() const noexcept { return slots_.empty(); }
  Field operator[](std::size_t index) const noexcept {
    const auto& slot = slots_[index];
    const char* text = text_.data();
    return {{text + slot.name, slot.name_length}, {text + slot.value, slot.value_length}};
  }
  iterator begin() const noexcept { return {this, 0}; }
  iterator end() const noexcept { return {this, slots_.size()}; }

  /// The value of the first field called `name`.
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  /// The same; throws KeyError, which names the field, if there is none.
  std::string_view at(std::string_view name) const;
  bool contains(std::string_view name) const noexcept { return get(name).has_value(); }
  /// The values of all fields called `name`, in order.
  std::vector<std::string_view> get_all(std::string_view name) const;

  /// Appends a field. Throws ValueError if it cannot stand in a message.
  void add(std::string_view name, std::string_view value);
  /// Makes `value` the only value of `name`, in the place of its first field.
  void set(std::string_view name, std::string_view value);
  /// Sets the field only if there is none of its name yet.
  void set_default(std::string_view name, std::string_view value);
  /// Drops all fields called `name`; gives their number.
  std::size_t remove(std::string_view name);
  void clear() noexcept;

  /// All fields as they stand in a message, each with its CR LF, without the empty line.
  std::string_view wire() const noexcept { return text_; }

  friend bool operator==(const Headers& a, const Headers& b) noexcept { return a.text_ == b.text_; }

 private:
  void append(std::string_view name, std::string_view value);
  void erase(std::size_t index);

  std::string text_;
  std::vector<detail::FieldSlot> slots_;  // offsets into text_, in order
};

/// Throws ValueError unless `name: value` can stand in a message: "header value of 'x' holds '\x0a' at byte
/// 3".
void check_field(std::string_view name, std::string_view value);

}  // namespace eddy::http
