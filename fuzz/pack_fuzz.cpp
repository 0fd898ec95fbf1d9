// SPDX-License-Identifier: MIT
// The first byte chooses a type, the rest is read as one. What could be read is written and read again the
// same.
#include <eddy/pack.hpp>
#include <eddy/remote.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "invariant.hpp"

namespace {

struct Point {
  int x = 0;
  double y = 0;
};
struct Page {
  std::string url;
  std::optional<int> status;
  std::variant<std::monostate, bool, std::string> body;
  std::vector<Point> points;
  std::map<std::string, std::vector<int>> index;
};
struct Tree {
  std::uint8_t value = 0;
  std::vector<Tree> children;
};

template <class T>
void read_as(std::string_view bytes) {
  std::string again;
  try {
    const auto value = eddy::unpack<T>(bytes);
    again = eddy::pack(value);
  } catch (const eddy::UnpackError&) {
    return;
  }
  require(eddy::pack(eddy::unpack<T>(again)) == again, "what was read is written and read the same");
}

void read_as_outcome(std::string_view bytes) {
  eddy::Unpacker unpacker(bytes);
  try {
    const auto error = eddy::detail::outcome_of(unpacker);
    if (!error) return;
    eddy::Packer packer;
    eddy::detail::pack_exception(packer, error);
  } catch (const eddy::UnpackError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      read_as<std::string>(bytes);
      break;
    case 1:
      read_as<std::vector<std::vector<std::uint16_t>>>(bytes);
      break;
    case 2:
      read_as<Page>(bytes);
      break;
    case 3:
      read_as<Tree>(bytes);
      break;
    case 4:
      read_as<std::map<std::string, std::optional<bool>>>(bytes);
      break;
    case 5:
      read_as<std::tuple<std::set<int>, std::array<bool, 3>, std::u16string>>(bytes);
      break;
    case 6:
      read_as<std::vector<std::variant<std::string, std::vector<bool>>>>(bytes);
      break;
    default:
      read_as_outcome(bytes);
  }
  return 0;
}
