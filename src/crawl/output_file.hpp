// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <eddy/coro.hpp>
#include <eddy/locks.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace eddy::crawl {

/// A file that is written on the thread pool, in the order of the bytes. No byte is lost by a cancelled flush():
/// what it did not write the next one does.
class OutputFile {
 public:
  /// Opens and empties it; "-" is standard output. Throws OSError.
  explicit OutputFile(std::string_view path);
  ~OutputFile();

  void append(std::string_view bytes) { buffer_ += bytes; }
  std::size_t buffered() const noexcept { return buffer_.size(); }
  /// Writes what is buffered. Throws OSError: "write 'items.jsonl': No space left on device".
  Coro<> flush();
  /// The same, then closes the file.
  Coro<> close();

 private:
  // What the pool's thread works on: nobody else touches it while a job runs, for flush() holds the lock.
  struct Job {
    std::string bytes;
    std::string name;
    int descriptor = -1;
    bool is_ours = true;  // to be closed

    ~Job();
    void write();
    void close();
  };

  std::shared_ptr<Job> job_;
  std::string buffer_;
  Lock lock_;
};

}  // namespace eddy::crawl
