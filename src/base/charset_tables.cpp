// SPDX-License-Identifier: MIT
// The legacy charsets: glibc's iconv says what each sequence means, once; decoding then reads tables.
//
// iconv itself is not used on text: asked to go on after an error it skips other bytes than CPython does
// (84 of 400 damaged GBK strings came out differently), and it accepts bytes that the charset does not have
// (0x80 is a euro sign to its GBK). With tables the rule is ours, and it is CPython's: a byte that starts
// nothing, and the first byte of a pair that is not in the table, is dropped alone; its second byte is looked
// at again.
#include <base/charset_codec.hpp>
#include <eddy/exceptions.hpp>

#include <fmt/format.h>
#include <iconv.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace eddy::charset {
namespace {

using Byte = unsigned char;

constexpr char32_t kNone = 0xFFFFFFFF;
// BIG5-HKSCS has four pairs that mean a letter and a combining mark: flag, letter, mark (both below 0x1000).
constexpr char32_t kTwoCharacters = 0x80000000;

// Pairs of the Encoding Standard's big5 that glibc's BIG5-HKSCS leaves out.
constexpr std::array<std::pair<unsigned, char32_t>, 7> kBig5Gaps{{{0xA15A, 0x2574},
                                                                  {0xA1C3, 0xFFE3},
                                                                  {0xA1C5, 0x02CD},
                                                                  {0xA1FE, 0xFF0F},
                                                                  {0xA240, 0xFF3C},
                                                                  {0xA2CC, 0x5341},
                                                                  {0xA2CE, 0x5345}}};

class Iconv {
 public:
  Iconv(const char* to, const char* from) : handle_(::iconv_open(to, from)) {
    if (handle_ == reinterpret_cast<iconv_t>(-1)) {
      throw RuntimeError(fmt::format(
          "iconv from {} to {}: not supported by this system; are glibc's gconv modules installed?", from,
          to));
    }
  }
  Iconv(const Iconv&) = delete;
  Iconv& operator=(const Iconv&) = delete;
  ~Iconv() { ::iconv_close(handle_); }

  /// The whole of `in` converted, or "" if iconv refuses any of it.
  std::string convert(std::string_view in) {
    std::array<char, 32> out;
    auto* from = const_cast<char*>(in.data());  // iconv does not write there
    auto* to = out.data();
    auto in_left = in.size(), out_left = out.size();
    ::iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    constexpr auto kFailed = static_cast<std::size_t>(-1);
    if (::iconv(handle_, &from, &in_left, &to, &out_left) == kFailed || in_left != 0) return {};
    ::iconv(handle_, nullptr, nullptr, &to, &out_left);
    return {out.data(), out.size() - out_left};
  }

 private:
  iconv_t handle_;
};

// The characters of one sequence as a table entry; `utf8` comes from iconv and is valid.
char32_t entry_of(std::string_view utf8) {
  if (utf8.empty()) return kNone;
  std::size_t at = 0;
  const auto first = next_utf8(utf8, at);
  if (at == utf8.size()) return first;
  const auto second = next_utf8(utf8, at);
  return at == utf8.size() && first < 0x1000 && second < 0x1000 ? kTwoCharacters | first << 12 | second
                                                                : kNone;
}

void append_entry(std::string& out, char32_t entry) {
  if (entry & kTwoCharacters) {
    append_utf8(out, entry >> 12 & 0xFFF);
    append_utf8(out, entry & 0xFFF);
  } else {
    append_utf8(out, entry);
  }
}

}  // namespace

class Table {
 public:
  explicit Table(const Charset& charset);

  Fault decode(std::string_view bytes, std::size_t from, std::string& out) const;
  bool encode(char32_t character, std::string& out) const;

 private:
  using Plane = std::vector<char32_t>;  // 128 lead bytes of 256 trail bytes

  void fill_plane(Iconv& iconv, std::string_view prefix, Plane& plane);
  void fill_reverse();
  void add_reverse(Iconv& from_utf8, char32_t entry, std::string_view bytes);
  Fault decode_pair(std::string_view bytes, std::size_t at, std::string& out, std::size_t& length) const;
  Fault decode_three(std::string_view bytes, std::size_t at, std::string& out, std::size_t& length) const;
  Fault decode_four(std::string_view bytes, std::size_t at, std::string& out, std::size_t& length) const;
  Fault hole(std::size_t at) const noexcept;

