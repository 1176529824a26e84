"""Draw docs/demo.svg from what the demo prints: ``make picture``.

Usage: python -m tools.demo_picture FILE, with the output of the demo as input
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from html import escape
from pathlib import Path

COMMAND = "make demo"
KUBECONFIG = re.compile(r" --kubeconfig=\S+")
"""Names a temporary directory."""
SECONDS = re.compile(r"\d+(\.\d+)? s\b")

SIZE, ADVANCE, LEADING, MARGIN = 13, 7.85, 19, 16
"""Pixels: of the font, of a character, of a line, around the text."""
BACKGROUND, TEXT, OF_A_COMMAND, OF_A_NUMBER = "#1e2127", "#d7dae0", "#98c379", "#61afef"


def lines(output: str) -> list[str]:
    """Return the lines of the picture."""
    return [f"$ {COMMAND}", *(KUBECONFIG.sub("", line) for line in output.rstrip("\n").splitlines())]


def without_times(shown: list[str]) -> list[str]:
    """Return lines with N for each number of seconds."""
    return [SECONDS.sub("N s", line) for line in shown]


def picture(shown: list[str]) -> str:
    """Return lines as SVG. It loads nothing: the font is a monospaced one of the reader's."""
    width = round(max(map(len, shown)) * ADVANCE + 2 * MARGIN)
    height = len(shown) * LEADING + 2 * MARGIN
    rows = "\n".join(_row(number, line) for number, line in enumerate(shown))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="Output of {COMMAND}" font-family="ui-monospace, Menlo, Consolas, monospace" '
        f'font-size="{SIZE}" fill="{TEXT}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n{rows}\n</svg>\n'
    )


def text_of(svg: str) -> list[str]:
    """Return the lines that a picture shows."""
    return ["".join(element.itertext()) for element in ET.fromstring(svg) if element.tag.endswith("text")]


def _row(number: int, line: str) -> str:
    y = MARGIN + LEADING * number + SIZE
    step = re.match(r" ?\d+ ", line)
    if line.lstrip().startswith("$ "):
        content, color = escape(line, quote=False), f' fill="{OF_A_COMMAND}"'
    elif step:
        content, color = f'<tspan fill="{OF_A_NUMBER}">{step[0]}</tspan>{escape(line[step.end() :], quote=False)}', ""
    else:
        content, color = escape(line, quote=False), ""
    return f'<text x="{MARGIN}" y="{y}" xml:space="preserve"{color}>{content}</text>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(lines(sys.stdin.read())))
