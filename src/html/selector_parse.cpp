// SPDX-License-Identifier: MIT
// Selectors, by recursive descent over the text: https://www.w3.org/TR/selectors-4/#grammar with the tokens
// of https://www.w3.org/TR/css-syntax-3/. Stricter than browsers in one way: nothing is closed by the end of
// the text.
#include <html/selector_pseudo.hpp>
#include <html/selector_scanner.hpp>
#include <html/selector_syntax.hpp>
#include <html/tree.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace eddy::html::detail {
namespace {

constexpr std::size_t kMostBytes = 16384;
constexpr std::size_t kMostCompounds = 64;
constexpr int kMostNesting = 8;
constexpr auto kPseudoElementHint =
    "pseudo-elements select no element; take the element and ask it for text() or attr()";

class Parser : Scanner {
 public:
  explicit Parser(std::string_view css) : Scanner(css) {}

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
    return c == '>' || c == '+' || c == '~' || c == ',' || c == '(' ? fmt::format(" after '{}'", c)
                                                                    : std::string();
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
    if (at_ == begin)
      fail(at_, fmt::format("expected a selector{}, got {}", after_what(after), here()), hint_for_stray());
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
      case '#':
        compound.simples.push_back(parse_id());
        return true;
      case '.':
        compound.simples.push_back(parse_class());
        return true;
      case '[':
        compound.simples.push_back(parse_attribute());
        return true;
      case ':':
        parse_pseudo(compound);
        return true;
      case '/':
        return skip_comment();
      default:
        return false;
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
      fail(at_, fmt::format("expected a value, got {}", here()),
           "a value that is no name needs quotes: [name='value']");
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
    static constexpr AttributeTest kTests[] = {AttributeTest::differs, AttributeTest::has_word,
                                               AttributeTest::dash,    AttributeTest::begins,
                                               AttributeTest::ends,    AttributeTest::contains};
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
      if (plain_pseudo(name) || plain_position(name))
        fail(open, fmt::format("':{}' takes no argument", name));
      fail_unknown(name, name_at, "()");
    }
    if (++nesting_ > kMostNesting)
      fail(name_at, fmt::format("more than {} functions inside each other", kMostNesting));
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
    if (!at_end() && peek() != ')')
      fail(at_, fmt::format("expected ')', got {}", here()), "more than one word needs quotes");
    return simple;
  }

  // --- numbers ---

  Position parse_index(std::string_view name) {
    const auto kind = name == "eq"   ? Position::Kind::eq
                      : name == "lt" ? Position::Kind::lt
                                     : Position::Kind::gt;
    if (peek() == '-') fail(at_, "an index from the end", "select() and then take Elements::eq(-1)");
    return {kind, take_number(fmt::format("a number, counted from 0, for ':{}'", name))};
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

  std::uint32_t slots_ = 0;
  bool counts_ = false;
  bool uses_scope_ = false;
};

}  // namespace

CompiledSelector compile_selector(std::string_view css) { return Parser(css).run(); }

}  // namespace eddy::html::detail

namespace eddy::html {

namespace {

using Compiled = std::shared_ptr<const detail::CompiledSelector>;

// Crawlers ask each page for the same: this thread's last ones are kept. Long ones are not, who knows where they are from.
Compiled compiled(std::string_view css) {
  constexpr std::size_t kKept = 32, kLongest = 256;
  struct Recent {
    Compiled places[kKept];
    std::size_t next = 0;
  };
  thread_local Recent recent;
  for (const auto& place : recent.places) {
    if (!place) break;
    if (place->text == css) return place;
  }
  auto made = std::make_shared<const detail::CompiledSelector>(detail::compile_selector(css));
  if (css.size() <= kLongest) recent.places[recent.next++ % kKept] = made;
  return made;
}

}  // namespace

Selector::Selector(std::string_view css) : compiled_(compiled(css)) {}

const std::string& Selector::text() const noexcept { return compiled_->text; }

}  // namespace eddy::html
