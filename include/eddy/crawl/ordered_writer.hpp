// SPDX-License-Identifier: MIT
// Pieces that come in any order into one file in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <eddy/charset.hpp>
#include <eddy/coro.hpp>
#include <eddy/detail/smart_pointers.hpp>
#include <eddy/exceptions.hpp>
#include <map>
#include <string>
#include <string_view>

namespace eddy::crawl {

class OutputFile;

/// A piece with a character that the file's charset does not have:
/// "piece 3 'Chapter 4': 'gbk' codec can't encode character '\U0001f600' in position 7: illegal multibyte sequence".
class PieceError : public ValueError {
 public:
  PieceError(std::uint64_t index, std::string_view name, const UnicodeError& error);
  std::uint64_t index() const noexcept { return index_; }
  const std::string& name() const noexcept { return name_; }

 private:
  std::uint64_t index_;
  std::string name_;
};

struct OrderedWriterOptions {
  std::string_view encoding = "utf-8";  // copied
  OnError on_error = OnError::strict;   // for characters that the encoding does not have
  std::size_t batch_bytes = 64 * 1024;  // written at once
  // The most bytes that wait for an earlier piece. Past it put() throws RuntimeError: nobody said what became of it.
  std::size_t max_held = 256 << 20;
};

/// Writes pieces in the order of their numbers 0, 1, 2, …, while they arrive as their fetches end.
///
///     crawl::OrderedWriter novel("novel.md", {.encoding = "gbk"});
///     co_await novel.put(1, "## two\n\n…\n\n");   // held
///     co_await novel.put(0, "## one\n\n…\n\n");   // both are written
///     co_await novel.close();
///
/// A number that never comes must be told to skip(); close() skips what is missing. The file is written off the
/// loop. Belongs to one loop.
class OrderedWriter {
 public:
  /// Opens and empties the file; "-" is standard output. Throws OSError that names it, LookupError.
  explicit OrderedWriter(std::string_view path, const OrderedWriterOptions& options = {});
  /// What close() did not write is lost.
  ~OrderedWriter();
  OrderedWriter(const OrderedWriter&) = delete;
  OrderedWriter& operator=(const OrderedWriter&) = delete;

  /// Takes a piece, UTF-8. Throws PieceError, with `name` in it, and counts the piece as skipped, if it cannot be
  /// encoded; ValueError if the number was there already; OSError.
  Coro<> put(std::uint64_t index, std::string text, std::string name = {});
  /// There will be no such piece. Does nothing for a number that was there.
  void skip(std::uint64_t index);
  /// Writes what is left and closes the file. A second call does nothing.
  Coro<> close();

  /// Pieces written or ready to be.
  std::size_t pieces() const noexcept { return pieces_; }
  /// Bytes that wait for an earlier piece.
  std::size_t held() const noexcept { return held_; }

 private:
  void advance();

  OrderedWriterOptions options_;
  std::string encoding_;
  std::unique_ptr<OutputFile> file_;
  std::map<std::uint64_t, std::string> waiting_;  // encoded; skipped ones are empty
  std::uint64_t next_ = 0;                        // the lowest number that has not come
  std::size_t pieces_ = 0, held_ = 0;
};

}  // namespace eddy::crawl
