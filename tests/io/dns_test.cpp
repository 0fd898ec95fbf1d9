// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "descriptor_count.hpp"
#include "dns_server.hpp"
#include "io/dns_message.hpp"
#include "support.hpp"

using eddy::Address;
using eddy::GaiError;
using eddy::Resolver;
using eddy::testing::error_of;
using eddy::testing::now;

/// A test in virtual time on each back end that has sockets.
#define VIRTUAL_TEST(suite, name)                                                        \
  static Coro<> suite##_##name##_body();                                                 \
  TEST(suite, name) {                                                                    \
    for (auto backend : eddy::available_backends()) {                                    \
      SCOPED_TRACE(std::string(eddy::to_string(backend)));                               \
      eddy::run(suite##_##name##_body(), {.backend = backend, .virtual_time = true});    \
    }                                                                                    \
  }                                                                                      \
  static Coro<> suite##_##name##_body()

namespace {

std::string text_of(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.str());
  return fmt::format("{}", fmt::join(texts, " "));
}

// A file of a test, gone with it.
class File {
 public:
  explicit File(std::string_view text) {
    const int fd = ::mkstemp(path_);
    ::close(fd);
    write(text);
  }
  ~File() { ::unlink(path_); }
  void write(std::string_view text) { std::ofstream(path_) << text; }
  std::string_view path() const { return path_; }

 private:
  char path_[32] = "/tmp/eddy_dns_XXXXXX";
};

eddy::ResolverOptions asking(const std::string& servers) {
  return {.nameservers = servers, .timeout = 2s, .tries = 2, .hosts = "", .resolv_conf = "", .nsswitch_conf = ""};
}

Coro<std::string> lookup(Resolver resolver, std::string host, eddy::LookupOptions options = {}) {
  auto addresses = co_await resolver.getaddrinfo(std::move(host), 80, options);
  co_return text_of(addresses);
}
Coro<std::string> failure(Resolver resolver, std::string host, eddy::LookupOptions options = {}) {
  const auto error = co_await error_of<GaiError>(resolver.getaddrinfo(std::move(host), 80, options));
  co_return fmt::format("{} {}", error.error_number(), error.what());
}
Coro<> end_of(Task<std::string> task) {
  try {
    co_await task;
  } catch (const eddy::CancelledError&) {
  }
}
std::string failed(int code, std::string_view text) { return fmt::format("{} {}", code, text); }

}  // namespace

