// SPDX-License-Identifier: MIT
#include <eddy/http/json.hpp>
#include <fmt/format.h>

#include <boost/json/stream_parser.hpp>

namespace eddy::http {

JsonError::JsonError(std::size_t offset, const std::string& rule)
    : std::runtime_error(fmt::format("bad JSON at byte {}: {}", offset, rule)), offset_(offset) {}

boost::json::value parse_json(std::string_view text) {
  boost::json::stream_parser parser;
  boost::json::error_code error;
  const auto read = parser.write_some(text.data(), text.size(), error);
  if (error) throw JsonError(read, error.message());
  if (read < text.size()) throw JsonError(read, "there is more text behind the value");
  parser.finish(error);  // tells the end of a number from its middle
  if (error) throw JsonError(read, "the text ends inside a value");
  return parser.release();
}

Response json_response(const boost::json::value& value, int status) {
  return Response(status, boost::json::serialize(value), Response::Kind::json);
}

}  // namespace eddy::http
