// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>
#ifdef WITH_HTTP
#include <eddy/http/url.hpp>
#endif

#include <cstdio>

eddy::Coro<int> answer() {
  co_await eddy::sleep(std::chrono::milliseconds(1));
  co_return 42;
}

int main() {
#ifdef WITH_HTTP
  const eddy::http::Url url("http://example.org/%61?q=1#top");
  if (url.host() != "example.org") return 1;
#endif
  std::printf("the answer is %d\n", eddy::run(answer()));
}
