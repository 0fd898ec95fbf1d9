// SPDX-License-Identifier: MIT
#include <eddy/http/content_coding.hpp>

#include <brotli/decode.h>
#include <eddy/exceptions.hpp>
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "http/ascii.hpp"

namespace eddy::http {

/// One coding being undone.
class ContentDecoder::Stage {
 public:
  explicit Stage(std::string_view name) : name_(name) {}
  virtual ~Stage() = default;
  virtual Step decode(std::string_view input, std::span<char> output) = 0;
  virtual bool complete() const noexcept = 0;
  std::string_view name() const noexcept { return name_; }

  std::array<char, 16384> buffer;        // what this stage has made for the next one
  std::size_t begin = 0, end = 0;        // the part of it not taken yet

 private:
  std::string_view name_;  // a literal
};

namespace {

constexpr std::size_t kMostCodings = 5;
constexpr uInt kLargestStep = 1u << 30;

class Inflate final : public ContentDecoder::Stage {
 public:
  enum class Format { gzip, deflate };
  explicit Inflate(Format format) : Stage(format == Format::gzip ? "gzip" : "deflate"), format_(format) {
    if (format == Format::gzip) start(MAX_WBITS + 16);
  }
  ~Inflate() override {
    if (started_) inflateEnd(&stream_);
  }

  ContentDecoder::Step decode(std::string_view input, std::span<char> output) override {
    std::size_t consumed = 0;
    if (!started_) {  // "deflate" is zlib's format, but some send it without header: its first two bytes tell
      while (head_size_ < 2 && consumed < input.size()) head_[head_size_++] = input[consumed++];
      if (head_size_ < 2) return {consumed, 0};
      const unsigned first = static_cast<unsigned char>(head_[0]),
                     second = static_cast<unsigned char>(head_[1]);
      start((first & 15) == 8 && (first * 256 + second) % 31 == 0 ? MAX_WBITS : -MAX_WBITS);
    }
    std::size_t produced = 0;
    if (head_taken_ < head_size_) {
      const auto step = run({head_.data() + head_taken_, head_size_ - head_taken_}, output);
      head_taken_ += step.consumed;
      produced = step.produced;
      if (head_taken_ < head_size_) return {consumed, produced};
    }
    const auto step = run(input.substr(consumed), output.subspan(produced));
    return {consumed + step.consumed, produced + step.produced};
  }

  bool complete() const noexcept override { return complete_; }

 private:
  void start(int window_bits) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
    started_ = true;
  }

  ContentDecoder::Step run(std::string_view input, std::span<char> output) {
    const std::size_t whole = input.size();
    if (complete_) {  // another gzip member, or data nobody asked for
      if (format_ != Format::gzip || input.empty() || input.front() != '\x1f' || ignoring_) {
        ignoring_ |= whole != 0;
        return {whole, 0};
      }
      inflateReset(&stream_);
      complete_ = false;
    }
    input = input.substr(0, kLargestStep);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(output.size(), kLargestStep));
    const uInt room = stream_.avail_out;
    const int outcome = room == 0 ? Z_OK : inflate(&stream_, Z_NO_FLUSH);
    if (outcome == Z_STREAM_END) complete_ = true;
    else if (outcome == Z_MEM_ERROR) throw std::bad_alloc();
    else if (outcome != Z_OK && outcome != Z_BUF_ERROR)
      throw ContentDecodingError(fmt::format("{} body is damaged at byte {}: {}", name(), stream_.total_in,
                                             stream_.msg != nullptr ? stream_.msg : "needs a dictionary"));
    return {input.size() - stream_.avail_in, room - stream_.avail_out};
  }

  Format format_;
  z_stream stream_{};
  std::array<char, 2> head_{};
  std::size_t head_size_ = 0, head_taken_ = 0;
  bool started_ = false, complete_ = false, ignoring_ = false;
};

class Brotli final : public ContentDecoder::Stage {
 public:
  Brotli() : Stage("br"), state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) throw std::bad_alloc();
  }
  ~Brotli() override { BrotliDecoderDestroyInstance(state_); }

  ContentDecoder::Step decode(std::string_view input, std::span<char> output) override {
    if (complete()) return {input.size(), 0};
    std::size_t in_left = input.size(), out_left = output.size();
    auto* next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(output.data());
    const auto outcome =
        BrotliDecoderDecompressStream(state_, &in_left, &next_in, &out_left, &next_out, nullptr);
    taken_ += input.size() - in_left;
    if (outcome == BROTLI_DECODER_RESULT_ERROR)
      throw ContentDecodingError(fmt::format("br body is damaged at byte {}: {}", taken_,
                                             BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state_))));
    return {input.size() - in_left, output.size() - out_left};
  }

  bool complete() const noexcept override { return BrotliDecoderIsFinished(state_) != 0; }

 private:
  BrotliDecoderState* state_;
  std::uint64_t taken_ = 0;
};

}  // namespace

