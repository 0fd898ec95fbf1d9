// SPDX-License-Identifier: MIT
#include "base/native_stack.hpp"

#include <eddy/eddy.hpp>

#include "support.hpp"

using eddy::detail::NativeStack;

namespace {

[[gnu::noinline]] int here(NativeStack& stack) {
  stack.capture(0);
  return stack.size;
}

NativeStack taken;
Coro<> look_from_a_coroutine(int) {
  here(taken);
  co_return;
}

}  // namespace

TEST(NativeStack, NamesStaticFunctionsOfTheProgram) {
  NativeStack stack;
  const int size = here(stack);
  const auto lines = stack.lines();
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(size));
  // Sanitizers put a frame of their own before it.
  const auto text = lines.at(0) + '\n' + lines.at(1);
  EXPECT_NE(text.find("(anonymous namespace)::here(eddy::detail::NativeStack&)+0x"), text.npos) << text;
  EXPECT_NE(text.find(" (inspect_tests+0x"), text.npos) << text;
}

TEST(NativeStack, NamesACoroutineAsItWasWritten) {
  eddy::run(look_from_a_coroutine(1));
  std::string all;
  for (const auto& line : taken.lines()) all += line + '\n';
  EXPECT_NE(all.find("(anonymous namespace)::look_from_a_coroutine(int)+0x"), std::string::npos) << all;
}

TEST(NativeStack, CutsTheFrameOffACoroutinesName) {
  using eddy::detail::without_frame;
  EXPECT_EQ(without_frame("ns::slow(ns::slow(int, char const*)::_ZN2nsL4slowEiPKc.Frame*) [clone .actor]"),
            "ns::slow(int, char const*)");
  EXPECT_EQ(without_frame("main::{lambda(int)#1}::operator()(main::{lambda(int)#1}::operator()(int) "
                          "const::_ZZ4mainENKUliE_clEi.Frame*) [clone .actor] [clone .cold]"),
            "main::{lambda(int)#1}::operator()(int) const");
  EXPECT_EQ(without_frame("plain(int)"), "plain(int)");
  EXPECT_EQ(without_frame("f() [clone .resume]"), "f()");
  EXPECT_EQ(without_frame(".Frame*)"), ".Frame*)");
}

TEST(NativeStack, HasAddressesWhereNothingIsKnown) {
  NativeStack stack;
  stack.frames[0] = reinterpret_cast<void*>(0x10);
  stack.size = 1;
  EXPECT_EQ(stack.lines().front(), "0x10");
}
