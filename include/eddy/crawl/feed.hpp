// SPDX-License-Identifier: MIT
// Items into files.
#pragma once

#include <cstddef>
#include <eddy/clock.hpp>
#include <eddy/coro.hpp>
#include <eddy/crawl/item.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::crawl {

class OutputFile;

enum class Format {
  jsonl,  ///< one JSON object a line
  csv,    ///< RFC 4180, with a line of column names
};

struct FeedOptions {
  Format format = Format::jsonl;
  std::size_t batch_bytes = 64 * 1024;            // written at once …
  Duration linger = std::chrono::seconds(1);      // … or when the next item comes this long after the last batch
};

/// Writes items to a file, off the loop and in batches. Belongs to one loop.
///
///     crawl::Feed feed("items.jsonl");
///     spider.set_sink([&](crawl::Item item) { return feed.write(std::move(item)); });
///     co_await spider.run();
///     co_await feed.close();
class Feed {
 public:
  /// Opens and empties the file; "-" is standard output. Throws OSError that names it.
  explicit Feed(std::string_view path, const FeedOptions& options = {});
  /// What close() did not write is lost.
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// The columns of CSV; without it, the fields of the first item. Throws RuntimeError once there are some.
  void set_columns(std::vector<std::string> columns);
  /// Takes the item, and writes a batch if one is full. Throws OSError; ValueError for a field without a column.
  Coro<> write(Item item);
  /// Writes what is left and closes the file. A second call does nothing.
  Coro<> close();

  std::size_t items() const noexcept { return items_; }

 private:
  FeedOptions options_;
  std::unique_ptr<OutputFile> file_;
  std::vector<std::string> columns_;
  std::size_t items_ = 0;
  TimePoint last_batch_{};
};

}  // namespace eddy::crawl