// --- answers ------------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, AsksForBothFamilies) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A both.test", dns::answer({dns::a("both.test", "127.0.0.9")}));
    server.on("AAAA both.test", dns::answer({dns::aaaa("both.test", "::1")}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto both = co_await lookup(resolver, "both.test");
    EXPECT_EQ(both, "[::1]:80 127.0.0.9:80");
    const auto v4 = co_await lookup(resolver, "both.test", {.family = AF_INET});
    EXPECT_EQ(v4, "127.0.0.9:80");
    const auto v6 = co_await lookup(resolver, "both.test", {.family = AF_INET6});
    EXPECT_EQ(v6, "[::1]:80");
    EXPECT_EQ(server.count("A both.test"), 2u);
    EXPECT_EQ(server.count("AAAA both.test"), 2u);
    EXPECT_EQ(now(), 0s);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, FollowsAliases) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on_a("www.test", dns::answer({dns::cname("www.test", "cdn.test", 30), dns::cname("cdn.test", "edge.test"),
                                         dns::a("edge.test", "10.0.0.1"), dns::a("edge.test", "10.0.0.2")}));
    server.on_a("lost.test", dns::answer({dns::cname("lost.test", "nowhere.test")}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto found = co_await lookup(resolver, "WWW.test");
    EXPECT_EQ(found, "10.0.0.1:80 10.0.0.2:80");
    const auto lost = co_await failure(resolver, "lost.test");
    EXPECT_EQ(lost, failed(EAI_NODATA, "cannot resolve 'lost.test': the name has no such address, says " + servers));
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, SaysWhoKnowsNoSuchName) {
  auto body = [](dns::Server& server) -> Coro<> {
    for (const auto* name : {"gone.test", "gone.corp.test", "gone.lan.test"}) {
      server.on(std::string("A ") + name, dns::no_name());
      server.on(std::string("AAAA ") + name, dns::no_name());
    }
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto text = co_await failure(resolver, "gone.test");
    EXPECT_EQ(text, failed(EAI_NONAME, fmt::format("cannot resolve 'gone.test': no such name, says {}", servers)));
    File conf("search corp.test lan.test\n");
    auto options = asking(servers);
    options.resolv_conf = conf.path();
    Resolver searching(options);
    server.on("A gone", dns::no_name());
    server.on("AAAA gone", dns::no_name());
    const auto all = co_await failure(searching, "gone");
    EXPECT_EQ(all, failed(EAI_NONAME, fmt::format("cannot resolve 'gone': no such name, says {}; tried 'gone.corp.test', "
                                                  "'gone.lan.test', 'gone'", servers)));
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, TriesSearchDomainsInTheirOrder) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A db.corp.test", dns::no_name());
    server.on("A db.lan.test", dns::answer({dns::a("db.lan.test", "10.1.1.1")}));
    server.on("A db", dns::answer({dns::a("db", "10.2.2.2")}));
    File conf("search corp.test lan.test\n");
    const auto servers = server.address();
    auto options = asking(servers);
    options.resolv_conf = conf.path();
    Resolver resolver(options);
    const auto found = co_await lookup(resolver, "db", {.family = AF_INET});
    EXPECT_EQ(found, "10.1.1.1:80");
    const auto absolute = co_await lookup(resolver, "db.", {.family = AF_INET});
    EXPECT_EQ(absolute, "10.2.2.2:80");
    options.search = false;
    Resolver plain(options);
    const auto alone = co_await lookup(plain, "db", {.family = AF_INET});
    EXPECT_EQ(alone, "10.2.2.2:80");
    const std::vector<std::string> asked{"A db.corp.test", "A db.lan.test", "A db", "A db"};
    EXPECT_EQ(server.asked, asked);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, OneFamilyIsEnough) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A half.test", dns::answer({dns::a("half.test", "10.0.0.1")}));
    server.on("AAAA half.test", dns::server_failure());
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto found = co_await lookup(resolver, "half.test");
    EXPECT_EQ(found, "10.0.0.1:80");
    EXPECT_EQ(now(), 0s);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, TakesLongAnswersByTcp) {
  auto body = [](dns::Server& server) -> Coro<> {
    std::vector<std::string> records;
    std::string expected;
    for (int i = 1; i <= 60; ++i) {
      const auto address = fmt::format("10.0.0.{}", i);
      records.push_back(dns::a("long.test", address));
      expected += (expected.empty() ? "" : " ") + address + ":80";
    }
    server.on_a("long.test", dns::truncated(dns::answer(records)));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto found = co_await lookup(resolver, "long.test", {.family = AF_INET});
    EXPECT_EQ(found, expected);
    const std::vector<std::string> asked{"A long.test", "A long.test by TCP"};
    EXPECT_EQ(server.asked, asked);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, IgnoresWhatIsNoAnswerToItsQuestion) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on_a("noise.test", [](const dns::Query& query) {
      auto other = query;
      other.id ^= 1;
      const auto lie = dns::Message{.answers = {dns::a("noise.test", "6.6.6.6")}}.bytes(other);
      const auto truth = dns::Message{.answers = {dns::a("noise.test", "10.0.0.1")}}.bytes(query);
      return std::vector<std::string>{"", "x", std::string(11, '\xff'), lie, truth};
    });
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto found = co_await lookup(resolver, "noise.test");
    EXPECT_EQ(found, "10.0.0.1:80");
    EXPECT_EQ(now(), 0s);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, BrokenAnswersAreFailures) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A cut.test", [](const dns::Query& query) {
      auto whole = dns::Message{.answers = {dns::a("cut.test", "10.0.0.1")}}.bytes(query);
      whole.resize(whole.size() - 3);
      return std::vector<std::string>{whole};
    });
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto text = co_await failure(resolver, "cut.test", {.family = AF_INET});
    EXPECT_EQ(text, failed(EAI_AGAIN, fmt::format("cannot resolve 'cut.test': no server could tell\n"
                                                  "  {}: an answer that cannot be read, 2 times", servers)));
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, LongestNamesAreAskedFor) {
  auto body = [](dns::Server& server) -> Coro<> {
    const std::string label(63, 'x');
    const auto name = label + "." + label + "." + label + "." + label.substr(2);
    server.on_a(name, dns::answer({dns::a(name, "10.0.0.1")}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    const auto found = co_await lookup(resolver, name);
    EXPECT_EQ(found, "10.0.0.1:80");
    const auto text = co_await failure(resolver, "x" + name + "x");
    EXPECT_EQ(text, failed(EAI_NONAME, fmt::format("cannot resolve 'x{}x': no host has such a name: it is longer than 253 bytes", name)));
  };
  co_await dns::Server::run(body);
}

// --- servers ------------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, AnotherServerIsAskedWhenOneFails) {
  auto outer = [](dns::Server& first) -> Coro<> {
    auto inner = [&first](dns::Server& second) -> Coro<> {
      first.on("A a.test", dns::server_failure());
      second.on("A a.test", dns::answer({dns::a("a.test", "10.0.0.1")}));
      const auto servers = first.address() + "," + second.address();
      Resolver resolver(asking(servers));
      const auto found = co_await lookup(resolver, "a.test", {.family = AF_INET});
      EXPECT_EQ(found, "10.0.0.1:80");
      EXPECT_EQ(first.count("A a.test"), 1u);
      second.on("A b.test", dns::server_failure());
      first.on("A b.test", dns::code(5));
      const auto text = co_await failure(resolver, "b.test", {.family = AF_INET});
      EXPECT_EQ(text, failed(EAI_AGAIN, fmt::format("cannot resolve 'b.test': no server could tell\n"
                                                    "  {}: refused (REFUSED)\n  {}: server failure (SERVFAIL)",
                                                    first.address(), second.address())));
      EXPECT_EQ(second.count("A b.test"), 1u);  // who answers is not asked again
      EXPECT_EQ(now(), 0s);
    };
    co_await dns::Server::run(inner);
  };
  co_await dns::Server::run(outer);
}

VIRTUAL_TEST(Dns, SilentServersAreAskedAgain) {
  auto outer = [](dns::Server& first) -> Coro<> {
    auto inner = [&first](dns::Server& second) -> Coro<> {
      const auto servers = first.address() + "," + second.address();
      Resolver resolver(asking(servers));
      const auto text = co_await failure(resolver, "a.test", {.family = AF_INET});
      EXPECT_EQ(text, failed(EAI_AGAIN, fmt::format("cannot resolve 'a.test': no server could tell\n"
                                                    "  {}: no answer within 2s, 2 times\n  {}: no answer within 2s, 2 times",
                                                    first.address(), second.address())));
      EXPECT_EQ(now(), 8s);
      EXPECT_EQ(first.count("A a.test"), 2u);
      EXPECT_EQ(second.count("A a.test"), 2u);
      const auto statistics = resolver.statistics();
      EXPECT_EQ(statistics.queries, 4u);
      EXPECT_EQ(statistics.timeouts, 4u);
      // The third time somebody answers.
      first.on("A b.test", dns::silence(), dns::answer({dns::a("b.test", "10.0.0.1")}));
      const auto found = co_await lookup(resolver, "b.test", {.family = AF_INET});
      EXPECT_EQ(found, "10.0.0.1:80");
      EXPECT_EQ(now(), 12s);
    };
    co_await dns::Server::run(inner);
  };
  co_await dns::Server::run(outer);
}

VIRTUAL_TEST(Dns, PortsOnWhichNobodyListensCannotBeReached) {
  auto socket = co_await eddy::open_datagram({.local = Address("127.0.0.1", 0)});
  const auto servers = socket.local_address().str();
  socket.close();
  Resolver resolver(asking(servers));
  const auto text = co_await failure(resolver, "a.test", {.family = AF_INET});
  EXPECT_EQ(text, failed(EAI_AGAIN, fmt::format("cannot resolve 'a.test': no server could tell\n  {}: cannot be reached, 2 times",
                                                servers)));
  EXPECT_EQ(now(), 0s);
}

VIRTUAL_TEST(Dns, ResolvConfSaysWhomToAskAndHow) {
  File conf("nameserver 127.0.0.1\noptions timeout:7 attempts:3\n");
  auto options = asking("");
  options.timeout = {};
  options.tries = 0;
  options.resolv_conf = conf.path();
  options.backend = eddy::ResolverBackend::cares;
  Resolver resolver(options);
  const auto text = resolver.explain();
  EXPECT_EQ(text.substr(0, 7), "c-ares ");
  EXPECT_EQ(text.substr(text.find(" on the loop")),
            " on the loop: the program asks for it; asks 127.0.0.1:53, 7s for an answer, 3 tries");
  conf.write("nameserver 127.0.0.2\n");
  co_await eddy::sleep(6s);  // it looks again every five
  EXPECT_NE(resolver.explain().find("; asks 127.0.0.2:53, 5s for an answer, 2 tries"), std::string::npos) << resolver.explain();
}

// --- the cache ----------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, AnswersAreKeptForTheirTtl) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on_a("a.test", dns::answer({dns::cname("a.test", "b.test", 600), dns::a("b.test", "10.0.0.1", 30)}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    for (const auto* name : {"a.test", "A.TEST"}) {
      const auto found = co_await lookup(resolver, name, {.family = AF_INET});
      EXPECT_EQ(found, "10.0.0.1:80");
    }
    co_await eddy::sleep(29s);
    static_cast<void>(co_await lookup(resolver, "a.test", {.family = AF_INET}));
    EXPECT_EQ(server.asked.size(), 1u);
    const eddy::ResolverStatistics two_hits{.hits = 2, .misses = 1, .shared = 0, .queries = 1, .timeouts = 0, .cached = 1};
    EXPECT_EQ(resolver.statistics(), two_hits);
    co_await eddy::sleep(1s);
    static_cast<void>(co_await lookup(resolver, "a.test", {.family = AF_INET}));
    EXPECT_EQ(server.asked.size(), 2u);
    resolver.clear_cache();
    static_cast<void>(co_await lookup(resolver, "a.test", {.family = AF_INET}));
    EXPECT_EQ(server.asked.size(), 3u);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, ZeroTtlAndFailuresAreNotKept) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A zero.test", dns::answer({dns::a("zero.test", "10.0.0.1", 0)}));
    server.on("A bad.test", dns::server_failure());
    server.on("A huge.test", dns::answer({dns::a("huge.test", "10.0.0.1", 0xffffffff)}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    for (int i = 0; i < 2; ++i) {
      static_cast<void>(co_await lookup(resolver, "zero.test", {.family = AF_INET}));
      static_cast<void>(co_await lookup(resolver, "huge.test", {.family = AF_INET}));  // RFC 2181: as 0
      static_cast<void>(co_await failure(resolver, "bad.test", {.family = AF_INET}));
    }
    EXPECT_EQ(server.asked.size(), 6u);
    EXPECT_EQ(resolver.statistics().cached, 0u);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, MissingNamesAreKeptAsTheirZoneSays) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A soa.test", dns::code(3, {dns::soa("test", 900, 20)}));
    server.on("A empty.test", dns::code(0, {dns::soa("test", 10, 900)}));
    server.on("A bare.test", dns::no_name());
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    auto ask_all = [&resolver]() -> Coro<> {
      for (const auto* name : {"soa.test", "empty.test", "bare.test"}) {
        static_cast<void>(co_await failure(resolver, name, {.family = AF_INET}));
      }
    };
    co_await ask_all();
    co_await eddy::sleep(4s);
    co_await ask_all();
    EXPECT_EQ(server.asked.size(), 3u);
    co_await eddy::sleep(5s);  // 9 s: bare.test's five are over
    co_await ask_all();
    EXPECT_EQ(server.asked.size(), 4u);
    co_await eddy::sleep(10s);  // 19 s: empty.test's ten, and bare.test's again
    co_await ask_all();
    EXPECT_EQ(server.asked.size(), 6u);
    co_await eddy::sleep(2s);  // 21 s: soa.test's twenty
    co_await ask_all();
    EXPECT_EQ(server.asked.size(), 7u);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, TheCacheHasRoomForSoMany) {
  auto body = [](dns::Server& server) -> Coro<> {
    for (const auto* name : {"a", "b", "c"}) server.on(std::string("A ") + name, dns::answer({dns::a(name, "10.0.0.1", 7200)}));
    const auto servers = server.address();
    auto options = asking(servers);
    options.cache_entries = 2;
    options.max_ttl = 1min;
    Resolver resolver(options);
    for (const auto* name : {"a", "b", "a", "c", "a", "b"}) static_cast<void>(co_await lookup(resolver, name, {.family = AF_INET}));
    const std::vector<std::string> asked{"A a", "A b", "A c", "A b"};
    EXPECT_EQ(server.asked, asked);
    EXPECT_EQ(resolver.statistics().cached, 2u);
    co_await eddy::sleep(1min);
    static_cast<void>(co_await lookup(resolver, "b", {.family = AF_INET}));
    EXPECT_EQ(server.asked.size(), 5u);
    options.cache_entries = 0;
    Resolver forgetful(options);
    for (int i = 0; i < 2; ++i) static_cast<void>(co_await lookup(forgetful, "a", {.family = AF_INET}));
    EXPECT_EQ(server.asked.size(), 7u);
  };
  co_await dns::Server::run(body);
}

