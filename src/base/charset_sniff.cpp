// SPDX-License-Identifier: MIT
// The charset a page declares: HTML Standard 13.2.3.2, "prescan a byte stream to determine its encoding".
// One pass over at most 1024 bytes; every step moves forward.
#include <eddy/charset.hpp>

#include <base/charset_codec.hpp>

#include <algorithm>

namespace eddy {
namespace {

constexpr std::size_t kPrescanned = 1024;
constexpr auto npos = std::string_view::npos;

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}
constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }

bool equal_folded(std::string_view text, std::string_view lower_case) noexcept {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

std::size_t find_folded(std::string_view text, std::string_view lower_case, std::size_t from) noexcept {
  if (from > text.size()) return npos;
  const auto found =
      std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), lower_case.begin(),
                  lower_case.end(), [](char a, char b) { return lower(a) == b; });
  return found == text.end() ? npos : static_cast<std::size_t>(found - text.begin());
}

// What a page may declare: UTF-16 was readable as ASCII, so it is UTF-8.
std::string_view declared(std::string_view label) noexcept {
  if (equal_folded(label, "x-user-defined")) return "windows-1252";
  const auto name = charset_name(label);
  return name.starts_with("utf-16") ? "utf-8" : name;
}

struct Attribute {
  std::string_view name;
  std::string_view value;
};

class Prescan {
 public:
  explicit Prescan(std::string_view bytes) noexcept : bytes_(bytes.substr(0, kPrescanned)) {}

  /// The first charset a <meta> declares, or "".
  std::string_view run() noexcept {
    while (at_ < bytes_.size()) {
      if (ahead("<!--")) {
        skip_past("-->", at_ + 2);  // "<!-->" is a whole comment
      } else if (ahead("<meta") && at_ + 5 < bytes_.size() &&
                 (is_blank(bytes_[at_ + 5]) || bytes_[at_ + 5] == '/')) {
        at_ += 5;
        if (const auto name = read_meta(); !name.empty()) return name;
      } else if (starts_tag()) {
        skip_tag();
      } else if (ahead("<!") || ahead("</") || ahead("<?")) {
        skip_past(">", at_);
      } else {
        ++at_;
      }
    }
    return {};
  }

 private:
  bool ahead(std::string_view lower_case) const noexcept {
    return equal_folded(bytes_.substr(at_, lower_case.size()), lower_case);
  }
  bool starts_tag() const noexcept {
    const auto letter = at_ + (ahead("</") ? 2 : 1);
    return bytes_[at_] == '<' && letter < bytes_.size() && is_letter(bytes_[letter]);
  }
  void skip_past(std::string_view end, std::size_t from) noexcept {
    const auto found = bytes_.find(end, from);
    at_ = found == npos ? bytes_.size() : found + end.size();
  }
  void skip_tag() noexcept {
    while (at_ < bytes_.size() && !is_blank(bytes_[at_]) && bytes_[at_] != '>') ++at_;
    Attribute attribute;
    while (next_attribute(attribute)) {
    }
  }

  // False at the end of the tag.
  bool next_attribute(Attribute& attribute) noexcept {
    const auto skip_blanks = [&] {
      while (at_ < bytes_.size() && is_blank(bytes_[at_])) ++at_;
    };
    while (at_ < bytes_.size() && (is_blank(bytes_[at_]) || bytes_[at_] == '/')) ++at_;
    if (at_ >= bytes_.size() || bytes_[at_] == '>') return false;
    auto begin = at_;
    while (at_ < bytes_.size() && !is_blank(bytes_[at_]) && bytes_[at_] != '/' && bytes_[at_] != '>' &&
           (bytes_[at_] != '=' || at_ == begin)) {
      ++at_;
    }
    attribute = {bytes_.substr(begin, at_ - begin), {}};
    skip_blanks();
    if (at_ >= bytes_.size() || bytes_[at_] != '=') return true;
    ++at_;
    skip_blanks();
    if (at_ >= bytes_.size()) return false;
    if (const char quote = bytes_[at_]; quote == '"' || quote == '\'') {
      const auto end = bytes_.find(quote, at_ + 1);
      if (end == npos) return at_ = bytes_.size(), false;
      attribute.value = bytes_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      return true;
    }
    begin = at_;
    while (at_ < bytes_.size() && !is_blank(bytes_[at_]) && bytes_[at_] != '>') ++at_;
    attribute.value = bytes_.substr(begin, at_ - begin);
    return true;
  }

  std::string_view read_meta() noexcept {
    std::string_view charset, content;
    bool is_content_type = false, has_charset = false;
    for (Attribute attribute; next_attribute(attribute);) {
      if (equal_folded(attribute.name, "charset") && !has_charset) {
        charset = declared(attribute.value);
        has_charset = true;
      } else if (equal_folded(attribute.name, "http-equiv")) {
        is_content_type = equal_folded(attribute.value, "content-type");
      } else if (equal_folded(attribute.name, "content") && content.empty()) {
        content = charset_in(attribute.value);
      }
    }
    if (has_charset) return charset;
    return is_content_type ? content : std::string_view();
  }

  // "text/html; charset=gbk": the Standard's "extracting a character encoding from a meta element".
  static std::string_view charset_in(std::string_view content) noexcept {
    for (std::size_t at = 0; (at = find_folded(content, "charset", at)) != npos;) {
      at += 7;
      while (at < content.size() && is_blank(content[at])) ++at;
      if (at >= content.size() || content[at] != '=') continue;
      ++at;
      while (at < content.size() && is_blank(content[at])) ++at;
      if (at >= content.size()) return {};
      if (const char quote = content[at]; quote == '"' || quote == '\'') {
        const auto end = content.find(quote, at + 1);
        return end == npos ? std::string_view() : declared(content.substr(at + 1, end - at - 1));
      }
      const auto end = std::min(content.find_first_of("; \t\n\f\r", at), content.size());
      return declared(content.substr(at, end - at));
    }
    return {};
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

// <?xml version="1.0" encoding="gbk"?> in the first bytes of the page.
std::string_view xml_encoding(std::string_view bytes) noexcept {
  if (!bytes.starts_with("<?xml")) return {};
  const auto declaration = bytes.substr(0, std::min(bytes.substr(0, kPrescanned).find('>'), bytes.size()));
  auto at = declaration.find("encoding");
  if (at == npos) return {};
  const auto skip_blanks = [&] {
    while (at < declaration.size() && is_blank(declaration[at])) ++at;
  };
  at += 8;
  skip_blanks();
  if (at >= declaration.size() || declaration[at] != '=') return {};
  ++at;
  skip_blanks();
  if (at >= declaration.size() || (declaration[at] != '"' && declaration[at] != '\'')) return {};
  const auto end = declaration.find(declaration[at], at + 1);
  return end == npos ? std::string_view() : declared(declaration.substr(at + 1, end - at - 1));
}

}  // namespace

SniffedCharset sniff_charset(std::string_view bytes) noexcept {
  if (bytes.starts_with("\xEF\xBB\xBF")) return {"utf-8", 3, CharsetSource::byte_order_mark};
  if (bytes.starts_with("\xFE\xFF")) return {"utf-16be", 2, CharsetSource::byte_order_mark};
  if (bytes.starts_with("\xFF\xFE")) return {"utf-16le", 2, CharsetSource::byte_order_mark};
  if (const auto name = Prescan(bytes).run(); !name.empty()) return {name, 0, CharsetSource::meta};
  if (const auto name = xml_encoding(bytes); !name.empty()) return {name, 0, CharsetSource::xml_declaration};
  return {};
}

}  // namespace eddy
