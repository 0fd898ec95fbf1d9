// SPDX-License-Identifier: MIT
// All of eddy::http.
#pragma once

#include <eddy/http/application.hpp>
#include <eddy/http/client.hpp>
#include <eddy/http/client_errors.hpp>
#include <eddy/http/content_coding.hpp>
#include <eddy/http/cookies.hpp>
#include <eddy/http/date.hpp>
#include <eddy/http/headers.hpp>
#include <eddy/http/http_error.hpp>
#include <eddy/http/json.hpp>
#include <eddy/http/media_type.hpp>
#include <eddy/http/message.hpp>
#include <eddy/http/negotiation.hpp>
#include <eddy/http/percent.hpp>
#include <eddy/http/request.hpp>
#include <eddy/http/response.hpp>
#include <eddy/http/server.hpp>
#include <eddy/http/url.hpp>