// --- tasks --------------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, TasksThatAskForOneNameShareOneLookup) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A a.test", dns::answer({dns::a("a.test", "10.0.0.1")}));
    server.on("A b.test", dns::no_name());
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    std::vector<Coro<std::string>> lookups;
    for (int i = 0; i < 50; ++i) lookups.push_back(lookup(resolver, "a.test", {.family = AF_INET}));
    for (const auto& found : co_await eddy::gather(std::move(lookups))) EXPECT_EQ(found, "10.0.0.1:80");
    std::vector<Coro<std::string>> failures;
    for (int i = 0; i < 5; ++i) failures.push_back(failure(resolver, "b.test", {.family = AF_INET}));
    for (const auto& text : co_await eddy::gather(std::move(failures))) EXPECT_NE(text.find("no such name"), text.npos);
    EXPECT_EQ(server.asked.size(), 2u);
    EXPECT_EQ(resolver.statistics().shared, 53u);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, CancellingOneTaskLeavesTheOthers) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A a.test", dns::silence(), dns::answer({dns::a("a.test", "10.0.0.1")}));
    const auto servers = server.address();
    const auto before = open_descriptors();
    Resolver resolver(asking(servers));
    auto first = eddy::create_task(lookup(resolver, "a.test", {.family = AF_INET}));
    auto second = eddy::create_task(lookup(resolver, "a.test", {.family = AF_INET}));
    co_await eddy::sleep(1s);
    first.cancel();
    co_await eddy::sleep(500ms);
    EXPECT_TRUE(first.cancelled());
    const auto found = co_await second;
    EXPECT_EQ(found, "10.0.0.1:80");
    EXPECT_EQ(now(), 2s);
    // With the last one, the question and its socket go at once.
    auto last = eddy::create_task(lookup(resolver, "silent.test"));
    co_await eddy::sleep(1s);
    EXPECT_EQ(open_descriptors(), before + 1);
    last.cancel();
    co_await end_of(last);
    EXPECT_TRUE(last.cancelled());
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(now(), 3s);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, SomeLookupsAtOnceAndTheOthersInTurn) {
  auto body = [](dns::Server& server) -> Coro<> {
    for (int i = 0; i < 6; ++i) {
      const auto name = fmt::format("n{}.test", i);
      server.on("A " + name, dns::silence(), dns::answer({dns::a(name, "10.0.0.1")}));
    }
    const auto servers = server.address();
    auto options = asking(servers);
    options.max_lookups = 2;
    Resolver resolver(options);
    std::vector<Coro<std::string>> lookups;
    for (int i = 0; i < 6; ++i) lookups.push_back(lookup(resolver, fmt::format("n{}.test", i), {.family = AF_INET}));
    auto all = eddy::create_task(eddy::gather(std::move(lookups)));
    co_await eddy::sleep(1s);
    EXPECT_EQ(server.asked.size(), 2u);
    const auto found = co_await all;
    EXPECT_EQ(found.size(), 6u);
    EXPECT_EQ(now(), 6s);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, AWaitSaysWhatItIsFor) {
  auto body = [](dns::Server& server) -> Coro<> {
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    auto task = eddy::create_task(lookup(resolver, "Silent.test", {.family = AF_INET6}), {.name = "asker"});
    co_await eddy::sleep(1s);
    EXPECT_NE(eddy::inspect::report(eddy::inspect::Report::table).find("the lookup of silent.test (IPv6)"), std::string::npos) << eddy::inspect::report(eddy::inspect::Report::table);
    task.cancel();
    co_await end_of(task);
  };
  co_await dns::Server::run(body);
}

TEST(Dns, CancelledOrFailedAnywhereItLeavesNothing) {
  auto scenario = []() -> Coro<> {
    auto body = [](dns::Server& server) -> Coro<> {
      server.on_a("a.test", dns::truncated(dns::answer({dns::a("a.test", "10.0.0.1")})));
      server.on("A b.test", dns::silence(), dns::answer({dns::a("b.test", "10.0.0.2")}));
      server.on("PTR 1.0.0.10.in-addr.arpa", dns::answer({dns::ptr("1.0.0.10.in-addr.arpa", "a.test")}));
      const auto servers = server.address();
      Resolver resolver(asking(servers));
      static_cast<void>(co_await eddy::gather(lookup(resolver, "a.test"), lookup(resolver, "a.test"),
                                              lookup(resolver, "b.test", {.family = AF_INET})));
      static_cast<void>(co_await resolver.getnameinfo(Address("10.0.0.1", 53), NI_NUMERICSERV));
    };
    co_await dns::Server::run(body);
  };
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    const eddy::testing::SweepOptions options{.cancel_rest = true, .may_report = true, .backend = backend};
    EXPECT_GT(eddy::testing::cancel_everywhere(scenario, options), 5u);
    EXPECT_GT(eddy::testing::fail_everywhere(scenario, eddy::OSError(EIO, "disturbed"), options), 5u);
  }
}

