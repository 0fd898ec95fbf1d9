// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/transcript.hpp"
#include "invariant.hpp"

/// Checks that the transcript of `input` does not depend on how it is cut, and gives it.
inline std::string same_in_all_cuts(std::string_view kind, std::string_view options, std::string_view input) {
  using eddy::http::test::transcript;
  const std::string whole = transcript(kind, options, input);
  std::vector<std::size_t> cuts;
  std::size_t seed = input.size();
  for (std::size_t at = 1; at < input.size(); at += 1 + seed % 23) {  // places that follow from the input
    cuts.push_back(at);
    seed = seed * 31 + static_cast<unsigned char>(input[at]);
  }
  require(transcript(kind, options, input, cuts) == whole, "the same in pieces");
  if (input.size() > 500) return whole;
  cuts.clear();
  for (std::size_t at = 1; at < input.size(); ++at) cuts.push_back(at);
  require(transcript(kind, options, input, cuts) == whole, "the same byte by byte");
  return whole;
}
