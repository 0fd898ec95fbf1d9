// SPDX-License-Identifier: MIT
#include <eddy/eddy.hpp>

using namespace std::chrono_literals;

int main() { eddy::run(eddy::sleep(1ms)); }
