// SPDX-License-Identifier: MIT
#include "dns_support.hpp"

#include <thread>

using dns::asking;
using dns::failed;
using dns::failure;
using dns::File;
using dns::lookup;
using eddy::Address;
using eddy::Resolver;
using eddy::testing::now;

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

// The loop does something else until the time is over, and the answer lies there.
BACKEND_TEST(Dns, AnAnswerThatCameInTimeIsReadFirst) {
  auto body = [](dns::Server& server) -> Coro<> {
    server.on("A a.test", [](const dns::Query& query) {
      std::this_thread::sleep_for(60ms);
      return std::vector<std::string>{dns::Message{.answers = {dns::a("a.test", "10.0.0.1")}}.bytes(query)};
    });
    const auto servers = server.address();
    auto options = asking(servers);
    options.timeout = 20ms;
    Resolver resolver(options);
    const auto found = co_await lookup(resolver, "a.test", {.family = AF_INET});
    EXPECT_EQ(found, "10.0.0.1:80");
    EXPECT_EQ(server.asked.size(), 1u);
    EXPECT_EQ(resolver.statistics().timeouts, 0u);
  };
  co_await dns::Server::run(body);
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
