// SPDX-License-Identifier: MIT
// HTML: parse what the web really sends, select with CSS.
//
//     auto document = eddy::html::parse(page);
//     for (auto link : document.select("dd a[href]")) {
//       std::cout << link.text() << ": " << *link.attr("href") << '\n';
//     }
#pragma once

#include <eddy/charset.hpp>
#include <eddy/html/document.hpp>
#include <eddy/html/element.hpp>
#include <eddy/html/selector.hpp>

namespace eddy::html {

using eddy::decode;
using eddy::encode;
using eddy::OnError;

}  // namespace eddy::html