  const Charset& charset_;
  std::array<char32_t, 256> one_;
  std::array<bool, 256> leads_{};  // bytes that start at least one longer sequence
  Plane two_;
  Plane three_;  // euc-jp: what follows 0x8F
  std::unordered_map<char32_t, std::string> reverse_;
};

namespace {

bool is_multi_byte(Kind kind) noexcept {
  return kind == Kind::double_byte || kind == Kind::euc_jp || kind == Kind::gb18030;
}

}  // namespace

Table::Table(const Charset& charset) : charset_(charset) {
  Iconv iconv("UTF-8", charset.iconv_name);
  for (unsigned b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    one_[b] = entry_of(iconv.convert({&byte, 1}));
    if (b < 0x80 && charset.kind != Kind::single_byte) one_[b] = b;
    const bool c1 = b >= 0x80 && b < 0xA0;
    if (charset.kind == Kind::windows && c1 && one_[b] == kNone) one_[b] = b;
    // iconv reads these as a euro sign or as controls; CPython and browsers refuse them
    if (is_multi_byte(charset.kind) && (c1 || b == 0xFF)) one_[b] = kNone;
    if (charset.name == "shift_jis" && b == 0x80) one_[b] = b;  // the one exception, in both
  }
  if (is_multi_byte(charset.kind)) fill_plane(iconv, "", two_);
  if (charset.name == "big5") {
    for (const auto& [pair, character] : kBig5Gaps) two_[pair - 0x8000U] = character;
  }
  // CPython takes 80 30 and FF 30 for the start of four bytes that turn out to be none
  if (charset.kind == Kind::gb18030) leads_[0x80] = leads_[0xFF] = true;
  if (charset.kind == Kind::euc_jp) {
    fill_plane(iconv, "\x8F", three_);
    leads_[0x8F] = true;
  }
  fill_reverse();
}

void Table::fill_plane(Iconv& iconv, std::string_view prefix, Plane& plane) {
  plane.assign(std::size_t{128} * 256, kNone);
  std::string sequence(prefix);
  sequence.resize(prefix.size() + 2);
  for (unsigned lead = 0x80; lead < 256; ++lead) {
    if (prefix.empty() && one_[lead] != kNone) continue;
    for (unsigned trail = 0x21; trail < 256; ++trail) {
      sequence[prefix.size()] = static_cast<char>(lead);
      sequence[prefix.size() + 1] = static_cast<char>(trail);
      const auto entry = entry_of(iconv.convert(sequence));
      // where iconv takes the lead byte for a control of its own, a "pair" is that control and then the trail
      // byte
      if (entry == kNone || (entry & kTwoCharacters && (entry & 0xFFF) == trail)) continue;
      plane[(lead - 0x80) * 256 + trail] = entry;
      if (prefix.empty()) leads_[lead] = true;
    }
  }
}

void Table::fill_reverse() {
  Iconv from_utf8(charset_.iconv_name, "UTF-8");
  for (unsigned b = 0; b < 256; ++b) add_reverse(from_utf8, one_[b], std::string(1, static_cast<char>(b)));
  const auto add_plane = [&](const Plane& plane, std::string_view prefix) {
    for (std::size_t i = 0; i < plane.size(); ++i) {
      if (plane[i] == kNone) continue;
      const std::array bytes{static_cast<char>(0x80 + i / 256), static_cast<char>(i % 256)};
      add_reverse(from_utf8, plane[i], std::string(prefix) + std::string(bytes.data(), bytes.size()));
    }
  };
  add_plane(two_, "");
  add_plane(three_, "\x8F");
}

// Where several sequences mean one character, iconv says which one to write.
void Table::add_reverse(Iconv& from_utf8, char32_t entry, std::string_view bytes) {
  if (entry == kNone || entry & kTwoCharacters) return;
  const auto [place, is_new] = reverse_.emplace(entry, bytes);
  if (is_new) return;
  std::string utf8;
  append_utf8(utf8, entry);
  if (from_utf8.convert(utf8) == bytes) place->second = bytes;
}

