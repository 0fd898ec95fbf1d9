// SPDX-License-Identifier: MIT
#pragma once

#include <eddy/http/application.hpp>
#include <memory>
#include <vector>

#include "http/router.hpp"

namespace eddy::http::detail {

/// What an application is made of.
struct Routes {
  Router router;
  Router any;  // routes for every method, under "ANY"
  std::vector<std::unique_ptr<Handler>> handlers;
  std::vector<std::unique_ptr<Middleware>> middlewares;
};

/// Fills in `params` and gives the handler, or null.
Handler* find_handler(const Routes& routes, const RequestHead& head, PathParams& params);
/// Answers what has no handler: 404, 405, or OPTIONS.
Response unrouted_response(const Routes& routes, const RequestHead& head);

}  // namespace eddy::http::detail
