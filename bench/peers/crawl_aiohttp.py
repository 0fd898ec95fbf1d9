# SPDX-License-Identifier: MIT
"""A peer: a crawler of aiohttp, pyquery and a queue, on uvloop; see bench/crawl_eddy.cpp for what it does and prints.

    $ crawl_aiohttp.py URL
"""
import asyncio
import json
import sys
import time
from urllib.parse import urldefrag, urljoin

import aiohttp
import uvloop
from pyquery import PyQuery


async def crawl(url):
    found = {"pages": 0, "paragraphs": 0, "letters": 0}
    seen, waiting = {url}, asyncio.Queue()
    waiting.put_nowait(url)

    async def take(session):
        while True:
            page = await waiting.get()
            async with session.get(page) as response:
                html = PyQuery(await response.text(), parser="html")
            paragraphs = html("div.text p")
            found["pages"] += 1
            found["paragraphs"] += len(paragraphs)
            found["letters"] += len(html("h1").text()) + len(paragraphs.eq(0).text())
            for link in html("a[href]"):
                target = urldefrag(urljoin(page, link.get("href"))).url
                if target not in seen:
                    seen.add(target)
                    waiting.put_nowait(target)
            waiting.task_done()

    async with aiohttp.ClientSession() as session:
        takers = [asyncio.create_task(take(session)) for _ in range(8)]
        await waiting.join()
        for taker in takers:
            taker.cancel()
    return found


uvloop.install()
began, cpu = time.monotonic(), time.process_time()
found = asyncio.run(crawl(sys.argv[1]))
found["cpu_us"] = (time.process_time() - cpu) / found["pages"] * 1e6
print(json.dumps({**found, "seconds": time.monotonic() - began}))