ContentDecoder::ContentDecoder(std::string_view content_encoding, const DecodeLimits& limits)
    : limits_(limits) {
  while (!content_encoding.empty()) {
    const auto name = ascii::take_until(content_encoding, ',');
    const auto is = [name](std::string_view known) { return ascii::equal_ignoring_case(name, known); };
    if (name.empty() || is("identity")) continue;
    if (stages_.size() == kMostCodings)
      throw ContentDecodingError(fmt::format("body has more than {} content codings", kMostCodings));
    if (is("gzip") || is("x-gzip")) stages_.push_back(std::make_unique<Inflate>(Inflate::Format::gzip));
    else if (is("deflate")) stages_.push_back(std::make_unique<Inflate>(Inflate::Format::deflate));
    else if (is("br")) stages_.push_back(std::make_unique<Brotli>());
    else
      throw ContentDecodingError(
          fmt::format("content coding '{}' is not known; gzip, deflate and br are", name));
  }
  std::reverse(stages_.begin(), stages_.end());  // listed in the order in which they were applied
}

ContentDecoder::ContentDecoder(ContentDecoder&&) noexcept = default;
ContentDecoder& ContentDecoder::operator=(ContentDecoder&&) noexcept = default;
ContentDecoder::~ContentDecoder() = default;

// Stage `index` fed from `input` if it is the first, else from the stage before it.
ContentDecoder::Step ContentDecoder::run(std::size_t index, std::string_view input, std::span<char> output) {
  if (index == 0) return stages_[0]->decode(input, output);
  Stage& before = *stages_[index - 1];
  Step total;
  for (;;) {
    const auto step = stages_[index]->decode({before.buffer.data() + before.begin, before.end - before.begin},
                                             output.subspan(total.produced));
    before.begin += step.consumed;
    total.produced += step.produced;
    if (total.produced == output.size()) return total;
    if (before.begin != before.end) {  // perhaps at the end of a gzip member: go on while something moves
      if (step.consumed == 0 && step.produced == 0) return total;
      continue;
    }
    const auto more = run(index - 1, input.substr(total.consumed), before.buffer);
    total.consumed += more.consumed;
    before.begin = 0;
    before.end = more.produced;
    if (more.produced == 0) return total;
  }
}

ContentDecoder::Step ContentDecoder::decode(std::string_view input, std::span<char> output) {
  if (is_identity()) {
    const std::size_t size = std::min(input.size(), output.size());
    std::copy_n(input.data(), size, output.data());
    return {size, size};
  }
  const Step step = run(stages_.size() - 1, input, output);
  in_ += step.consumed;
  out_ += step.produced;
  if (out_ > limits_.size)
    throw ContentDecodingError(
        fmt::format("{} body is larger than {} bytes when decoded", stages_.back()->name(), limits_.size));
  if (out_ > limits_.ratio_from && out_ / limits_.ratio > in_)
    throw ContentDecodingError(fmt::format("{} body grows more than {}-fold when decoded: {} bytes from {}",
                                           stages_.back()->name(), limits_.ratio, out_, in_));
  return step;
}

void ContentDecoder::append(std::string_view input, std::string& out) {
  if (is_identity()) {
    out += input;
    return;
  }
  std::array<char, 16384> room;
  for (;;) {
    const Step step = decode(input, room);
    out.append(room.data(), step.produced);
    input.remove_prefix(step.consumed);
    if (step.produced < room.size() && (input.empty() || (step.consumed == 0 && step.produced == 0))) return;
  }
}

void ContentDecoder::finish() {
  for (const auto& stage : stages_)
    if (!stage->complete() && in_ != 0)  // an empty body has no coding to undo
      throw ContentDecodingError(fmt::format("{} body is cut after {} bytes", stage->name(), in_));
}

struct GzipEncoder::State {
  z_stream stream{};
  ~State() { deflateEnd(&stream); }
};

GzipEncoder::GzipEncoder(int level) {
  if (level < 1 || level > 9) throw ValueError(fmt::format("gzip level {} is outside 1 … 9", level));
  state_ = std::make_unique<State>();
  if (deflateInit2(&state_->stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}
GzipEncoder::GzipEncoder(GzipEncoder&&) noexcept = default;
GzipEncoder& GzipEncoder::operator=(GzipEncoder&&) noexcept = default;
GzipEncoder::~GzipEncoder() = default;

void GzipEncoder::write(std::string_view input, std::string& out) { run(input, Z_NO_FLUSH, out); }
void GzipEncoder::flush(std::string& out) { run({}, Z_SYNC_FLUSH, out); }
void GzipEncoder::finish(std::string& out) { run({}, Z_FINISH, out); }

void GzipEncoder::run(std::string_view input, int mode, std::string& out) {
  z_stream& stream = state_->stream;
  std::array<char, 8192> room;
  do {
    const auto piece = input.substr(0, kLargestStep);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream.avail_in = static_cast<uInt>(piece.size());
    input.remove_prefix(piece.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = room.size();
      deflate(&stream, mode);
      out.append(room.data(), room.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (!input.empty());
}

}  // namespace eddy::http
