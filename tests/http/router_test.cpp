// SPDX-License-Identifier: MIT
#include "http/router.hpp"

#include <gtest/gtest.h>

#include "http/error_of.hpp"

namespace eddy::http {
namespace {

using test::error_of;

Router router_of(std::initializer_list<std::pair<std::string_view, std::string_view>> routes) {
  Router router;
  std::uint32_t handler = 0;
  for (const auto& [method, pattern] : routes) router.add(method, pattern, handler++);
  return router;
}

// "2 id=7 name=x", "404", "405 GET, HEAD"
std::string find(const Router& router, std::string_view method, std::string_view path) {
  PathParams params;
  const auto match = router.find(method_of(method), method, path, params);
  if (match.outcome == Router::Outcome::not_found) return "404";
  if (match.outcome == Router::Outcome::method_not_allowed) return "405 " + router.allowed(path);
  std::string text = std::to_string(match.handler);
  for (std::size_t i = 0; i < params.size(); ++i)
    text += " " + std::string(params.name(i)) + "=" + params.at(params.name(i));
  return text;
}

TEST(Router, FindsStaticPaths) {
  const auto router = router_of({{"GET", "/"}, {"GET", "/a"}, {"GET", "/a/b"}, {"POST", "/a"}});
  EXPECT_EQ(find(router, "GET", "/"), "0");
  EXPECT_EQ(find(router, "GET", "/a"), "1");
  EXPECT_EQ(find(router, "GET", "/a/b"), "2");
  EXPECT_EQ(find(router, "POST", "/a"), "3");
  EXPECT_EQ(find(router, "GET", "/b"), "404");
  EXPECT_EQ(find(router, "GET", "/a/b/c"), "404");
}

TEST(Router, ATrailingSlashCounts) {
  const auto router = router_of({{"GET", "/a"}, {"GET", "/b/"}});
  EXPECT_EQ(find(router, "GET", "/a/"), "404");
  EXPECT_EQ(find(router, "GET", "/b"), "404");
  EXPECT_EQ(find(router, "GET", "/b/"), "1");
  EXPECT_EQ(find(router, "GET", "//a"), "404");
}

TEST(Router, AParameterTakesOneSegment) {
  const auto router = router_of({{"GET", "/users/{id}"}, {"GET", "/users/{user}/posts/{post}"}});
  EXPECT_EQ(find(router, "GET", "/users/7"), "0 id=7");
  EXPECT_EQ(find(router, "GET", "/users/7/posts/8"), "1 user=7 post=8");
  EXPECT_EQ(find(router, "GET", "/users/"), "404");
  EXPECT_EQ(find(router, "GET", "/users/7/posts"), "404");
}

TEST(Router, AnUnknownParameterIsAKeyError) {
  const auto router = router_of({{"GET", "/users/{id}"}});
  PathParams params;
  router.find(Method::get, "GET", "/users/7", params);
  EXPECT_EQ(error_of<KeyError>([&] { params.at("name"); }), "no path parameter 'name' in '/users/{id}'");
  router.find(Method::get, "GET", "/unknown", params);
  EXPECT_EQ(error_of<KeyError>([&] { params.at("id"); }), "no path parameter 'id' in ''");
}

TEST(Router, ATailTakesTheRest) {
  const auto router = router_of({{"GET", "/files/{name:path}"}});
  EXPECT_EQ(find(router, "GET", "/files/a/b.txt"), "0 name=a/b.txt");
  EXPECT_EQ(find(router, "GET", "/files/"), "0 name=");
  EXPECT_EQ(find(router, "GET", "/files"), "404");
}

TEST(Router, StaticWinsOverParameterAndParameterOverTail) {
  const auto router =
      router_of({{"GET", "/{tail:path}"}, {"GET", "/{one}"}, {"GET", "/me"}, {"GET", "/me/x"}});
  EXPECT_EQ(find(router, "GET", "/me"), "2");
  EXPECT_EQ(find(router, "GET", "/you"), "1 one=you");
  EXPECT_EQ(find(router, "GET", "/you/there"), "0 tail=you/there");
  EXPECT_EQ(find(router, "GET", "/me/y"), "0 tail=me/y");
}

TEST(Router, GivesUpAChoiceThatLeadsNowhere) {
  const auto router = router_of({{"GET", "/a/b/c"}, {"GET", "/{x}/b/d"}, {"GET", "/a/{y}/e"}});
  EXPECT_EQ(find(router, "GET", "/a/b/c"), "0");
  EXPECT_EQ(find(router, "GET", "/a/b/d"), "1 x=a");
  EXPECT_EQ(find(router, "GET", "/a/b/e"), "2 y=b");
  EXPECT_EQ(find(router, "GET", "/a/b/f"), "404");
}

TEST(Router, ParametersAreDecodedAndEncodedSlashesDivideNothing) {
  const auto router = router_of({{"GET", "/users/{id}"}, {"GET", "/caf\xc3\xa9"}});
  EXPECT_EQ(find(router, "GET", "/users/a%20b%2Fc"), "0 id=a b/c");
  EXPECT_EQ(find(router, "GET", "/caf%C3%A9"), "1");
  EXPECT_EQ(find(router, "GET", "/%75sers/7"), "0 id=7");
}

TEST(Router, TellsWhichMethodsAPathAllows) {
  const auto router = router_of({{"GET", "/a"}, {"DELETE", "/a"}, {"PUT", "/{x}"}, {"POST", "/b"}});
  EXPECT_EQ(find(router, "POST", "/a"), "405 DELETE, GET, HEAD, PUT");
  EXPECT_EQ(find(router, "GET", "/b"), "405 POST, PUT");
  EXPECT_EQ(router.allowed("/none/such"), "");
}

TEST(Router, AnotherRouteIsTriedForTheMethod) {
  const auto router = router_of({{"POST", "/me"}, {"GET", "/{name}"}});
  EXPECT_EQ(find(router, "GET", "/me"), "1 name=me");
}

TEST(Router, HeadIsAnsweredByGetUnlessItHasItsOwn) {
  const auto router = router_of({{"GET", "/a"}, {"GET", "/b"}, {"HEAD", "/b"}});
  EXPECT_EQ(find(router, "HEAD", "/a"), "0");
  EXPECT_EQ(find(router, "HEAD", "/b"), "2");
}

TEST(Router, UnknownMethodsAreRoutedByTheirText) {
  const auto router = router_of({{"BREW", "/pot"}, {"WHEN", "/pot"}});
  EXPECT_EQ(find(router, "WHEN", "/pot"), "1");
  EXPECT_EQ(find(router, "STIR", "/pot"), "405 BREW, WHEN");
}

TEST(Router, RefusesRoutesThatCannotBeToldApart) {
  Router router;
  router.add("GET", "/a/{x}", 0);
  router.add("POST", "/a/{y}", 1);
  EXPECT_EQ(error_of<RouteError>([&] { router.add("GET", "/a/{y}", 2); }),
            "route 'GET /a/{y}' conflicts with 'GET /a/{x}'");
}

TEST(Router, RefusesBadPatterns) {
  Router router;
  const auto error = [&](std::string_view pattern) {
    return error_of<RouteError>([&] { router.add("GET", pattern, 0); });
  };
  EXPECT_EQ(error("a"), "route 'GET a' does not begin with '/'");
  EXPECT_EQ(error("/a-{x}"), "route 'GET /a-{x}' has 'a-{x}': a parameter must be a whole segment, '{name}'");
  EXPECT_EQ(error("/{}"), "route 'GET /{}' has '{}': a parameter must be a whole segment, '{name}'");
  EXPECT_EQ(error("/{:path}"), "route 'GET /{:path}' has '{:path}': the name is empty");
  EXPECT_EQ(error("/{x:int}"), "route 'GET /{x:int}' has '{x:int}': the only kind of parameter is 'path'");
  EXPECT_EQ(error("/{a b}"), "route 'GET /{a b}' has '{a b}': a name has letters, digits and '_'");
  EXPECT_EQ(error("/{x}/{x}"), "route 'GET /{x}/{x}' has two parameters called 'x'");
  EXPECT_EQ(error("/{x:path}/b"),
            "route 'GET /{x:path}/b' goes on behind a ':path' parameter, which takes all the rest");
  EXPECT_EQ(error("/a?b"), "route 'GET /a?b' has 'a?b': write paths decoded, without query or fragment");
  EXPECT_EQ(router.allowed("/a"), "");
}

TEST(Router, SearchesManyRoutesInOneWalk) {
  Router router;
  for (std::uint32_t i = 0; i < 2000; ++i) router.add("GET", "/api/v" + std::to_string(i) + "/{id}", i);
  EXPECT_EQ(find(router, "GET", "/api/v1234/x"), "1234 id=x");
  std::string deep = "/api";
  for (int i = 0; i < 2000; ++i) deep += "/v1";
  EXPECT_EQ(find(router, "GET", deep), "404");
}

}  // namespace
}  // namespace eddy::http
