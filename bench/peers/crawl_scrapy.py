# SPDX-License-Identifier: MIT
"""A peer: Scrapy; see bench/crawl_eddy.cpp for what it does and prints.

    $ crawl_scrapy.py URL
"""
import json
import sys
import time

import scrapy
from scrapy.crawler import CrawlerProcess

found = {"pages": 0, "paragraphs": 0, "letters": 0}


class Site(scrapy.Spider):
    name = "site"

    def start_requests(self):
        yield scrapy.Request(sys.argv[1])  # `start_urls` would fetch it again where it is linked to

    def parse(self, response):
        paragraphs = response.css("div.text p")
        found["pages"] += 1
        found["paragraphs"] += len(paragraphs)
        found["letters"] += len(response.css("h1::text").get()) + len(paragraphs[0].css("::text").get())
        yield from response.follow_all(css="a[href]")


process = CrawlerProcess({"LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False})
process.crawl(Site)
began, cpu = time.monotonic(), time.process_time()
process.start()
found["cpu_us"] = (time.process_time() - cpu) / found["pages"] * 1e6
print(json.dumps({**found, "seconds": time.monotonic() - began}))
