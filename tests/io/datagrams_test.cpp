// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#include <eddy/testing.hpp>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using eddy::testing::Log;

Coro<eddy::DatagramSocket> open_local() {
  auto socket = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  co_return socket;
}

std::string unique_path(const char* name) { return std::string("/tmp/eddy-") + name + "-" + std::to_string(::getpid()); }

}  // namespace

BACKEND_TEST(Datagrams, STR_08_ADatagramArrivesWholeWithItsSender) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  EXPECT_EQ(sender.remote_address(), receiver.local_address());
  EXPECT_FALSE(receiver.remote_address());
  const std::string large(60'000, 'x');
  co_await sender.send("one");
  co_await sender.send(large);
  auto [first, from] = co_await receiver.receive();
  EXPECT_EQ(first, "one");
  EXPECT_EQ(from, sender.local_address());
  co_await receiver.send_to("answer", from);
  auto answer = co_await sender.receive();
  EXPECT_EQ(answer.data, "answer");
  EXPECT_EQ(answer.from, receiver.local_address());
  auto second = co_await receiver.receive();
  EXPECT_TRUE(second.data == large);
}

BACKEND_TEST(Datagrams, ADatagramMayBeEmpty) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  co_await sender.send("");
  co_await sender.send("next");
  auto empty = co_await receiver.receive();
  EXPECT_EQ(empty.data, "");
  auto following = co_await receiver.receive_view();
  EXPECT_EQ(following.data, "next");
}

BACKEND_TEST(Datagrams, ReceiveIntoTellsThatADatagramWasCut) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  char space[4];
  co_await sender.send("longer");
  auto cut = co_await receiver.receive_into(space);
  EXPECT_EQ(cut.size, 4u);
  EXPECT_EQ(cut.full_size, 6u);
  EXPECT_TRUE(cut.truncated());
  EXPECT_EQ(std::string_view(space, cut.size), "long");
  co_await sender.send("fits");
  auto whole = co_await receiver.receive_into(space);
  EXPECT_FALSE(whole.truncated());
}

BACKEND_TEST(Datagrams, ReceiveRefusesADatagramBeyondItsLimit) {
  auto receiver = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}, .max_size = 10});
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  co_await sender.send("eleven chars");
  auto error = co_await eddy::testing::error_of<eddy::OSError>(receiver.receive());
  EXPECT_EQ(error.error_number(), EMSGSIZE);
  EXPECT_EQ(std::string(error.what()), "receive on " + receiver.local_address().str() +
                                           ": a datagram of 12 bytes, with room for 10: Message too long");
  co_await sender.send("next");
  EXPECT_EQ((co_await receiver.receive()).data, "next");
}

BACKEND_TEST(Datagrams, ADatagramThatIsTooLongToSendIsRefused) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  const std::string huge(70'000, 'x');
  auto error = co_await eddy::testing::error_of<eddy::OSError>(sender.send(huge));
  EXPECT_EQ(std::string(error.what()), "send to " + receiver.local_address().str() + ": Message too long");
}

BACKEND_TEST(Datagrams, AConnectedSocketHearsThatNobodyListens) {
  eddy::Address nobody;
  {
    auto gone = co_await open_local();
    nobody = gone.local_address();
  }
  auto socket = co_await eddy::open_datagram({.remote = nobody});
  co_await socket.send("anybody there?");
  auto error = co_await eddy::testing::error_of<eddy::ConnectionRefusedError>(socket.receive());
  EXPECT_EQ(std::string(error.what()), "receive on " + nobody.str() + ": Connection refused");
  // An error that nobody waits for does not spin, and the next send is told.
  co_await socket.send("and now?");
  co_await eddy::sleep(20ms);
  auto again = co_await eddy::testing::error_of<eddy::ConnectionRefusedError>(socket.send("still?"));
  EXPECT_EQ(std::string(again.what()), "send to " + nobody.str() + ": Connection refused");
}

