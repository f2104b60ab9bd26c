"""Reports as titled tables, and their Markdown and HTML; it must not decide what a report says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

MOST_SHORT_ROWS = 12
"""A section with at most so many rows stays on one page."""
MOST_WHOLE_SIGNS = 11


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section: its title, sentences before the table, the table's columns and rows; no columns: no table."""

    title: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    empty: str = ""
    """What stands in place of a table without rows."""


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A document: title, sentences below it, sections in order; `language` is that of its words (`vi`)."""

    title: str
    sentences: tuple[str, ...]
    sections: tuple[ReportSection, ...]
    language: str = "vi"


def render_markdown(document: ReportDocument) -> str:
    """Return the document as Markdown."""
    lines = [f"# {document.title}", "", *(f"{sentence}\n" for sentence in document.sentences)]
    for number, section in enumerate(document.sections, 1):
        lines += [f"## {number}. {section.title}", "", *(f"{sentence}\n" for sentence in section.sentences)]
        if section.rows:
            lines += [_markdown_row(section.columns), _markdown_row(["---"] * len(section.columns))]
            lines += [*(_markdown_row(row) for row in section.rows), ""]
        elif section.empty:
            lines += [section.empty, ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def render_html(document: ReportDocument) -> str:
    """Return the document as one HTML page, to be printed or made a PDF of."""
    body = [f"<h1>{escape(document.title)}</h1>", *(f"<p>{escape(one)}</p>" for one in document.sentences)]
    for number, section in enumerate(document.sections, 1):
        body.append(f'<section class="{"short" if len(section.rows) <= MOST_SHORT_ROWS else "long"}">')
        body += [f"<h2>{number}. {escape(section.title)}</h2>", *(f"<p>{escape(one)}</p>" for one in section.sentences)]
        if section.rows:
            head = "".join(f'<th scope="col">{escape(one)}</th>' for one in section.columns)
            rows = "".join(f"<tr>{''.join(_html_cell(cell) for cell in row)}</tr>" for row in section.rows)
            body.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        elif section.empty:
            body.append(f"<p>{escape(section.empty)}</p>")
        body.append("</section>")
    title, first = escape(document.title), escape(document.sentences[0] if document.sentences else "")
    running = (
        f'<div class="running-head">{title}</div><div class="running-foot">{first}</div>'
        f'<div class="running-page">{_PAGE[document.language]} <span class="page-number"></span></div>'
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{document.language}"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>{running}<main>{''.join(body)}</main></body></html>\n"
    )


def _html_cell(cell: str) -> str:
    """Return a cell; a short one, such as a date or a port, stays on one line."""
    kind = ' class="whole"' if len(cell) <= MOST_WHOLE_SIGNS else ""
    return f"<td{kind}>{escape(cell)}</td>"


_PAGE = {"vi": "Trang"}
_STYLE = (
    "body{font-family:sans-serif;font-size:10pt}table{border-collapse:collapse;width:100%;margin:0 0 1em}"
    "th,td{border:1px solid #888;padding:2pt 4pt;text-align:left;vertical-align:top;overflow-wrap:break-word}"
    "table{table-layout:auto!important}th,td{width:auto!important}"
    "th{background:#eee}h2{font-size:12pt;margin:1.2em 0 .4em}h1{font-size:16pt}tr,.short{break-inside:avoid}"
    "h2+table,p+table{margin-top:.5em}h2,.long p{break-after:avoid}.whole{white-space:nowrap}"
    "@media screen{.running-head,.running-foot,.running-page{display:none}}"
)
