#!/usr/bin/env python3
"""Puts compiled code into the documentation.

Between `<!-- snippet: FILE -->` or `<!-- snippet: FILE#NAME -->` and `<!-- /snippet -->` in a Markdown page
stands the file, or its region between the lines `// region NAME` and `// end NAME`, as a code block. Without
options the pages are brought up to date; with --check nothing is written and a stale page is an error.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SNIPPET = re.compile(r"(<!-- snippet: (\S+?)(?:#(\w+))? -->\n)(.*?)(<!-- /snippet -->)", re.S)
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".txt": "text", ".cmake": "cmake"}


def code_of(name, region):
    path = ROOT / name
    if not path.is_file():
        raise SystemExit(f"docs: {name}: no such file")
    lines = path.read_text().splitlines()
    if region:
        try:
            begin = next(i for i, line in enumerate(lines) if line.strip() == f"// region {region}")
            end = next(i for i, line in enumerate(lines) if line.strip() == f"// end {region}")
        except StopIteration:
            raise SystemExit(f"docs: {name}: there is no region '{region}'") from None
        lines = lines[begin + 1 : end]
    else:
        while lines and lines[0].startswith("//"):  # the opening comment is for readers of the file
            lines.pop(0)
    lines = [line for line in lines if not re.match(r"\s*// (region|end) \w+$", line)]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    text = "\n".join(line[indent:] for line in lines).strip("\n")
    return f"```{LANGUAGES.get(path.suffix, '')}\n{text}\n```\n"


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if not page.is_file():
            continue
        old = page.read_text()
        new = SNIPPET.sub(lambda m: m[1] + code_of(m[2], m[3]) + m[5], old)
        if new == old:
            continue
        if check:
            stale.append(page.relative_to(ROOT))
        else:
            page.write_text(new)
            print(f"updated {page.relative_to(ROOT)}")
    for page in stale:
        print(f"docs: {page} differs from the code it shows; run ./dev docs")
    return 1 if stale else 0


sys.exit(main())