TEST(Dns, ALoopThatClosesTakesItsLookupsAlong) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    const auto before = open_descriptors();
    std::optional<Resolver> kept;
    {
      eddy::EventLoop loop({.backend = backend});
      loop.set_exception_handler([](const eddy::ExceptionContext&) {});
      auto stay = [&kept]() -> Coro<> {
        auto silent = co_await eddy::open_datagram({.local = Address("127.0.0.1", 0)});
        const auto servers = silent.local_address().str();
        kept.emplace(asking(servers));
        auto first = eddy::create_task(lookup(*kept, "a.test"));
        auto second = eddy::create_task(lookup(*kept, "a.test"));
        auto third = eddy::create_task(lookup(*kept, "b.test"));
        static_cast<void>(co_await silent.receive());
        eddy::get_running_loop().stop();
        co_await first;
      };
      auto task = loop.create_task(stay());
      loop.run_forever();
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(kept->statistics().misses, 2u);  // a handle may outlive its loop
    EXPECT_EQ(TEXT_OF(eddy::RuntimeError, eddy::run(lookup(*kept, "a.test"), {.backend = backend})),
              "getaddrinfo: the resolver belongs to another event loop");
  }
}

// --- what needs no server -----------------------------------------------------------------------------

VIRTUAL_TEST(Dns, HostsFileComesFirst) {
  auto body = [](dns::Server& server) -> Coro<> {
    File hosts("10.9.9.9 db.test db\n10.9.9.8 db.test\n::1 six.test\n127.0.0.7 localhost\n");
    const auto servers = server.address();
    auto options = asking(servers);
    options.hosts = hosts.path();
    Resolver resolver(options);
    auto text = co_await lookup(resolver, "DB.test.");
    EXPECT_EQ(text, "10.9.9.9:80 10.9.9.8:80");
    text = co_await lookup(resolver, "localhost");
    EXPECT_EQ(text, "127.0.0.7:80");
    text = co_await lookup(resolver, "six.test", {.family = AF_INET6});
    EXPECT_EQ(text, "[::1]:80");
    server.on("A six.test", dns::answer({dns::a("six.test", "10.0.0.1")}));
    text = co_await lookup(resolver, "six.test", {.family = AF_INET});  // the file has none of this family
    EXPECT_EQ(text, "10.0.0.1:80");
    const auto info = co_await resolver.getnameinfo(Address("10.9.9.8", 80), NI_NUMERICSERV);
    EXPECT_EQ(info.host, "db.test");
    EXPECT_EQ(info.service, "80");
    EXPECT_EQ(server.asked.size(), 1u);
    hosts.write("10.9.9.7 db.test\n");
    co_await eddy::sleep(6s);  // it looks again every five
    text = co_await lookup(resolver, "db.test");
    EXPECT_EQ(text, "10.9.9.7:80");
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, SomeNamesAreNeverAskedFor) {
  auto body = [](dns::Server& server) -> Coro<> {
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    auto text = co_await lookup(resolver, "localhost");
    EXPECT_EQ(text, "[::1]:80 127.0.0.1:80");
    text = co_await lookup(resolver, "a.LOCALHOST.", {.family = AF_INET});
    EXPECT_EQ(text, "127.0.0.1:80");
    text = co_await lookup(resolver, "127.1");
    EXPECT_EQ(text, "127.0.0.1:80");
    text = co_await lookup(resolver, "fe80::1%lo");
    EXPECT_EQ(text, "[fe80::1]:80");
    text = co_await lookup(resolver, "");
    EXPECT_EQ(text.find("127.0.0.1:80") != text.npos, true);
    text = co_await failure(resolver, "x.onion");
    EXPECT_EQ(text, failed(EAI_NONAME, "cannot resolve 'x.onion': names in .onion are not asked for (RFC 7686)"));
    text = co_await failure(resolver, "no such host");
    EXPECT_EQ(text, failed(EAI_NONAME, "cannot resolve 'no such host': no host has such a name: it has characters that no host name has"));
    text = co_await failure(resolver, "127.0.0.1", {.family = AF_INET6});
    EXPECT_EQ(text, failed(EAI_ADDRFAMILY, "cannot resolve '127.0.0.1': the address is of another family"));
    text = co_await failure(resolver, "a.test", {.numeric = true});
    EXPECT_EQ(text, failed(EAI_NONAME, "cannot resolve 'a.test': it is no numeric address, and .numeric was asked for"));
    text = co_await failure(resolver, "a.test", {.family = AF_UNIX});
    EXPECT_EQ(text, failed(EAI_FAMILY, "getaddrinfo: family 1 is none of AF_INET, AF_INET6 and 0"));
    EXPECT_EQ(server.asked.size(), 0u);
  };
  co_await dns::Server::run(body);
}

VIRTUAL_TEST(Dns, NsswitchConfCanDoWithoutDns) {
  File nsswitch("hosts: files\n"), hosts("10.0.0.1 a.test\n");
  eddy::ResolverOptions options{.hosts = hosts.path(), .resolv_conf = "", .nsswitch_conf = nsswitch.path()};
  Resolver resolver(options);
  auto text = co_await lookup(resolver, "a.test");
  EXPECT_EQ(text, "10.0.0.1:80");
  text = co_await failure(resolver, "b.test");
  EXPECT_EQ(text, failed(EAI_NONAME, fmt::format("cannot resolve 'b.test': {} does not have it, and {} names no dns", hosts.path(),
                                                 nsswitch.path())));
}

BACKEND_TEST(Dns, TheSystemIsAskedForWhatCAresDoesNotKnow) {
  File nsswitch("hosts: files ldap dns\n");
  eddy::ResolverOptions options{.nsswitch_conf = nsswitch.path()};
  Resolver resolver(options);
  EXPECT_EQ(resolver.explain(), "the system's getaddrinfo() on threads: nsswitch.conf has 'ldap' for hosts, which c-ares does not know");
  const auto text = co_await lookup(resolver, "localhost", {.family = AF_INET});
  EXPECT_EQ(text, "127.0.0.1:80");
  options.backend = eddy::ResolverBackend::system;
  Resolver system(options);
  EXPECT_EQ(system.explain(), "the system's getaddrinfo() on threads: the program asks for it");
  std::vector<Coro<std::string>> lookups;
  for (int i = 0; i < 4; ++i) lookups.push_back(lookup(system, "localhost", {.family = AF_INET}));
  for (const auto& found : co_await eddy::gather(std::move(lookups))) EXPECT_EQ(found, "127.0.0.1:80");
  EXPECT_EQ(system.statistics().misses, 1u);
  EXPECT_EQ(system.statistics().shared, 3u);
  const auto error = co_await error_of<GaiError>(system.getaddrinfo("no such host", 80));
  EXPECT_EQ(std::string(error.what()), fmt::format("cannot resolve 'no such host': {}", ::gai_strerror(error.error_number())));
  const auto info = co_await system.getnameinfo(Address("127.0.0.1", 80), NI_NUMERICSERV);
  EXPECT_EQ(info.host, "localhost");
}

// The task that asked for all of them goes: another one asks.
BACKEND_TEST(Dns, CancellingWhoAsksTheSystemLeavesTheOthers) {
  eddy::ResolverOptions options{.backend = eddy::ResolverBackend::system};
  Resolver resolver(options);
  auto first = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  auto second = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  auto third = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  co_await eddy::sleep(0s);
  first.cancel();
  co_await eddy::sleep(0s);
  second.cancel();
  const auto found = co_await third;
  EXPECT_EQ(found, "127.0.0.1:80");
}

TEST(Dns, TheSimulatedLoopAsksTheSystem) {
  auto body = []() -> Coro<> {
    Resolver resolver;
    EXPECT_EQ(resolver.explain(), "the system's getaddrinfo() on threads: the simulated back end has no descriptors");
    const auto found = co_await lookup(resolver, "localhost", {.family = AF_INET});
    EXPECT_EQ(found, "127.0.0.1:80");
    Resolver stubborn(asking("127.0.0.1"));
    auto error = eddy::testing::error_of<eddy::RuntimeError>(lookup(Resolver({.backend = eddy::ResolverBackend::cares}), "a.test"));
    const auto refused = co_await std::move(error);
    EXPECT_STREQ(refused.what(), "the simulated back end has no descriptors to ask DNS with; use one that waits for the kernel, or "
                                 "ResolverBackend::system");
  };
  eddy::testing::run(body());
}

// --- names of addresses -------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, AddressesHaveNames) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("PTR 1.0.0.10.in-addr.arpa", dns::answer({dns::ptr("1.0.0.10.in-addr.arpa", "db.corp.test")}));
    const std::string six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
    server.on("PTR " + six, dns::answer({dns::ptr(six, "six.test")}));
    server.on("PTR 2.0.0.10.in-addr.arpa", dns::no_name());
    server.on("PTR 3.0.0.10.in-addr.arpa", dns::server_failure());
    File conf("search corp.test\n");
    const auto servers = server.address();
    auto options = asking(servers);
    options.resolv_conf = conf.path();
    Resolver resolver(options);
    auto name = [&resolver](std::string host, int flags = 0) -> Coro<std::string> {
      const auto info = co_await resolver.getnameinfo(Address(host, 5353), flags | NI_NUMERICSERV);
      co_return info.host + " " + info.service;
    };
    auto text = co_await name("10.0.0.1");
    EXPECT_EQ(text, "db.corp.test 5353");
    text = co_await name("10.0.0.1", NI_NOFQDN);
    EXPECT_EQ(text, "db 5353");
    text = co_await name("fd00::1");
    EXPECT_EQ(text, "six.test 5353");
    text = co_await name("10.0.0.2");
    EXPECT_EQ(text, "10.0.0.2 5353");
    text = co_await name("10.0.0.1", NI_NUMERICHOST);
    EXPECT_EQ(text, "10.0.0.1 5353");
    const auto nameless = co_await error_of<GaiError>(name("10.0.0.2", NI_NAMEREQD));
    EXPECT_STREQ(nameless.what(), "cannot find the name of 10.0.0.2: it has none");
    EXPECT_EQ(nameless.error_number(), EAI_NONAME);
    const auto broken = co_await error_of<GaiError>(name("10.0.0.3"));
    EXPECT_EQ(std::string(broken.what()), fmt::format("cannot find the name of 10.0.0.3: no server could tell\n"
                                                      "  {}: server failure (SERVFAIL)", servers));
    const auto unix_path = co_await error_of<GaiError>(resolver.getnameinfo(Address::from_path("/x")));
    EXPECT_STREQ(unix_path.what(), "getnameinfo: '/x' is no address of a network");
    const auto flags = co_await error_of<GaiError>(resolver.getnameinfo(Address("10.0.0.1", 1), 0x1000));
    EXPECT_STREQ(flags.what(), "getnameinfo: flags 0x1000 are not known");
    EXPECT_EQ(server.count("PTR 1.0.0.10.in-addr.arpa"), 1u);
  };
  co_await dns::Server::run(body);
}

