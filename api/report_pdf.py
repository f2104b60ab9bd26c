"""Makes the PDF of a report in a process of its own, so that other requests go on; it must not gather what is shown.

`python -m api.report_pdf` reads the HTML from standard input and writes the PDF to standard output; it fetches
nothing.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

import dashboards
from api.heavy_queries import ServerBusy
from telemetry.errors import MotcuaError

MAX_RENDER_S: Final = 120.0
MAX_WAIT_S: Final = 20.0
MAX_CACHED_PDFS: Final = 8
PDF_MEDIA_TYPE: Final = "application/pdf"
STYLE: Final = "report-print.css"
_MISSING: Final = 3
_REMEDY: Final = (
    "install the extra server (WeasyPrint) and Pango: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0"
)


def can_make_pdf() -> bool:
    """Return whether WeasyPrint is installed; its libraries may still be missing."""
    return find_spec("weasyprint") is not None


class PdfUnavailable(MotcuaError):
    """No PDF can be made: WeasyPrint or its libraries are missing, or the rendering failed."""


class PdfMaker:
    """Makes one PDF at a time and answers the same document again; safe to share between threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._cached: OrderedDict[str, bytes] = OrderedDict()

    def make(self, html: str) -> bytes:
        """Return the PDF of a document. Raises ServerBusy when others take too long, PdfUnavailable with the remedy."""
        key = sha256(html.encode()).hexdigest()
        cached = self._cached.get(key)
        if cached is not None:
            return cached
        if not self._turn.acquire(timeout=MAX_WAIT_S):
            raise ServerBusy
        try:
            pdf = self._cached.get(key) or render_in_process(html)
            self._cached[key] = pdf
            while len(self._cached) > MAX_CACHED_PDFS:
                self._cached.popitem(last=False)
            return pdf
        finally:
            self._turn.release()


def render_in_process(html: str) -> bytes:
    """Return the PDF that a process of its own makes. Raises PdfUnavailable."""
    words = [sys.executable, "-m", "api.report_pdf"]
    try:
        done = subprocess.run(words, input=html.encode(), capture_output=True, timeout=MAX_RENDER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"the PDF could not be made: {error}; print the page from the browser instead"
        raise PdfUnavailable(msg) from error
    if done.returncode == _MISSING:
        msg = f"PDF needs WeasyPrint: {done.stderr.decode(errors='replace').strip()}; {_REMEDY}"
        raise PdfUnavailable(msg)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        msg = f"the PDF could not be made: {last}; print the page from the browser instead"
        raise PdfUnavailable(msg)
    return done.stdout


def render(html: str) -> bytes:
    """Return the PDF, tagged and with bookmarks. Raises ImportError or OSError without WeasyPrint or its libraries."""
    import weasyprint  # noqa: PLC0415  # only this process loads it

    style = (Path(dashboards.__file__ or "").parent / "page" / "static" / STYLE).read_text("utf-8")
    document = weasyprint.HTML(string=html, base_url=None, url_fetcher=refuse_address)
    pdf: bytes = document.write_pdf(stylesheets=[weasyprint.CSS(string=style)], pdf_variant="pdf/ua-1")
    return pdf


def refuse_address(address: str, *_: object, **__: object) -> NoReturn:
    """Refuse to fetch anything: a report has all that it shows."""
    msg = f"{address} is not fetched"
    raise ValueError(msg)


def main() -> int:
    """Render standard input to standard output; 3 when WeasyPrint or a library of it is missing."""
    html = sys.stdin.buffer.read().decode()
    try:
        pdf = render(html)
    except (ImportError, OSError) as error:
        sys.stderr.write(str(error).partition("\n")[0] + "\n")
        return _MISSING
    sys.stdout.buffer.write(pdf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
