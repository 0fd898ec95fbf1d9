// SPDX-License-Identifier: MIT
#include <eddy/crawl/item.hpp>

#include <eddy/charset.hpp>
#include <eddy/exceptions.hpp>

#include <algorithm>

namespace eddy::crawl {

namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) (((out += "\\u00") += kHex[byte >> 4]) += kHex[byte & 15]);
        else out += c;
      }
    }
  }
  out += '"';
}

void append_string(std::string& out, std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) append_escaped(out, text);
  else append_escaped(out, decode(text, "utf-8", OnError::replace));
}

void append_cell(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::string cell_text(const Item::Value& value) {
  return std::visit(Overloaded{[](std::monostate) { return std::string(); },
                               [](const std::string& text) { return text; },
                               [](std::int64_t number) { return std::to_string(number); },
                               [](const std::vector<std::string>& texts) {
                                 std::string joined;
                                 for (const auto& text : texts) (joined += joined.empty() ? "" : "\n") += text;
                                 return joined;
                               }},
                    value);
}

}  // namespace

Item& Item::put(std::string_view name, Value value) {
  const auto place = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f.first == name; });
  if (place != fields_.end()) place->second = std::move(value);
  else fields_.emplace_back(name, std::move(value));
  return *this;
}

const Item::Value* Item::find(std::string_view name) const noexcept {
  const auto place = std::find_if(fields_.begin(), fields_.end(), [&](const auto& f) { return f.first == name; });
  return place == fields_.end() ? nullptr : &place->second;
}

std::string_view Item::text(std::string_view name) const noexcept {
  const auto* value = find(name);
  const auto* text = value ? std::get_if<std::string>(value) : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

std::string to_json(const Item& item) {
  std::string line = "{";
  for (const auto& [name, value] : item.fields()) {
    if (line.size() > 1) line += ',';
    append_string(line, name);
    line += ':';
    std::visit(Overloaded{[&](std::monostate) { line += "null"; },
                          [&](const std::string& text) { append_string(line, text); },
                          [&](std::int64_t number) { line += std::to_string(number); },
                          [&](const std::vector<std::string>& texts) {
                            line += '[';
                            for (const auto& text : texts) {
                              if (&text != &texts.front()) line += ',';
                              append_string(line, text);
                            }
                            line += ']';
                          }},
               value);
  }
  return line += '}';
}

std::string to_csv(const Item& item, const std::vector<std::string>& columns) {
  for (const auto& [name, value] : item.fields()) {
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
      throw ValueError("csv: the item has a field '" + name + "', for which there is no column");
    }
  }
  std::string line;
  for (const auto& column : columns) {
    if (&column != &columns.front()) line += ',';
    if (const auto* value = item.find(column)) append_cell(line, cell_text(*value));
  }
  return line += "\r\n";
}

std::string csv_header(const std::vector<std::string>& columns) {
  std::string line;
  for (const auto& column : columns) {
    if (&column != &columns.front()) line += ',';
    append_cell(line, column);
  }
  return line += "\r\n";
}

}  // namespace eddy::crawl
