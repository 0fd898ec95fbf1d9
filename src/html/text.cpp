// SPDX-License-Identifier: MIT
// The text of an element as pyquery 1.4 gives it.
//
// The rule, in its own terms: text, <br> and the edges of elements that are not in pyquery's list of inline
// ones make a sequence. Runs of text are joined, their blanks squeezed, their ends stripped; empty ones go.
// Edges that now stand side by side are one. Each edge and each <br> is a newline; the whole is stripped.
#include <html/access.hpp>

#include <base/utf8.hpp>

namespace eddy::html::detail {
namespace {

// The blanks that pyquery squeezes: HTML's and U+200B.
std::size_t squeezable_at(std::string_view text, std::size_t at) noexcept {
  if (is_blank(text[at])) return 1;
  return text[at] == '\xE2' && text.substr(at, 3) == "\u200B" ? 3 : 0;
}

// Length of the character at the front that Python's str.isspace() accepts, or 0.
std::size_t space_in_front(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto c = static_cast<unsigned char>(text[0]);
  if ((c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20)) return 1;
  if (text.starts_with("\u0085") || text.starts_with("\u00A0")) return 2;
  if (c != 0xE1 && c != 0xE2 && c != 0xE3) return 0;
  for (const std::string_view space : {"\u1680", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"}) {
    if (text.starts_with(space)) return 3;
  }
  const bool general =
      text.size() >= 3 && text.starts_with("\xE2\x80") && static_cast<unsigned char>(text[2]) <= 0x8A;
  return general ? 3 : 0;  // U+2000 to U+200A
}

std::size_t character_before_end(std::string_view text) noexcept {
  auto begin = text.size() - 1;
  while (begin > 0 && eddy::detail::is_continuation(text[begin])) --begin;
  return begin;
}

std::string_view stripped(std::string_view text) noexcept {
  while (const auto length = space_in_front(text)) text.remove_prefix(length);
  while (!text.empty()) {
    const auto begin = character_before_end(text);
    if (space_in_front(text.substr(begin)) == 0) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

class TextWriter {
 public:
  explicit TextWriter(const TextOptions& options) noexcept : options_(options) {}

  void text(std::string_view piece) { run_ += piece; }
  void line_break() {
    flush();
    out_ += options_.line_break;
    after_edge_ = false;
  }
  void edge() {
    flush();
    if (!after_edge_) out_ += options_.block;
    after_edge_ = true;
  }
  std::string result() {
    flush();
    return out_.substr(first_, last_ - first_);  // without the edges and breaks at its ends
  }

 private:
  void flush() {
    if (run_.empty()) return;
    const auto item = squeezed(run_);
    run_.clear();
    if (item.empty()) return;
    if (last_ == 0) first_ = out_.size();
    out_ += item;
    last_ = out_.size();
    after_edge_ = false;
  }

  const TextOptions& options_;
  std::string out_;
  std::string run_;        // text since the last edge or break
  std::size_t first_ = 0;  // where the first text begins in out_ …
  std::size_t last_ = 0;   // … and the last one ends; 0 while there is none
  bool after_edge_ = false;
};

bool is_script(std::string_view name) noexcept { return name == "script" || name == "style"; }

}  // namespace

std::string squeezed(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (const auto blank = squeezable_at(text, at)) {
      if (result.empty() || result.back() != ' ') result += ' ';
      at += blank;
      continue;
    }
    const auto word = at;
    while (at < text.size() && squeezable_at(text, at) == 0) ++at;
    result.append(text, word, at - word);
  }
  const auto kept = stripped(result);
  return kept.size() == result.size() ? result : std::string(kept);
}

std::string visible_text(const Tree& tree, Index element, const TextOptions& options) {
  if (tree.name(element) == "textarea") return std::string(tree.text_of(element));
  TextWriter writer(options);
  struct Open {
    Index end;
    bool is_block;
  };
  std::vector<Open> open;
  const auto close_before = [&](Index i) {
    for (; !open.empty() && open.back().end <= i; open.pop_back()) {
      if (open.back().is_block) writer.edge();
    }
  };
  const auto end = tree.nodes[element].end;
  for (auto i = element; i < end;) {
    close_before(i);
    const auto& node = tree.nodes[i];
    if (node.kind == NodeKind::text) writer.text(tree.text_of(i));
    if (node.kind == NodeKind::element) {
      const auto name = tree.name(i);
      if (is_script(name) && !options.scripts && i != element) {
        i = node.end;
        continue;
      }
      const bool is_break = name == "br";
      const bool block = !is_break && !is_inline_element(name);
      if (is_break) writer.line_break();
      if (block) writer.edge();
      open.push_back({node.end, block});
    }
    ++i;
  }
  close_before(end);
  return writer.result();
}

}  // namespace eddy::html::detail
