// SPDX-License-Identifier: MIT
// Model 5, asynchronous: the read is submitted with its memory, the program goes on, and is told when the bytes are in
// that memory. Here by POSIX aio, which glibc does with threads; io_uring is the kernel's own way.
//
//     $ ./io_asynchronous
//     submitted: the program goes on
//     phases 1 and 2: both were over when completion was told, 5 bytes: hello

#include <aio.h>
#include <eddy/exceptions.hpp>
#include <eddy/sockets.hpp>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

int main() {
  char path[] = "/tmp/eddy-io-XXXXXX";
  const eddy::FileDescriptor file(::mkstemp(path));
  ::unlink(path);
  if (!file || ::write(file.fileno(), "hello", 5) != 5) eddy::throw_os_error(errno, "write a temporary file");

  char room[16] = {};
  aiocb request{};
  request.aio_fildes = file.fileno();
  request.aio_buf = room;
  request.aio_nbytes = sizeof room;
  if (::aio_read(&request) != 0) eddy::throw_os_error(errno, "submit a read");
  std::printf("submitted: the program goes on\n");

  const aiocb* requests[] = {&request};
  while (::aio_error(&request) == EINPROGRESS) ::aio_suspend(requests, 1, nullptr);
  const auto count = ::aio_return(&request);
  std::printf("phases 1 and 2: both were over when completion was told, %zd bytes: %.*s\n", count, static_cast<int>(count),
              room);
}
