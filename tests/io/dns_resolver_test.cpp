// SPDX-License-Identifier: MIT
#include "dns_support.hpp"

#include <sys/resource.h>
#include <sys/select.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/unique_fd.hpp"
#include "descriptor_count.hpp"

using dns::asking;
using dns::end_of;
using dns::failed;
using dns::failure;
using dns::File;
using dns::lookup;
using dns::text_of;
using eddy::Address;
using eddy::GaiError;
using eddy::Resolver;
using eddy::testing::error_of;
using eddy::testing::now;

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

// Every thread of the loop's pool has something else to do, until end().
class BusyThreads {
 public:
  BusyThreads() {
    constexpr int kMostThreads = 32;
    for (int i = 0; i < kMostThreads; ++i) eddy::create_task(wait(over_));
  }
  ~BusyThreads() { end(); }
  void end() {
    over_->store(true);
    over_->notify_all();
  }

 private:
  static Coro<> wait(std::shared_ptr<std::atomic<bool>> over) {
    auto job = [over] { over->wait(false); };
    co_await eddy::to_thread(job);
  }
  std::shared_ptr<std::atomic<bool>> over_ = std::make_shared<std::atomic<bool>>(false);
};

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
  BusyThreads busy;
  co_await eddy::sleep(0s);
  std::vector<Coro<std::string>> lookups;
  for (int i = 0; i < 4; ++i) lookups.push_back(lookup(system, "localhost", {.family = AF_INET}));
  auto all = eddy::create_task(eddy::gather(std::move(lookups)));
  co_await eddy::sleep(1ms);
  busy.end();
  for (const auto& found : co_await all) EXPECT_EQ(found, "127.0.0.1:80");
  EXPECT_EQ(system.statistics().misses, 1u);
  EXPECT_EQ(system.statistics().shared, 3u);
  const auto error = co_await error_of<GaiError>(system.getaddrinfo("a..b", 80));
  EXPECT_EQ(std::string(error.what()), fmt::format("cannot resolve 'a..b': {}", ::gai_strerror(error.error_number())));
  const auto info = co_await system.getnameinfo(Address("127.0.0.1", 80), NI_NUMERICSERV);
  EXPECT_NE(info.host, "");  // this machine's name for it
}

// More than a thousand files are open, and select() knows no higher descriptors.
TEST(Dns, ASocketThatCannotBeWatchedIsAFailure) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  auto scenario = []() -> Coro<> {
    auto silent = co_await eddy::open_datagram({.local = Address("127.0.0.1", 0)});
    const auto servers = silent.local_address().str();
    Resolver resolver(asking(servers));
    std::vector<eddy::detail::UniqueFd> open;
    for (int i = 0; i <= FD_SETSIZE && (open.empty() || open.back().get() < FD_SETSIZE); ++i) open.emplace_back(::dup(2));
    const auto text = co_await failure(resolver, "a.test");
    const auto fd = open.back().get() + 1;  // the next one
    EXPECT_EQ(text, failed(EAI_AGAIN, fmt::format("cannot resolve 'a.test': no server could tell\n  {}: watch descriptor "
                                                  "{}: select() takes descriptors below {}; choose poll or epoll, 2 times",
                                                  servers, fd, FD_SETSIZE)));
    EXPECT_EQ(now(), 0s);
  };
  eddy::run(scenario(), {.backend = eddy::Backend::select, .virtual_time = true});
}

// The task that asked for all of them goes: another one asks.
BACKEND_TEST(Dns, CancellingWhoAsksTheSystemLeavesTheOthers) {
  eddy::ResolverOptions options{.backend = eddy::ResolverBackend::system};
  Resolver resolver(options);
  BusyThreads busy;
  co_await eddy::sleep(0s);
  auto first = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  auto second = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  auto third = eddy::create_task(lookup(resolver, "localhost", {.family = AF_INET}));
  co_await eddy::sleep(1ms);
  first.cancel();
  co_await eddy::sleep(1ms);  // the second one asks now
  EXPECT_TRUE(first.cancelled());
  second.cancel();
  busy.end();
  const auto found = co_await third;
  EXPECT_EQ(found, "127.0.0.1:80");
  EXPECT_TRUE(second.cancelled());
}

TEST(Dns, TheSimulatedLoopAsksTheSystem) {
  auto body = []() -> Coro<> {
    Resolver resolver;
    EXPECT_EQ(resolver.explain(), "the system's getaddrinfo() on threads: the simulated back end has no descriptors");
    const auto found = co_await lookup(resolver, "localhost", {.family = AF_INET});
    EXPECT_EQ(found, "127.0.0.1:80");
    Resolver stubborn(asking("127.0.0.1"));
    const auto refused = co_await error_of<eddy::RuntimeError>(lookup(stubborn, "a.test"));
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
