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

Coro<Response> answer_unrouted(const detail::Routes& routes, Request& request) {
  co_return detail::unrouted_response(routes, request.connection().head());
}

}  // namespace

Coro<Response> Next::operator()(Request& request) const {
  if (index_ < routes_->middlewares.size()) {
    return routes_->middlewares[index_]->call(request, Next(*routes_, index_ + 1, handler_));
  }
  return handler_ ? handler_->call(request) : answer_unrouted(*routes_, request);
}

namespace detail {

Handler* find_handler(const Routes& routes, const RequestHead& head, PathParams& params) {
  auto match = routes.router.find(head.method(), head.method_text(), head.path(), params);
  if (match.outcome != Router::Outcome::found) match = routes.any.find(Method::other, "ANY", head.path(), params);
  return match.outcome == Router::Outcome::found ? routes.handlers[match.handler].get() : nullptr;
}

Response unrouted_response(const Routes& routes, const RequestHead& head) {
  const bool options = head.method() == Method::options;
  if (options && head.form() == TargetForm::asterisk) return Response(204);
  PathParams unused;
  const auto match = routes.router.find(head.method(), head.method_text(), head.path(), unused);
  if (match.outcome != Router::Outcome::method_not_allowed) return error_response(404, {});
  auto answer = options ? Response(204) : error_response(405, {});
  auto allowed = routes.router.allowed(head.path());
  if (allowed.find("OPTIONS") == allowed.npos) allowed += ", OPTIONS";
  answer.headers().add("Allow", allowed);
  return answer;
}

}  // namespace detail
}  // namespace eddy::http
