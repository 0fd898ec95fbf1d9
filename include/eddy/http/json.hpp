// SPDX-License-Identifier: MIT
// JSON in and out, with Boost.JSON: the one header that shows it.
#pragma once

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <eddy/http/response.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace eddy::http {

/// A text that is not JSON: "bad JSON at byte 4: syntax error".
class JsonError : public std::runtime_error {
 public:
  JsonError(std::size_t offset, const std::string& rule);
  std::size_t offset() const noexcept { return offset_; }

 private:
  std::size_t offset_;
};

/// Reads one JSON value (RFC 8259), nested up to 32 deep. Throws JsonError.
boost::json::value parse_json(std::string_view text);

/// `http::json_response({{"Hello", "World"}})`: the value as application/json.
Response json_response(const boost::json::value& value, int status = 200);

}  // namespace eddy::http
