// SPDX-License-Identifier: MIT
// The programs of the documentation, each checked by main.cpp.
#pragma once

#include <eddy/eddy.hpp>

#include <string>

eddy::Coro<> tutorial_program();
eddy::Coro<> cancellation_program();
eddy::Coro<> from_asyncio_program();
eddy::Coro<> gcc12_program();
eddy::Coro<> generators_program();
eddy::Coro<> inspection_program();
eddy::Coro<> lifetimes_program();
eddy::Coro<> structured_program();
eddy::Coro<> processes_program();
eddy::Coro<> transports_program();
eddy::Coro<> subprocess_program();
eddy::Coro<> servers_program();
eddy::Coro<> sockets_program();
eddy::Coro<> tls_program();
eddy::Coro<> dns_program();
void backends_program();
void cores_program();
void testing_program();
