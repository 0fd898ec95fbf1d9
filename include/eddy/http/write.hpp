// SPDX-License-Identifier: MIT
// Writing HTTP/1.1 messages: each function appends to a buffer the caller keeps and reuses.
//
//     write_status_line(out, 200);
//     out += headers.wire();                 // checked when the fields came in
//     out += date.at(now);
//     write_content_length(out, body.size());
//     write_head_end(out);
//     out += body;
//
// What could break out of its place (CR, LF, NUL …) throws ValueError, and then nothing was appended.
#pragma once

#include <cstdint>
#include <eddy/http/headers.hpp>
#include <eddy/http/message.hpp>
#include <string>
#include <string_view>

namespace eddy::http {

/// "GET /path HTTP/1.1". Throws ValueError unless the method is a token and the target has only printable
/// ASCII without '#'.
void write_request_line(std::string& out, std::string_view method, std::string_view target);

/// "HTTP/1.1 200 OK"; `reason` replaces the usual phrase if it is not empty. Throws ValueError for a status
/// outside 100 … 999 and for a reason with control characters.
void write_status_line(std::string& out, int status, std::string_view reason = {},
                       Version version = Version::http_1_1);

/// One field; throws ValueError as `Headers::add` does.
void write_field(std::string& out, std::string_view name, std::string_view value);
void write_content_length(std::string& out, std::uint64_t length);
/// "Transfer-Encoding: chunked".
void write_chunked(std::string& out);
/// The empty line after the fields.
inline void write_head_end(std::string& out) { out += "\r\n"; }

/// Size line, data and CR LF. Nothing for empty data, which would end the body.
void write_chunk(std::string& out, std::string_view data);
/// Only the size line of a chunk whose data (not empty) is sent from elsewhere, followed by "\r\n".
void write_chunk_head(std::string& out, std::uint64_t size);
/// The end of a chunked body, with trailers if there are any.
void write_last_chunk(std::string& out, const Headers& trailers = {});

}  // namespace eddy::http
