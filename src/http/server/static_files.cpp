// SPDX-License-Identifier: MIT
// Files under a folder.
//
// The kernel keeps a path inside the folder: openat2() with RESOLVE_BENEATH refuses "..", absolute links and
// links that lead out, whoever changes the tree meanwhile. Where a sandbox forbids openat2(), each component
// is opened by itself and no symbolic link is followed.
#include <eddy/exceptions.hpp>
#include <eddy/http/application.hpp>
#include <eddy/http/date.hpp>
#include <eddy/http/http_error.hpp>
#include <eddy/http/media_type.hpp>
#include <eddy/http/negotiation.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "http/server/connection.hpp"
#include "http/server/response_head.hpp"

namespace eddy::http {
namespace detail {
namespace {

using eddy::detail::UniqueFd;

constexpr std::uint64_t kInline = 64 * 1024;  // a file of up to this is read at once, on the loop

struct File {
  UniqueFd fd;
  std::uint64_t size = 0;
  std::string etag;
  std::chrono::sys_seconds modified;
};

UniqueFd open_step_by_step(int folder, std::string_view path) {
  UniqueFd at(::dup(folder));
  while (at && !path.empty()) {
    const auto slash = path.find('/');
    const std::string name(path.substr(0, slash));
    path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") return UniqueFd();
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  }
  return at;
}

UniqueFd open_beneath(int folder, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // O_NONBLOCK: a FIFO does not stop the loop
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto fd = ::syscall(SYS_openat2, folder, path.empty() ? "." : path.c_str(), &how, sizeof how);
  if (fd >= 0) return UniqueFd(static_cast<int>(fd));
  if (errno == ENOSYS || errno == EPERM) return open_step_by_step(folder, path);
  return UniqueFd();
}

bool is_hidden(std::string_view path) noexcept {
  return (!path.empty() && path.front() == '.') || path.find("/.") != path.npos;
}

/// Sends a part of a file, which it owns.
struct FileSource final : BodySource {
  FileSource(UniqueFd f, ByteRange r) noexcept : fd(std::move(f)), range(r) {
    length = static_cast<std::int64_t>(r.length);
  }
  Coro<> send(ResponseWriter& writer) override {
    const auto sent = co_await writer.connection().send_file(fd.get(), range.first, range.length);
    if (sent < range.length) throw_shortened();
  }
  static std::string read(int from, ByteRange wanted) {
    std::string whole(static_cast<std::size_t>(wanted.length), '\0');
    const auto count = ::pread(from, whole.data(), whole.size(), static_cast<off_t>(wanted.first));
    if (count < 0) throw_os_error(errno, "read a served file");
    if (count == 0) throw_shortened();
    whole.resize(static_cast<std::size_t>(count));
    return whole;
  }
  [[noreturn]] static void throw_shortened() { throw RuntimeError("a served file became shorter while it was read"); }

  UniqueFd fd;
  ByteRange range;
};

class StaticFiles final : public Handler {
 public:
  StaticFiles(std::string_view directory, const StaticOptions& options)
      : index_(options.index), cache_control_(options.cache_control), hidden_(options.hidden_files) {
    const std::string path(directory);
    folder_ = UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder_) throw_os_error(errno, fmt::format("serve the files of '{}'", path));
  }

  Coro<Response> call(Request& request) override {
    auto path = request.path_param("path");
    auto file = find(request, path);
    co_return answer(request, path, std::move(file));
  }

 private:
  File find(const Request& request, std::string& path) const {
    if (path.find('\0') != path.npos || (!hidden_ && is_hidden(path))) throw NotFound();
    auto file = open(path);
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) throw NotFound();
    if (S_ISDIR(status.st_mode)) {
      if (index_.empty()) throw NotFound();
      const bool slashed = request.path().ends_with('/');
      path += (path.empty() || path.ends_with('/') ? "" : "/") + index_;
      file = open(path);
      if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) throw NotFound();
      if (!slashed) redirect_to_folder(request);
    } else if (path.ends_with('/')) {
      throw NotFound();
    }
    if (!S_ISREG(status.st_mode)) throw NotFound();
    const auto& time = status.st_mtim;
    const auto stamp = static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
    return {std::move(file), static_cast<std::uint64_t>(status.st_size),
            fmt::format("\"{:x}-{:x}\"", stamp, status.st_size),
            std::chrono::sys_seconds(std::chrono::seconds(time.tv_sec))};
  }

  UniqueFd open(const std::string& path) const {
    auto file = open_beneath(folder_.get(), path);
    if (!file && errno == EACCES) throw Forbidden();
    return file;
  }

  // Relative links of a folder's page need the slash. "//host" would be another site.
  [[noreturn]] static void redirect_to_folder(const Request& request) {
    auto path = request.path();
    while (path.starts_with("//")) path.remove_prefix(1);
    std::string target(path);
    target += '/';
    if (!request.query().empty()) target.append("?").append(request.query());
    throw MovedPermanently(target);
  }

  static bool is_unchanged(const Request& request, const File& file) {
    if (const auto tags = request.header("if-none-match")) return lists_etag(*tags, file.etag);
    const auto since = request.header("if-modified-since");
    const auto date = since ? parse_date(*since) : std::nullopt;
    return date && file.modified <= *date;
  }
  static bool may_have_range(const Request& request, const File& file) {
    const auto condition = request.header("if-range");
    if (!condition) return true;
    if (condition->starts_with('"')) return strong_match(*condition, file.etag);
    const auto date = parse_date(*condition);
    return date && *date == file.modified;
  }

  Response answer(const Request& request, std::string_view path, File file) const {
    if (is_unchanged(request, file)) return described(Response(304), file);
    ByteRange range{0, file.size};
    int status = 200;
    std::string content_range_field;
    const auto field = request.header("range");
    if (field && may_have_range(request, file)) {
      const auto wanted = parse_range(*field, file.size);
      if (wanted.outcome == RangeRequest::Outcome::unsatisfiable) {
        auto refusal = error_response(416, {});
        refusal.header("Content-Range", fmt::format("bytes */{}", file.size));
        return refusal;
      }
      if (wanted.outcome == RangeRequest::Outcome::partial && wanted.ranges.size() == 1) {
        range = wanted.ranges.front();
        status = 206;
        content_range_field = content_range(range, file.size);
      }
    }
    auto response = described(with_body(status, file, range), file);
    response.header("Content-Type", media_type_of_file(path));
    response.header("Accept-Ranges", "bytes");
    if (!content_range_field.empty()) response.header("Content-Range", content_range_field);
    return response;
  }

  static Response with_body(int status, File& file, ByteRange range) {
    if (range.length > kInline) return Response(status, std::make_unique<FileSource>(std::move(file.fd), range));
    std::string body;
    if (range.length > 0) body = FileSource::read(file.fd.get(), range);
    return Response(status, std::move(body));
  }

  Response described(Response response, const File& file) const {
    response.header("ETag", file.etag);
    response.header("Last-Modified", format_date(file.modified));
    if (!cache_control_.empty()) response.header("Cache-Control", cache_control_);
    return response;
  }

  UniqueFd folder_;
  std::string index_, cache_control_;
  bool hidden_;
};

}  // namespace
}  // namespace detail

void Application::add_static(std::string_view prefix, std::string_view directory, StaticOptions options) {
  std::string pattern(prefix);
  while (pattern.ends_with('/')) pattern.pop_back();
  add("GET", pattern + "/{path:path}", std::make_unique<detail::StaticFiles>(directory, options));
}

}  // namespace eddy::http
