// SPDX-License-Identifier: MIT
// The labels of the Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels) and Python's
// names.
#include <base/charset_codec.hpp>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace eddy::charset {
namespace {

constexpr std::array kCharsets{
    Charset{"utf-8", Kind::utf8, nullptr,
            "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8"},
    Charset{"utf-16", Kind::utf16, nullptr,
            "utf-16 utf16 csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff"},
    Charset{"utf-16le", Kind::utf16le, nullptr, "utf-16le utf-16-le utf16le"},
    Charset{"utf-16be", Kind::utf16be, nullptr, "utf-16be utf-16-be utf16be unicodefffe"},
    Charset{"gbk", Kind::double_byte, "GBK",
            "chinese csgb2312 csiso58gb231280 gb2312 gb-2312 gb-2312-80 gbk iso-ir-58 x-gbk cp936 936 ms936"},
    Charset{"gb18030", Kind::gb18030, "GB18030", "gb18030 gb18030-2000"},
    Charset{"big5", Kind::double_byte, "BIG5-HKSCS",
            "big5 big5-hkscs big5hkscs cn-big5 csbig5 x-x-big5 big5-tw hkscs"},
    Charset{"euc-jp", Kind::euc_jp, "EUC-JP", "cseucpkdfmtjapanese euc-jp eucjp x-euc-jp ujis"},
    Charset{"shift_jis", Kind::double_byte, "CP932",
            "csshiftjis ms932 ms-kanji shift-jis shiftjis sjis windows-31j x-sjis cp932 932 mskanji s-jis"},
    Charset{
        "euc-kr", Kind::double_byte, "CP949",
        "cseuckr csksc56011987 euc-kr euckr iso-ir-149 korean ks-c-5601-1987 ks-c-5601-1989 ksc5601 ksc-5601 "
        "windows-949 cp949 949 ms949 uhc"},
    Charset{"ibm866", Kind::single_byte, "IBM866", "866 cp866 csibm866 ibm866"},
    Charset{"iso-8859-2", Kind::single_byte, "ISO-8859-2",
            "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso-8859-2:1987 l2 latin2 latin-2"},
    Charset{"iso-8859-3", Kind::single_byte, "ISO-8859-3",
            "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso-8859-3:1988 l3 latin3 latin-3"},
    Charset{"iso-8859-4", Kind::single_byte, "ISO-8859-4",
            "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso-8859-4:1988 l4 latin4 latin-4"},
    Charset{"iso-8859-5", Kind::single_byte, "ISO-8859-5",
            "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso-8859-5:1988"},
    Charset{"iso-8859-6", Kind::single_byte, "ISO-8859-6",
            "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e "
            "iso-8859-6-i "
            "iso-ir-127 iso8859-6 iso88596 iso-8859-6:1987"},
    Charset{"iso-8859-7", Kind::single_byte, "ISO-8859-7",
            "csisolatingreek ecma-118 elot-928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 "
            "iso-8859-7:1987 "
            "sun-eu-greek"},
    Charset{"iso-8859-8", Kind::single_byte, "ISO-8859-8",
            "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
            "iso-8859-8:1988 visual"},
    Charset{"iso-8859-8-i", Kind::single_byte, "ISO-8859-8", "csiso88598i iso-8859-8-i logical"},
    Charset{"iso-8859-10", Kind::single_byte, "ISO-8859-10",
            "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6 latin-6"},
    Charset{"iso-8859-13", Kind::single_byte, "ISO-8859-13",
            "iso-8859-13 iso8859-13 iso885913 latin7 latin-7"},
    Charset{"iso-8859-14", Kind::single_byte, "ISO-8859-14",
            "iso-8859-14 iso8859-14 iso885914 latin8 latin-8"},
    Charset{"iso-8859-15", Kind::single_byte, "ISO-8859-15",
            "csisolatin9 iso-8859-15 iso8859-15 iso885915 l9 latin9 latin-9"},
    Charset{"iso-8859-16", Kind::single_byte, "ISO-8859-16", "iso-8859-16 iso8859-16 latin10 latin-10"},
    Charset{"koi8-r", Kind::single_byte, "KOI8-R", "cskoi8r koi koi8 koi8-r"},
    Charset{"koi8-u", Kind::single_byte, "KOI8-U", "koi8-ru koi8-u"},
    Charset{"macintosh", Kind::single_byte, "MACINTOSH", "csmacintosh mac macintosh x-mac-roman mac-roman"},
    Charset{"windows-874", Kind::windows, "CP874",
            "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874 cp874 874"},
    Charset{"windows-1250", Kind::windows, "CP1250", "cp1250 windows-1250 x-cp1250 1250"},
    Charset{"windows-1251", Kind::windows, "CP1251", "cp1251 windows-1251 x-cp1251 1251"},
    Charset{"windows-1252", Kind::windows, "CP1252",
            "ansi-x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 "
            "iso-8859-1:1987 l1 latin1 latin-1 us-ascii windows-1252 x-cp1252 1252"},
    Charset{"windows-1253", Kind::windows, "CP1253", "cp1253 windows-1253 x-cp1253 1253"},
    Charset{"windows-1254", Kind::windows, "CP1254",
            "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso-8859-9:1989 l5 latin5 latin-5 "
            "windows-1254 x-cp1254 1254"},
    Charset{"windows-1255", Kind::windows, "CP1255", "cp1255 windows-1255 x-cp1255 1255"},
    Charset{"windows-1256", Kind::windows, "CP1256", "cp1256 windows-1256 x-cp1256 1256"},
    Charset{"windows-1257", Kind::windows, "CP1257", "cp1257 windows-1257 x-cp1257 1257"},
    Charset{"windows-1258", Kind::windows, "CP1258", "cp1258 windows-1258 x-cp1258 1258"},
    Charset{"x-mac-cyrillic", Kind::single_byte, "MAC-CYRILLIC",
            "x-mac-cyrillic x-mac-ukrainian mac-cyrillic"},
};

using Index = std::unordered_map<std::string_view, const Charset*>;

const Index& index_by_label() {
  static const Index index = [] {
    Index built;
    for (const auto& charset : kCharsets) {
      for (auto rest = charset.labels; !rest.empty();) {
        const auto length = std::min(rest.find(' '), rest.size());
        built.emplace(rest.substr(0, length), &charset);
        rest.remove_prefix(std::min(length + 1, rest.size()));
      }
    }
    return built;
  }();
  return index;
}

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

char folded(char c) noexcept {
  if (c == '_') return '-';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

const Charset* find_charset(std::string_view label) noexcept {
  while (!label.empty() && is_blank(label.front())) label.remove_prefix(1);
  while (!label.empty() && is_blank(label.back())) label.remove_suffix(1);
  std::array<char, 32> key{};
  if (label.empty() || label.size() > key.size()) return nullptr;  // the longest label has 21 characters
  std::transform(label.begin(), label.end(), key.begin(), folded);
  const auto& index = index_by_label();
  const auto found = index.find(std::string_view(key.data(), label.size()));
  return found == index.end() ? nullptr : found->second;
}

}  // namespace eddy::charset
