// SPDX-License-Identifier: MIT
// Routes and their handlers.
#pragma once

#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/http/request.hpp>
#include <eddy/http/response.hpp>
#include <string_view>
#include <type_traits>
#include <utility>

namespace eddy::http {

class Next;

namespace detail {

struct Handler {
  virtual ~Handler() = default;
  virtual Coro<Response> call(Request& request) = 0;
};
template <class F>
struct CallableRoute final : Handler {
  explicit CallableRoute(F f) : function(std::move(f)) {}
  Coro<Response> call(Request& request) override { return function(request); }
  F function;
};
struct Middleware {
  virtual ~Middleware() = default;
  virtual Coro<Response> call(Request& request, Next next) = 0;
};
template <class F>
struct CallableMiddleware final : Middleware {
  explicit CallableMiddleware(F f) : function(std::move(f)) {}
  Coro<Response> call(Request& request, Next next) override;
  F function;
};

struct Routes;

}  // namespace detail

/// What a middleware calls to go on: the next middleware or the handler.
class Next {
 public:
  Coro<Response> operator()(Request& request) const;

  /// For eddy's own layers.
  Next(const detail::Routes& routes, std::size_t index, detail::Handler* handler) noexcept
      : routes_(&routes), handler_(handler), index_(index) {}

 private:
  const detail::Routes* routes_;
  detail::Handler* handler_;  // null: there is no route
  std::size_t index_;         // of the next middleware
};

/// How a folder is served.
struct StaticOptions {
  // Behaviour.
  std::string_view index = "index.html";  // answers for a folder; empty: folders are not found
  bool hidden_files = false;              // whether names that begin with '.' are served
  std::string_view cache_control = {};    // the Cache-Control field; empty: none
};

/// What a server does with each request: routes to coroutines.
///
///     http::Application app;
///     app.get("/users/{name}", [](http::Request& request) -> Coro<http::Response> {
///       co_return http::text_response("hello " + request.path_param("name"));
///     });
///     auto server = co_await http::serve(std::move(app), {.port = 8080});
///
/// Patterns are paths; `{name}` takes one segment, `{name:path}` the rest. Handlers are kept as long as the
/// server, so capturing lambdas are fine. GET routes answer HEAD, OPTIONS is answered from the routes, another
/// method gets 405 with Allow, another path 404. What a handler throws: an HttpError is the answer; anything
/// else is answered with 500 and reported to the loop's exception handler.
class Application {
 public:
  Application();
  Application(Application&&) noexcept;
  Application& operator=(Application&&) noexcept;
  ~Application();

  /// Throws RouteError (a ValueError) for a bad pattern, and for one that is there already.
  template <class F>
  void route(std::string_view method, std::string_view pattern, F handler) {
    add(method, pattern, std::make_unique<detail::CallableRoute<F>>(std::move(handler)));
  }
  template <class F>
  void get(std::string_view pattern, F handler) {
    route("GET", pattern, std::move(handler));
  }
  template <class F>
  void post(std::string_view pattern, F handler) {
    route("POST", pattern, std::move(handler));
  }
  template <class F>
  void put(std::string_view pattern, F handler) {
    route("PUT", pattern, std::move(handler));
  }
  template <class F>
  void patch(std::string_view pattern, F handler) {
    route("PATCH", pattern, std::move(handler));
  }
  template <class F>
  void delete_(std::string_view pattern, F handler) {
    route("DELETE", pattern, std::move(handler));
  }
  /// Every method that has no route of its own there.
  template <class F>
  void any(std::string_view pattern, F handler) {
    add("", pattern, std::make_unique<detail::CallableRoute<F>>(std::move(handler)));
  }

  /// Runs `middleware(Request&, Next)`, a coroutine, around every request, the first one added outermost. It
  /// answers itself or with `co_await next(request)`.
  template <class F>
  void use(F middleware) {
    add_middleware(std::make_unique<detail::CallableMiddleware<F>>(std::move(middleware)));
  }

  /// Serves the files under `directory`: types by their names, ETag and Last-Modified, 304, one byte range,
  /// `index.html` for folders. A path cannot leave the directory, neither by ".." nor by a symbolic link. Files
  /// of more than 64 KiB are read on the thread pool, 256 KiB at a time. Throws OSError if `directory` cannot be
  /// opened.
  void add_static(std::string_view prefix, std::string_view directory, StaticOptions options = {});

  /// For eddy's own layers.
  const detail::Routes& routes() const noexcept { return *routes_; }

 private:
  void add(std::string_view method, std::string_view pattern, std::unique_ptr<detail::Handler> handler);
  void add_middleware(std::unique_ptr<detail::Middleware> middleware);

  std::unique_ptr<detail::Routes> routes_;
};

// Implementation

template <class F>
Coro<Response> detail::CallableMiddleware<F>::call(Request& request, Next next) {
  return function(request, next);
}

}  // namespace eddy::http
