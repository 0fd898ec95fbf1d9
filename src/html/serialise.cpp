// SPDX-License-Identifier: MIT
// "Serialising HTML fragments", HTML Standard 13.3, for documents without scripting.
#include <html/access.hpp>

#include <algorithm>
#include <array>

namespace eddy::html::detail {
namespace {

// Elements whose text is written as it stands. (<noscript> only where scripts run.)
bool is_raw_text_element(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 7> kRaw{"iframe", "noembed", "noframes", "plaintext",
                                                        "script", "style",   "xmp"};
  return std::binary_search(kRaw.begin(), kRaw.end(), name);
}

void append_escaped(std::string& out, std::string_view text, bool in_attribute) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (const char c = text[at]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += in_attribute ? "<" : "&lt;";
        break;
      case '>':
        out += in_attribute ? ">" : "&gt;";
        break;
      case '"':
        out += in_attribute ? "&quot;" : "\"";
        break;
      case '\xC2':
        if (at + 1 < text.size() && text[at + 1] == '\xA0') {
          out += "&nbsp;";
          ++at;
          break;
        }
        [[fallthrough]];
      default:
        out += c;
    }
  }
}

void append_start_tag(std::string& out, const Tree& tree, Index i) {
  out += '<';
  out += tree.name(i);
  for (auto* a = tree.attributes_begin(i); a != tree.attributes_end(i); ++a) {
    out += ' ';
    out += tree.names[a->name];
    out += "=\"";
    append_escaped(out, tree.value(*a), true);
    out += '"';
  }
  out += '>';
}

void append_text(std::string& out, const Tree& tree, Index i) {
  const auto parent = tree.nodes[i].parent;
  if (parent != kDocument && is_raw_text_element(tree.name(parent))) {
    out += tree.text_of(i);
  } else {
    append_escaped(out, tree.text_of(i), false);
  }
}

void append_joined(std::string& out, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) out += part;
}

}  // namespace

std::string serialised(const Tree& tree, Index from, Index to) {
  std::string out;
  std::vector<Index> open;
  const auto close_before = [&](Index i) {
    for (; !open.empty() && tree.nodes[open.back()].end <= i; open.pop_back()) {
      append_joined(out, {"</", tree.name(open.back()), ">"});
    }
  };
  for (auto i = from; i < to; ++i) {
    close_before(i);
    switch (tree.nodes[i].kind) {
      case NodeKind::document:
        break;
      case NodeKind::text:
        append_text(out, tree, i);
        break;
      case NodeKind::comment:
        append_joined(out, {"<!--", tree.data_of(i), "-->"});
        break;
      case NodeKind::instruction:
        append_joined(out, {"<?", tree.name(i), " ", tree.data_of(i), ">"});
        break;
      case NodeKind::element:
        append_start_tag(out, tree, i);
        if (!is_void_element(tree.name(i))) open.push_back(i);
    }
  }
  close_before(to);
  return out;
}

}  // namespace eddy::html::detail
