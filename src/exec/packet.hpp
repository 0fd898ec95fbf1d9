// SPDX-License-Identifier: MIT
// Parcels between processes: a packet each of a SOCK_SEQPACKET socket, so that no reader ever has a part of
// one and several processes may read and write one end. What is longer than a packet lies in a memory file
// whose descriptor travels in it. The packet:
//
//     u32 tag   u32 flags (1: the bytes are in the last descriptor)   u64 size of the bytes   bytes
#pragma once

#include <eddy/pack.hpp>

#include <cstdint>

namespace eddy::detail {

enum class Passed { done, must_wait, closed };

/// Puts bytes that are too long for a packet into a memory file. Before pass(). Throws OSError.
void spill(Parcel& parcel);

/// Sends it whole or not at all, without waiting. Throws OSError for what is no end of the connection.
Passed pass(int socket, std::uint32_t tag, const Parcel& parcel);
/// Takes the next one, without waiting. Throws OSError, UnpackError for a packet that is none.
Passed take(int socket, std::uint32_t& tag, Parcel& parcel);

/// The same by blocking. must_wait: `timeout` has passed.
Passed pass_blocking(int socket, std::uint32_t tag, Parcel& parcel, Duration timeout);
Passed take_blocking(int socket, std::uint32_t& tag, Parcel& parcel, Duration timeout);

/// Blocks until one of poll()'s `events` is there. False: `timeout` has passed.
bool wait_for_events(int fd, short events, Duration timeout);

}  // namespace eddy::detail
