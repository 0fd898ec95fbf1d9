// SPDX-License-Identifier: MIT
#include <html/selector_pseudo.hpp>

#include <algorithm>
#include <array>
#include <numeric>

namespace eddy::html::detail {
namespace {

struct Plain {
  std::string_view name;
  SimpleKind kind;
  int b = 0;                    // of the nth kinds, where a is 0
  std::string_view value = {};  // of input_type
};

constexpr std::array kPlain{
    Plain{"root", SimpleKind::root},
    Plain{"empty", SimpleKind::empty},
    Plain{"scope", SimpleKind::scope},
    Plain{"first-child", SimpleKind::nth_child, 1},
    Plain{"last-child", SimpleKind::nth_last_child, 1},
    Plain{"only-child", SimpleKind::only_child},
    Plain{"first-of-type", SimpleKind::nth_of_type, 1},
    Plain{"last-of-type", SimpleKind::nth_last_of_type, 1},
    Plain{"only-of-type", SimpleKind::only_of_type},
    Plain{"link", SimpleKind::any_link},
    Plain{"any-link", SimpleKind::any_link},
    Plain{"checked", SimpleKind::checked},
    Plain{"enabled", SimpleKind::enabled},
    Plain{"disabled", SimpleKind::disabled},
    Plain{"required", SimpleKind::required},
    Plain{"optional", SimpleKind::optional},
    Plain{"visited", SimpleKind::never},
    Plain{"hover", SimpleKind::never},
    Plain{"active", SimpleKind::never},
    Plain{"focus", SimpleKind::never},
    Plain{"focus-within", SimpleKind::never},
    Plain{"focus-visible", SimpleKind::never},
    Plain{"target", SimpleKind::never},
    Plain{"parent", SimpleKind::parent},
    Plain{"selected", SimpleKind::selected},
    Plain{"input", SimpleKind::input},
    Plain{"button", SimpleKind::button},
    Plain{"header", SimpleKind::header},
    Plain{"text", SimpleKind::input_type, 0, "text"},
    Plain{"password", SimpleKind::input_type, 0, "password"},
    Plain{"radio", SimpleKind::input_type, 0, "radio"},
    Plain{"checkbox", SimpleKind::input_type, 0, "checkbox"},
    Plain{"file", SimpleKind::input_type, 0, "file"},
    Plain{"image", SimpleKind::input_type, 0, "image"},
    Plain{"reset", SimpleKind::input_type, 0, "reset"},
    Plain{"submit", SimpleKind::input_type, 0, "submit"},
    Plain{"hidden", SimpleKind::input_type, 0, "hidden"},
};
constexpr std::array<std::string_view, 4> kPositions{"first", "last", "even", "odd"};
constexpr std::array<std::string_view, 14> kFunctions{"is",
                                                      "where",
                                                      "matches",
                                                      "not",
                                                      "has",
                                                      "nth-child",
                                                      "nth-last-child",
                                                      "nth-of-type",
                                                      "nth-last-of-type",
                                                      "lang",
                                                      "contains",
                                                      "eq",
                                                      "lt",
                                                      "gt"};
constexpr std::array<std::string_view, 10> kPseudoElements{
    "before",      "after",     "first-line", "first-letter", "marker",
    "placeholder", "selection", "backdrop",   "text",         "attr"};

// Edits between two short words; swapping neighbours counts one.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

}  // namespace

std::optional<Simple> plain_pseudo(std::string_view name) {
  const auto found =
      std::find_if(kPlain.begin(), kPlain.end(), [&](const Plain& p) { return p.name == name; });
  if (found == kPlain.end()) return std::nullopt;
  Simple simple;
  simple.kind = found->kind;
  simple.b = found->b;
  simple.value = found->value;
  return simple;
}

std::optional<Position> plain_position(std::string_view name) {
  const auto found = std::find(kPositions.begin(), kPositions.end(), name);
  if (found == kPositions.end()) return std::nullopt;
  return Position{static_cast<Position::Kind>(found - kPositions.begin()), 0};
}

bool is_function_name(std::string_view name) noexcept {
  return std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end();
}

bool is_pseudo_element(std::string_view name) noexcept {
  return std::find(kPseudoElements.begin(), kPseudoElements.end(), name) != kPseudoElements.end();
}

std::string_view nearest_pseudo(std::string_view name) {
  std::string_view best;
  auto best_distance = std::min<std::size_t>(3, name.size() / 2 + 1);
  const auto consider = [&](std::string_view candidate) {
    if (name.size() > 32) return;
    if (const auto distance = edit_distance(name, candidate); distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  };
  for (const auto& plain : kPlain) consider(plain.name);
  for (const auto position : kPositions) consider(position);
  for (const auto function : kFunctions) consider(function);
  return best;
}

}  // namespace eddy::html::detail
