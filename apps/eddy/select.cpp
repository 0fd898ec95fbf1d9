// SPDX-License-Identifier: MIT
// eddy select: the elements of a page that match a selector, one JSON object a line.
#include "commands.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/html.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>
#include <string>

namespace {

namespace html = eddy::html;

struct Arguments {
  std::string css;
  std::string file;  // "" or "-": standard input
  std::string encoding;
  std::string attribute;
  bool text = false;
};

std::string read_all(int descriptor, const std::string& name) {
  std::string bytes;
  std::array<char, 65536> block;
  for (;;) {
    const auto count = ::read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) eddy::throw_os_error(errno, "read " + name);
    if (count == 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }
}

std::string read_page(const std::string& file) {
  if (file.empty() || file == "-") return read_all(STDIN_FILENO, "standard input");
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) eddy::throw_os_error(errno, "open '" + file + "'");
  auto bytes = read_all(descriptor, "'" + file + "'");
  ::close(descriptor);
  return bytes;
}

std::string json_line(const html::Element& element) {
  boost::json::object attributes;
  for (const auto& [name, value] : element.attrs()) attributes[name] = value;
  const boost::json::object line{{"tag", element.tag()},
                                 {"attrs", std::move(attributes)},
                                 {"text", element.text_content()},
                                 {"html", element.outer_html()}};
  return boost::json::serialize(line);
}

// Plain text is one line a match: line breaks inside become blanks.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::optional<std::string> line_for(const html::Element& element, const Arguments& arguments) {
  if (!arguments.attribute.empty()) {
    const auto value = element.attr(arguments.attribute);
    return value ? std::optional(on_one_line(std::string(*value))) : std::nullopt;
  }
  return arguments.text ? on_one_line(element.text()) : json_line(element);
}

int print_matches(const Arguments& arguments) {
  const html::Selector selector(arguments.css);
  const auto bytes = read_page(arguments.file);
  const auto document = html::parse(std::as_bytes(std::span(bytes)), {.encoding = arguments.encoding});
  for (const auto& element : document.select(selector)) {
    const auto line = line_for(element, arguments);
    if (line && std::printf("%s\n", line->c_str()) < 0) break;
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    eddy::throw_os_error(errno, "write standard output");
  return 0;
}

}  // namespace

int select_command(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Prints each element that matches, in the order of the page, as a line of JSON with its tag, attrs,\n"
      "text (its text content) and html (itself, serialised). No match is no error.",
      "eddy select");
  app.add_option("selector", arguments.css, "CSS selector")->required()->type_name("CSS");
  app.add_option("file", arguments.file, "HTML page; standard input if not given, or -")->type_name("FILE");
  app.add_option("-e,--encoding", arguments.encoding, "charset of the page; default: what the page says")
      ->type_name("NAME");
  auto* text = app.add_flag("-t,--text", arguments.text, "print the text a reader sees, one line a match");
  app.add_option("-a,--attr", arguments.attribute, "print this attribute of the matches that have it")
      ->type_name("NAME")
      ->excludes(text);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!arguments.encoding.empty() && !eddy::known_charset(arguments.encoding)) {
    std::fprintf(stderr, "eddy select: unknown charset '%s'\n", arguments.encoding.c_str());
    return 2;
  }
  try {
    return print_matches(arguments);
  } catch (const html::SelectorError& error) {
    std::fprintf(stderr, "eddy select: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "eddy select: %s\n", error.what());
    return 1;
  }
}