BACKEND_TEST(Datagrams, AnErrorThatNobodyWaitsForDoesNotKeepTheLoopBusy) {
  eddy::Address nobody;
  {
    auto gone = co_await open_local();
    nobody = gone.local_address();
  }
  auto socket = co_await eddy::open_datagram({.remote = nobody});
  co_await socket.send("x");
  co_await eddy::sleep(5ms);
  const auto before = eddy::get_running_loop().metrics().polls;
  co_await eddy::sleep(30ms);
  EXPECT_LE(eddy::get_running_loop().metrics().polls - before, 5u);
}

BACKEND_TEST(Datagrams, DatagramsThatNobodyReceivesDoNotKeepTheLoopBusy) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  co_await sender.send("one");
  co_await eddy::sleep(5ms);
  const auto before = eddy::get_running_loop().metrics().polls;
  co_await eddy::sleep(30ms);
  EXPECT_LE(eddy::get_running_loop().metrics().polls - before, 5u);
  EXPECT_EQ((co_await receiver.receive()).data, "one");
}

BACKEND_TEST(Datagrams, SeveralTasksShareASocketInTheOrderInWhichTheyWait) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  Log log;
  auto take = [&](int number) -> Coro<> {
    auto datagram = co_await receiver.receive();
    log(number, datagram.data);
  };
  std::vector<Coro<>> takers;
  for (int i = 0; i < 3; ++i) takers.push_back(take(i));
  auto all = eddy::create_task(eddy::gather(std::move(takers)));
  co_await eddy::sleep(1ms);
  for (const char* text : {"a", "b", "c"}) co_await sender.send(text);
  co_await all;
  EXPECT_EQ(log, "0 a, 1 b, 2 c");
}

BACKEND_TEST(Datagrams, ACancelledReceiveLosesNoDatagram) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  auto take = [&]() -> Coro<std::string> {
    auto datagram = co_await receiver.receive();
    co_return datagram.data;
  };
  auto first = eddy::create_task(take());
  auto second = eddy::create_task(take());
  co_await eddy::sleep(1ms);
  co_await sender.send("for the second");
  first.cancel();
  EXPECT_EQ(co_await second, "for the second");
  EXPECT_TRUE(first.cancelled());
}

BACKEND_TEST(Datagrams, CloseEndsThoseThatWait) {
  auto receiver = co_await open_local();
  auto take = [&]() -> Coro<std::string> {
    auto error = co_await eddy::testing::error_of<eddy::ConnectionAbortedError>(receiver.receive());
    co_return error.what();
  };
  auto waiting = eddy::create_task(take());
  co_await eddy::sleep(1ms);
  receiver.close();
  receiver.close();
  EXPECT_EQ(co_await waiting, "receive on a datagram socket: it was closed");
  EXPECT_TRUE(receiver.is_closed());
  EXPECT_EQ(receiver.fileno(), -1);
  EXPECT_FALSE(receiver.local_address());
  auto late = co_await eddy::testing::error_of<eddy::RuntimeError>(receiver.receive());
  EXPECT_EQ(std::string(late.what()), "receive on a datagram socket after close()");
  auto late_send = co_await eddy::testing::error_of<eddy::RuntimeError>(receiver.send("x"));
  EXPECT_EQ(std::string(late_send.what()), "send on a datagram socket after close()");
}

BACKEND_TEST(Datagrams, TheLastHandleClosesAndWaitersKeepTheirMemory) {
  auto take = []() -> Coro<> {
    auto socket = co_await open_local();
    auto mine = socket;
    socket = eddy::DatagramSocket();
    co_await mine.receive();
  };
  auto waiting = eddy::create_task(take());
  co_await eddy::sleep(1ms);
  waiting.cancel();
  try {
    co_await waiting;
  } catch (const eddy::CancelledError&) {
  }
  EXPECT_TRUE(waiting.cancelled());
}