BACKEND_TEST(Dns, PortsHaveNames) {
  eddy::ResolverOptions options{.backend = eddy::ResolverBackend::system};
  eddy::set_default_resolver(Resolver(options));
  const auto info = co_await eddy::get_running_loop().getnameinfo(Address("127.0.0.1", 80), NI_NUMERICHOST);
  EXPECT_EQ(info.host, "127.0.0.1");
  EXPECT_TRUE(info.service == "http" || info.service == "80") << info.service;  // as /etc/services has it, if it is there
}

// --- connections --------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, ConnectionsUseTheLoopsResolver) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on_a("echo.test", dns::answer({dns::a("echo.test", "127.0.0.1")}));
    const auto servers = server.address();
    eddy::set_default_resolver(Resolver(asking(servers)));
    auto echo = [](eddy::StreamReader, eddy::StreamWriter writer) -> Coro<> {
      writer.write("hello");
      co_return;
    };
    auto listener = co_await eddy::start_server(echo, "echo.test", 0);
    auto [reader, writer] = co_await eddy::open_connection("echo.test", listener.port());
    const auto greeting = co_await reader.read();
    EXPECT_EQ(greeting, "hello");
    EXPECT_EQ(server.count("A echo.test"), 1u);
    EXPECT_EQ(eddy::default_resolver().statistics().hits, 1u);
    const auto found = co_await eddy::get_running_loop().getaddrinfo("echo.test", 7);
    EXPECT_EQ(text_of(found), "127.0.0.1:7");
    listener.close();
  };
  co_await dns::Server::run(body);
}

