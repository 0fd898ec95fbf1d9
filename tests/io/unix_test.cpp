// SPDX-License-Identifier: MIT
// open_unix_connection, start_unix_server.
#include <eddy/eddy.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>

#include "base/unique_fd.hpp"
#include "descriptor_count.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::open_unix_connection;
using eddy::Socket;
using eddy::start_unix_server;
using eddy::StreamReader;
using eddy::StreamWriter;
using eddy::testing::error_of;

namespace {

// A folder of the test's own, and a path in it.
struct Folder {
  std::filesystem::path folder;
  Folder() {
    std::string name = "/tmp/eddy-unix-XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(folder); }
  std::string path(const char* name = "socket") const { return folder / name; }
};

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (;;) {
    auto bytes = co_await reader.read(1000);
    if (bytes.empty()) break;
    writer.write(bytes);
    co_await writer.drain();
  }
}

Coro<std::string> ask(std::string path, std::string question) {
  auto streams = co_await open_unix_connection(path);
  streams.writer.write(question);
  streams.writer.write_eof();
  co_return co_await streams.reader.read();
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

bool exists(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

}  // namespace

BACKEND_TEST(UnixServers, IO_22_ServeOverAPathAndRemoveItAtClose) {
  Folder folder;
  auto server = co_await start_unix_server(echo, folder.path());
  EXPECT_EQ(server.address().str(), folder.path());
  EXPECT_EQ(server.port(), 0);
  const auto answer = co_await ask(folder.path(), "over a path");
  EXPECT_EQ(answer, "over a path");
  server.close();
  EXPECT_FALSE(exists(folder.path()));
  co_await server.wait_closed();
}

BACKEND_TEST(UnixServers, IO_22_ServeOverAnAbstractName) {
  const auto name = fmt::format("{}eddy-test-{}", '\0', ::getpid());
  auto server = co_await start_unix_server(echo, name);
  EXPECT_EQ(server.address().str(), "@" + name.substr(1));
  const auto answer = co_await ask(name, "no file");
  EXPECT_EQ(answer, "no file");
  server.close();
}

BACKEND_TEST(UnixServers, IO_22_ReplaceTheFileOfADeadServer) {
  Folder folder;
  {
    Socket dead(AF_UNIX);
    dead.bind(Address::from_path(folder.path()));
    dead.listen();
  }
  EXPECT_TRUE(exists(folder.path()));
  auto server = co_await start_unix_server(echo, folder.path());
  const auto answer = co_await ask(folder.path(), "alive");
  EXPECT_EQ(answer, "alive");
  server.close();
}

BACKEND_TEST(UnixServers, IO_22_RefuseAPathInUseAndAFile) {
  Folder folder;
  auto server = co_await start_unix_server(echo, folder.path());
  const auto in_use = fmt::format("listen on {}: Address already in use", folder.path());
  const auto second = co_await error_of<eddy::OSError>(start_unix_server(echo, folder.path()));
  EXPECT_EQ(second.what(), in_use);
  EXPECT_EQ(second.error_number(), EADDRINUSE);
  const auto answer = co_await ask(folder.path(), "the first goes on");
  EXPECT_EQ(answer, "the first goes on");
  Socket datagrams(AF_UNIX, SOCK_DGRAM);
  datagrams.bind(Address::from_path(folder.path("datagrams")));
  co_await error_of<eddy::OSError>(start_unix_server(echo, folder.path("datagrams")));
  EXPECT_TRUE(exists(folder.path("datagrams")));
  std::ofstream(folder.path("file")) << "precious";
  co_await error_of<eddy::OSError>(start_unix_server(echo, folder.path("file")));
  std::string text;
  std::ifstream(folder.path("file")) >> text;
  EXPECT_EQ(text, "precious");
  const auto nowhere = co_await error_of<eddy::FileNotFoundError>(start_unix_server(echo, folder.path("no/folder")));
  EXPECT_EQ(nowhere.what(), fmt::format("listen on {}/no/folder: No such file or directory", folder.folder.string()));
  server.close();
}

BACKEND_TEST(UnixServers, LeaveAFileThatReplacedTheirs) {
  Folder folder;
  auto server = co_await start_unix_server(echo, folder.path());
  std::filesystem::remove(folder.path());
  auto second = co_await start_unix_server(echo, folder.path());
  server.close();
  EXPECT_TRUE(exists(folder.path()));
  const auto answer = co_await ask(folder.path(), "second");
  EXPECT_EQ(answer, "second");
  second.close();
  EXPECT_FALSE(exists(folder.path()));
}

BACKEND_TEST(UnixServers, ST_3_KeepTheFileWhereAskedTo) {
  Folder folder;
  auto server = co_await start_unix_server(echo, folder.path(), {.cleanup_socket = false});
  server.close();
  EXPECT_TRUE(exists(folder.path()));
  const auto refused = co_await error_of<eddy::ConnectionRefusedError>(open_unix_connection(folder.path()));
  EXPECT_EQ(refused.what(), fmt::format("connect to {}: Connection refused", folder.path()));
}

BACKEND_TEST(UnixServers, SetTheFilesPermissions) {
  Folder folder;
  auto wide = co_await start_unix_server(echo, folder.path("wide"), {.mode = 0666});
  auto narrow = co_await start_unix_server(echo, folder.path("narrow"), {.mode = 0600});
  EXPECT_EQ(mode_of(folder.path("wide")), 0666u);
  EXPECT_EQ(mode_of(folder.path("narrow")), 0600u);
  wide.close();
  narrow.close();
}

TEST(UnixServers, RemoveTheirFileWithTheirLoop) {
  Folder folder;
  auto start = [](std::string path) -> Coro<> { co_await start_unix_server(echo, path); };
  eddy::run(start(folder.path()));
  EXPECT_FALSE(exists(folder.path()));
}

BACKEND_TEST(UnixConnections, KnowTheirPeersCredentials) {
  Folder folder;
  eddy::Queue<eddy::PeerCredentials> peers;
  auto handler = [&](StreamReader, StreamWriter writer) -> Coro<> {
    peers.put_nowait(writer.peer_credentials());
    co_return;
  };
  auto server = co_await start_unix_server(handler, folder.path());
  auto streams = co_await open_unix_connection(folder.path());
  const eddy::PeerCredentials own{::getpid(), ::getuid(), ::getgid()};
  const auto client = co_await peers.get();
  EXPECT_EQ(client, own);
  EXPECT_EQ(streams.writer.peer_credentials(), own);
  EXPECT_EQ(streams.writer.peer_address().str(), folder.path());
  server.close();
}

BACKEND_TEST(UnixConnections, FailWithTheSystemsWords) {
  Folder folder;
  const auto missing = co_await error_of<eddy::FileNotFoundError>(open_unix_connection(folder.path()));
  EXPECT_EQ(missing.what(), fmt::format("connect to {}: No such file or directory", folder.path()));
  const auto longer = co_await error_of<eddy::ValueError>(open_unix_connection(std::string(200, 'x')));
  EXPECT_EQ(longer.what(), fmt::format("unix address '{}' has 200 bytes; at most 107 are possible", std::string(200, 'x')));
}

BACKEND_TEST(UnixConnections, WaitWhereTheBacklogIsFull) {
  Folder folder;
  Socket listening(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  listening.bind(Address::from_path(folder.path()));
  listening.listen(0);
  auto first = co_await open_unix_connection(folder.path());
  auto second = eddy::create_task(open_unix_connection(folder.path()));
  co_await eddy::sleep(5ms);
  EXPECT_FALSE(second.done());
  EXPECT_NO_THROW(listening.accept());
  auto streams = co_await std::move(second);
  EXPECT_NO_THROW(listening.accept());
  EXPECT_GE(streams.writer.fileno(), 0);
}

BACKEND_TEST(UnixConnections, STR_07_ServeAThousandAtOnce) {
  Folder folder;
  auto server = co_await start_unix_server(echo, folder.path());
  // Ten rounds each, and no error. Backends with select() have room for fewer descriptors.
  const int count = eddy::get_running_loop().backend_name() == "select" ? 300 : 1000;
  auto client = [&](int id) -> Coro<> {
    auto streams = co_await open_unix_connection(folder.path());
    for (int round = 0; round < 10; ++round) {
      const auto text = fmt::format("hello {} {}", id, round);
      streams.writer.write(text);
      const auto answer = co_await streams.reader.readexactly(text.size());
      EXPECT_EQ(answer, text);
    }
  };
  std::vector<Coro<>> clients;
  for (int i = 0; i < count; ++i) clients.push_back(client(i));
  co_await eddy::gather(std::move(clients));
  server.close();
  co_await server.wait_closed();
}

namespace {

std::string sweep_path;
Coro<> one_exchange() {
  auto server = co_await start_unix_server(echo, sweep_path);
  auto streams = co_await open_unix_connection(sweep_path);
  streams.writer.write("x");
  co_await streams.writer.drain();
  co_await streams.reader.readexactly(1);
  streams.writer.close();
  co_await streams.writer.wait_closed();
  server.close();
  co_await server.wait_closed();
}
Coro<> one_exchange_that_closes() {
  auto server = co_await start_unix_server(echo, sweep_path);
  struct Close {
    eddy::Server& server;
    explicit Close(eddy::Server& s) : server(s) {}
    ~Close() {
      server.close();
      server.close_clients();
    }
  } close(server);
  co_await ask(sweep_path, "x");
}

}  // namespace

TEST(UnixSweeps, LeaveNothingWhereverTheyEnd) {
  Folder folder;
  sweep_path = folder.path();
  const auto before = open_descriptors();
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    EXPECT_GE(eddy::testing::cancel_everywhere(one_exchange_that_closes, {.cancel_rest = true, .backend = backend}), 4u);
    eddy::run(one_exchange(), {.backend = backend});
    EXPECT_FALSE(exists(sweep_path));
  }
  EXPECT_EQ(open_descriptors(), before);
}