BACKEND_TEST(Datagrams, UnixDatagramsHavePathsAndAbstractNamesAndAFullPeerHoldsTheSenderBack) {
  const auto path = unique_path("datagram");
  for (const auto& name : {path, "@" + path}) {
    auto receiver = co_await eddy::open_datagram({.local = eddy::Address::from_path(name)});
    auto sender = co_await eddy::open_datagram({.remote = eddy::Address::from_path(name)});
    EXPECT_EQ(receiver.local_address().str(), name);
    int sent = 0;
    auto flood = [&]() -> Coro<> {
      for (; sent < 2000; ++sent) co_await sender.send(std::to_string(sent));
    };
    auto flooding = eddy::create_task(flood());
    co_await eddy::sleep(5ms);
    EXPECT_LT(sent, 2000);
    EXPECT_GT(sent, 0);
    for (int i = 0; i < 2000; ++i) {
      auto datagram = co_await receiver.receive();
      if (datagram.data != std::to_string(i)) ADD_FAILURE() << datagram.data << " came as number " << i;
    }
    co_await flooding;
  }
  ::unlink(path.c_str());
}

TEST(Datagrams, UnixNamesHaveTheirLimits) {
  const std::string longest(107, 'x');
  EXPECT_EQ(eddy::Address::from_path(longest).host(), longest);
  EXPECT_NE(TEXT_OF(eddy::ValueError, eddy::Address::from_path(longest + "x")), "");
}

BACKEND_TEST(Datagrams, ABatchIsSentAndReceivedInFewCalls) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(std::string(static_cast<std::size_t>(i % 7 == 3 ? 50 : 100), static_cast<char>('a' + i % 26)));
  texts[40] = "";
  std::vector<eddy::OutgoingDatagram> outgoing;
  for (const auto& text : texts) outgoing.push_back({text});
  co_await sender.send_batch(outgoing);
  eddy::DatagramBatch batch(32, 200);
  std::vector<std::string> received;
  while (received.size() < texts.size()) {
    const auto count = co_await receiver.receive_batch(batch);
    EXPECT_EQ(count, batch.size());
    for (const auto& item : batch) {
      received.emplace_back(item.data);
      EXPECT_EQ(item.from, sender.local_address());
      EXPECT_FALSE(item.truncated);
    }
  }
  EXPECT_EQ(received, texts);
}

BACKEND_TEST(Datagrams, ABatchToSeveralAddressesReachesEach) {
  auto one = co_await open_local();
  auto two = co_await open_local();
  auto sender = co_await open_local();
  const auto first = one.local_address(), second = two.local_address();
  const eddy::OutgoingDatagram outgoing[] = {{"a", &first}, {"b", &first}, {"c", &second}, {"d", &first}};
  co_await sender.send_batch(outgoing);
  for (const char* text : {"a", "b", "d"}) EXPECT_EQ((co_await one.receive()).data, text);
  EXPECT_EQ((co_await two.receive()).data, "c");
}

BACKEND_TEST(Datagrams, ABatchTellsWhatWasCut) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  co_await sender.send("too long");
  eddy::DatagramBatch batch(4, 3);
  EXPECT_EQ(co_await receiver.receive_batch(batch), 1u);
  EXPECT_EQ(batch[0].data, "too");
  EXPECT_TRUE(batch[0].truncated);
}

BACKEND_TEST(Datagrams, JoinedDatagramsAreTakenApart) {
  auto receiver = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}, .gro = true});
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
  texts.push_back("short");
  std::vector<eddy::OutgoingDatagram> outgoing;
  for (const auto& text : texts) outgoing.push_back({text});
  co_await sender.send_batch(outgoing);
  eddy::DatagramBatch batch(8, 65536);
  std::vector<std::string> received;
  while (received.size() < texts.size()) {
    co_await receiver.receive_batch(batch);
    for (const auto& item : batch) received.emplace_back(item.data);
  }
  EXPECT_EQ(received, texts);
  auto receive = [&]() -> Coro<> { static_cast<void>(co_await receiver.receive()); };
  auto error = co_await eddy::testing::error_of<eddy::RuntimeError>(receive());
  EXPECT_EQ(std::string(error.what()), "receive on a datagram socket with .gro: only receive_batch() takes joined datagrams apart");
}

