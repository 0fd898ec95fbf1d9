// SPDX-License-Identifier: MIT
#include <eddy/http/date.hpp>

#include <gtest/gtest.h>

namespace eddy::http {
namespace {

using namespace std::chrono;

constexpr sys_seconds kBirth = sys_days(year(1994) / 11 / 6) + 8h + 49min + 37s;

TEST(Date, IsWrittenInTheFixedForm) {
  EXPECT_EQ(format_date(kBirth), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(sys_seconds()), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(sys_days(year(2024) / 2 / 29)), "Thu, 29 Feb 2024 00:00:00 GMT");
  EXPECT_EQ(format_date(sys_seconds::max()), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(format_date(sys_seconds::min()), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(Date, IsReadInAllThreeForms) {
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), kBirth);
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), kBirth);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), kBirth);
  EXPECT_EQ(parse_date("Tue, 01-Jan-30 00:00:00 GMT"), sys_days(year(2030) / 1 / 1));
}

TEST(Date, WhatIsWrittenIsReadBack) {
  for (std::int64_t t = -50'000'000'000; t < 200'000'000'000; t += 1'234'567'891)
    EXPECT_EQ(parse_date(format_date(sys_seconds(seconds(t)))), sys_seconds(seconds(t))) << t;
}

TEST(Date, WhatIsNoDateIsRefused) {
  for (auto text :
       {"", "now", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 6x Nov 1994 08:49:37 GMT", "Sun, 06 Nov 994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT", "Sun Nov 6 08:49:37 1994 GMT", "a b c d e f g h"})
    EXPECT_FALSE(parse_date(text)) << text;
}

TEST(DateField, ChangesWithTheSecond) {
  DateField date;
  EXPECT_EQ(date.at(kBirth), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  const char* text = date.at(kBirth).data();
  EXPECT_EQ(date.at(kBirth).data(), text);
  EXPECT_EQ(date.at(kBirth + 1s), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
}

}  // namespace
}  // namespace eddy::http
