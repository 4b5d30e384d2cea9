"""Links to single images of a report."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from usmicro.writing.report.page import report_pages
from usmicro.writing.report.run import Run


class ReportLinks:
    """Links from a page to the images of a report."""

    def __init__(self, run: Run, folder: Path) -> None:
        """Prepare the links of a page that lies in `folder`."""
        self._pages = {
            row["image"]: run.folder / page.name
            for page in report_pages(run)
            for row in page.images
        }
        self._exists = {page: page.is_file() for page in set(self._pages.values())}
        self._folder = folder

    def link(self, image: str, focus: int | None = None) -> str:
        """Return the address of an image, with a focus selected; empty without a report."""
        page = self._pages.get(image)
        if page is None or not self._exists[page]:
            return ""
        try:
            address = quote(Path(os.path.relpath(page, self._folder)).as_posix())
        except ValueError:  # on another drive of Windows
            address = page.resolve().as_uri()
        selected = "" if focus is None else f"&focus={focus}"
        return f"{address}#image={quote(image, safe='', errors='surrogateescape')}{selected}"
