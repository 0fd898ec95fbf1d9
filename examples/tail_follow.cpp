// SPDX-License-Identifier: MIT
// `tail -F`: the lines of a file as they come, also after it was cut, and after it was replaced by a new one of its name.
//
//     $ ./tail_follow /var/log/syslog
//     $ ./tail_follow            a file of its own
//     was there before
//     came later
//     after it was cut
//     still in the old one
//     in the new one
#include <eddy/eddy.hpp>
#include <eddy/fs.hpp>
#include <eddy/fs_watch.hpp>

#include <iostream>
#include <optional>
#include <string>

using eddy::AsyncGenerator;
using eddy::Coro;
namespace fs = eddy::fs;

AsyncGenerator<std::string> tail(std::string path) {
  const auto slash = path.rfind('/');
  const auto folder = slash == path.npos ? std::string(".") : path.substr(0, slash + 1);
  if (slash == path.npos) path = "./" + path;
  auto watcher = co_await fs::watch(folder);  // first, so that nothing comes unseen between the look and the watch
  std::optional<fs::File> file;
  std::string line;
  for (bool is_new = true;;) {
    if (file) {
      const auto status = co_await file->stat();
      if (status.size < file->tell()) co_await file->seek(0);  // it was cut
      while (auto piece = co_await file->next()) {
        line += *piece;
        if (!line.ends_with('\n')) continue;  // the rest of it is still to come
        line.pop_back();
        co_yield std::exchange(line, {});
      }
    }
    if (std::exchange(is_new, false)) {  // and the old one has been read to its end
      file.reset();
      line.clear();
      const bool is_there = co_await fs::exists(path);
      if (is_there) file.emplace(co_await fs::open(path));
      continue;
    }
    const auto event = co_await watcher.next();
    if (!event) co_return;
    const bool appeared = event->change == fs::Change::created || event->change == fs::Change::moved;
    is_new = appeared && event->path == path;
  }
}

Coro<> follow(std::string path) {
  auto lines = tail(path);
  while (auto line = co_await lines.next()) std::cout << *line << std::endl;
}

Coro<> show() {
  auto folder = co_await fs::temporary_directory();
  const auto path = folder / "log";
  auto lines = tail(path);
  auto print_next = [&lines]() -> Coro<> {
    auto line = co_await lines.next();
    std::cout << *line << '\n';
  };
  co_await fs::write_text(path, "was there before\n");
  co_await print_next();
  co_await fs::write_text(path, "came later\n", {.append = true});
  co_await print_next();
  co_await fs::write_text(path, "after it was cut\n");
  co_await print_next();
  co_await fs::write_text(path, "still in the old one\n", {.append = true});
  co_await fs::rename(path, folder / "log.1");
  co_await fs::write_text(path, "in the new one\n");
  co_await print_next();
  co_await print_next();
}

int main(int argc, char** argv) {
  if (argc > 2) {
    std::cerr << "usage: tail_follow [FILE]\n";
    return 2;
  }
  eddy::run(argc == 2 ? follow(argv[1]) : show());
}
