// SPDX-License-Identifier: MIT
// Trees, matches and texts of real pages, compared with lxml, cssselect and pyquery.
#include <eddy/html.hpp>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace {

namespace fs = std::filesystem;
namespace html = eddy::html;
namespace json = boost::json;

const fs::path kHere = fs::path(EDDY_SOURCE_DIR) / "tests/html";

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<fs::path> files_in(const fs::path& folder, std::uintmax_t most_bytes) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".html" && entry.file_size() <= most_bytes) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The fixtures, and some 25 pages of Python's manual where Debian's python3.11-doc is installed.
std::vector<fs::path> pages() {
  auto pages = files_in(kHere / "pages", 100'000);
  if (const auto library = fs::path(EDDY_TEST_PAGES) / "library"; fs::exists(library)) {
    const auto all = files_in(library, 150'000);
    for (std::size_t i = 0; i < all.size(); i += all.size() / 24 + 1) pages.push_back(all[i]);
    pages.push_back(fs::path(EDDY_TEST_PAGES) / "index.html");
  }
  return pages;
}

std::string run(const std::string& command) {
  std::string out;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 65536> block;
  while (const auto count = std::fread(block.data(), 1, block.size(), pipe)) out.append(block.data(), count);
  ::pclose(pipe);
  return out;
}

bool has_pyquery() { return run("'" EDDY_PYTHON "' -c 'import pyquery; print(1)' 2>/dev/null") == "1\n"; }

std::vector<json::object> answers(const std::vector<fs::path>& files, const std::string& selectors) {
  auto command = "'" EDDY_PYTHON "' '" + (kHere / "pyquery_oracle.py").string() + "' '" +
                 (kHere / selectors).string() + "'";
  for (const auto& file : files) command += " '" + file.string() + "'";
  std::vector<json::object> all;
  for (const auto& line : lines_of(run(command))) all.push_back(json::parse(line).as_object());
  return all;
}

std::string joined_tags(const html::Elements& elements) {
  std::string tags;
  for (const auto& element : elements) tags += (tags.empty() ? "" : " ") + std::string(element.tag());
  return tags;
}

// Places of the matches among `all`.
std::string places(const html::Elements& found, const html::Elements& all) {
  std::string text;
  std::size_t at = 0;
  for (const auto& element : found) {
    while (!(all[at] == element)) ++at;
    text += std::to_string(at) + ' ';
  }
  return text;
}

std::string places(const json::value& found) {
  if (found.is_null()) return "refused";
  std::string text;
  for (const auto& place : found.as_array()) text += std::to_string(place.as_int64()) + ' ';
  return text;
}

class Pyquery : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!has_pyquery()) return;
    files_ = pages();
    answers_ = answers(files_, "selectors.txt");
  }
  void SetUp() override {
    ASSERT_FALSE(answers_.empty()) << "python3-pyquery is not installed";
    ASSERT_EQ(answers_.size(), files_.size());
  }
  template <class Check>
  void for_each_page(Check check) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      SCOPED_TRACE(files_[i]);
      const auto document = html::parse(content_of(files_[i]));
      check(document, document.select("*"), answers_[i]);
    }
  }

  static inline std::vector<fs::path> files_;
  static inline std::vector<json::object> answers_;
};

TEST_F(Pyquery, HasTheSameElements) {
  for_each_page([](const auto&, const html::Elements& all, const json::object& answer) {
    EXPECT_EQ(joined_tags(all), answer.at("tags").as_string().c_str());
  });
}

TEST_F(Pyquery, FindsTheSameElements) {
  const auto selectors = lines_of(content_of(kHere / "selectors.txt"));
  EXPECT_GE(selectors.size(), 200u);
  for_each_page([&](const html::Document& document, const html::Elements& all, const json::object& answer) {
    const auto& found = answer.at("found").as_array();
    ASSERT_EQ(found.size(), selectors.size());
    for (std::size_t s = 0; s < selectors.size(); ++s) {
      EXPECT_EQ(places(document.select(selectors[s]), all), places(found[s])) << selectors[s];
    }
  });
}

// Keeps the list of its known faults honest: what it gets right belongs into selectors.txt.
TEST_F(Pyquery, IsWrongWhereTheListSaysSo) {
  const auto lines = lines_of(content_of(kHere / "selectors_known.txt"));
  const auto theirs = answers(files_, "selectors_known.txt");
  for (std::size_t s = 0; s < lines.size(); ++s) {
    if (lines[s].starts_with("# ")) continue;
    const html::Selector selector(lines[s].substr(0, lines[s].find('\t')));
    int different = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto document = html::parse(content_of(files_[i]));
      different +=
          places(document.select(selector), document.select("*")) != places(theirs[i].at("found").at(s));
    }
    EXPECT_GT(different, 0) << lines[s];
  }
}

TEST_F(Pyquery, ReadsTheSameText) {
  for_each_page([](const html::Document& document, const html::Elements& all, const json::object& answer) {
    const auto& texts = answer.at("texts").as_array();
    ASSERT_EQ(all.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!texts[i].is_string()) continue;
      EXPECT_EQ(all[i].text({.scripts = true}), texts[i].as_string().c_str()) << all[i].outer_html();
    }
    EXPECT_EQ(document.select("li a").text({.scripts = true}), answer.at("all").as_string().c_str());
  });
}

}  // namespace
