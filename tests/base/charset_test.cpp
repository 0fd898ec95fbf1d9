// SPDX-License-Identifier: MIT
#include <eddy/charset.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace {

using eddy::decode;
using eddy::encode;
using eddy::OnError;

template <class Error, class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

std::string decode_error(std::string_view bytes, std::string_view label) {
  return message_of<eddy::UnicodeDecodeError>([&] { decode(bytes, label); });
}

// --- CPython as oracle
// ------------------------------------------------------------------------------------------

struct Record {
  std::string bytes, ignored, replaced;
  int error_start = -1, error_end = -1;
};

class Oracle {
 public:
  Oracle(const std::string& codec, int corrupted, int random)
      : pipe_(::popen(fmt::format("'{}' '{}/tests/base/charset_oracle.py' {} {} {}", EDDY_PYTHON,
                                  EDDY_SOURCE_DIR, codec, corrupted, random)
                          .c_str(),
                      "r"),
              ::pclose) {}

  std::optional<Record> next() {
    Record record;
    if (!read(record.bytes) || !read(record.ignored) || !read(record.replaced)) return std::nullopt;
    read(record.error_start);
    read(record.error_end);
    return record;
  }

 private:
  bool read(int& number) { return std::fread(&number, sizeof number, 1, pipe_.get()) == 1; }
  bool read(std::string& blob) {
    int size = 0;
    if (!read(size)) return false;
    blob.resize(static_cast<std::size_t>(size));
    return std::fread(blob.data(), 1, blob.size(), pipe_.get()) == blob.size();
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe_;
};

std::string hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char b : bytes) text += fmt::format("{:02x} ", b);
  return text;
}

// How many strings the two decode differently; the first few are printed.
int differences(const std::string& label, const std::string& codec, int corrupted, int random) {
  Oracle oracle(codec, corrupted, random);
  int strings = 0, different = 0;
  for (; const auto record = oracle.next(); ++strings) {
    int start = -1, end = -1;
    try {
      decode(record->bytes, label);
    } catch (const eddy::UnicodeDecodeError& error) {
      start = static_cast<int>(error.offset());
      end = start + static_cast<int>(error.bytes().size());
    }
    const bool equal = decode(record->bytes, label, OnError::ignore) == record->ignored &&
                       decode(record->bytes, label, OnError::replace) == record->replaced &&
                       start == record->error_start && end == record->error_end;
    if (!equal && ++different <= 3) {
      std::printf("%s differs on %s\n  ours   %s at %d-%d\n  theirs %s at %d-%d\n", label.c_str(),
                  hex(record->bytes).c_str(), decode(record->bytes, label, OnError::replace).c_str(), start,
                  end, record->replaced.c_str(), record->error_start, record->error_end);
    }
  }
  EXPECT_EQ(strings, corrupted + random) << "the oracle ended early";
  return different;
}

TEST(Charset, GbkDecodesDamagedTextAsCPythonDoes) { EXPECT_EQ(differences("gbk", "gbk", 20000, 20000), 0); }

TEST(Charset, Utf8FaultsAreMaximalSubparts) { EXPECT_EQ(differences("utf-8", "utf-8", 3000, 3000), 0); }

TEST(Charset, Utf16FaultsAreAsLongAsCPythons) {
  EXPECT_EQ(differences("utf-16le", "utf-16-le", 1000, 1000), 0);
  EXPECT_EQ(differences("utf-16be", "utf-16-be", 1000, 1000), 0);
}

TEST(Charset, OtherCharsetsDecodeDamagedTextAsCPythonDoes) {
  for (const auto* name : {"koi8-r", "koi8-u", "iso-8859-2", "iso-8859-5", "iso-8859-6", "iso-8859-7",
                           "iso-8859-8", "iso-8859-15", "iso-8859-16"}) {
    EXPECT_EQ(differences(name, name, 300, 300), 0) << name;
  }
  EXPECT_EQ(differences("euc-kr", "cp949", 1500, 1500), 0);
  EXPECT_EQ(differences("euc-jp", "euc_jp", 1500, 1500), 0);
}

// All pairs 0x80–0xFF, 0x20–0xFF through both. What differs is listed in docs/reference/charset.md; a new
// glibc or CPython that changes the numbers should change the page.
int pair_differences(const std::string& label, const std::string& codec) {
  Oracle oracle(codec, -1, 0);
  int different = 0;
  for (; const auto record = oracle.next();)
    different += decode(record->bytes, label, OnError::replace) != record->replaced;
  return different;
}

TEST(Charset, PairsThatDifferFromCPythonsCodecAreTheDocumentedOnes) {
  EXPECT_EQ(pair_differences("gbk", "gbk"), 0);
  EXPECT_EQ(pair_differences("euc-kr", "cp949"), 0);
  EXPECT_EQ(pair_differences("euc-jp", "euc_jp"), 0);
  EXPECT_LE(pair_differences("gb18030", "gb18030"), 25);
  EXPECT_LE(pair_differences("big5", "big5hkscs"), 68);
}

