// SPDX-License-Identifier: MIT
// std::unique_ptr and std::shared_ptr (for every header that names them).
#pragma once

#if __has_include(<bits/shared_ptr.h>) && __has_include(<bits/unique_ptr.h>)
#include <bits/shared_ptr.h>  // libstdc++: a third of <memory>, which brings the algorithms and their ranges along
#include <bits/unique_ptr.h>
#else
#include <memory>
#endif
