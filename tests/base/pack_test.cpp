// SPDX-License-Identifier: MIT
#include <eddy/pack.hpp>
#include <eddy/remote.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "support.hpp"

using eddy::pack;
using eddy::Packer;
using eddy::unpack;
using eddy::Unpacker;
using eddy::UnpackError;

namespace {

enum class Colour : std::uint8_t { red = 1, green = 200 };
struct Point {
  int x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};
struct Page {
  std::string url;
  std::optional<int> status;
  std::variant<std::monostate, int, std::string> body;
  std::vector<Point> points;
  std::array<int, 3> sizes{};
  std::map<std::string, std::vector<int>> index;
  bool operator==(const Page&) const = default;
};
struct Tree {
  int value = 0;
  std::vector<Tree> children;
};
struct Nothing {
  bool operator==(const Nothing&) const = default;
};

// A type with an invariant and without a default constructor.
class Even {
 public:
  explicit Even(int n) : n_(n) {
    if (n % 2 != 0) throw eddy::ValueError("odd");
  }
  int value() const { return n_; }
  bool operator==(const Even&) const = default;

 private:
  int n_;
};

template <class T>
void expect_same(const T& value) {
  EXPECT_EQ(unpack<T>(pack(value)), value);
}

// Every shorter text of the bytes must be refused, and one with more behind it.
template <class T>
void expect_refused_when_cut(const T& value) {
  const auto bytes = pack(value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(unpack<T>(bytes.substr(0, size)), UnpackError);
  }
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<T>(bytes + "x")), "cannot unpack: 1 bytes follow the value");
}

std::string size_of(std::uint64_t n) { return pack(n); }

template <class E, class... Args>
std::string there_and_back(const Args&... args) {
  Packer packer;
  eddy::detail::pack_exception(packer, std::make_exception_ptr(E(args...)));
  auto parcel = std::move(packer).take();
  Unpacker unpacker(parcel);
  return TEXT_OF(E, std::rethrow_exception(eddy::detail::unpack_exception(unpacker)));
}

}  // namespace

template <>
struct eddy::PackAs<Even> {
  static int pack(const Even& even) { return even.value(); }
  static Even unpack(int n) { return Even(n); }
};

TEST(Pack, KeepsNumbersTextsAndTimes) {
  expect_same(true);
  expect_same('x');
  expect_same(-5);
  expect_same(1.5);
  expect_same(Colour::green);
  expect_same(std::byte{7});
  expect_same(std::string("a\0b", 3));
  expect_same(std::u32string(U"道"));
  expect_same(eddy::Duration(5ms));
  expect_same(std::chrono::milliseconds(3));
  expect_same(std::chrono::duration<double>(0.5));
  expect_same(std::chrono::system_clock::now());
  expect_same(std::filesystem::path("/a/b"));
}

TEST(Pack, KeepsContainers) {
  expect_same(std::vector{1, 2, 3});
  expect_same(std::vector<bool>{true, false, true});
  expect_same(std::vector<std::string>{"a", "", "b"});
  expect_same(std::deque<int>{1, 2});
  expect_same(std::list<std::string>{"x"});
  expect_same(std::array<std::string, 2>{"p", "q"});
  expect_same(std::set<int>{3, 1});
  expect_same(std::multiset<int>{1, 1});
  expect_same(std::unordered_set<std::string>{"a", "b"});
  expect_same(std::map<int, std::string>{{1, "one"}});
  expect_same(std::multimap<int, int>{{1, 2}, {1, 3}});
  expect_same(std::unordered_map<std::string, int>{{"k", 1}});
  expect_same(std::vector<std::vector<int>>{{1}, {}, {2, 3}});
}

TEST(Pack, KeepsTuplesOptionalsVariantsAndAggregates) {
  expect_same(std::pair(1, std::string("b")));
  expect_same(std::tuple(1, std::string("b"), 2.5));
  expect_same(std::tuple<>());
  expect_same(std::tuple(std::tuple(std::tuple(1))));
  expect_same(std::optional<int>());
  expect_same(std::optional<std::optional<int>>(std::optional<int>()));
  expect_same(std::variant<int, std::string>("s"));
  expect_same(Nothing());
  expect_same(std::vector<Nothing>(3));
  expect_same(Page{"http://x/", 200, "text", {{1, 2.5}, {3, 4}}, {1, 2, 3}, {{"a", {1, 2}}}});
  const auto tree = unpack<Tree>(pack(Tree{1, {{2, {}}, {3, {{4, {}}}}}}));
  EXPECT_EQ(tree.children[1].children[0].value, 4);
}

TEST(Pack, AHookCarriesATypeOfOnesOwn) {
  expect_same(Even(4));
  expect_same(std::map<std::string, Even>{{"a", Even(2)}});
  EXPECT_THROW(unpack<Even>(pack(3)), eddy::ValueError);
}

TEST(Unpack, RefusesBytesThatAreCutShort) {
  expect_refused_when_cut(std::vector<std::string>{"abc", "d"});
  expect_refused_when_cut(std::map<int, std::string>{{1, "one"}});
  expect_refused_when_cut(Point{1, 2});
  expect_refused_when_cut(std::variant<int, std::string>("s"));
  expect_refused_when_cut(std::tuple(std::optional(1), true));
}

