#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts regions of compiled files into the Markdown pages, so that no page shows code no compiler has seen.

    docs.py            inserts
    docs.py --check    writes nothing; exit 1 and one line for each stale page

In a page, what stands between the markers is replaced by a code block:

    <!-- snippet: examples/hello.cpp#greet -->
    <!-- /snippet -->

`#greet` is what stands in the file between the comments `// [greet]` and `// [/greet]`, without its common
indentation; without a region it is the whole file after its first comment block.
"""
import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNIPPET = re.compile(r"(<!-- snippet: (?P<file>[^#\s]+)(?:#(?P<region>\S+))? -->\n)(?P<body>.*?)(<!-- /snippet -->)", re.S)
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".cmake": "cmake", ".txt": "text", ".sh": "sh"}


class SnippetError(Exception):
    pass


def region_of(path, name):
    if not path.is_file():
        raise SnippetError(f"'{path.relative_to(ROOT)}' does not exist")
    lines = path.read_text().splitlines()
    if name is None:
        begin = 0
        while begin < len(lines) and lines[begin].startswith(("//", "#!", "# ")):
            begin += 1
        return "\n".join(lines[begin:]).strip("\n")
    marks = [i for i, line in enumerate(lines) if line.strip() in (f"// [{name}]", f"// [/{name}]")]
    if len(marks) != 2:
        raise SnippetError(f"'{path.relative_to(ROOT)}' has no region '{name}'")
    return textwrap.dedent("\n".join(lines[marks[0] + 1 : marks[1]])).strip("\n")


def updated(page):
    def replace(match):
        path = ROOT / match["file"]
        language = "cmake" if path.name == "CMakeLists.txt" else LANGUAGES.get(path.suffix, "")
        return f"{match[1]}```{language}\n{region_of(path, match['region'])}\n```\n{match[5]}"

    return SNIPPET.sub(replace, page)


def pages():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def main(arguments):
    check = "--check" in arguments
    failed = False
    for path in pages():
        text = path.read_text()
        try:
            new = updated(text)
        except SnippetError as error:
            print(f"{path.relative_to(ROOT)}: {error}")
            failed = True
            continue
        if new == text:
            continue
        if check:
            print(f"{path.relative_to(ROOT)}: a snippet is stale; ./dev docs updates it")
            failed = True
        else:
            path.write_text(new)
            print(f"updated {path.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
