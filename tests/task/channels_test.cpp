// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

#include <memory>
#include <optional>
#include <string>

#include "support.hpp"

using eddy::CancelledError;
using eddy::open_memory_channel;
using eddy::testing::error_of;
using eddy::testing::Log;
using eddy::testing::settle;

namespace {

Coro<> consume(eddy::MemoryReceiveChannel<int> channel, Log& log, std::string name) {
  while (auto item = co_await channel.next()) log(name, *item);
  log(name, "ends");
}

Coro<> produce(eddy::MemorySendChannel<int> channel, int from, int to) {
  for (int i = from; i < to; ++i) co_await channel.send(i);
}

}  // namespace

ASYNC_TEST(Channels, SYNC_12_WhatIsLeftComesThenTheEnd) {
  auto [sender, receiver] = open_memory_channel<int>(10);
  sender.send_nowait(1);
  sender.send_nowait(2);
  sender.close();
  sender.close();
  EXPECT_EQ(co_await receiver.receive(), 1);
  EXPECT_EQ(receiver.receive_nowait(), 2);
  EXPECT_EQ(co_await receiver.next(), std::nullopt);
  EXPECT_STREQ((co_await error_of<eddy::EndOfChannel>(receiver.receive())).what(),
               "the channel has ended: every sender is closed and nothing is left");
  EXPECT_THROW(receiver.receive_nowait(), eddy::EndOfChannel);
}

ASYNC_TEST(Channels, SYNC_12_SendersGetAnErrorWhenEveryReceiverIsGone) {
  auto [sender, receiver] = open_memory_channel<int>(1);
  auto other = receiver.clone();
  co_await sender.send(1);
  auto waiting = eddy::create_task(sender.send(2));
  co_await settle();
  receiver.close();
  co_await settle();
  EXPECT_FALSE(waiting.done());
  other.close();
  EXPECT_STREQ((co_await error_of<eddy::BrokenResourceError>(waiting)).what(),
               "the channel is broken: every receiver is closed");
  EXPECT_THROW(sender.send_nowait(3), eddy::BrokenResourceError);
  EXPECT_EQ(sender.statistics().buffered, 0u);
}

ASYNC_TEST(Channels, SYNC_13_EndWhenTheLastOfSeveralSendersIsClosed) {
  Log log;
  auto channel = open_memory_channel<int>(0);
  auto consumer = eddy::create_task(consume(std::move(channel.receive), log, "c"));
  auto second = channel.send.clone();
  auto a = eddy::create_task(produce(std::move(channel.send), 0, 2));
  auto b = eddy::create_task(produce(std::move(second), 10, 13));
  co_await consumer;
  EXPECT_EQ(log, "c 0, c 1, c 10, c 11, c 12, c ends");
  co_await eddy::gather(a, b);
}

ASYNC_TEST(Channels, SYNC_13_OfCapacityZeroHandOverDirectly) {
  auto [sender, receiver] = open_memory_channel<std::unique_ptr<int>>(0);
  EXPECT_THROW(sender.send_nowait(std::make_unique<int>(1)), eddy::WouldBlock);
  auto sending = eddy::create_task(sender.send(std::make_unique<int>(2)));
  co_await settle();
  EXPECT_FALSE(sending.done());
  EXPECT_EQ(sender.statistics().waiting_senders, 1u);
  auto item = co_await receiver.receive();
  EXPECT_EQ(*item, 2);
  co_await sending;
  auto receiving = eddy::create_task(receiver.receive());
  co_await settle();
  EXPECT_EQ(receiver.statistics().waiting_receivers, 1u);
  sender.send_nowait(std::make_unique<int>(3));
  EXPECT_EQ(*co_await receiving, 3);
}

ASYNC_TEST(Channels, SYNC_14_ServeTheirReceiversInTurn) {
  Log log;
  auto channel = open_memory_channel<int>(0);
  auto other = channel.receive.clone();
  auto a = eddy::create_task(consume(std::move(channel.receive), log, "a"));
  auto b = eddy::create_task(consume(std::move(other), log, "b"));
  co_await settle();
  for (int i = 0; i < 4; ++i) {
    co_await channel.send.send(i);
    co_await settle();
  }
  channel.send.close();
  co_await eddy::gather(a, b);
  EXPECT_EQ(log, "a 0, b 1, a 2, b 3, a ends, b ends");
}

ASYNC_TEST(Channels, ACancelledReceiveLosesNothing) {
  auto [sender, receiver] = open_memory_channel<int>(5);
  auto waiting = eddy::create_task(receiver.receive());
  co_await settle();
  waiting.cancel();
  sender.send_nowait(1);
  co_await error_of<CancelledError>(waiting);
  EXPECT_EQ(co_await receiver.receive(), 1);

  // Handed over already: the item is given, the cancellation comes at the next wait.
  auto body = [](eddy::MemoryReceiveChannel<int>& from, Log& log) -> Coro<> {
    log("got", co_await from.receive());
    co_await eddy::sleep(1s);
    log("not reached");
  };
  Log log;
  auto taking = eddy::create_task(body(receiver, log));
  co_await settle();
  sender.send_nowait(2);
  taking.cancel();
  co_await error_of<CancelledError>(taking);
  EXPECT_EQ(log, "got 2");
}

ASYNC_TEST(Channels, ACancelledSendSendsNothing) {
  auto [sender, receiver] = open_memory_channel<int>(0);
  auto waiting = eddy::create_task(sender.send(1));
  co_await settle();
  waiting.cancel();
  auto receiving = eddy::create_task(receiver.receive());
  co_await settle();
  EXPECT_TRUE(waiting.cancelled());
  EXPECT_FALSE(receiving.done());
  sender.send_nowait(2);
  EXPECT_EQ(co_await receiving, 2);
}

ASYNC_TEST(Channels, KeepTheirOrderWhenSendersWaitForRoom) {
  auto [sender, receiver] = open_memory_channel<int>(2);
  auto sending = eddy::create_task(produce(sender.clone(), 0, 6));
  co_await settle();
  EXPECT_EQ(receiver.statistics().buffered, 2u);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(co_await receiver.receive(), i);
  co_await sending;
}

ASYNC_TEST(Channels, AnEndThatIsClosedRefuses) {
  auto [sender, receiver] = open_memory_channel<int>(1);
  sender.close();
  receiver.close();
  EXPECT_EQ(TEXT_OF(eddy::ClosedResourceError, sender.send_nowait(1)), "this end of the channel is closed");
  EXPECT_THROW(receiver.receive_nowait(), eddy::ClosedResourceError);
  EXPECT_THROW(static_cast<void>(sender.clone()), eddy::ClosedResourceError);
  EXPECT_THROW(static_cast<void>(receiver.statistics()), eddy::ClosedResourceError);
  EXPECT_EQ(TEXT_OF(eddy::WouldBlock, open_memory_channel<int>(1).receive.receive_nowait()),
            "the channel would have to wait; await send() or receive() instead");
  co_return;
}

TEST(ChannelsSweep, CancelledAtEveryPlaceTheyLeaveNothingBehind) {
  EXPECT_GT(eddy::testing::cancel_everywhere([]() -> Coro<> {
              Log log;
              auto channel = open_memory_channel<int>(1);
              auto consumer = eddy::create_task(consume(std::move(channel.receive), log, "c"));
              std::exception_ptr error;
              try {
                co_await produce(std::move(channel.send), 0, 4);
              } catch (...) {
                error = std::current_exception();
              }
              channel.send.close();
              co_await eddy::shield(consumer);
              if (error) std::rethrow_exception(error);
            }),
            4u);
}
