// SPDX-License-Identifier: MIT
// Runs a fuzz target over the files of a corpus, and over each file cut short and with bytes changed, so that
// the targets are tests under any compiler. usage: NAME_replay FOLDER
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kCuts = 64;  // of each file
constexpr std::size_t kMutations = 200;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void run_all_from(const std::string& input, std::mt19937& random) {
  run(input);
  const auto step = input.size() / kCuts + 1;
  for (std::size_t length = 0; length < input.size(); length += step) run(input.substr(0, length));
  for (std::size_t i = 0; i < kMutations && !input.empty(); ++i) {
    auto changed = input;
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
      const auto at = random() % changed.size();
      switch (random() % 3) {
        case 0:
          changed[at] = static_cast<char>(random());
          break;
        case 1:
          changed.insert(at, changed.substr(random() % changed.size(), random() % 16));
          break;
        default:
          if (changed.size() > 1) changed.erase(at, 1);
      }
    }
    run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: replay FOLDER\n", stderr);
    return 2;
  }
  std::mt19937 random(1);  // the same every time
  int files = 0;
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.insert(entry.path());
  for (const auto& path : paths) {
    std::fprintf(stderr, "%s\n", path.filename().c_str());  // the last one named is the one that failed
    std::ifstream in(path, std::ios::binary);
    run_all_from({std::istreambuf_iterator<char>(in), {}}, random);
    ++files;
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;  // an empty corpus proves nothing
}
