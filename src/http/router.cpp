// SPDX-License-Identifier: MIT
#include "http/router.hpp"

#include <eddy/http/percent.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "http/ascii.hpp"

namespace eddy::http {
namespace {

struct Piece {
  std::string_view text;  // the segment, or the parameter's name
  bool is_param = false, is_tail = false;
};

// What is wrong with a pattern, said once the whole is known.
[[noreturn]] void refuse(std::string_view method, std::string_view pattern, std::string_view why) {
  throw RouteError(fmt::format("route '{} {}' {}", method, pattern, why));
}

Piece parse_segment(std::string_view method, std::string_view pattern, std::string_view segment) {
  if (segment.find_first_of("{}") == std::string_view::npos) {
    if (segment.find_first_of("?#%") != std::string_view::npos)
      refuse(method, pattern,
             fmt::format("has '{}': write paths decoded, without query or fragment", segment));
    return {segment};
  }
  if (segment.size() < 3 || segment.front() != '{' || segment.back() != '}')
    refuse(method, pattern,
           fmt::format("has '{}': a parameter must be a whole segment, '{{name}}'", segment));
  const auto inside = segment.substr(1, segment.size() - 2);
  const auto colon = std::min(inside.find(':'), inside.size());
  const auto name = inside.substr(0, colon);
  if (colon != inside.size() && inside.substr(colon + 1) != "path")
    refuse(method, pattern, fmt::format("has '{}': the only kind of parameter is 'path'", segment));
  for (char c : name)
    if (!ascii::is_alnum(c) && c != '_')
      refuse(method, pattern, fmt::format("has '{}': a name has letters, digits and '_'", segment));
  if (name.empty()) refuse(method, pattern, fmt::format("has '{}': the name is empty", segment));
  return {name, true, colon != inside.size()};
}

}  // namespace

std::string PathParams::at(std::string_view wanted) const {
  for (std::size_t i = 0; i < size(); ++i)
    if (name(i) == wanted) return percent_decode(raw(i));
  throw KeyError(fmt::format("no path parameter '{}' in '{}'", wanted, pattern_ != nullptr ? *pattern_ : ""));
}

Router::Router() : nodes_(1) {}

void Router::add(std::string_view method, std::string_view pattern, std::uint32_t handler) {
  if (!pattern.starts_with('/')) refuse(method, pattern, "does not begin with '/'");
  std::vector<Piece> pieces;
  for (auto rest = pattern; !rest.empty();) {
    rest.remove_prefix(1);
    if (!pieces.empty() && pieces.back().is_tail)
      refuse(method, pattern, "goes on behind a ':path' parameter, which takes all the rest");
    const auto end = std::min(rest.find('/'), rest.size());
    pieces.push_back(parse_segment(method, pattern, rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  std::vector<std::string> names;
  for (const Piece& piece : pieces) {
    if (!piece.is_param) continue;
    if (std::find(names.begin(), names.end(), piece.text) != names.end())
      refuse(method, pattern, fmt::format("has two parameters called '{}'", piece.text));
    names.emplace_back(piece.text);
  }
  if (names.size() > PathParams::kCapacity)
    refuse(method, pattern,
           fmt::format("has {} parameters; {} are possible", names.size(), PathParams::kCapacity));

  std::uint32_t node = 0;
  for (const Piece& piece : pieces) node = child_for(node, piece.text, piece.is_param, piece.is_tail);
  for (const Route& route : nodes_[node].routes)
    if (route.method_text == method)
      refuse(method, pattern, fmt::format("conflicts with '{} {}'", route.method_text, route.pattern));
  nodes_[node].routes.push_back(
      {method_of(method), std::string(method), std::string(pattern), std::move(names), handler});
  if (nodes_[node].routes.back().names.empty()) add_child(whole_, pattern, node);
}

// Gives the node of `text`: `node`, unless there is one already.
std::uint32_t Router::add_child(Children& children, std::string_view text, std::uint32_t node) {
  const auto place = place_of(children, text);
  if (place.taken) return children[place.index].node;
  children.insert(children.begin() + static_cast<std::ptrdiff_t>(place.index), {std::string(text), node});
  return node;
}

std::uint32_t Router::child_for(std::uint32_t node, std::string_view segment, bool is_param, bool is_tail) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  if (is_param) {
    auto& child = is_tail ? nodes_[node].tail : nodes_[node].param;
    if (child != 0) return child;
    child = next;
  } else {
    const auto child = add_child(nodes_[node].statics, segment, next);
    if (child != next) return child;
  }
  nodes_.emplace_back();  // last: references into nodes_ end here
  return next;
}

// HEAD is answered by GET's unless it has its own.
inline const Router::Route* Router::Node::route_of(Method method, std::string_view method_text) const noexcept {
  const Route* get = nullptr;
  for (const Route& route : routes) {
    if (route.method == method && (method != Method::other || route.method_text == method_text)) return &route;
    if (route.method == Method::get && method == Method::head) get = &route;
  }
  return get;
}

// One walk down the tree, which takes back its choices. It ends at the first route for the method; without
// one it notes all methods it met.
struct Router::Search {
  const Router& router;
  Method method;
  std::string_view method_text;
  PathParams& params;
  std::size_t depth = 0;  // parameters bound
  const Route* found = nullptr;
  bool path_known = false;
  std::vector<std::string_view>* methods = nullptr;

  bool leaf(const Node& node) {
    path_known |= !node.routes.empty();
    if (methods != nullptr) {
      for (const Route& route : node.routes) methods->push_back(route.method_text);
    }
    found = node.route_of(method, method_text);
    return found != nullptr;
  }

  void bind(std::string_view value) { params.values_[depth++] = {value.data(), value.size()}; }

  // `rest` begins with the slash before the next segment, or is empty.
  bool walk(const Node& node, std::string_view rest) {
    if (rest.empty()) return leaf(node);
    const auto end = std::min(rest.find('/', 1), rest.size());
    const auto segment = rest.substr(1, end - 1);
    const Node* next = segment.find('%') == std::string_view::npos
                           ? router.child(node.statics, segment)
                           : router.child(node.statics, percent_decode(segment));
    if (next != nullptr && walk(*next, rest.substr(end))) return true;
    if (node.param != 0 && !segment.empty()) {
      bind(segment);
      if (walk(router.nodes_[node.param], rest.substr(end))) return true;
      --depth;
    }
    if (node.tail != 0) {
      bind(rest.substr(1));
      if (leaf(router.nodes_[node.tail])) return true;
      --depth;
    }
    return false;
  }
};

Router::Match Router::find(Method method, std::string_view method_text, std::string_view path, PathParams& params) const {
  Match match;
  const Node* const whole = child(whole_, path);
  const Route* route = whole != nullptr ? whole->route_of(method, method_text) : nullptr;
  if (route == nullptr && path.starts_with('/')) {
    Search search{*this, method, method_text, params};
    search.walk(nodes_[0], path);
    route = search.found;
    if (search.path_known) match.outcome = Outcome::method_not_allowed;
  }
  if (route != nullptr) {
    match.outcome = Outcome::found;
    match.handler = route->handler;
  }
  params.names_ = route != nullptr ? &route->names : nullptr;
  params.pattern_ = route != nullptr ? &route->pattern : nullptr;
  return match;
}

std::string Router::allowed(std::string_view path) const {
  std::vector<std::string_view> methods;
  PathParams unused;
  Search search{*this, Method::other, "", unused, 0, nullptr, false, &methods};
  if (path.starts_with('/')) search.walk(nodes_[0], path);
  if (std::find(methods.begin(), methods.end(), "GET") != methods.end()) methods.push_back("HEAD");
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return fmt::format("{}", fmt::join(methods, ", "));
}

}  // namespace eddy::http
