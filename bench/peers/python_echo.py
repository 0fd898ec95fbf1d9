# SPDX-License-Identifier: MIT
"""A peer: asyncio's Protocol, TCP echo, on asyncio's own loop or on uvloop's.

    $ python_echo.py PORT asyncio|uvloop

Both loops set TCP_NODELAY by themselves.
"""
import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.write = transport.write

    def data_received(self, data):
        self.write(data)


async def serve(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if sys.argv[2] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(serve(int(sys.argv[1])))
