// SPDX-License-Identifier: MIT
// Answers every request under /echo with what it was, as JSON: for tests of other clients.
//
//     $ ./http_echo 8000 &
//     listening on http://127.0.0.1:8000
//     $ curl -d hi http://127.0.0.1:8000/echo/a?b=c
//     {"method":"POST","target":"/echo/a?b=c","headers":[["Host","127.0.0.1:8000"],…],"body_len":2,"body_sha256":"8f43…"}
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>
#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace http = eddy::http;
namespace json = boost::json;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void update(std::string_view data) { EVP_DigestUpdate(context_.get(), data.data(), data.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// Headers may hold any bytes; JSON wants UTF-8: bytes above 0x7f are shown as Latin-1.
json::string latin1(std::string_view bytes) {
  json::string text;
  for (const unsigned char c : bytes) {
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else {
      text += static_cast<char>(0xc0 | (c >> 6));
      text += static_cast<char>(0x80 | (c & 0x3f));
    }
  }
  return text;
}

eddy::Coro<http::Response> echo(http::Request& request) {
  Sha256 hash;
  std::uint64_t length = 0;
  while (auto chunk = co_await request.content().next()) {
    length += chunk->size();
    hash.update(*chunk);
  }
  json::array headers;
  for (const auto field : request.headers()) {
    json::array pair;
    pair.emplace_back(latin1(field.name));
    pair.emplace_back(latin1(field.value));
    headers.push_back(std::move(pair));
  }
  json::object answer;
  answer["method"] = latin1(request.method_text());
  answer["target"] = latin1(request.target());
  answer["headers"] = std::move(headers);
  answer["body_len"] = length;
  answer["body_sha256"] = hash.hex();
  co_return http::json_response(answer);
}

eddy::Coro<> serve(int port) {
  http::Application app;
  app.any("/echo", echo);
  app.any("/echo/{rest:path}", echo);
  auto server = co_await http::serve(std::move(app), {.port = port});
  std::printf("listening on http://127.0.0.1:%d\n", server.port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: http_echo PORT\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1])));
  } catch (const eddy::KeyboardInterrupt&) {
  }
}
