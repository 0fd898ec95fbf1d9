// SPDX-License-Identifier: MIT
// A small JSON API: notes that live as long as the server.
//
//     $ ./http_server 8000 &
//     listening on http://127.0.0.1:8000
//     $ curl -d '{"text":"buy milk"}' http://127.0.0.1:8000/notes
//     {"id":1,"text":"buy milk"}
//     $ curl http://127.0.0.1:8000/notes/1
//     {"id":1,"text":"buy milk"}
//     $ curl http://127.0.0.1:8000/notes/2
//     {"detail":"no note 2"}
#include <eddy/eddy.hpp>
#include <eddy/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace http = eddy::http;
using eddy::Coro;

class Notes {
 public:
  void route(http::Application& app) {
    app.get("/notes", [this](http::Request&) { return list(); });
    app.post("/notes", [this](http::Request& request) { return add(request); });
    app.get("/notes/{id}", [this](http::Request& request) { return show(request); });
    app.delete_("/notes/{id}", [this](http::Request& request) { return drop(request); });
  }

 private:
  Coro<http::Response> list() {
    boost::json::array all;
    for (const auto& [id, text] : notes_) all.push_back(note(id, text));
    co_return http::json_response(std::move(all));
  }
  Coro<http::Response> add(http::Request& request) {
    auto body = co_await request.json();
    const auto* text = body.is_object() ? body.as_object().if_contains("text") : nullptr;
    if (!text || !text->is_string()) throw http::UnprocessableContent("the note must have a text");
    notes_[++last_] = text->as_string().c_str();
    co_return http::json_response(note(last_, notes_[last_]), 201);
  }
  Coro<http::Response> show(http::Request& request) {
    const auto found = find(request);
    co_return http::json_response(note(found->first, found->second));
  }
  Coro<http::Response> drop(http::Request& request) {
    notes_.erase(find(request));
    co_return http::Response(204);
  }

  std::map<int, std::string>::iterator find(http::Request& request) {
    const auto id = request.path_param("id");
    const auto found = notes_.find(std::atoi(id.c_str()));
    if (found == notes_.end()) throw http::NotFound("no note " + id);
    return found;
  }
  static boost::json::value note(int id, const std::string& text) {
    boost::json::object object;
    object["id"] = id;
    object["text"] = text;
    return object;
  }

  std::map<int, std::string> notes_;
  int last_ = 0;
};

Coro<> serve(int port) {
  Notes notes;
  http::Application app;
  notes.route(app);
  auto server = co_await http::serve(std::move(app), {.port = port});
  std::printf("listening on http://127.0.0.1:%d\n", server.port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: http_server PORT\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1])));
  } catch (const eddy::KeyboardInterrupt&) {
  }
}