// RFC 8305, section 3: one family's addresses are enough after 50 ms.
VIRTUAL_TEST(Dns, ConnectionsDoNotWaitForASilentFamily) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A slow.test", dns::answer({dns::a("slow.test", "127.0.0.1")}));
    const auto servers = server.address();
    Resolver resolver(asking(servers));
    eddy::set_default_resolver(resolver);
    auto nothing = [](eddy::StreamReader, eddy::StreamWriter) -> Coro<> { co_return; };
    auto listener = co_await eddy::start_server(nothing, "127.0.0.1", 0);
    auto patient = eddy::create_task(lookup(resolver, "slow.test"));
    co_await eddy::open_connection("slow.test", listener.port());
    EXPECT_EQ(now(), 50ms);
    co_await eddy::open_connection("slow.test", listener.port());  // while the other one still waits
    EXPECT_EQ(now(), 50ms);
    const auto found = co_await patient;
    EXPECT_EQ(found, "127.0.0.1:80");
    EXPECT_EQ(now(), 4s);
    co_await eddy::open_connection("slow.test", listener.port(), {.family = AF_INET});
    EXPECT_EQ(now(), 4s);
    listener.close();
  };
  co_await dns::Server::run(body);
}

// --- misuse -------------------------------------------------------------------------------------------

