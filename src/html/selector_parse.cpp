// SPDX-License-Identifier: MIT
// Selectors, by recursive descent over the text: https://www.w3.org/TR/selectors-4/#grammar with the tokens of
// https://www.w3.org/TR/css-syntax-3/. Stricter than browsers in one way: nothing is closed by the end of the text.
#include <html/selector_pseudo.hpp>
#include <html/selector_syntax.hpp>
#include <html/tree.hpp>

#include <base/charset_codec.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace eddy::html::detail {
namespace {

constexpr std::size_t kMostBytes = 16384;
constexpr std::size_t kMostCompounds = 64;
constexpr int kMostNesting = 8;
constexpr auto kPseudoElementHint =
    "pseudo-elements select no element; take the element and ask it for text() or attr()";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_hex(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool is_name_start(char c) noexcept {
  return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) noexcept { return is_name_start(c) || is_digit(c) || c == '-'; }
bool is_newline(char c) noexcept { return c == '\n' || c == '\r' || c == '\f'; }

void append_character(std::string& out, std::uint32_t c) {
  const bool is_scalar = c != 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
  charset::append_utf8(out, is_scalar ? c : 0xFFFD);
}

class Parser {
 public:
  explicit Parser(std::string_view css) : css_(css) {}

  CompiledSelector run() {
    if (css_.size() > kMostBytes) {
      fail(kMostBytes, fmt::format("{} bytes, the limit is {}", css_.size(), kMostBytes));
    }
    CompiledSelector compiled;
    compiled.text = css_;
    compiled.list = parse_list(false);
    if (!at_end()) fail(at_, fmt::format("unexpected {}", here()), hint_for_stray());
    compiled.slots = slots_;
    compiled.counts = counts_;
    compiled.uses_scope = uses_scope_;
    return compiled;
  }

 private:
  // --- text ---

  bool at_end() const noexcept { return at_ == css_.size(); }
  char peek(std::size_t ahead = 0) const noexcept { return at_ + ahead < css_.size() ? css_[at_ + ahead] : '\0'; }
  bool take(char c) noexcept {
    if (at_end() || css_[at_] != c) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void fail(std::size_t at, const std::string& problem, const std::string& hint = {}) const {
    throw SelectorError(css_, at, problem, hint);
  }

  std::string here() const {
    if (at_end()) return "the end";
    auto end = at_ + 1;
    while (end < css_.size() && (static_cast<unsigned char>(css_[end]) & 0xC0) == 0x80) ++end;
    return fmt::format("'{}'", css_.substr(at_, end - at_));
  }

  std::string hint_for_stray() const {
    if (peek() == '/') return "this looks like XPath; CSS writes 'div > a' for '//div/a'";
    if (peek() == ')' && nesting_ == 0) return "there is one ')' too many";
    if (peek() == '@') return "CSS has no '@' in front of attribute names: [href]";
    if (is_digit(peek())) return "a name cannot begin with a digit; write '\\3" + std::string(1, peek()) + " '";
    if (peek() == '=') return "attributes are tested in brackets: [name='value']";
    return {};
  }

  bool skip_comment() {
    if (peek() != '/' || peek(1) != '*') return false;
    const auto end = css_.find("*/", at_ + 2);
    if (end == std::string_view::npos) fail(at_, "a comment that is not closed", "'*/' closes it");
    at_ = end + 2;
    return true;
  }

  // Comments are no blanks, but may stand where blanks may. True if there was a blank.
  bool skip_blanks() {
    bool blank = false;
    for (;;) {
      if (!at_end() && is_blank(css_[at_])) {
        ++at_;
        blank = true;
      } else if (!skip_comment()) {
        return blank;
      }
    }
  }

  // --- tokens ---

  bool at_escape() const noexcept { return peek() == '\\' && at_ + 1 < css_.size() && !is_newline(css_[at_ + 1]); }
  bool at_name() const noexcept {
    if (at_escape() || (!at_end() && is_name_start(peek()))) return true;
    if (peek() != '-') return false;
    const char second = peek(1);
    return is_name_start(second) || second == '-' || (second == '\\' && at_ + 2 < css_.size() && !is_newline(peek(2)));
  }

  void take_escape(std::string& out) {
    ++at_;
    if (!is_hex(peek())) {
      out += css_[at_++];
      return;
    }
    std::uint32_t value = 0;
    for (int digits = 0; digits < 6 && is_hex(peek()); ++digits, ++at_) {
      const char c = lower(peek());
      value = value * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    append_character(out, value);
    if (peek() == '\r' && peek(1) == '\n') ++at_;
    if (!at_end() && is_blank(peek())) ++at_;
  }

  std::string take_name_chars() {
    std::string name;
    while (!at_end()) {
      if (at_escape()) {
        take_escape(name);
      } else if (is_name_char(peek())) {
        name += css_[at_++];
      } else {
        break;
      }
    }
    return name;
  }

  std::string take_name(std::string_view what) {
    if (!at_name()) fail(at_, fmt::format("expected {}, got {}", what, here()), hint_for_stray());
    return take_name_chars();
  }

  std::string take_string() {
    const auto begin = at_;
    const char quote = css_[at_++];
    std::string value;
    for (;;) {
      if (at_end()) fail(begin, "a string that is not closed", fmt::format("{} closes it", quote));
      const char c = peek();
      if (c == quote) return ++at_, value;
      if (is_newline(c)) fail(at_, "a line break inside a string", "write it as '\\A '");
      if (c != '\\') {
        value += css_[at_++];
      } else if (at_escape()) {
        take_escape(value);
      } else {  // a backslash at the end of a line joins it to the next
        ++at_;
        if (peek() == '\r' && peek(1) == '\n') ++at_;
        if (!at_end()) ++at_;
      }
    }
  }

  // --- selectors ---

  SelectorList parse_list(bool relative) {
    SelectorList list;
    do {
      skip_blanks();
      list.push_back(parse_complex(relative));
      skip_blanks();
    } while (take(','));
    return list;
  }

  Combinator take_combinator() {
    const bool blank = skip_blanks();
    if (take('>')) return Combinator::child;
    if (take('+')) return Combinator::next_sibling;
    if (take('~')) return Combinator::later_sibling;
    const bool over = at_end() || peek() == ',' || peek() == ')';
    return blank && !over ? Combinator::descendant : Combinator::none;
  }

  Complex parse_complex(bool relative) {
    Complex complex;
    auto combinator = Combinator::none;
    if (relative) {
      combinator = take_combinator();
      if (combinator == Combinator::none) combinator = Combinator::descendant;
    }
    for (;;) {
      const auto after = at_;
      skip_blanks();
      if (complex.compounds.size() == kMostCompounds) {
        fail(at_, fmt::format("more than {} compound selectors in a row", kMostCompounds));
      }
      complex.compounds.push_back(parse_compound(after));
      complex.compounds.back().combinator = combinator;
      combinator = take_combinator();
      if (combinator == Combinator::none) return complex;
    }
  }

  // What went before the place where a selector should stand, for the message.
  std::string after_what(std::size_t at) const {
    while (at > 0 && is_blank(css_[at - 1])) --at;
    if (at == 0) return {};
    const char c = css_[at - 1];
    return c == '>' || c == '+' || c == '~' || c == ',' || c == '(' ? fmt::format(" after '{}'", c) : std::string();
  }

  Compound parse_compound(std::size_t after) {
    Compound compound;
    compound.slot = slots_++;
    const auto begin = at_;
    if (at_name() || peek() == '*' || (peek() == '|' && peek(1) != '=')) {
      if (auto tag = parse_tag()) compound.simples.push_back(std::move(*tag));
    }
    while (parse_simple(compound)) {
    }
    if (at_ == begin) fail(at_, fmt::format("expected a selector{}, got {}", after_what(after), here()), hint_for_stray());
    return compound;
  }

  Simple make_simple(SimpleKind kind) {
    Simple simple;
    simple.kind = kind;
    simple.slot = slots_++;
    return simple;
  }

  // A name with what may stand in front of it. `star` is whether the name itself may be '*'.
  void parse_qualified(Simple& simple, std::string_view what, bool star) {
    const auto take_part = [&]() -> std::string { return take('*') ? "*" : lowered(take_name(what)); };
    const auto at_bar = [&] { return peek() == '|' && peek(1) != '='; };
    if (at_bar()) {
      ++at_;
      simple.prefix = Prefix::none;
      simple.name = take_part();
    } else {
      simple.name = take_part();
      if (at_bar()) {
        ++at_;
        simple.prefix = simple.name == "*" ? Prefix::any : Prefix::named;
        const auto local = take_part();
        simple.name = simple.prefix == Prefix::any ? local : simple.name + ":" + local;
      }
    }
    if (!star && simple.name.ends_with('*')) fail(at_, fmt::format("expected {}, got '*'", what));
  }

  // Nothing for a plain '*', which every element is.
  std::optional<Simple> parse_tag() {
    auto simple = make_simple(SimpleKind::tag);
    parse_qualified(simple, "a tag name", true);
    if (simple.name == "*" && simple.prefix != Prefix::none) return std::nullopt;
    return simple;
  }

  bool parse_simple(Compound& compound) {
    switch (peek()) {
      case '#': compound.simples.push_back(parse_id()); return true;
      case '.': compound.simples.push_back(parse_class()); return true;
      case '[': compound.simples.push_back(parse_attribute()); return true;
      case ':': parse_pseudo(compound); return true;
      case '/': return skip_comment();
      default: return false;
    }
  }

  Simple parse_id() {
    ++at_;
    auto simple = make_simple(SimpleKind::id);
    simple.value = take_name_chars();  // unlike CSS, an id that begins with a digit is taken as it stands
    if (simple.value.empty()) fail(at_, fmt::format("expected an id after '#', got {}", here()));
    return simple;
  }

  Simple parse_class() {
    ++at_;
    auto simple = make_simple(SimpleKind::class_name);
    simple.value = take_name("a class name after '.'");
    return simple;
  }

  Simple parse_attribute() {
    const auto begin = at_++;
    auto simple = make_simple(SimpleKind::attribute);
    skip_blanks();
    parse_qualified(simple, "an attribute name", false);
    skip_blanks();
    if (take(']')) return simple;
    simple.test = take_operator(begin);
    skip_blanks();
    if (peek() == '"' || peek() == '\'') {
      simple.value = take_string();
    } else if (at_name()) {
      simple.value = take_name_chars();
    } else {
      fail(at_, fmt::format("expected a value, got {}", here()), "a value that is no name needs quotes: [name='value']");
    }
    skip_blanks();
    if (const char flag = lower(peek()); flag == 'i' || flag == 's') {
      simple.ignore_case = flag == 'i';
      ++at_;
      skip_blanks();
    }
    if (!take(']')) fail(at_, fmt::format("expected ']', got {}", here()), value_hint());
    return simple;
  }

  std::string value_hint() const {
    return at_end() ? "" : "a value with other characters than letters, digits, '-' and '_' needs quotes";
  }

  AttributeTest take_operator(std::size_t begin) {
    static constexpr std::string_view kMarks = "!~|^$*";
    static constexpr AttributeTest kTests[] = {AttributeTest::differs, AttributeTest::has_word, AttributeTest::dash,
                                               AttributeTest::begins,  AttributeTest::ends,     AttributeTest::contains};
    if (take('=')) return AttributeTest::equals;
    if (const auto i = kMarks.find(peek()); !at_end() && i != std::string_view::npos && peek(1) == '=') {
      at_ += 2;
      return kTests[i];
    }
    if (at_end()) fail(begin, "a '[' that is not closed", "']' closes it");
    fail(at_, fmt::format("expected ']' or one of = != ~= |= ^= $= *=, got {}", here()));
  }

  // --- pseudo-classes ---

  void parse_pseudo(Compound& compound) {
    const auto begin = at_++;
    const bool is_element = take(':');
    const auto name_at = at_;
    const auto name = lowered(take_name(is_element ? "a name after '::'" : "a name after ':'"));
    const bool is_function = peek() == '(';
    if (is_element) fail(begin, fmt::format("'::{}' is a pseudo-element", name), kPseudoElementHint);
    if (is_function) return parse_function(compound, name, name_at);
    if (const auto position = plain_position(name)) return add_position(compound, *position, begin);
    if (auto simple = plain_pseudo(name)) {
      simple->slot = slots_++;
      uses_scope_ = uses_scope_ || simple->kind == SimpleKind::scope;
      return compound.simples.push_back(std::move(*simple));
    }
    if (is_function_name(name)) fail(at_, fmt::format("':{0}' needs an argument: ':{0}(…)'", name));
    fail_unknown(name, name_at, "");
  }

  [[noreturn]] void fail_unknown(std::string_view name, std::size_t at, std::string_view call) {
    if (is_pseudo_element(name)) fail(at, fmt::format("':{}' is a pseudo-element", name), kPseudoElementHint);
    const auto nearest = nearest_pseudo(name);
    fail(at, fmt::format("no pseudo-class is called ':{}{}'", name, call),
         nearest.empty() ? "" : fmt::format("did you mean ':{}'?", nearest));
  }

  void add_position(Compound& compound, Position position, std::size_t at) {
    if (nesting_ > 0) {
      fail(at, "a pseudo-class that counts the elements found cannot stand inside another",
           "':first' and its like belong to the outermost selector");
    }
    counts_ = true;
    compound.positions.push_back(position);
  }

  void parse_function(Compound& compound, std::string_view name, std::size_t name_at) {
    const auto open = at_++;
    if (!is_function_name(name)) {
      if (plain_pseudo(name) || plain_position(name)) fail(open, fmt::format("':{}' takes no argument", name));
      fail_unknown(name, name_at, "()");
    }
    if (++nesting_ > kMostNesting) fail(name_at, fmt::format("more than {} functions inside each other", kMostNesting));
    skip_blanks();
    const bool is_position = name == "eq" || name == "lt" || name == "gt";
    std::optional<Position> position;
    if (is_position) {
      position = parse_index(name);
    } else {
      compound.simples.push_back(parse_function_argument(name));
    }
    skip_blanks();
    if (at_end()) fail(open, "a '(' that is not closed", "')' closes it");
    if (!take(')')) fail(at_, fmt::format("expected ')', got {}", here()), hint_for_stray());
    --nesting_;
    if (position) add_position(compound, *position, name_at);
  }

  Simple parse_function_argument(std::string_view name) {
    if (name == "is" || name == "where" || name == "matches") return parse_nested(SimpleKind::is, false);
    if (name == "not") return parse_nested(SimpleKind::no, false);
    if (name == "has") return parse_nested(SimpleKind::has, true);
    if (name == "lang") return parse_text(SimpleKind::lang);
    if (name == "contains") return parse_text(SimpleKind::contains);
    if (name == "nth-child") return parse_nth(SimpleKind::nth_child, true);
    if (name == "nth-last-child") return parse_nth(SimpleKind::nth_last_child, true);
    if (name == "nth-of-type") return parse_nth(SimpleKind::nth_of_type, false);
    return parse_nth(SimpleKind::nth_last_of_type, false);
  }

  Simple parse_nested(SimpleKind kind, bool relative) {
    auto simple = make_simple(kind);
    simple.list = parse_list(relative);
    return simple;
  }

  Simple parse_text(SimpleKind kind) {
    auto simple = make_simple(kind);
    if (peek() == '"' || peek() == '\'') {
      simple.value = take_string();
    } else if (at_name()) {
      simple.value = take_name_chars();
    } else {
      fail(at_, fmt::format("expected a string, got {}", here()));
    }
    skip_blanks();
    if (!at_end() && peek() != ')') fail(at_, fmt::format("expected ')', got {}", here()), "more than one word needs quotes");
    return simple;
  }

  // --- numbers ---

  int take_number(std::string_view what) {
    const auto begin = at_;
    std::int64_t value = 0;
    while (is_digit(peek())) {
      value = value * 10 + (css_[at_++] - '0');
      if (value > std::numeric_limits<int>::max()) fail(begin, "a number above 2147483647");
    }
    if (at_ == begin) fail(at_, fmt::format("expected {}, got {}", what, here()));
    return static_cast<int>(value);
  }

  Position parse_index(std::string_view name) {
    const auto kind = name == "eq" ? Position::Kind::eq : name == "lt" ? Position::Kind::lt : Position::Kind::gt;
    if (peek() == '-') fail(at_, "an index from the end", "select() and then take Elements::eq(-1)");
    return {kind, take_number(fmt::format("a number, counted from 0, for ':{}'", name))};
  }

  bool take_word(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (lower(peek(i)) != word[i]) return false;
    }
    if (at_ + word.size() < css_.size() && is_name_char(peek(word.size()))) return false;
    at_ += word.size();
    return true;
  }

  // an+b: https://www.w3.org/TR/css-syntax-3/#anb
  Simple parse_nth(SimpleKind kind, bool may_filter) {
    auto simple = make_simple(kind);
    if (take_word("odd")) {
      simple.a = 2;
      simple.b = 1;
    } else if (take_word("even")) {
      simple.a = 2;
    } else {
      parse_series(simple);
    }
    skip_blanks();
    if (may_filter && !is_name_char(css_[at_ - 1]) && take_word("of")) simple.list = parse_list(false);
    return simple;
  }

  void parse_series(Simple& simple) {
    static constexpr std::string_view kWhat = "'odd', 'even', a number or something like 2n+1";
    const bool negative = peek() == '-';
    if (negative || peek() == '+') ++at_;
    const bool has_number = is_digit(peek());
    const int number = has_number || lower(peek()) != 'n' ? take_number(kWhat) : 1;
    const int value = negative ? -number : number;
    if (lower(peek()) != 'n') {
      simple.b = value;
      return;
    }
    ++at_;
    simple.a = value;
    skip_blanks();
    if (peek() != '+' && peek() != '-') return;
    const bool minus = css_[at_++] == '-';
    skip_blanks();
    const int b = take_number("a number after the sign");
    simple.b = minus ? -b : b;
  }

  std::string_view css_;
  std::size_t at_ = 0;
  std::uint32_t slots_ = 0;
  int nesting_ = 0;
  bool counts_ = false;
  bool uses_scope_ = false;
};

}  // namespace

CompiledSelector compile_selector(std::string_view css) { return Parser(css).run(); }

}  // namespace eddy::html::detail

namespace eddy::html {

Selector::Selector(std::string_view css)
    : compiled_(std::make_shared<const detail::CompiledSelector>(detail::compile_selector(css))) {}

const std::string& Selector::text() const noexcept { return compiled_->text; }

}  // namespace eddy::html
