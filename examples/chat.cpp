// SPDX-License-Identifier: MIT
// A chat for many people, over TCP and over a Unix socket at once. The first line that one sends is the name.
//
//     $ ./chat 8009 /tmp/chat.sock &
//     listening on 127.0.0.1:8009
//     listening on /tmp/chat.sock
//     $ nc 127.0.0.1 8009                    $ nc -U /tmp/chat.sock
//     ann                                    bob
//     * bob came                             * here: ann
//     hello                                  ann: hello
//
// Who does not read what the others say is let go after 100 lines: nobody waits for the slowest. Ctrl-C ends it.

#include <eddy/exceptions.hpp>
#include <eddy/queues.hpp>
#include <eddy/race.hpp>
#include <eddy/runners.hpp>
#include <eddy/streams.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

using eddy::Coro;

// Who is here, and what each of them has not been sent yet.
class Room {
 public:
  using Lines = eddy::Queue<std::string>;
  static constexpr std::size_t kMostLines = 100;

  bool has(const std::string& name) const { return members_.contains(name); }

  void enter(const std::string& name, Lines& lines) {
    std::string here = "* here:";
    for (const auto& [other, _] : members_) here += " " + other;
    lines.put_nowait(here + "\n");
    say("* " + name + " came\n");
    members_.emplace(name, &lines);
  }
  void leave(const std::string& name, const Lines& lines) {
    const auto found = members_.find(name);
    if (found == members_.end() || found->second != &lines) return;
    members_.erase(found);
    say("* " + name + " left\n");
  }
  void say(const std::string& line, const std::string& speaker = "") {
    for (auto member = members_.begin(); member != members_.end();) {
      const auto& [name, lines] = *member;
      if (name != speaker && lines->full()) {
        lines->shutdown(true);  // too slow: its talk ends
        member = members_.erase(member);
        continue;
      }
      if (name != speaker) lines->put_nowait(line);
      ++member;
    }
  }

 private:
  std::map<std::string, Lines*> members_;
};

Coro<> listen_to(Room& room, const std::string& name, eddy::StreamReader& reader, eddy::StreamWriter& writer) {
  try {
    while (auto line = co_await reader.next()) {
      if (!line->ends_with('\n')) *line += '\n';
      room.say(name + ": " + *line, name);
    }
  } catch (const eddy::LimitOverrunError&) {
    writer.write("* too long\n");
  } catch (const eddy::ConnectionError&) {
    // Gone without a word.
  }
}

Coro<> talk_to(Room::Lines& lines, eddy::StreamWriter& writer) {
  try {
    for (;;) {
      auto line = co_await lines.get();
      writer.write(line);
      co_await writer.drain();
    }
  } catch (const eddy::QueueShutDown&) {
    // Too slow.
  } catch (const eddy::ConnectionError&) {
    // Gone without a word.
  }
}

Coro<> converse(std::shared_ptr<Room> room, eddy::StreamReader reader, eddy::StreamWriter writer) {
  auto name = co_await reader.readline();
  while (!name.empty() && (name.back() == '\n' || name.back() == '\r')) name.pop_back();
  if (name.empty() || room->has(name)) {
    writer.write("* another name, please\n");
    co_return;
  }
  Room::Lines lines(Room::kMostLines);
  struct Presence {
    Room& room;
    const std::string& name;
    Room::Lines& lines;
    Presence(Room& r, const std::string& n, Room::Lines& l) : room(r), name(n), lines(l) { room.enter(name, lines); }
    ~Presence() { room.leave(name, lines); }
  } presence(*room, name, lines);
  co_await eddy::race(listen_to(*room, name, reader, writer), talk_to(lines, writer));
}

Coro<> serve(int port, std::string path) {
  auto room = std::make_shared<Room>();
  auto handler = [room](eddy::StreamReader reader, eddy::StreamWriter writer) {
    return converse(room, std::move(reader), std::move(writer));
  };
  auto tcp = co_await eddy::start_server(handler, "127.0.0.1", port);
  std::printf("listening on %s\n", tcp.address().str().c_str());
  if (!path.empty()) {
    auto local = co_await eddy::start_unix_server(handler, path, {.mode = 0600});
    std::printf("listening on %s\n", local.address().str().c_str());
  }
  std::fflush(stdout);
  co_await tcp.serve_forever();
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fputs("usage: chat PORT [PATH]\n", stderr);
    return 2;
  }
  try {
    eddy::run(serve(std::atoi(argv[1]), argc == 3 ? argv[2] : ""));
  } catch (const eddy::KeyboardInterrupt&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "chat: %s\n", error.what());
    return 1;
  }
}
