// SPDX-License-Identifier: MIT
// Processes that talk: Python's multiprocessing.
#pragma once

#include <eddy/mp/connection.hpp>
#include <eddy/mp/pool.hpp>
#include <eddy/mp/process.hpp>
#include <eddy/mp/queue.hpp>