BACKEND_TEST(Datagrams, LP_7_ReusePortAndBroadcast) {
  auto first = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}, .reuse_port = true, .allow_broadcast = true});
  auto second = co_await eddy::open_datagram({.local = first.local_address(), .reuse_port = true});
  EXPECT_EQ(first.local_address(), second.local_address());
  int on = 0;
  socklen_t size = sizeof on;
  ::getsockopt(first.fileno(), SOL_SOCKET, SO_BROADCAST, &on, &size);
  EXPECT_EQ(on, 1);
  first.set_broadcast(false);
  ::getsockopt(first.fileno(), SOL_SOCKET, SO_BROADCAST, &on, &size);
  EXPECT_EQ(on, 0);
  auto taken = eddy::open_datagram({.local = first.local_address()});
  auto error = co_await eddy::testing::error_of<eddy::OSError>(std::move(taken));
  EXPECT_EQ(std::string(error.what()), "bind datagram socket to " + first.local_address().str() + ": Address already in use");
}

BACKEND_TEST(Datagrams, AGroupIsHeardUntilItIsLeft) {
  auto receiver = co_await eddy::open_datagram({.local = {"0.0.0.0", 0}});
  auto sender = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  const eddy::Address group("239.255.77.7", receiver.local_address().port());
  receiver.join_multicast(group, "lo");
  sender.set_multicast_interface("lo");
  sender.set_multicast_ttl(0);
  sender.set_multicast_loop(true);
  co_await sender.send_to("to all", group);
  EXPECT_EQ((co_await receiver.receive()).data, "to all");
  receiver.leave_multicast(group, "lo");
  EXPECT_EQ(TEXT_OF(eddy::OSError, receiver.leave_multicast(group, "lo")),
            "leave_multicast " + group.str() + ": Cannot assign requested address");
  EXPECT_EQ(TEXT_OF(eddy::OSError, receiver.join_multicast(group, "nosuch0")),
            "join_multicast " + group.str() + ": interface 'nosuch0': No such device");
}

BACKEND_TEST(Datagrams, AddressesAreChecked) {
  auto none = co_await eddy::testing::error_of<eddy::ValueError>(eddy::open_datagram({}));
  EXPECT_EQ(std::string(none.what()), "datagram socket: it needs a local or a remote address");
  auto opening = eddy::open_datagram({.local = {"127.0.0.1", 0}, .remote = {"::1", 9}});
  auto mixed = co_await eddy::testing::error_of<eddy::ValueError>(std::move(opening));
  EXPECT_EQ(std::string(mixed.what()), "datagram socket: 127.0.0.1:0 and [::1]:9 are of different families");
  EXPECT_EQ(TEXT_OF(eddy::ValueError, eddy::DatagramBatch(0, 5)), "datagram batch: 0 datagrams of 5 bytes: both must be above 0");
}

BACKEND_TEST(Datagrams, AReceiverOfAFloodLetsOthersRun) {
  auto receiver = co_await open_local();
  auto sender = co_await eddy::open_datagram({.remote = receiver.local_address()});
  bool ran = false;
  for (int i = 0; i < 100; ++i) co_await sender.send("x");
  eddy::get_running_loop().call_soon([&] { ran = true; });
  int before = 0;
  for (int i = 0; i < 100; ++i) {
    co_await receiver.receive_view();
    before += !ran;
  }
  EXPECT_LT(before, 100);
}

// --- in memory, in virtual time -----------------------------------------------------------------------

