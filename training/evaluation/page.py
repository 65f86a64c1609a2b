"""One self-contained HTML page: layout, tables and pictures as data URIs, no link to anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from cxr_core.heatmap import STRIP

_CSS = """
:root { --ink: #1b2733; --quiet: #55636f; --line: #d9e0e6; --paper: #fff; --tint: #f4f7f9; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--tint); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans",
  sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 36px 60px; background: var(--paper); }
.strip { background: #5a3a00; color: #fff; text-align: center; padding: 7px; font-weight: 600; }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 38px 0 10px; padding-bottom: 5px; border-bottom: 2px solid var(--line); }
h3 { font-size: 15px; margin: 22px 0 8px; }
p { margin: 6px 0 10px; max-width: 80ch; }
.quiet { color: var(--quiet); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin: 20px 0 10px; }
.card { border: 1px solid var(--line); border-top: 4px solid var(--blue); border-radius: 6px; padding: 10px 14px; }
.card b { display: block; font-size: 25px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card span { color: var(--quiet); font-size: 13px; }
.note { border-left: 5px solid #d55e00; background: #fdf3ec; padding: 9px 14px; margin: 10px 0;
  border-radius: 0 6px 6px 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 8px 0 14px; }
th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; font-size: 13px; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: pre; }
.table { overflow-x: auto; }
td.digest { overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)); gap: 18px; align-items: start; }
.plots figure, .wide { margin: 0; }
.plots img, .wide img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figcaption { color: var(--quiet); font-size: 13px; padding: 3px 6px; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px; }
.cases figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.cases img { width: 100%; display: block; background: #000; }
.cases figcaption { overflow-wrap: anywhere; }
.cases figcaption b { color: var(--ink); }
@media print { body { background: #fff; } main { padding: 0; max-width: none; }
  figure, .card, tr { break-inside: avoid; } }
@media (max-width: 640px) { main { padding: 16px; } .plots { grid-template-columns: 1fr; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole document; `parts` are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        f'<div class="strip">{escape(STRIP)}</div>\n<main>\n' + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, *, quiet: bool = False) -> str:
    """A paragraph of plain text."""
    return f"<p{' class=quiet' if quiet else ''}>{escape(text)}</p>"


def note(text: str) -> str:
    """Something that a reader must not overlook."""
    return f'<div class="note">{escape(text)}</div>'


def cards(entries: Iterable[tuple[str, str, str]]) -> str:
    """(name, value, what stands below): the figures to see first."""
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(below)}</span></div>'
            for name, value, below in entries
        )
        + "</div>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table of plain text; columns named in `numbers` are set to the right."""
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if column in right else ''}>{escape(text)}</{tag}>"
            for column, text in enumerate(row)
        )

    head_row = f"<thead><tr>{cells('th', head)}</tr></thead>" if any(head) else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="table"><table>{head_row}<tbody>{body}</tbody></table></div>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are."""
    body = "".join(f'<tr><th>{escape(name)}</th><td class="digest">{escape(value)}</td></tr>' for name, value in rows)
    return f"<table><tbody>{body}</tbody></table>"


def figure(picture: bytes, caption: str, alternative: str, kind: str = "png") -> str:
    """A picture with its caption."""
    return (
        f'<figure><img alt="{escape(alternative, quote=True)}" '
        f'src="data:image/{kind};base64,{base64.b64encode(picture).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def grid(kind: str, figures: Iterable[str]) -> str:
    """Figures in a grid: "plots", "cases", or "wide" for one over the whole width."""
    return f'<div class="{kind}">{"".join(figures)}</div>'
