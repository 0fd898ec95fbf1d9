// SPDX-License-Identifier: MIT
// URLs: the normal form is a fixed point, its parts make up the whole, and joining never surprises.
#include <eddy/http/url.hpp>

#include <memory>

#include "invariant.hpp"

using namespace eddy::http;

namespace {

void check(const Url& url) {
  const auto again = Url::parse(url.str());
  require(again.has_value(), "a normal form parses");
  require(again->str() == url.str(), "a normal form is its own");
  require(again->host() == url.host() && again->port() == url.port() && again->target() == url.target() &&
              again->fragment() == url.fragment() && again->username() == url.username() &&
              again->password() == url.password(),
          "the same parts");
  for (char c : url.str()) require(c > 0x1f && c < 0x7f, "a URL is printable ASCII");
  if (!url.is_http()) return;
  require(!url.host().empty() && url.path().starts_with('/'), "http has a host and a path");
  require(url.target().find_first_of(" #") == std::string_view::npos, "a target fits a request line");
  require(url.join("").str() == url.without_fragment().str(), "the empty reference means the page");
  require(url.join(url.target().starts_with("//") ? "#x" : url.target()).host() == url.host(),
          "a target stays at home");
  const auto more = url.with_query("n", "v w");
  require(Url(more.str()) == more && more.query().ends_with("n=v+w"), "a query is added");
  require(Url(url.without_credentials().str()) == url.without_credentials(), "credentials are cut clean");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::unique_ptr<char[]> exact(new char[size]);  // so that reading behind it is seen
  std::copy_n(data, size, exact.get());
  const std::string_view text(exact.get(), size);
  if (const auto url = Url::parse(text)) check(*url);
  for (const char* base : {"http://u:p@example.org:8080/a/b?q#f", "file:///C:/a", "foo://h/a", "mailto:a"})
    if (const auto url = Url(base).try_join(text)) check(*url);
  try {
    Url{text};
  } catch (const UrlError& e) {
    require(e.offset() <= size, "a fault lies in the text");
  }
  return 0;
}