ASYNC_TEST(DatagramsInMemory, TheyBehaveAsThoseOfTheKernel) {
  auto [near, far] = eddy::testing::datagram_pair();
  co_await near.send("one");
  co_await near.send("");
  EXPECT_EQ((co_await far.receive()).data, "one");
  EXPECT_EQ((co_await far.receive()).data, "");
  char space[2];
  co_await far.send("abc");
  const auto cut = co_await near.receive_into(space);
  EXPECT_TRUE(cut.truncated());
  const eddy::OutgoingDatagram outgoing[] = {{"a"}, {"b"}, {"c"}};
  co_await near.send_batch(outgoing);
  eddy::DatagramBatch batch(2, 10);
  EXPECT_EQ(co_await far.receive_batch(batch), 2u);
  EXPECT_EQ(co_await far.receive_batch(batch), 1u);
  EXPECT_EQ(batch[0].data, "c");
}

ASYNC_TEST(DatagramsInMemory, AFullPeerHoldsTheSenderBackAndAGoneOneRefuses) {
  auto pair = eddy::testing::datagram_pair(2);
  Log log;
  auto send = [&]() -> Coro<> {
    for (int i = 0; i < 4; ++i) {
      co_await pair.near.send(std::to_string(i));
      log("sent", i);
    }
  };
  auto sending = eddy::create_task(send());
  co_await eddy::testing::settle();
  EXPECT_EQ(log, "sent 0, sent 1");
  for (int i = 0; i < 4; ++i) EXPECT_EQ((co_await pair.far.receive()).data, std::to_string(i));
  co_await sending;
  pair.far.close();
  auto error = co_await eddy::testing::error_of<eddy::ConnectionRefusedError>(pair.near.send("x"));
  EXPECT_EQ(std::string(error.what()), "send to datagram descriptor -1: Connection refused");
}

namespace {

Coro<> ping_pong() {
  auto pair = eddy::testing::datagram_pair(1);
  auto answer = [](eddy::DatagramSocket socket) -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      auto datagram = co_await socket.receive();
      co_await socket.send(datagram.data + "!");
    }
  };
  auto near = std::move(pair.near);
  auto body = [&](eddy::TaskGroup& group) -> Coro<> {
    group.create_task(answer(std::move(pair.far)));
    for (int i = 0; i < 3; ++i) {
      co_await near.send("x");
      auto back = co_await near.receive();
      if (back.data != "x!") throw std::logic_error("wrong answer: " + back.data);
    }
  };
  co_await eddy::task_group(body);
}

}  // namespace

TEST(DatagramsInMemory, AnExchangeEndsWellWhereverItIsCancelledOrFails) {
  EXPECT_GT(eddy::testing::cancel_everywhere(ping_pong), 3u);
  EXPECT_GT(eddy::testing::fail_everywhere(ping_pong, eddy::OSError(ECONNREFUSED, "receive")), 3u);
}

namespace {

Coro<> udp_exchange() {
  auto near = co_await eddy::open_datagram({.local = {"127.0.0.1", 0}});
  auto far = co_await eddy::open_datagram({.remote = near.local_address()});
  auto body = [&](eddy::TaskGroup& group) -> Coro<> {
    auto answer = [](eddy::DatagramSocket socket) -> Coro<> {
      for (int i = 0; i < 2; ++i) {
        auto datagram = co_await socket.receive();
        co_await socket.send_to(datagram.data, datagram.from);
      }
    };
    group.create_task(answer(near));
    for (int i = 0; i < 2; ++i) {
      co_await far.send("x");
      co_await far.receive_view();
    }
  };
  co_await eddy::task_group(body);
}

}  // namespace

TEST(Datagrams, AnExchangeOverTheKernelEndsWellWhereverItIsCancelledOrFails) {
  for (auto backend : eddy::available_backends()) {
    SCOPED_TRACE(std::string(eddy::to_string(backend)));
    EXPECT_GT(eddy::testing::cancel_everywhere(udp_exchange, {.backend = backend}), 3u);
    EXPECT_GT(eddy::testing::fail_everywhere(udp_exchange, eddy::OSError(EIO, "await"), {.backend = backend}), 3u);
  }
}
