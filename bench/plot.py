# SPDX-License-Identifier: MIT
"""Draws the summary's rows as an SVG: what a workload costs, as a multiple of the limit's cost, on a logarithmic scale.

A bar is eddy, one the best peer, a dot each other peer. The colours follow the reader's light or dark scheme.
"""
import html
import math

from summary import best_peer

WIDTH, LEFT, RIGHT, TOP, STEP, BAR = 900, 330, 100, 64, 36, 12
STYLE = """
.page { fill: #ffffff }
text { font: 12px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px }
.title { font-size: 14px; font-weight: 600 }
.eddy { fill: #0969da }
.peer { fill: #8c959f }
.dot { fill: #bc4c00; fill-opacity: .55 }
.grid { stroke: #8c959f; stroke-opacity: .3 }
.one { stroke: #24292f; stroke-opacity: .7 }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 }
  text { fill: #e6edf3 }
  .eddy { fill: #58a6ff }
  .peer { fill: #6e7681 }
  .dot { fill: #f0883e; fill-opacity: .7 }
  .one { stroke: #e6edf3 }
}
"""


def drawable(rows):
    """Workloads that have a limit and a peer."""
    return [figures for figures in rows if "limit" in figures["best"] and best_peer(figures)]


def multiples(figures):
    """{name: × limit} of eddy and every peer; a figure that is not above 0 cannot be drawn."""
    best = figures["best"]
    return {name: value / best["limit"] for name, value in best.items() if name != "limit" and value > 0}


def shown(multiple):
    return f"{multiple:,.0f}" if multiple >= 100 else f"{multiple:.1f}" if multiple >= 10 else f"{multiple:.2f}"


def svg(rows):
    rows = drawable(rows)
    everything = [multiple for figures in rows for multiple in multiples(figures).values()]
    low, high = min([0.7, *everything]) * 0.95, max([10, *everything]) * 1.1
    height = TOP + STEP * len(rows) + 34
    across = lambda multiple: LEFT + (WIDTH - LEFT - RIGHT) * math.log(multiple / low) / math.log(high / low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
             "<title>eddy and its peers, as multiples of hand-written programs</title>", f"<style>{STYLE}</style>",
             f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
             text(16, 22, "Cost as a multiple of a hand-written program that can do nothing else (shorter is better)", "title"),
             legend(16, 42)]
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            tick = digit * 10.0 ** exponent
            if low <= tick <= high:
                x, kind = across(tick), "one" if tick == 1 else "grid"
                parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 28}"/>')
                parts.append(text(x, height - 12, f"{tick:g} ×", "small", "middle"))
    for index, figures in enumerate(rows):
        parts += drawn_row(figures, TOP + STEP * index, across, low)
    return "\n".join([*parts, "</svg>", ""])


def legend(x, y):
    entries = [("eddy", "eddy", 60), ("peer", "the best peer, named", 160)]
    drawn = ""
    for kind, words, width in entries:
        drawn += f'<rect class="{kind}" x="{x}" y="{y - 9}" width="14" height="10"/>' + text(x + 20, y, words, "small")
        x += width
    return drawn + f'<circle class="dot" cx="{x + 6}" cy="{y - 4}" r="4"/>' + text(x + 18, y, "each other peer", "small")


def drawn_row(figures, y, across, low):
    found = multiples(figures)
    peer = best_peer(figures)[0]
    parts = [text(LEFT - 8, y + 17, figures["workload"].removesuffix(": server CPU"), "", "end")]
    for name, multiple in found.items():
        if name not in ("eddy", peer):
            parts.append(f'<circle class="dot" cx="{across(multiple):.1f}" cy="{y + 2 * BAR + 7}" r="3">'
                         f"<title>{html.escape(name)} {shown(multiple)}</title></circle>")
    for kind, name, top in (("eddy", "eddy", y + 1), ("peer", peer, y + 2 + BAR)):
        if name not in found:
            continue
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{max(1, across(found[name]) - across(low)):.1f}" height="{BAR}"/>')
        words = shown(found[name]) + ("" if name == "eddy" else f" {name}")
        parts.append(text(across(found[name]) + 4, top + 10, words, "small"))
    return parts


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'
