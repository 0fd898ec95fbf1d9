// SPDX-License-Identifier: MIT
#include "dns_support.hpp"

#include "io/dns_message.hpp"

using dns::failure;

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
