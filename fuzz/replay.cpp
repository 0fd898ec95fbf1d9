// SPDX-License-Identifier: MIT
// Runs a fuzz target over the files of a directory: each whole, and each with every byte in turn left out.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    std::fprintf(stderr, "%s\n", path.filename().c_str());  // the last one named is the one that failed
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    if (bytes.size() > 2000) continue;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto shorter = bytes;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
      LLVMFuzzerTestOneInput(shorter.data(), shorter.size());
    }
  }
  std::printf("%zu files\n", files.size());
  return files.empty() ? 1 : 0;
}