// --- what it means
// ----------------------------------------------------------------------------------------------

TEST(Charset, AnErrorSaysCharsetBytesAndPlace) {
  EXPECT_EQ(decode_error("ab\xD6\xD0\xFF", "GB2312"),
            "'gbk' codec can't decode byte 0xff in position 4: illegal multibyte sequence");
  EXPECT_EQ(decode_error("ab\xD6", "gbk"),
            "'gbk' codec can't decode byte 0xd6 in position 2: incomplete multibyte sequence");
  EXPECT_EQ(decode_error("\xE4\xB8", "utf-8"),
            "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data");
  EXPECT_EQ(decode_error("a\xA1", "windows-1257"),
            "'windows-1257' codec can't decode byte 0xa1 in position 1: character maps to <undefined>");
  try {
    decode("ab\xE4\xB8", "utf-8");
    FAIL();
  } catch (const eddy::UnicodeDecodeError& error) {
    EXPECT_EQ(error.charset(), "utf-8");
    EXPECT_EQ(error.offset(), 2u);
    EXPECT_EQ(error.bytes(), "\xE4\xB8");
    EXPECT_EQ(error.reason(), "unexpected end of data");
  }
}

TEST(Charset, EncodingAChapterWithAnEmojiToGbkSaysWhereItIs) {
  const std::string chapter = "第一章😀完";
  EXPECT_EQ(message_of<eddy::UnicodeEncodeError>([&] { encode(chapter, "gbk"); }),
            "'gbk' codec can't encode character '\\U0001f600' in position 3: illegal multibyte sequence");
  EXPECT_EQ(decode(encode(chapter, "gbk", OnError::ignore), "gbk"), "第一章完");
  EXPECT_EQ(decode(encode(chapter, "gbk", OnError::replace), "gbk"), "第一章?完");
  try {
    encode(chapter, "gbk");
    FAIL();
  } catch (const eddy::UnicodeEncodeError& error) {
    EXPECT_EQ(error.offset(), 9u);
    EXPECT_EQ(error.position(), 3u);
    EXPECT_EQ(error.character(), U'😀');
  }
}

TEST(Charset, GbkHasNoEuroSignAsInCPython) {
  EXPECT_EQ(message_of<eddy::UnicodeEncodeError>([] { encode("€", "gbk"); }),
            "'gbk' codec can't encode character '\\u20ac' in position 0: illegal multibyte sequence");
  EXPECT_EQ(decode("a\x80z", "gbk", OnError::ignore), "az");
}

TEST(Charset, AnUnknownLabelIsAnError) {
  EXPECT_EQ(message_of<eddy::UnknownCharsetError>([] { decode("", "klingon"); }), "unknown charset 'klingon'");
  EXPECT_FALSE(eddy::known_charset("klingon"));
  EXPECT_FALSE(eddy::known_charset(""));
  EXPECT_EQ(eddy::charset_name("klingon"), "");
}

TEST(Charset, LabelsAreThoseOfTheEncodingStandard) {
  EXPECT_EQ(eddy::charset_name(" GB2312\n"), "gbk");
  EXPECT_EQ(eddy::charset_name("latin1"), "windows-1252");
  EXPECT_EQ(eddy::charset_name("ISO-8859-1"), "windows-1252");
  EXPECT_EQ(eddy::charset_name("Shift_JIS"), "shift_jis");
  EXPECT_EQ(eddy::charset_name("ks_c_5601-1987"), "euc-kr");
  EXPECT_EQ(eddy::charset_name("utf_8"), "utf-8");
}

TEST(Charset, Windows1252HasEveryByteAsInBrowsers) {
  std::string all(256, ' ');
  for (int i = 0; i < 256; ++i) all[static_cast<std::size_t>(i)] = static_cast<char>(i);
  const auto text = decode(all, "latin1");
  EXPECT_EQ(encode(text, "latin1"), all);
  EXPECT_EQ(decode("\x80\x81", "latin1"), "€\u0081");
}

