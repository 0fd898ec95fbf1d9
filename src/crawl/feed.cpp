// SPDX-License-Identifier: MIT
#include <eddy/crawl/feed.hpp>

#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>

#include <utility>

#include "crawl/output_file.hpp"

namespace eddy::crawl {

Feed::Feed(std::string_view path, const FeedOptions& options)
    : options_(options), file_(std::make_unique<OutputFile>(path)) {}
Feed::~Feed() = default;

void Feed::set_columns(std::vector<std::string> columns) {
  if (!columns_.empty()) throw RuntimeError("feed: the columns stand already, set them before the first item");
  columns_ = std::move(columns);
  if (options_.format == Format::csv) file_->append(csv_header(columns_));
}

Coro<> Feed::write(Item item) {
  if (options_.format == Format::csv) {
    if (columns_.empty()) {
      std::vector<std::string> columns;
      for (const auto& field : item.fields()) columns.push_back(field.first);
      set_columns(std::move(columns));
    }
    file_->append(to_csv(item, columns_));
  } else {
    file_->append(to_json(item) + '\n');
  }
  ++items_;
  const auto now = get_running_loop().time();
  if (last_batch_ == TimePoint()) last_batch_ = now;
  const bool late = now - last_batch_ >= std::chrono::nanoseconds(options_.linger);
  if (file_->buffered() < options_.batch_bytes && !late) co_return;
  last_batch_ = now;
  co_await file_->flush();
}

Coro<> Feed::close() { return file_->close(); }

}  // namespace eddy::crawl