Fault Table::hole(std::size_t at) const noexcept {
  return {at, 1,
          is_multi_byte(charset_.kind) ? "illegal multibyte sequence" : "character maps to <undefined>"};
}

Fault Table::decode(std::string_view bytes, std::size_t from, std::string& out) const {
  for (auto at = from; at < bytes.size();) {
    const auto b = static_cast<Byte>(bytes[at]);
    if (one_[b] < 0x80) {
      out += static_cast<char>(one_[b]);
      ++at;
    } else if (one_[b] != kNone) {
      append_entry(out, one_[b]);
      ++at;
    } else if (!leads_[b]) {
      return hole(at);
    } else {
      std::size_t length = 0;
      const auto fault = decode_pair(bytes, at, out, length);
      if (fault.length != 0) return fault;
      at += length;
    }
  }
  return {};
}

Fault Table::decode_pair(std::string_view bytes, std::size_t at, std::string& out,
                         std::size_t& length) const {
  const auto left = bytes.size() - at;
  if (left < 2) return {at, left, "incomplete multibyte sequence"};
  const auto lead = static_cast<Byte>(bytes[at]), trail = static_cast<Byte>(bytes[at + 1]);
  if (charset_.kind == Kind::euc_jp && lead == 0x8F) return decode_three(bytes, at, out, length);
  if (charset_.kind == Kind::gb18030 && trail >= 0x30 && trail <= 0x39)
    return decode_four(bytes, at, out, length);
  const auto entry = two_[(lead - 0x80U) * 256 + trail];
  if (entry == kNone) return hole(at);
  append_entry(out, entry);
  length = 2;
  return {};
}

Fault Table::decode_three(std::string_view bytes, std::size_t at, std::string& out,
                          std::size_t& length) const {
  const auto left = bytes.size() - at;
  if (left < 3) return {at, left, "incomplete multibyte sequence"};
  const auto lead = static_cast<Byte>(bytes[at + 1]), trail = static_cast<Byte>(bytes[at + 2]);
  const auto entry = lead < 0x80 ? kNone : three_[(lead - 0x80U) * 256 + trail];
  if (entry == kNone) return hole(at);
  append_entry(out, entry);
  length = 3;
  return {};
}

// The four-byte sequences are ranges of code points with holes where the pairs are: too many for a table, so
// iconv is asked for each.
Fault Table::decode_four(std::string_view bytes, std::size_t at, std::string& out,
                         std::size_t& length) const {
  const auto left = bytes.size() - at;
  if (left < 4) return {at, left, "incomplete multibyte sequence"};
  thread_local Iconv iconv("UTF-8", "GB18030");
  const auto text = iconv.convert(bytes.substr(at, 4));
  if (text.empty()) return hole(at);
  if (const auto entry = entry_of(text); entry == kNone || entry & kTwoCharacters) return hole(at);
  out += text;
  length = 4;
  return {};
}

bool Table::encode(char32_t character, std::string& out) const {
  if (const auto found = reverse_.find(character); found != reverse_.end()) {
    out += found->second;
    return true;
  }
  if (charset_.kind != Kind::gb18030) return false;
  thread_local Iconv iconv("GB18030", "UTF-8");
  std::string utf8;
  append_utf8(utf8, character);
  const auto bytes = iconv.convert(utf8);
  out += bytes;
  return !bytes.empty();
}

// Built when first asked for (a few milliseconds for a double-byte charset), then kept.
const Table* table_of(const Charset& charset) {
  if (charset.iconv_name == nullptr) return nullptr;
  static std::mutex mutex;
  static std::map<const Charset*, std::unique_ptr<const Table>> tables;
  const std::scoped_lock held(mutex);
  auto& table = tables[&charset];
  if (!table) table = std::make_unique<const Table>(charset);
  return table.get();
}

Fault decode_table(const Table& table, std::string_view bytes, std::size_t from, std::string& out) {
  return table.decode(bytes, from, out);
}

bool encode_table(const Table& table, char32_t character, std::string& out) {
  return table.encode(character, out);
}

}  // namespace eddy::charset
