# SPDX-License-Identifier: MIT
"""Crawls Python's manual, served by eddy and by nginx, and compares titles and headings with pyquery's.

    python_docs_test.py EDDY FOLDER NGINX

Fails if the folder, nginx or pyquery is absent (Debian: python3.11-doc, nginx-light, python3-pyquery).
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

from pyquery import PyQuery

EDDY, FOLDER, NGINX = sys.argv[1:4]
del sys.argv[1:4]

NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  types {{ text/html html; text/css css; text/javascript js; image/png png; image/svg+xml svg; text/plain txt; }}
  access_log {folder}/access.log;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {root}; index index.html; }}
}}
"""


def expected_pages():
    """What pyquery reads from each file: title, headings, and the pages it links to."""
    pages = {}
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            if not name.endswith(".html"):
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                page = PyQuery(file.read().decode("utf-8"), parser="html")
            here = "/" + os.path.relpath(path, FOLDER)
            targets = (urllib.parse.urljoin(here, a.get("href")) for a in page("a[href]"))
            pages[here] = {
                "title": page("title").text(),
                "heads": [PyQuery(h).text() for h in page("h1, h2, h3")],
                "links": {urllib.parse.unquote(urllib.parse.urldefrag(t).url) for t in targets if t.startswith("/")},
            }
    return pages


def reachable(pages):
    """The pages that links lead to from the start."""
    found, queue = {"/index.html"}, ["/index.html"]
    while queue:
        for target in pages[queue.pop()]["links"]:
            if target.endswith("/"):
                target += "index.html"
            if target in pages and target not in found:
                found.add(target)
                queue.append(target)
    return found


class PythonDocs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = expected_pages()
        assert len(cls.pages) > 400, FOLDER + " has too few pages"
        # A page that nothing links to is a start of its own: the crawl is of every page.
        cls.starts = ["/index.html"] + sorted(set(cls.pages) - reachable(cls.pages))

    def crawl(self, base):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "items.jsonl")
            result = subprocess.run(
                [EDDY, "crawl", *(base + start for start in self.starts), "--same-site", "--follow", "a[href]",
                 "--item", "title=title", "--item", "heads[]=h1, h2, h3", "--retries", "0", "--out", out],
                capture_output=True, text=True, timeout=60)
            print(result.stderr, file=sys.stderr)
            with open(out, encoding="utf-8") as file:
                items = [json.loads(line) for line in file]
        self.assertIn(result.returncode, (0, 1), result.stderr)
        # Only what is not there may fail: links to files that Debian does not ship so.
        for url in re.findall(r"^failed: (\S+): ", result.stderr, re.M):
            path = urllib.parse.unquote(urllib.parse.urlparse(url).path)
            self.assertFalse(os.path.isfile(FOLDER + path), url)
        got = {}
        for item in items:
            path = item["url"][len(base):]
            self.assertNotIn(path, got, "every page once")
            got[path] = item
        self.assertEqual(sorted(set(self.pages) - set(got)), [], "pages that were not crawled")
        for path, expected in self.pages.items():
            self.assertEqual(got[path]["title"], expected["title"], path)
            self.assertEqual(got[path]["heads"], expected["heads"], path)

    def test_served_by_eddy(self):
        server = subprocess.Popen([EDDY, "serve", FOLDER, "--port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            self.crawl(re.search(r"http://\S+", server.stdout.readline()).group())
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(10)
            server.stdout.close()

    def test_served_by_nginx(self):
        self.assertTrue(os.access(NGINX, os.X_OK), "no nginx at '%s' (Debian: nginx-light)" % NGINX)
        with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            probe.close()
            config = os.path.join(folder, "nginx.conf")
            with open(config, "w", encoding="utf-8") as file:
                file.write(NGINX_CONFIG.format(folder=folder, port=port, root=FOLDER))
            server = subprocess.Popen([NGINX, "-p", folder, "-c", config, "-e", os.path.join(folder, "error.log")])
            try:
                self.wait_for(port)
                self.crawl("http://127.0.0.1:%d" % port)
                with open(os.path.join(folder, "access.log"), encoding="utf-8") as file:
                    asked = re.findall(r'"GET (\S+) HTTP', file.read())
                self.assertEqual(len(asked), len(set(asked)), "each URL was asked for once")
            finally:
                server.terminate()
                server.wait(10)

    def wait_for(self, port):
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                self.assertLess(time.monotonic(), deadline, "nginx does not listen")
                time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
