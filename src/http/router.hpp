// SPDX-License-Identifier: MIT
// Which handler answers which method and path.
#pragma once

#include <eddy/exceptions.hpp>
#include <eddy/http/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::http {

/// A route that cannot be added: "route 'GET /a/{y}' conflicts with 'GET /a/{x}'".
class RouteError : public ValueError {
  using ValueError::ValueError;
};

/// What a path's parameters were, still percent-encoded, as views into the path and the router.
class PathParams {
 public:
  static constexpr std::size_t kCapacity = 16;

  PathParams() noexcept {}
  PathParams(const PathParams&) = delete;
  PathParams& operator=(const PathParams&) = delete;

  std::size_t size() const noexcept { return names_ != nullptr ? names_->size() : 0; }
  /// The decoded value; throws KeyError: "no path parameter 'id' in '/users/{name}'".
  std::string at(std::string_view name) const;
  std::string_view name(std::size_t index) const noexcept { return (*names_)[index]; }
  /// The value as it was sent.
  std::string_view raw(std::size_t index) const noexcept { return {values_[index].text, values_[index].size}; }

 private:
  friend class Router;
  const std::vector<std::string>* names_ = nullptr;
  const std::string* pattern_ = nullptr;
  struct Value {
    const char* text;
    std::size_t size;
  };
  Value values_[kCapacity];  // the first size() of them: most paths have none, and each request has a PathParams
};

/// A tree of path segments.
///
///     router.add("GET", "/users/{id}", 7);
///     router.add("GET", "/files/{name:path}", 8);   // the rest of the path, slashes and all
///     auto match = router.find(head.method(), head.method_text(), head.path(), params);
///
/// Static segments win over parameters, parameters over `:path`; what was chosen is given up if the rest does
/// not match or the method is not there. A parameter takes one segment that is not empty. Segments are
/// compared percent-decoded; an encoded slash divides nothing. HEAD is answered by GET's handler unless it
/// has its own. A trailing slash counts. Each node is visited twice at most, and nothing is allocated unless
/// the path holds '%'.
class Router {
 public:
  enum class Outcome : std::uint8_t { found, not_found, method_not_allowed };
  struct Match {
    Outcome outcome = Outcome::not_found;
    std::uint32_t handler = 0;  ///< what `add` was given, if found
  };

  Router();

  /// Throws RouteError for a bad pattern, or if the same method and path shape are there already.
  void add(std::string_view method, std::string_view pattern, std::uint32_t handler);
  /// `path` is the encoded path of a request, without its query. `params` becomes its parameters, none unless found; they live
  /// as long as the path and the router do.
  Match find(Method method, std::string_view method_text, std::string_view path, PathParams& params) const;
  /// The methods `path` answers to: "GET, HEAD, POST", for Allow; "" if the path is unknown.
  std::string allowed(std::string_view path) const;

 private:
  struct Route {
    Method method;
    std::string method_text;
    std::string pattern;
    std::vector<std::string> names;
    std::uint32_t handler;
  };
  struct Child {
    std::string text;
    std::uint32_t node;
    // By length first, which is compared for nothing.
    int compare(std::string_view other) const noexcept {
      if (text.size() != other.size()) return text.size() < other.size() ? -1 : 1;
      return std::char_traits<char>::compare(text.data(), other.data(), other.size());
    }
  };
  using Children = std::vector<Child>;  // in order of compare()
  struct Place {
    std::size_t index;
    bool taken;
  };
  struct Node {
    Children statics;            // by segment
    std::uint32_t param = 0;     // 0: none; the root is nobody's child
    std::uint32_t tail = 0;
    std::vector<Route> routes;
    const Route* route_of(Method method, std::string_view method_text) const noexcept;
  };
  struct Search;

  std::uint32_t child_for(std::uint32_t node, std::string_view segment, bool is_param, bool is_tail);
  // Where the child of `text` is, or has to go.
  static Place place_of(const Children& children, std::string_view text) noexcept {
    std::size_t begin = 0;
    for (auto end = children.size(); begin < end;) {
      const auto middle = (begin + end) / 2;
      const int order = children[middle].compare(text);
      if (order == 0) return {middle, true};
      if (order < 0) begin = middle + 1;
      else end = middle;
    }
    return {begin, false};
  }
  static std::uint32_t add_child(Children& children, std::string_view text, std::uint32_t node);
  const Node* child(const Children& children, std::string_view text) const noexcept {
    const auto place = place_of(children, text);
    return place.taken ? &nodes_[children[place.index].node] : nullptr;
  }

  std::vector<Node> nodes_;
  Children whole_;  // by path: those of routes without parameters, which most requests ask for
};

}  // namespace eddy::http
