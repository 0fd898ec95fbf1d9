// SPDX-License-Identifier: MIT
#include <eddy/http/content_coding.hpp>

#include <brotli/encode.h>
#include <eddy/exceptions.hpp>
#include <gtest/gtest.h>
#include <zlib.h>

#include "http/error_of.hpp"

namespace eddy::http {
namespace {

std::string error_of(auto&& call) { return test::error_of<ContentDecodingError>(call); }

std::string brotli(std::string_view text) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  BrotliEncoderCompress(9, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(),
                        reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                        reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(size);
  return out;
}

std::string gzip(std::string_view text) {
  std::string out;
  GzipEncoder encoder;
  encoder.write(text, out);
  encoder.finish(out);
  return out;
}

std::string zlib_pack(std::string_view text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string sample() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 10007) + ' ';
  return text;
}

std::string decoded(std::string_view coding, std::string_view body,
                    std::size_t piece = std::string_view::npos) {
  ContentDecoder decoder(coding);
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(piece, body.size())))
    decoder.append(body.substr(0, piece), out);
  decoder.finish();
  return out;
}

TEST(ContentDecoder, UndoesEachCodingHoweverTheBodyIsCut) {
  const std::string text = sample();
  for (const auto& [coding, body] : {std::pair<std::string_view, std::string>{"gzip", gzip(text)},
                                     {"x-gzip", gzip(text)},
                                     {"deflate", zlib_pack(text, MAX_WBITS)},
                                     {"deflate", zlib_pack(text, -MAX_WBITS)},
                                     {"br", brotli(text)},
                                     {"br, gzip", gzip(brotli(text))},
                                     {"identity", text},
                                     {"", text},
                                     {"GZIP, identity", gzip(text)},
                                     {"deflate, gzip", gzip(zlib_pack(text, MAX_WBITS))}}) {
    EXPECT_EQ(decoded(coding, body), text) << coding;
    EXPECT_EQ(decoded(coding, body, 1), text) << coding;
    EXPECT_EQ(decoded(coding, body, 1000), text) << coding;
  }
}

TEST(ContentDecoder, FillsOutputsOfAnySize) {
  const std::string text = sample(), body = gzip(gzip(text));
  for (std::size_t room : {1, 7, 4096, 100'000}) {
    ContentDecoder decoder("gzip, gzip");
    std::string out, space(room, '\0');
    for (std::string_view rest = body;;) {
      const auto step = decoder.decode(rest, space);
      out.append(space, 0, step.produced);
      rest.remove_prefix(step.consumed);
      if (rest.empty() && step.produced < room) break;
    }
    decoder.finish();
    EXPECT_EQ(out, text) << room;
  }
}

TEST(ContentDecoder, ReadsSeveralGzipMembersAsOne) {
  EXPECT_EQ(decoded("gzip", gzip("one ") + gzip("two")), "one two");
  EXPECT_EQ(decoded("gzip", gzip("one ") + gzip("two"), 1), "one two");
  EXPECT_EQ(decoded("gzip, gzip", gzip(gzip("one ") + gzip("two")), 1), "one two");
}

TEST(ContentDecoder, DropsWhatStandsBehindTheStream) {
  EXPECT_EQ(decoded("gzip", gzip("text") + std::string(20, '\0')), "text");
  EXPECT_EQ(decoded("deflate", zlib_pack("text", MAX_WBITS) + "rubbish", 1), "text");
}

TEST(ContentDecoder, AnEmptyBodyNeedsNoDecoding) { EXPECT_EQ(decoded("gzip", ""), ""); }

TEST(ContentDecoder, RefusesDamagedBodies) {
  std::string body = gzip(sample());
  EXPECT_EQ(error_of([&] { decoded("gzip", "plain text"); }),
            "gzip body is damaged at byte 2: incorrect header check");
  EXPECT_EQ(error_of([&] { decoded("gzip", body.substr(0, 100)); }), "gzip body is cut after 100 bytes");
  body[body.size() - 6] ^= 1;  // the checksum
  EXPECT_EQ(error_of([&] { decoded("gzip", body); }),
            "gzip body is damaged at byte " + std::to_string(body.size() - 4) + ": incorrect data check");
  EXPECT_EQ(error_of([&] { decoded("br", "\xff\xff\xff\xff"); }).substr(0, 26), "br body is damaged at byte");
  EXPECT_EQ(error_of([&] { decoded("br", brotli(sample()).substr(0, 10)); }),
            "br body is cut after 10 bytes");
  EXPECT_EQ(error_of([&] { decoded("deflate", "x"); }), "deflate body is cut after 1 bytes");
}

TEST(ContentDecoder, RefusesCodingsItDoesNotKnow) {
  EXPECT_EQ(error_of([] { ContentDecoder decoder("gzip, lzma"); }),
            "content coding 'lzma' is not known; gzip, deflate and br are");
  EXPECT_EQ(error_of([] { ContentDecoder decoder("br,br,br,br,br,br"); }),
            "body has more than 5 content codings");
}

TEST(ContentDecoder, StopsABombEarly) {
  const std::string bomb = gzip(std::string(10 << 20, '\0'));
  EXPECT_LT(bomb.size(), 20'000u);
  std::string out;
  ContentDecoder by_ratio("gzip");
  EXPECT_EQ(error_of([&] { by_ratio.append(bomb, out); }).substr(0, 51),
            "gzip body grows more than 200-fold when decoded: 10");
  EXPECT_LT(out.size(), 2u << 20);
  ContentDecoder by_size("gzip", {.size = 100'000, .ratio = 100'000});
  out.clear();
  EXPECT_EQ(error_of([&] { by_size.append(bomb, out); }),
            "gzip body is larger than 100000 bytes when decoded");
  EXPECT_LT(out.size(), 120'000u);
}

TEST(GzipEncoder, FlushMakesWhatWasWrittenReadable) {
  GzipEncoder encoder(9);
  std::string packed, text;
  encoder.write("first", packed);
  encoder.flush(packed);
  ContentDecoder decoder("gzip");
  decoder.append(packed, text);
  EXPECT_EQ(text, "first");
  const std::size_t sent = packed.size();
  encoder.write(" second", packed);
  encoder.finish(packed);
  decoder.append(std::string_view(packed).substr(sent), text);
  decoder.finish();
  EXPECT_EQ(text, "first second");
}

TEST(GzipEncoder, RefusesLevelsThatDoNotExist) {
  EXPECT_EQ(test::error_of<ValueError>([] { GzipEncoder encoder(10); }), "gzip level 10 is outside 1 … 9");
}

}  // namespace
}  // namespace eddy::http
