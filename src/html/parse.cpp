// SPDX-License-Identifier: MIT
// libxml2's HTML parser calls a builder that fills our own tree; libxml2 never builds its own.
//
// What keeps it linear: the depth limit bounds the walks over libxml2's stack of open elements, and the limit
// on attributes its comparison of every attribute with those before it. That comparison happens before any
// callback, so it is watched from the side: the parser reads in small chunks, and its array of attributes has
// a public size.
#include <eddy/charset.hpp>
#include <eddy/html/document.hpp>
#include <html/access.hpp>

#include <base/utf8.hpp>
#include <fmt/format.h>
#include <libxml/HTMLparser.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>

namespace eddy::html {
namespace {

using namespace detail;
using eddy::detail::ascii_run;
using eddy::detail::is_continuation;

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // offsets have 32 bits
constexpr std::size_t kChunk = 4096;

std::string_view view(const xmlChar* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}
std::string_view view(const xmlChar* text, int length) noexcept {
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
}

class Builder {
 public:
  Builder(std::string_view html, const ParseOptions& options)
      : input_(html), options_(options), tree_(std::make_shared<Tree>()) {
    tree_->nodes.reserve(html.size() / 16 + 8);
    tree_->text.reserve(html.size() / 2);
    tree_->nodes.push_back({NodeKind::document, 0, 0, 0, 0, 0, 0, 0, 0});
    tree_->names.intern("");  // the name of nothing
    open_.push_back({kDocument, kNoElement});
  }

  std::shared_ptr<Tree> run();

 private:
  struct Open {
    Index node;        // where children go
    Index last_child;  // its last element child so far
  };

  static xmlSAXHandler handlers() noexcept;
  static int read(void* self, char* buffer, int length) noexcept;
  // Runs `step` unless the parse was stopped; an exception stops it and is rethrown by run(). Stopping means
  // that read() reports the end: the parser still sees the few thousand bytes it has, and we look away.
  template <class Step>
  static void guarded(void* self, Step step) noexcept;

  void start_element(std::string_view name, const xmlChar** attributes);
  void end_element();
  void add_text(std::string_view text);
  void add_data(NodeKind kind, std::string_view name, std::string_view data);
  void add_attribute(std::string_view name, std::string_view value);
  Index add_node(NodeKind kind, Name name);
  void close_void_element(int above) noexcept;
  void close_definition() noexcept;
  void close_innermost(std::size_t count, int above) noexcept;
  void hit_limit(std::string_view limit, std::size_t allowed, std::size_t actual, std::string_view what);
  void finish();

