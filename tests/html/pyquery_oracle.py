# SPDX-License-Identifier: MIT
"""What pyquery finds: the oracle of pyquery_test.cpp.

usage: pyquery_oracle.py SELECTORS PAGE... > answers

For each page a line of JSON: "tags", the names of all elements in the order of the page; "found", for each
selector of the file (one a line, up to a tab) the places of its matches in that order, or null where pyquery
refuses the selector; "texts", the text() of each element, null for those with many children; "all", that of
"li a" as one set.
"""
import json
import sys

import lxml.html
from pyquery import PyQuery


def main(selectors, pages):
    selectors = [line.partition("\t")[0] for line in open(selectors, encoding="utf-8").read().splitlines()]
    for page in pages:
        parser = lxml.html.HTMLParser(encoding="utf-8")
        root = lxml.html.document_fromstring(open(page, "rb").read(), parser=parser)
        elements = [e for e in root.iter() if isinstance(e.tag, str)]
        place = {e: i for i, e in enumerate(elements)}
        document = PyQuery(root)
        found = []
        for selector in selectors:
            try:
                found.append(sorted(place[e] for e in document(selector)))
            except Exception as error:
                found.append(None)
        print(json.dumps({
            "page": page,
            "tags": " ".join(e.tag for e in elements),
            "found": found,
            "texts": [PyQuery(e).text() if len(e) < 40 else None for e in elements],
            "all": document("li a").text(),
        }))


main(sys.argv[1], sys.argv[2:])