VIRTUAL_TEST(Dns, BadOptionsAreRefused) {
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Resolver({.tries = 11})), "Resolver: tries is 11: it must be 0 to 10");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Resolver({.timeout = -1s})), "Resolver: a time is negative");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Resolver({.max_lookups = 0})), "Resolver: max_lookups is 0: it must be 1 or more");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, Resolver({.nameservers = "dns.example"})),
            "nameserver 'dns.example' is none; a numeric address is needed: 10.0.0.1, 10.0.0.1:5353, [::1]:53");
  const auto interleave = co_await error_of<eddy::ValueError>(eddy::open_connection("a.test", 80, {.interleave = -1}));
  EXPECT_STREQ(interleave.what(), "connect to a.test: interleave is -1: it must be 0 or more");
  const auto delay = co_await error_of<eddy::ValueError>(eddy::open_connection("a.test", 80, {.happy_eyeballs_delay = -1s}));
  EXPECT_STREQ(delay.what(), "connect to a.test: happy_eyeballs_delay is negative");
}

TEST(Dns, AResolverNeedsALoop) {
  EXPECT_EQ(TEXT_OF(eddy::RuntimeError, Resolver()), "no running event loop on this thread; start one with eddy::run()");
}

// --- messages -----------------------------------------------------------------------------------------

