# SPDX-License-Identifier: MIT
"""A crawl of a site on this machine."""
import json
import os
import statistics
import tempfile

import installed
from measure import Server, cpu_seconds, number, output_of, quietest, spread, table
from suite_network import nginx
from summary import row

PAGES = 2000
PARAGRAPHS = 20
WORDS = "a lamp in the window of a house by the river where nobody lived but the rain and two grey cats".split()


def write_site(directory, pages):
    """Page N links to its parent, to its ten children and, with a fragment, to itself: some 7 kB each."""
    os.mkdir(directory)
    for n in range(pages):
        text = "".join(f"<p>{n}.{i}: {' '.join(WORDS[(n + i + k) % len(WORDS)] for k in range(50))}.</p>\n"
                       for i in range(PARAGRAPHS))
        children = [child for child in range(10 * n + 1, 10 * n + 11) if child < pages]
        links = "".join(f"<li><a href='{target}.html'>page {target}</a></li>\n" for target in [(n - 1) // 10 if n else 0, *children])
        with open(os.path.join(directory, f"{n}.html"), "w") as file:
            file.write(f"<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>Page {n}</title></head>\n<body><h1>Page {n}</h1>\n"
                       f"<ul>{links}<li><a href='{n}.html#top'>here</a></li></ul>\n<div class='text'>{text}</div></body></html>\n")


def crawl(options):
    """A crawl of 2,000 local pages, against Scrapy and a crawler of aiohttp and pyquery."""
    script = lambda name: [installed.PYTHON, os.path.join(options.source, "peers", name)]
    peers = installed.those_there({"Scrapy": script("crawl_scrapy.py"), "aiohttp + pyquery": script("crawl_aiohttp.py")})
    everyone = {"eddy": [os.path.join(options.bin, "crawl_eddy")], **peers}
    pages = 200 if options.quick else PAGES
    runs = {name: [] for name in everyone}
    with tempfile.TemporaryDirectory() as directory:
        write_site(os.path.join(directory, "site"), pages)
        server = Server(nginx(options, os.path.join(directory, "file")), cores="1")

        def once(words):
            before = cpu_seconds(server.process.pid)
            result = json.loads(output_of([*words, f"http://127.0.0.1:{server.port}/site/0.html"], cores="0"))
            if result["pages"] != pages or result["paragraphs"] != pages * PARAGRAPHS:
                raise SystemExit(f"bench: a crawler did not read the whole site: {result}")
            return result, cpu_seconds(server.process.pid) - before
        try:
            for turn in range(options.rounds):
                for name, words in everyone.items():
                    if turn < 2 or name == "eddy":  # the others take seconds
                        runs[name].append(quietest(lambda: once(words)))
        finally:
            server.stop()
    cost = lambda name: [run["cpu_us"] for run in runs[name]]
    rows = [[name, f"{max(pages / run['seconds'] for run in own):,.0f}", number(min(cost(name))), number(statistics.median(cost(name))),
             f"{min(cost(name)) / min(cost('eddy')):.1f}", f"{spread(cost(name)):.0%}"] for name, own in runs.items()]
    text = (f"{pages:,} pages of 7 kB with {PARAGRAPHS} paragraphs and up to 12 links each, from nginx on the other core; 8 pages at once.\n"
            "Each crawler takes the title, the number of paragraphs and the first one's text ([crawl_eddy.cpp](crawl_eddy.cpp)).\n\n")
    text += table(["crawler", "pages/s, best", "its CPU µs/page, best", "median", "x eddy", "spread"], rows)
    return text, [row(f"crawl of {pages:,} pages: CPU a page", cost("eddy"), peers={name: cost(name) for name in peers},
                      less_than={"Scrapy": 10, "aiohttp + pyquery": 10})]