TEST(Charset, WhatEveryCharsetDecodesItEncodesBack) {
  for (const auto* label :
       {"gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "utf-16", "utf-16be"}) {
    const std::string text = "eddy: 中文、日本、123。";
    EXPECT_EQ(decode(encode(text, label), label), text) << label;
  }
  EXPECT_EQ(decode(encode("한국어", "euc-kr"), "euc-kr"), "한국어");
  EXPECT_EQ(decode(encode("ｶﾅ €", "gb18030"), "gb18030"), "ｶﾅ €");
  EXPECT_EQ(decode(encode("😀", "gb18030"), "gb18030"), "😀");
  EXPECT_EQ(encode("Привет", "koi8-r"), "\xF0\xD2\xC9\xD7\xC5\xD4");
  EXPECT_EQ(decode("\x88\x62", "big5"), "Ê̄");  // two characters for one pair
}

TEST(Charset, Utf16FollowsItsByteOrderMark) {
  EXPECT_EQ(decode(std::string_view("\xFE\xFF\0a", 4), "utf-16"), "a");
  EXPECT_EQ(decode(std::string_view("\xFF\xFE\x61\0", 4), "utf-16"), "a");
  EXPECT_EQ(decode(std::string_view("a\0", 2), "utf-16"), "a");
  EXPECT_EQ(decode(std::string_view("\xFF\xFE\x61\0", 4), "utf-16le"), "\uFEFFa");
}

TEST(Charset, TextThatIsNotUtf8CannotBeEncoded) {
  EXPECT_EQ(message_of<eddy::UnicodeDecodeError>([] { encode("a\xFF", "gbk"); }),
            "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte");
  EXPECT_EQ(encode("a\xFFz", "gbk", OnError::ignore), "az");
  EXPECT_EQ(encode("a\xFFz", "gbk", OnError::replace), "a?z");
}

// --- what a page says
// -------------------------------------------------------------------------------------------

std::string sniffed(std::string_view bytes) {
  const auto found = eddy::sniff_charset(bytes);
  static constexpr const char* kSources[] = {"none", "mark", "xml", "meta"};
  return fmt::format("{} {}", kSources[static_cast<int>(found.source)], found.charset);
}

TEST(SniffCharset, TheByteOrderMarkGoesFirst) {
  EXPECT_EQ(sniffed("\xEF\xBB\xBF<meta charset=gbk>"), "mark utf-8");
  EXPECT_EQ(sniffed("\xFE\xFF"), "mark utf-16be");
  EXPECT_EQ(sniffed("\xFF\xFE"), "mark utf-16le");
}

TEST(SniffCharset, AMetaElementDeclaresIt) {
  EXPECT_EQ(sniffed("<html><head><meta charset='gb2312'>"), "meta gbk");
  EXPECT_EQ(sniffed("<META CHARSET=Big5>"), "meta big5");
  EXPECT_EQ(sniffed("<meta http-equiv=Content-Type content=\"text/html; charset=euc-kr\">"), "meta euc-kr");
  EXPECT_EQ(sniffed("<meta content='text/html; CHARSET = \"koi8-r\"' http-equiv=content-type>"),
            "meta koi8-r");
  EXPECT_EQ(sniffed("<meta charset=utf-16>"), "meta utf-8");
  EXPECT_EQ(sniffed("<meta/charset=gbk/>"), "none ");  // the value is "gbk/", as in browsers
}

TEST(SniffCharset, WhatIsNotATagIsSteppedOver) {
  EXPECT_EQ(sniffed("<!-- <meta charset=gbk> --><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<!--><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<p title='<meta charset=gbk>'><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<metal charset=gbk><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<? <meta charset=gbk><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<meta charset=klingon><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<meta content='charset=gbk'><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<p"), "none ");
  EXPECT_EQ(sniffed("<meta charset='gbk"), "none ");
}

TEST(SniffCharset, OnlyTheFirst1024BytesCount) {
  EXPECT_EQ(sniffed(std::string(1000, ' ') + "<meta charset=gbk>"), "meta gbk");
  EXPECT_EQ(sniffed(std::string(1020, ' ') + "<meta charset=gbk>"), "none ");
}

TEST(SniffCharset, AnXmlDeclarationComesLast) {
  EXPECT_EQ(sniffed("<?xml version='1.0' encoding='gbk'?><p>"), "xml gbk");
  EXPECT_EQ(sniffed("<?xml version='1.0' encoding='gbk'?><meta charset=big5>"), "meta big5");
  EXPECT_EQ(sniffed("<?xml version='1.0'?><p>"), "none ");
}

TEST(DecodePage, TakesMarkThenLabelThenMetaThenAGuess) {
  std::string_view used;
  EXPECT_EQ(eddy::decode_page("\xEF\xBB\xBF\xE4\xB8\xAD", "gbk", &used), "中");
  EXPECT_EQ(used, "utf-8");
  EXPECT_EQ(eddy::decode_page("<meta charset=big5>\xD6\xD0", "gbk", &used), "<meta charset=big5>中");
  EXPECT_EQ(eddy::decode_page("<meta charset=gbk>\xD6\xD0", "", &used), "<meta charset=gbk>中");
  EXPECT_EQ(used, "gbk");
  EXPECT_EQ(eddy::decode_page("中", "", &used), "中");
  EXPECT_EQ(used, "utf-8");
  EXPECT_EQ(eddy::decode_page("caf\xE9", "", &used), "café");
  EXPECT_EQ(used, "windows-1252");
}

}  // namespace