  std::string_view input_;
  std::size_t read_ = 0;  // bytes given to the parser
  const ParseOptions& options_;
  std::shared_ptr<Tree> tree_;
  std::vector<Open> open_;
  bool in_void_ = false;  // the last start tag was a void element that libxml2 takes for an ordinary one
  bool stopped_ = false;
  std::exception_ptr error_;
  htmlParserCtxtPtr parser_ = nullptr;
};

template <class Step>
void Builder::guarded(void* self, Step step) noexcept {
  auto& builder = *static_cast<Builder*>(self);
  if (builder.stopped_) return;
  try {
    step(builder);
  } catch (...) {
    builder.error_ = std::current_exception();
    builder.stopped_ = true;
  }
}

xmlSAXHandler Builder::handlers() noexcept {
  xmlSAXHandler sax{};
  sax.initialized = 1;
  sax.internalSubset = [](void* self, const xmlChar* name, const xmlChar*, const xmlChar*) {
    guarded(self, [&](Builder& b) { b.tree_->doctype = view(name); });
  };
  sax.startElement = [](void* self, const xmlChar* name, const xmlChar** attributes) {
    guarded(self, [&](Builder& b) { b.start_element(view(name), attributes); });
  };
  sax.endElement = [](void* self, const xmlChar*) { guarded(self, [](Builder& b) { b.end_element(); }); };
  sax.characters = [](void* self, const xmlChar* text, int length) {
    guarded(self, [&](Builder& b) { b.add_text(view(text, length)); });
  };
  sax.cdataBlock = sax.characters;
  sax.ignorableWhitespace = sax.characters;
  sax.comment = [](void* self, const xmlChar* data) {
    guarded(self, [&](Builder& b) { b.add_data(NodeKind::comment, "", view(data)); });
  };
  sax.processingInstruction = [](void* self, const xmlChar* target, const xmlChar* data) {
    guarded(self, [&](Builder& b) { b.add_data(NodeKind::instruction, view(target), view(data)); });
  };
  return sax;
}

int Builder::read(void* self, char* buffer, int length) noexcept {
  auto& builder = *static_cast<Builder*>(self);
  guarded(self, [](Builder& b) {
    // The array holds two pointers an attribute and doubles: twice what the limit needs means the limit was
    // passed.
    const auto allowed = b.options_.attributes;
    const auto seen = static_cast<std::size_t>(std::max(b.parser_->maxatts, 0)) / 4;
    if (seen > allowed + 16) b.hit_limit("attributes", allowed, seen, "attributes of one element");
  });
  if (builder.stopped_) return 0;
  const auto count =
      std::min({static_cast<std::size_t>(length), kChunk, builder.input_.size() - builder.read_});
  std::memcpy(buffer, builder.input_.data() + builder.read_, count);
  builder.read_ += count;
  return static_cast<int>(count);
}

std::shared_ptr<Tree> Builder::run() {
  static std::once_flag once;
  std::call_once(once, xmlInitParser);
  const std::unique_ptr<xmlParserCtxt, void (*)(htmlParserCtxtPtr)> parser(htmlNewParserCtxt(), htmlFreeParserCtxt);
  if (!parser) throw std::bad_alloc();
  parser_ = parser.get();
  *parser->sax = handlers();
  parser->userData = this;
  constexpr int kOptions = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                           HTML_PARSE_NODEFDTD | HTML_PARSE_IGNORE_ENC;
  // libxml2 has UTF-8 converted to UTF-8, which takes a tenth of its time; what has no encoding is read as it is.
  const auto* encoding = ascii_run(input_) == input_.size() ? nullptr : "UTF-8";
  htmlDocPtr document = htmlCtxtReadIO(parser_, read, nullptr, this, nullptr, encoding, kOptions);
  if (document != nullptr) xmlFreeDoc(document);  // none is built: no handler makes one
  if (error_) std::rethrow_exception(error_);
  finish();
  return std::move(tree_);
}

void Builder::hit_limit(std::string_view limit, std::size_t allowed, std::size_t actual,
                        std::string_view what) {
  stopped_ = true;
  tree_->truncated = limit;
  if (options_.on_limit == OnLimit::truncate) return;
  throw ParseError(
      fmt::format("html: {} {}, the limit is {} (ParseOptions::{})", actual, what, allowed, limit), limit,
      allowed, actual);
}

Index Builder::add_node(NodeKind kind, Name name) {
  auto& tree = *tree_;
  const auto i = static_cast<Index>(tree.nodes.size());
  if (i > options_.nodes) {
    hit_limit("nodes", options_.nodes, i, "nodes");
    return kNoElement;
  }
  tree.nodes.push_back({kind, name, open_.back().node, i + 1, kNoElement, 0, 0,
                        static_cast<std::uint32_t>(tree.text.size()),
                        static_cast<std::uint32_t>(tree.attributes.size())});
  return i;
}

void Builder::add_attribute(std::string_view name, std::string_view value) {
  auto& tree = *tree_;
  tree.attributes.push_back({tree.names.intern(name), static_cast<std::uint32_t>(tree.values.size()),
                             static_cast<std::uint32_t>(value.size())});
  tree.values += value;
}

void Builder::start_element(std::string_view name, const xmlChar** attributes) {
  close_void_element(1);
  if (name == "dd" || name == "dt") close_definition();
  std::size_t count = 0;
  while (attributes != nullptr && attributes[2 * count] != nullptr) ++count;
  if (count > options_.attributes) {
    return hit_limit("attributes", options_.attributes, count, "attributes of one element");
  }
  if (open_.size() > options_.depth) {
    return hit_limit("depth", options_.depth, open_.size(), "elements inside each other");
  }
  auto& tree = *tree_;
  auto& parent = open_.back();
  const auto i = add_node(NodeKind::element, tree.names.intern(name));
  if (i == kNoElement) return;
  for (std::size_t a = 0; a < count; ++a) add_attribute(view(attributes[2 * a]), view(attributes[2 * a + 1]));
  tree.nodes[i].previous = parent.last_child;
  tree.nodes[i].position = ++tree.nodes[parent.node].children;
  parent.last_child = i;
  open_.push_back({i, kNoElement});
  in_void_ = name == "wbr" || name == "source" || name == "track";
}

void Builder::end_element() {
  in_void_ = false;
  if (open_.size() == 1) return;
  tree_->nodes[open_.back().node].end = static_cast<Index>(tree_->nodes.size());
  open_.pop_back();
}

// libxml2 2.9 knows HTML 4: it waits for an end tag of <wbr>. Whatever follows the tag makes it an element
// without content here.
void Builder::close_void_element(int above) noexcept {
  if (in_void_) close_innermost(1, above);
}

// It also puts <dd> into the <dd> or <dt> before it. In HTML 5 it ends that one (13.2.6.4.7), unless
// something that is not inline, a <p>, a <div> or an <address> stands between them.
void Builder::close_definition() noexcept {
  for (auto i = open_.size() - 1; i > 0; --i) {
    const auto name = tree_->name(open_[i].node);
    if (name == "dd" || name == "dt") return close_innermost(open_.size() - i, 1);
    if (name != "p" && name != "div" && name != "address" && !is_inline_element(name)) return;
  }
}

// Ends elements that the parser takes to be open, and takes their names off its stack, where they lie under
// `above` others: it holds the names of our open elements, and on top that of the element being started, if
// one is.
void Builder::close_innermost(std::size_t count, int above) noexcept {
  for (std::size_t i = 0; i < count; ++i) end_element();
  auto& p = *parser_;
  const auto closed = static_cast<int>(count);
  if (p.nameNr < closed + above) return;
  std::copy(p.nameTab + p.nameNr - above, p.nameTab + p.nameNr, p.nameTab + p.nameNr - above - closed);
  p.nameNr -= closed;
  p.name = p.nameNr > 0 ? p.nameTab[p.nameNr - 1] : nullptr;
}

void Builder::add_text(std::string_view text) {
  close_void_element(0);
  auto& tree = *tree_;
  const auto& last = tree.nodes.back();
  const bool goes_on = last.kind == NodeKind::text && last.parent == open_.back().node;
  if (!goes_on && add_node(NodeKind::text, 0) == kNoElement) return;
  tree.text += text;
}

void Builder::add_data(NodeKind kind, std::string_view name, std::string_view data) {
  close_void_element(0);
  if (add_node(kind, tree_->names.intern(name)) != kNoElement) add_attribute("", data);
}

void Builder::finish() {
  while (open_.size() > 1) end_element();
  auto& tree = *tree_;
  const auto end = static_cast<Index>(tree.nodes.size());
  tree.nodes[kDocument].end = end;
  tree.nodes.push_back({NodeKind::document, 0, 0, end, 0, 0, 0, static_cast<std::uint32_t>(tree.text.size()),
                        static_cast<std::uint32_t>(tree.attributes.size())});
  tree.nodes.shrink_to_fit();
}

Document parse_valid(std::string_view utf8, std::string_view encoding, const ParseOptions& options) {
  const auto allowed = std::min(options.bytes, kMostBytes);
  const bool too_long = utf8.size() > allowed;
  if (too_long && options.on_limit == OnLimit::fail) {
    throw ParseError(
        fmt::format("html: {} bytes, the limit is {} (ParseOptions::bytes)", utf8.size(), allowed), "bytes",
        allowed, utf8.size());
  }
  auto end = std::min(utf8.size(), allowed);
  while (too_long && end > 0 && is_continuation(utf8[end])) --end;
  auto tree = Builder(utf8.substr(0, end), options).run();
  tree->encoding = encoding;
  if (too_long && tree->truncated.empty()) tree->truncated = "bytes";
  return Access::document(std::move(tree));
}

Document parse_decoded(std::string text, std::string_view encoding, const ParseOptions& options) {
  if (text.find('\0') != text.npos) std::erase(text, '\0');  // libxml2 would end the page there
  return parse_valid(text, encoding, options);
}

}  // namespace

Document parse(std::string_view utf8, const ParseOptions& options) {
  return parse_decoded(eddy::decode(utf8, "utf-8", OnError::replace), "utf-8", options);
}

Document parse(std::span<const std::byte> bytes, const ParseOptions& options) {
  const std::string_view view_of_bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string_view used;
  auto text = eddy::decode_page(view_of_bytes, options.encoding, &used);
  return parse_decoded(std::move(text), used, options);
}

}  // namespace eddy::html
