// SPDX-License-Identifier: MIT
// The whole runtime. Programs that count their compile time include what they use instead.
#pragma once

#include <eddy/addresses.hpp>
#include <eddy/as_completed.hpp>
#include <eddy/async_generators.hpp>
#include <eddy/channels.hpp>
#include <eddy/clock.hpp>
#include <eddy/concurrent.hpp>
#include <eddy/contextlib.hpp>
#include <eddy/contextvars.hpp>
#include <eddy/coro.hpp>
#include <eddy/gather.hpp>
#include <eddy/wait.hpp>
#include <eddy/events.hpp>
#include <eddy/exceptions.hpp>
#include <eddy/functools.hpp>
#include <eddy/futures.hpp>
#include <eddy/generators.hpp>
#include <eddy/inspect.hpp>
#include <eddy/instrument.hpp>
#include <eddy/iterators.hpp>
#include <eddy/limiter.hpp>
#include <eddy/locks.hpp>
#include <eddy/metrics.hpp>
#include <eddy/mp.hpp>
#include <eddy/processes.hpp>
#include <eddy/queues.hpp>
#include <eddy/race.hpp>
#include <eddy/result.hpp>
#include <eddy/runners.hpp>
#include <eddy/scopes.hpp>
#include <eddy/streams.hpp>
#include <eddy/taskgroups.hpp>
#include <eddy/tasks.hpp>
#include <eddy/threads.hpp>
#include <eddy/timeouts.hpp>
