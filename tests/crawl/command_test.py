# SPDX-License-Identifier: MIT
"""eddy crawl and eddy demo as programs: statuses, messages, files, Ctrl-C.

    command_test.py EDDY
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

EDDY = sys.argv.pop(1)


def run(*arguments, **more):
    return subprocess.run([EDDY, *arguments], capture_output=True, text=True, timeout=60, **more)


class Site:
    """The demo site, served by `eddy serve --demo`."""

    def __enter__(self):
        self.process = subprocess.Popen([EDDY, "serve", "--demo", "--port", "0"], stdout=subprocess.PIPE, text=True)
        self.base = re.search(r"http://\S+", self.process.stdout.readline()).group()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


class BadArguments(unittest.TestCase):
    def check(self, arguments, message):
        result = run("crawl", *arguments)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (2, "", "eddy crawl: " + message + "\n"))

    def test_each_is_named(self):
        url = "http://127.0.0.1:1/"
        for arguments, message in [
            ([], "URL is required\n'eddy crawl --help' tells more"),
            ([url, "--nope"], "The following argument was not expected: --nope\n'eddy crawl --help' tells more"),
            (["ftp://x/"], "'ftp://x/' is no http or https URL"),
            (["x.html"], "'x.html' is no http or https URL"),
            ([url, "--delay", "abc"], "--delay 'abc': not a length of time, such as 250ms, 1.5s or 2"),
            ([url, "--delay", "-1"], "--delay '-1': not a length of time, such as 250ms, 1.5s or 2"),
            ([url, "--timeout", "5x"], "--timeout '5x': not a length of time, such as 250ms, 1.5s or 2"),
            ([url, "--timeout", "0"], "--timeout '0': must be above 0"),
            ([url, "--concurrency", "0"], "--concurrency '0': not a whole number of at least 1"),
            ([url, "--per-host", "many"], "--per-host 'many': not a whole number of at least 1"),
            ([url, "--max-pages", "1.5"], "--max-pages '1.5': not a whole number of at least 1"),
            ([url, "--encoding", "klingon"], "--encoding 'klingon': no charset has this name"),
            ([url, "--format", "xml"], "--format 'xml': expected jsonl or csv"),
            ([url, "--item", "title"], "--item 'title': expected NAME=CSS, NAME=CSS@ATTRIBUTE or NAME[]=CSS"),
            ([url, "--book", "b"], "--book: needs an --item called title and one called text"),
            ([url, "--follow", "dd >"],
             "--follow: selector 'dd >' at 4: expected a selector after '>', got the end\n  dd >\n      ^"),
        ]:
            with self.subTest(arguments):
                self.check(arguments, message)

    def test_help_is_no_error(self):
        result = run("crawl", "--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--item NAME=CSS[@ATTR]", result.stdout)


class Crawl(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def test_items_go_to_standard_output_and_words_to_standard_error(self):
        with Site() as site:
            result = run("crawl", site.base + "/book/1.html", site.base + "/book/2.html", "--concurrency", "1",
                         "--item", "title=#chapter h1", "--item", "next=a.next@href", "--item", "none=b",
                         "--item", "links[]=.nav a")
        items = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(items, [
            {"url": site.base + "/book/1.html", "title": "第一章 钟楼", "next": "2.html", "none": None,
             "links": ["目录", "下一章"]},
            {"url": site.base + "/book/2.html", "title": "第二章 夜航", "next": "3.html", "none": None,
             "links": ["上一章", "目录", "下一章"]}])
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"\A2 pages, 0 failed, \d+ (bytes|kB), \d+\.\d\d s, \d+ pages/s\n2 requests\n\Z")

    def test_failed_urls_are_reported_and_make_status_1(self):
        with Site() as site:
            result = run("crawl", site.base + "/book/lost.html", site.base + "/book/1.html", "--follow", "a.index",
                         "--max-pages", "3", "--format", "csv", "--out", self.path("items.csv"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("failed: " + site.base + "/book/lost.html: 404 Not Found\n", result.stderr)
        self.assertIn("items: 2 in " + self.path("items.csv") + "\n", result.stderr)
        with open(self.path("items.csv"), encoding="utf-8", newline="") as file:
            lines = file.read().split("\r\n")
        self.assertEqual(lines[0], "url,title")
        self.assertEqual(sorted(lines[1:]), ["", site.base + "/book/1.html,第一章 钟楼 - 灯火与渡口",
                                             site.base + "/index.html,灯火与渡口"])

    def test_a_file_that_cannot_be_written_is_named(self):
        result = run("crawl", "http://127.0.0.1:1/", "--out", "/nowhere/items")
        self.assertEqual((result.returncode, result.stderr),
                         (1, "eddy crawl: open '/nowhere/items': No such file or directory\n"))

    def test_a_refused_connection_is_an_error_of_its_url(self):
        result = run("crawl", "http://127.0.0.1:1/", "--retries", "0")
        self.assertEqual(result.returncode, 1)
        self.assertIn("failed: http://127.0.0.1:1/: connect to 127.0.0.1:1: Connection refused\n", result.stderr)

    def test_interrupt_ends_with_the_summary_and_status_130(self):
        with Site() as site:
            process = subprocess.Popen([EDDY, "crawl", site.base + "/", "--follow", "#list a", "--delay", "50ms",
                                        "--out", self.path("items")], stderr=subprocess.PIPE, text=True)
            time.sleep(0.6)
            process.send_signal(signal.SIGINT)
            _, words = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(words, r"\Ainterrupted: \d+ pages, ")
        self.assertRegex(words, r"requests.*, \d+ not fetched\n")
        pages = int(re.search(r"(\d+) pages", words).group(1))
        with open(self.path("items"), encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), pages)
        self.assertGreater(pages, 2)
        self.assertLess(pages, 60)

    def test_progress_is_one_line_on_a_terminal(self):
        with Site() as site:
            master, terminal = pty.openpty()
            process = subprocess.Popen([EDDY, "crawl", site.base + "/", "--follow", "#list a", "--max-pages", "100",
                                        "--per-host", "3", "--out", self.path("items")], stderr=terminal)
            os.close(terminal)
            shown = b""
            while True:
                try:
                    block = os.read(master, 65536)
                except OSError:
                    break
                shown += block
            process.wait(10)
            os.close(master)
        self.assertRegex(shown.decode(), r"\A(\r\d+ pages?, \d+ queued, \d+ errors?, \d+ pages/s\x1b\[K){2,}"
                                         r"\r\x1b\[K\d+ pages, ")


class Demo(unittest.TestCase):
    def test_it_finds_what_the_site_has(self):
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            result = run("demo", "--out", folder)
            self.assertLess(time.monotonic() - start, 10)
            self.assertEqual(result.returncode, 0, result.stderr)
            command = result.stderr.splitlines()[1]
            self.assertRegex(command, r"\Aeddy crawl http://127\.0\.0\.1:\d+/ --follow '#list a, #foot a' ")
            with open(os.path.join(folder, "novel.md"), encoding="utf-8") as file:
                titles = [line for line in file if line.startswith("## ")]
            self.assertEqual(len(titles), 300)
            self.assertTrue(titles[6].startswith("## 第七章 "), "the redirected chapter stands in its place")
            with open(os.path.join(folder, "items.jsonl"), encoding="utf-8") as file:
                items = {item["title"]: item for item in map(json.loads, file)}
            self.assertEqual({"## " + title + "\n" for title in items}, set(titles))
            self.assertEqual(len(items), 300)


if __name__ == "__main__":
    unittest.main()