TEST(Unpack, NamesWhatIsWrong) {
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<int>("ab")),
            "cannot unpack: 4 bytes are wanted at byte 0 and 2 are left");
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<bool>("\2")), "cannot unpack: a bool at byte 0 is 2");
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<std::string>(size_of(5) + "abc")),
            "cannot unpack: 5 elements are announced at byte 0 and 3 bytes are left");
  using Choice = std::variant<int, bool>;
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<Choice>(size_of(9))), "cannot unpack: alternative 9 of 2 at byte 0");
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<Point>(std::string(1, '\0'))),
            "cannot unpack: no aggregate begins here");
}

TEST(Unpack, BelievesNoLength) {
  for (const auto length : {std::uint64_t{1} << 40, ~std::uint64_t{0}, (~std::uint64_t{0}) / 4 + 2}) {
    EXPECT_THROW(unpack<std::string>(size_of(length) + "abc"), UnpackError);
    EXPECT_THROW(unpack<std::vector<int>>(size_of(length) + "abcdefgh"), UnpackError);
    EXPECT_THROW(unpack<std::vector<Page>>(size_of(length) + "abc"), UnpackError);
    EXPECT_THROW(unpack<std::vector<Nothing>>(size_of(length) + "\1\1\1"), UnpackError);
    EXPECT_THROW((unpack<std::map<int, int>>(size_of(length) + "abcdefgh")), UnpackError);
  }
}

TEST(Unpack, HasALimitToNesting) {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += pack(std::uint8_t{1}) + pack(1) + size_of(1);
  EXPECT_EQ(TEXT_OF(UnpackError, unpack<Tree>(bytes)),
            "cannot pack or unpack: values are nested deeper than 256 levels");
  Tree deep;
  for (int i = 0; i < 300; ++i) {
    Tree outer;
    outer.children.push_back(std::move(deep));
    deep = std::move(outer);
  }
  EXPECT_THROW(pack(deep), eddy::ValueError);
}

TEST(Parcel, OwnsItsDescriptors) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  int copy = -1;
  {
    Packer packer;
    packer.add_descriptor(pipe[0]);
    packer.add_descriptor(pipe[1]);
    auto parcel = std::move(packer).take();
    Unpacker unpacker(parcel);
    copy = unpacker.take_descriptor();
    EXPECT_NE(copy, pipe[0]);
    EXPECT_EQ(parcel.descriptors[0], -1);
    unpacker.take_descriptor();
    EXPECT_EQ(TEXT_OF(UnpackError, unpacker.take_descriptor()),
              "cannot unpack: a descriptor is wanted and none is left");
  }
  EXPECT_EQ(::fcntl(copy, F_GETFD), FD_CLOEXEC);
  ::close(copy);
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_EQ(TEXT_OF(eddy::OSError, Packer().add_descriptor(9999)),
            "cannot copy descriptor 9999 for another process: Bad file descriptor");
}

TEST(PackedExceptions, ComeBackAsWhatTheyWere) {
  EXPECT_EQ(there_and_back<std::runtime_error>("a"), "a");
  EXPECT_EQ(there_and_back<std::out_of_range>("b"), "b");
  EXPECT_EQ(there_and_back<std::bad_alloc>(), "std::bad_alloc");
  EXPECT_EQ(there_and_back<std::system_error>(std::make_error_code(std::errc::io_error), "read"),
            "read: Input/output error");
  EXPECT_EQ(there_and_back<eddy::ValueError>("c"), "c");
  EXPECT_EQ(there_and_back<eddy::FileNotFoundError>(ENOENT, "open 'x': No such file or directory"),
            "open 'x': No such file or directory");
  EXPECT_EQ(there_and_back<eddy::IncompleteReadError>("ab", 5u), "the stream ended after 2 of 5 bytes");
  EXPECT_EQ(there_and_back<eddy::QueueShutDown>(), "the queue was shut down");
  const std::vector errors{std::make_exception_ptr(eddy::KeyError("k")),
                           std::make_exception_ptr(eddy::ValueError("v"))};
  EXPECT_EQ(there_and_back<eddy::ExceptionGroup>("two (2) went wrong", errors),
            "two (2) went wrong (2 sub-exceptions)\n  k\n  v");
}

TEST(PackedExceptions, OfBytesThatAreNoneAreRefused) {
  for (const auto& bytes :
       {pack(std::uint32_t{10'000}), std::string("ab"), pack(std::uint32_t{0}) + size_of(99)}) {
    Unpacker unpacker{std::string_view(bytes)};
    EXPECT_THROW(eddy::detail::unpack_exception(unpacker), UnpackError);
  }
}

TEST(PackedCode, OutsideOfCodeIsRefused) {
  Packer packer;
  eddy::detail::pack_code(packer, reinterpret_cast<const void*>(&::getpid));
  auto parcel = std::move(packer).take();
  Unpacker good(parcel);
  EXPECT_EQ(eddy::detail::unpack_code(good), reinterpret_cast<const void*>(&::getpid));
  for (std::size_t i = 0; i < 8; ++i) parcel.bytes[parcel.bytes.size() - 1 - i] = 0x7f;
  Unpacker bad(parcel);
  EXPECT_THROW(eddy::detail::unpack_code(bad), UnpackError);
  int data = 0;
  EXPECT_THROW(eddy::detail::pack_code(packer, &data), eddy::ValueError);
}
