// SPDX-License-Identifier: MIT
#include <eddy/crawl/ordered_writer.hpp>

#include <utility>

#include "crawl/output_file.hpp"

namespace eddy::crawl {

namespace {

std::string piece_name(std::uint64_t index, std::string_view name) {
  auto text = "piece " + std::to_string(index);
  if (!name.empty()) ((text += " '") += name) += '\'';
  return text;
}

}  // namespace

PieceError::PieceError(std::uint64_t index, std::string_view name, const UnicodeError& error)
    : ValueError(piece_name(index, name) + ": " + error.what()), index_(index), name_(name) {}

OrderedWriter::OrderedWriter(std::string_view path, const OrderedWriterOptions& options)
    : options_(options), encoding_(charset_name(options.encoding)) {
  if (encoding_.empty()) throw UnknownCharsetError(options.encoding);
  file_ = std::make_unique<OutputFile>(path);
}
OrderedWriter::~OrderedWriter() = default;

Coro<> OrderedWriter::put(std::uint64_t index, std::string text, std::string name) {
  if (index < next_ || waiting_.contains(index)) throw ValueError(piece_name(index, name) + " has come already");
  std::string bytes;
  try {
    bytes = encode(text, encoding_, options_.on_error);
  } catch (const UnicodeError& error) {
    skip(index);
    throw PieceError(index, name, error);
  }
  if (index != next_ && held_ + bytes.size() > options_.max_held) {
    throw RuntimeError(piece_name(index, name) + ": " + std::to_string(held_ + bytes.size()) +
                       " bytes wait for piece " + std::to_string(next_) + ", the limit is " +
                       std::to_string(options_.max_held) + " (OrderedWriterOptions::max_held)");
  }
  held_ += bytes.size();
  waiting_.emplace(index, std::move(bytes));
  ++pieces_;
  advance();
  if (file_->buffered() >= options_.batch_bytes) co_await file_->flush();
}

void OrderedWriter::skip(std::uint64_t index) {
  if (index < next_) return;
  waiting_.emplace(index, std::string());
  advance();
}

// Everything without a gap before it is on its way to the file.
void OrderedWriter::advance() {
  for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_; ++next_) {
    held_ -= first->second.size();
    file_->append(first->second);
    first = waiting_.erase(first);
  }
}

Coro<> OrderedWriter::close() {
  for (const auto& [index, bytes] : std::exchange(waiting_, {})) {
    file_->append(bytes);
    next_ = index + 1;
  }
  held_ = 0;
  co_await file_->close();
}

}  // namespace eddy::crawl