TEST(DnsMessage, CutAnywhereIsUnreadableOrLess) {
  using eddy::detail::DnsAnswer;
  using eddy::detail::RecordType;
  dns::Query query;
  query.question = dns::wire_name("a.test") + dns::two(1) + dns::two(1);
  const auto found = dns::Message{.answers = {dns::cname("a.test", "b.test"), dns::a("b.test", "10.0.0.1")}}.bytes(query);
  const auto missing = dns::Message{.code = 3, .authority = {dns::soa("test", 60, 60)}}.bytes(query);
  for (const auto& whole : {found, missing}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<unsigned char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));  // of its own size, for asan
      EXPECT_NE(eddy::detail::read_answer(cut, "a.test", RecordType::a).kind, DnsAnswer::Kind::found);
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const unsigned value : {0x00u, 0x3fu, 0xc0u, 0xffu}) {
        std::vector<unsigned char> bent(whole.begin(), whole.end());
        bent[i] = static_cast<unsigned char>(value);
        static_cast<void>(eddy::detail::read_answer(bent, "a.test", RecordType::a));
      }
    }
  }
  const std::vector<unsigned char> whole(found.begin(), found.end());
  EXPECT_EQ(eddy::detail::read_answer(whole, "A.test", RecordType::a).kind, DnsAnswer::Kind::found);
  EXPECT_EQ(eddy::detail::read_answer(whole, "other.test", RecordType::a).failure, "an answer to another question");
  EXPECT_EQ(eddy::detail::read_answer(whole, "a.test", RecordType::aaaa).failure, "an answer to another question");
}
