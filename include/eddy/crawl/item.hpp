// SPDX-License-Identifier: MIT
// What a spider collects: named values in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace eddy::crawl {

/// A record of named values: text, whole numbers, lists of texts, or nothing at all.
///
///     crawl::Item item;
///     item.set("url", page.url().str());
///     item.set("title", page.html().title());
///     to_json(item);  // {"url":"http://…","title":"目录"}
class Item {
 public:
  using Value = std::variant<std::monostate, std::string, std::int64_t, std::vector<std::string>>;
  using Fields = std::vector<std::pair<std::string, Value>>;

  Item() noexcept {}

  /// Sets a field; one that is there keeps its place. Text is UTF-8.
  Item& set(std::string_view name, std::string text) { return put(name, std::move(text)); }
  Item& set(std::string_view name, std::string_view text) { return put(name, std::string(text)); }
  Item& set(std::string_view name, const char* text) { return put(name, std::string(text)); }
  Item& set(std::string_view name, std::int64_t number) { return put(name, number); }
  Item& set(std::string_view name, int number) { return put(name, std::int64_t{number}); }
  Item& set(std::string_view name, std::vector<std::string> texts) { return put(name, std::move(texts)); }
  /// A field without a value: null.
  Item& set_null(std::string_view name) { return put(name, std::monostate()); }

  const Fields& fields() const noexcept { return fields_; }
  /// Null if there is no such field.
  const Value* find(std::string_view name) const noexcept;
  /// The text of a field; "" if there is none or it is no text.
  std::string_view text(std::string_view name) const noexcept;

 private:
  Item& put(std::string_view name, Value value);
  Fields fields_;
};

/// One line of JSON without its line end. What is not UTF-8 becomes U+FFFD.
std::string to_json(const Item& item);

/// A line of CSV (RFC 4180, CR LF at the end) with the fields named `columns`; lists one text a line within their
/// cell. Throws ValueError that names a field without a column.
std::string to_csv(const Item& item, const std::vector<std::string>& columns);
/// The line that names the columns.
std::string csv_header(const std::vector<std::string>& columns);

}  // namespace eddy::crawl
