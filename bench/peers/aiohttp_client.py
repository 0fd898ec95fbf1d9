# SPDX-License-Identifier: MIT
"""A peer: aiohttp's client on uvloop; see bench/client_eddy.cpp for what it does and prints.

    $ aiohttp_client.py PORT CONNECTIONS SECONDS
"""
import asyncio
import sys
import time

import aiohttp
import uvloop


async def ask(session, url, end):
    count = 0
    while time.monotonic() < end:
        async with session.get(url) as response:
            assert response.status == 200 and await response.read() == b"Hello, World!"
        count += 1
    return count


async def ask_all(session, url, connections, seconds):
    end = time.monotonic() + seconds
    return sum(await asyncio.gather(*[ask(session, url, end) for _ in range(connections)]))


async def main(port, connections, seconds):
    url = f"http://127.0.0.1:{port}/"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        await ask_all(session, url, connections, 0.3)
        began, cpu = time.monotonic(), time.process_time()
        count = await ask_all(session, url, connections, seconds)
        elapsed, cpu = time.monotonic() - began, time.process_time() - cpu
    print(f'{{"rate": {count / elapsed:.0f}, "total": {count}, "cpu_us": {cpu / count * 1e6:.3f}}}')


uvloop.install()
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
