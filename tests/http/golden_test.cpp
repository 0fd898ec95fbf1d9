// SPDX-License-Identifier: MIT
#include "http/golden.hpp"

#include <gtest/gtest.h>

#include "http/transcript.hpp"

namespace eddy::http::test {
namespace {

void run_file(std::string_view file, std::size_t at_least) {
  const auto cases = read_golden(file);
  EXPECT_GE(cases.size(), at_least);
  for (const GoldenCase& c : cases) {
    const auto whole = transcript(c.kind, c.options, c.input);
    EXPECT_EQ(whole, c.expected) << file << ": " << c.fact;
    // Every place to cut; in long inputs every place near the ends and some between.
    for (std::size_t i = 1; i < c.input.size(); i += i < 300 || i + 100 > c.input.size() ? 1 : 97)
      ASSERT_EQ(transcript(c.kind, c.options, c.input, {i}), whole)
          << file << ": " << c.fact << ", cut at " << i;
    if (c.input.size() > 5000) continue;
    std::vector<std::size_t> every(c.input.size());
    for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
    ASSERT_EQ(transcript(c.kind, c.options, c.input, every), whole)
        << file << ": " << c.fact << ", byte by byte";
  }
}

TEST(Golden, RequestsAreReadAsWritten) { run_file("requests.md", 55); }
TEST(Golden, BadRequestsAreRefusedWithStatusAndPlace) { run_file("bad_requests.md", 95); }
TEST(Golden, ResponsesAreReadAsWritten) { run_file("responses.md", 47); }
TEST(Golden, BodiesAreFoundInTheirFrames) { run_file("bodies.md", 49); }

}  // namespace
}  // namespace eddy::http::test
