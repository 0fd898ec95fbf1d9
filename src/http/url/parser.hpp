// SPDX-License-Identifier: MIT
// The basic URL parser of the WHATWG URL Standard, 4.4, without state overrides.
#pragma once

#include <eddy/http/url.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace eddy::http {

/// Each function is one or a few of the standard's states; they call each other in its order.
class UrlParser {
 public:
  UrlParser(std::string_view text, const Url* base);

  /// Nothing if the text is no URL; then `rule()` and `offset()` tell why.
  std::optional<Url> parse();
  std::string_view rule() const noexcept { return rule_; }
  std::size_t offset() const noexcept;

 private:
  bool with_scheme(std::size_t colon);
  bool without_scheme();
  bool relative();
  bool authority();
  bool host_and_port(std::size_t from, std::size_t end);
  bool file();
  bool file_slash();
  bool file_host();
  bool path_start();
  bool path();
  bool opaque_path();
  bool query();
  bool fragment();
  void end_segment(std::string_view segment, bool at_slash);
  void shorten_path();
  void take_base(bool with_path);
  bool fail(std::string_view rule, std::size_t at);
  Url assemble() const;

  bool at_end() const noexcept { return at_ >= text_.size(); }
  bool looking_at(char c) const noexcept { return !at_end() && text_[at_] == c; }
  bool is_slash(std::size_t i) const noexcept {
    return i < text_.size() && (text_[i] == '/' || (special_ && text_[i] == '\\'));
  }

  std::string_view original_;
  std::string stripped_;   // original_ without tabs and line ends, if it has any
  std::string_view text_;  // what is parsed: original_ or stripped_, without spaces at the ends
  const Url* base_;
  std::size_t at_ = 0;
  std::string_view rule_;
  std::size_t fault_ = 0;

  std::string scheme_, username_, password_, path_;
  std::optional<std::string> host_, query_, fragment_;
  std::int32_t port_ = -1;
  bool special_ = false;
  bool opaque_ = false;
};

/// The port a special scheme implies; -1 for other schemes, 0 for file.
int default_port(std::string_view scheme) noexcept;

}  // namespace eddy::http
