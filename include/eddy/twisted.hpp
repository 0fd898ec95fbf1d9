// SPDX-License-Identifier: MIT
// Twisted's view of the loop: Deferred, protocols and factories, the reactor. Not part of eddy/eddy.hpp.
#pragma once

#include <eddy/twisted/deferred.hpp>
#include <eddy/twisted/protocols.hpp>
#include <eddy/twisted/task.hpp>
