// SPDX-License-Identifier: MIT
#include <eddy/http/application.hpp>
#include <eddy/http/http_error.hpp>

#include "http/server/connection.hpp"
#include "http/server/response_head.hpp"
#include "http/server/routes.hpp"

namespace eddy::http {

Application::Application() : routes_(std::make_unique<detail::Routes>()) {}
Application::Application(Application&&) noexcept = default;
Application& Application::operator=(Application&&) noexcept = default;
Application::~Application() = default;

void Application::add(std::string_view method, std::string_view pattern, std::unique_ptr<detail::Handler> handler) {
  const auto index = static_cast<std::uint32_t>(routes_->handlers.size());
  if (method.empty()) routes_->any.add("ANY", pattern, index);
  else routes_->router.add(method, pattern, index);
  routes_->handlers.push_back(std::move(handler));
}

void Application::add_middleware(std::unique_ptr<detail::Middleware> middleware) {
  routes_->middlewares.push_back(std::move(middleware));
}

namespace {

Coro<Response> answer_without_handler(const detail::Routes& routes, Request& request) {
  Response answer;
  PathParams unused;
  detail::find_handler(routes, request.connection().head(), unused, answer);
  co_return answer;
}

}  // namespace

Coro<Response> Next::operator()(Request& request) const {
  if (index_ < routes_->middlewares.size()) {
    return routes_->middlewares[index_]->call(request, Next(*routes_, index_ + 1, handler_));
  }
  return handler_ ? handler_->call(request) : answer_without_handler(*routes_, request);
}

namespace detail {

Handler* find_handler(const Routes& routes, const RequestHead& head, PathParams& params, Response& answer) {
  auto match = routes.router.find(head.method(), head.method_text(), head.path());
  if (match.outcome == Router::Outcome::found) {
    params = match.params;
    return routes.handlers[match.handler].get();
  }
  auto fallback = routes.any.find(Method::other, "ANY", head.path());
  if (fallback.outcome == Router::Outcome::found) {
    params = fallback.params;
    return routes.handlers[fallback.handler].get();
  }
  params = {};
  if (head.method() == Method::options && head.form() == TargetForm::asterisk) {
    answer = Response(204);
  } else if (match.outcome == Router::Outcome::method_not_allowed) {
    answer = head.method() == Method::options ? Response(204) : error_response(405, {});
    auto allowed = routes.router.allowed(head.path());
    if (allowed.find("OPTIONS") == allowed.npos) allowed += ", OPTIONS";
    answer.headers().add("Allow", allowed);
  } else {
    answer = error_response(404, {});
  }
  return nullptr;
}

}  // namespace detail
}  // namespace eddy::http
