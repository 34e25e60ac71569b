"""An HTML page that can be attached to a paper: the verdict, the figures, the pictures, the table.

The page is self-contained (style and pictures inside, no script, nothing fetched) and prints well.  It is
made of plain values, so that a finished run can be shown again without computing anything:

    write("report.html", title=..., verdict="trust", reasons=[...], pictures=[Picture(...)], table=frame)
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import numpy as np

from .plots import svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

VERDICTS = {"trust": ("good", "&#10003;"), "look": ("fair", "&#9679;"), "do not trust": ("poor", "&#10007;")}
LONG_TABLE = 16

STYLE = """
:root { --ink: #1b1f24; --quiet: #5b6472; --line: #d9dde3; --accent: #1f5f8b; --paper: #fff;
  --wash: #f6f7f9; }
* { box-sizing: border-box; }
html { font: 17px/1.55 "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif;
  color: var(--ink); background: var(--paper); -webkit-text-size-adjust: 100%; }
body { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
header p { max-width: 42rem; }
h1 { font-size: 2.1rem; line-height: 1.15; font-weight: 600; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; font-weight: 600; margin: 3rem 0 .6rem; }
p { margin: .5rem 0; } .lead { color: var(--quiet); }
.verdict { border-left: 5px solid var(--tone); background: var(--wash); padding: .9rem 1.2rem;
  margin: 1.8rem 0; }
.verdict strong { font-size: 1.3rem; color: var(--tone); }
.verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.good { --tone: #2e6b3e; } .fair { --tone: #946200; } .poor { --tone: #a3262f; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1px;
  background: var(--line); border: 1px solid var(--line); margin: 1.5rem 0; }
.facts div { background: var(--paper); padding: .7rem .9rem; }
.facts dt { font-size: .8rem; color: var(--quiet); }
.facts dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums lining-nums; }
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.2rem 2rem; }
figure { margin: 0; min-width: 0; } figure.wide { grid-column: 1 / -1; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { font-size: .88rem; color: var(--quiet); margin-top: .5rem; max-width: 46rem; }
figcaption b { color: var(--ink); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%;
  font-variant-numeric: tabular-nums lining-nums; }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); font-weight: 600; }
tbody tr:last-child > * { border-bottom: 1.5px solid var(--ink); }
th, td { padding: .3rem .7rem; text-align: right; vertical-align: top; }
th:first-child, td.word, th.word { text-align: left; }
td.word:last-child { min-width: 15rem; }
tbody tr:nth-child(even) > * { background: var(--wash); }
td.trust { color: #2e6b3e; } td.look { color: #946200; } td.poor { color: #a3262f; font-weight: 600; }
pre { background: var(--wash); padding: .9rem 1.1rem; overflow-x: auto; font: .8rem/1.5 ui-monospace, Menlo,
  Consolas, "DejaVu Sans Mono", monospace; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 4rem; border-top: 1px solid var(--line); padding-top: .8rem; font-size: .8rem;
  color: var(--quiet); }
@media (max-width: 44rem) { html { font-size: 16px; } body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.6rem; }
  .pictures { grid-template-columns: 1fr; }
  figure.wide .plot { overflow-x: auto; } figure.wide svg { min-width: 44rem; } }
@media print { body { max-width: none; padding: 0; } figure, .verdict { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Picture:
    """A figure with its caption; `wide` gives it the whole width of the page."""

    title: str
    caption: str
    figure: Figure
    wide: bool = True


def write(path: str | Path, **parts: Any) -> Path:
    """Write `page(**parts)` to a file, UTF-8."""
    path = Path(path)
    path.write_text(page(**parts), encoding="utf-8")
    return path


def page(
    *,
    title: str,
    verdict: str,
    reasons: Iterable[str] = (),
    lead: str = "",
    facts: Mapping[str, Any] | None = None,
    pictures: Iterable[Picture] = (),
    table: pd.DataFrame | None = None,
    listings: Mapping[str, str] | None = None,
    footer: str = "",
) -> str:
    """The page as a string.

    - `verdict`, `reasons`: one of "trust", "look", "do not trust", and why, in sentences.
    - `facts`: the few numbers that a reader looks for, by name.
    - `table`: the diagnostics, one row each; it folds when it is long.
    - `listings`: preformatted texts that fold away (formulas, generated code, versions).
    """
    body = [
        f"<header><h1>{escape(title)}</h1>{_paragraphs(lead)}</header>",
        _verdict(verdict, reasons),
        _facts(facts or {}),
        _pictures(pictures),
        "" if table is None else f"<h2>Diagnostics</h2>{_folded(table)}",
        *(
            f"<details><summary>{escape(name)}</summary><pre>{escape(text)}</pre></details>"
            for name, text in (listings or {}).items()
        ),
        f"<footer>{escape(footer)}</footer>" if footer else "",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def number(value: Any, digits: int = 3) -> str:
    """A value as a reader wants it: integers whole, other numbers with `digits` significant digits."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    size = abs(value)
    if 1e-4 <= size < 1e3 and float(f"{value:.2g}") == value:
        return f"{value:.2g}"
    if size >= 1e6 or size < 1e-4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - math.floor(math.log10(size)), 0)}f}"


def _paragraphs(text: str) -> str:
    """Paragraphs apart by an empty line; those that are indented keep their lines."""
    parts = [part.strip("\n") for part in text.split("\n\n") if part.strip()]
    return "".join(
        f"<pre>{escape(dedent(part))}</pre>" if part.startswith(" ") else f'<p class="lead">{escape(part)}</p>'
        for part in parts
    )


def _verdict(verdict: str, reasons: Iterable[str]) -> str:
    tone, sign = VERDICTS[verdict]
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return (
        f'<section class="verdict {tone}"><strong>{sign} {escape(verdict.capitalize())}</strong>'
        + (f"<ul>{items}</ul>" if items else "")
        + "</section>"
    )


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    cells = (f"<div><dt>{escape(name)}</dt><dd>{escape(number(value))}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{"".join(cells)}</dl>'


def _pictures(pictures: Iterable[Picture]) -> str:
    figures = "".join(
        f'<figure class="{"wide" if picture.wide else "half"}"><div class="plot">{svg(picture.figure)}</div>'
        f"<figcaption><b>{escape(picture.title)}.</b> {escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )
    return f'<div class="pictures">{figures}</div>' if figures else ""


def _folded(table: pd.DataFrame) -> str:
    html = f'<div class="scroll">{_table(table)}</div>'
    if len(table) <= LONG_TABLE:
        return html
    return f"<details><summary>All {len(table)} rows</summary>{html}</details>"


def _table(table: pd.DataFrame) -> str:
    """The rows under their columns; an index that only counts is left out."""
    if not (table.index.dtype.kind in "iu" and list(table.index) == list(range(len(table)))):
        table = table.reset_index()
    words = [table[column].dtype.kind not in "iufc" for column in table.columns]
    head = "".join(f"<th{_word(word)}>{escape(str(column))}</th>" for column, word in zip(table, words, strict=True))
    rows = (
        f"<tr>{''.join(_cell(value, word) for value, word in zip(row, words, strict=True))}</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(value: Any, word: bool) -> str:
    if isinstance(value, bool | np.bool_):
        return f'<td class="word {"trust" if value else "poor"}">{"yes" if value else "no"}</td>'
    tone = {"trust": "trust", "look": "look", "do not trust": "poor"}.get(str(value), "")
    classes = " ".join(part for part in ("word" if word else "", tone) if part)
    return f"<td{f' class="{classes}"' if classes else ''}>{escape(number(value))}</td>"


def _word(word: bool) -> str:
    return ' class="word"' if word else ""
