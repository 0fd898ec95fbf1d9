# SPDX-License-Identifier: MIT
"""The whole novel in GBK, as a Python programmer saves it: urllib, pyquery, open(encoding="gbk").

    novel_oracle.py INDEX_URL FILE
"""

import sys
import urllib.error
import urllib.parse
import urllib.request

from pyquery import PyQuery


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode("gbk", "ignore")


def main():
    index, path = sys.argv[1:]
    with open(path, "w", encoding="gbk") as novel:
        for link in PyQuery(fetch(index)).items("#list dd a"):
            try:
                page = fetch(urllib.parse.urljoin(index, link.attr("href")))
            except urllib.error.HTTPError:
                continue
            text = PyQuery(page)("#content").text()
            novel.write("## " + link.text() + "\n\n" + text + "\n\n")


main()
