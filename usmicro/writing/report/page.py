"""The report of a run: one HTML file to look through its results, made from the run's own files alone.

A run stores one clean picture an image in DIR/report/images, black outside the tissue and cropped to it: the overlay has its findings
burned in and the inputs may be gone when `usmicro report` rebuilds the page, so that layers can only be switched on a picture that the
run keeps; the page refers to it and embeds a thumbnail, which it enlarges where the picture is not beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from usmicro.model.findings import Mass
from usmicro.writing.files import cannot_write, write_atomically
from usmicro.writing.report import summary as report_summary
from usmicro.writing.report.pictures import read_picture
from usmicro.writing.report.run import Row, Run, read_run
from usmicro.writing.tables import CLUSTERS_COLUMNS, FOCI_COLUMNS, MASSES_COLUMNS

SCRIPTS = ("report.js", "viewer.js", "layers.js", "evidence.js")
REPORT, PAGES, PICTURES = "report.html", "report", "report/images"
MOST_ON_ONE, PAGE_SIZE = 2000, 500
"""Up to so many images are on one page; more go on several pages of that size."""
MOST_FOCI = 40_000
"""At most so many foci on a page, by which it ends earlier."""
MOST_FOCI_AN_IMAGE = 2000
"""The surest of an image; its table in the report ends there."""
THREADS = 4
SHOWN = {"masses": MASSES_COLUMNS[1:], "foci": FOCI_COLUMNS[1:], "clusters": CLUSTERS_COLUMNS[1:]}
UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the gallery."""

    name: str
    """Its file, below the folder of the run."""
    images: list[Row]
    first: int
    """Index of its first image in the run."""


def picture_file(folder: Path, stem: str) -> Path:
    """Where the clean picture of an image goes."""
    return folder / PICTURES / f"{stem}.jpg"


def write_report(folder: Path) -> Path:
    """Write report.html, and further pages below report/ if there are too many images for one.

    Returns
    -------
    path
        The report.

    Raises
    ------
    UsageError
        If the folder holds no finished run, or the report cannot be written.
    """
    run = read_run(folder)
    remove_report(folder)
    pages = paginate(run)
    if len(pages) == 1 and len(run.images) <= MOST_ON_ONE:
        write_atomically(
            folder / REPORT,
            _html(
                run,
                report_summary.sections(run),
                _gallery_of(run, pages[0], root=""),
                title="Report",
            ),
        )
        return folder / REPORT
    for index, page in enumerate(pages):
        turns = _turns(pages, index)
        content = _html(
            run,
            turns,
            _gallery_of(run, page, root="../"),
            title=f"Report, page {index + 1} of {len(pages)}",
            home="../",
        )
        write_atomically(folder / page.name, content)
    listed = _page_list(run, pages)
    write_atomically(
        folder / REPORT, _html(run, report_summary.sections(run, images=listed), "", title="Report")
    )
    return folder / REPORT


def remove_report(folder: Path) -> None:
    """Delete the pages of a former report, but not the pictures that the run stored for it.

    Raises
    ------
    UsageError
        If one cannot be deleted.
    """
    pages = folder / PAGES
    former = (
        [path for path in pages.glob("page-*.html") if re.fullmatch(r"page-\d+\.html", path.name)]
        if pages.is_dir()
        else []
    )
    for path in (folder / REPORT, *former):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error


def paginate(run: Run) -> list[Page]:
    """The images in pages that hold neither too many images nor too many foci."""
    most = MOST_ON_ONE if len(run.images) <= MOST_ON_ONE else PAGE_SIZE
    starts, foci = [0], 0
    for index, row in enumerate(run.images):
        more = min(len(run.foci.get(row["image"], ())), MOST_FOCI_AN_IMAGE)
        if index > starts[-1] and (index - starts[-1] >= most or foci + more > MOST_FOCI):
            starts.append(index)
            foci = 0
        foci += more
    spans = list(pairwise([*starts, len(run.images)]))
    digits = max(3, len(str(len(spans))))
    return [
        Page(f"{PAGES}/page-{number:0{digits}d}.html", run.images[a:b], a)
        for number, (a, b) in enumerate(spans, 1)
    ]


def safe_json(value: Any) -> str:
    """JSON that may stand inside a script element: no text can end it, and it is ASCII."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).translate(
        UNSAFE
    )


def _gallery_of(run: Run, page: Page, *, root: str) -> str:
    data = {
        "root": root,
        "columns": SHOWN,
        "images": list(_entries(run, page)),
    }
    template = Template(_asset("gallery.html"))
    return template.substitute(
        total=f"{len(page.images):,}", data=safe_json(data), script="".join(map(_asset, SCRIPTS))
    )


def _entries(run: Run, page: Page) -> Iterator[dict[str, Any]]:
    """What the page knows of each image, in order; pictures are read by several threads, since OpenCV does not hold the interpreter."""
    with ThreadPoolExecutor(THREADS) as threads:
        yield from threads.map(lambda row: _entry(run, row), page.images)


def _entry(run: Run, row: Row) -> dict[str, Any]:
    name = row["image"]
    entry: dict[str, Any] = {
        key: row[key] for key in row if key != "seconds" and row[key] is not None
    }
    told = run.told(name)
    if notes := told.get("notes"):
        entry["notes"] = notes
    if row["status"] != "ok":
        return entry
    findings = {
        "masses": run.masses.get(name, []),
        "foci": run.foci.get(name, []),
        "clusters": run.clusters.get(name, []),
    }
    files = {
        "picture": run.file(PICTURES, name, ".jpg"), "overlay": run.file("overlays", name, ".png"), "mask": run.file("masks", name, ".png"),
    }  # fmt: skip
    masses = [
        Mass(**{column: mass[column] for column in SHOWN["masses"]}) for mass in findings["masses"]
    ]
    sector = row["geometry"] == "sector"
    picture = read_picture(
        files["picture"], files["mask"], masses, told.get("key_frame", 0), sector=sector
    )
    tables = {
        kind: [[found[column] for column in SHOWN[kind]] for found in rows[:MOST_FOCI_AN_IMAGE]]
        for kind, rows in findings.items()
    }
    links = {kind: run.link(file) for kind, file in files.items()}
    return {
        **entry,
        "key_frame": told.get("key_frame", 0),
        "tables": tables,
        "links": {kind: link for kind, link in links.items() if link},
        "box": picture.box or (0, 0, row["columns"], row["rows"]),
        "thumbnail": picture.thumbnail,
        "outlines": dict(picture.outlines),
        "tops": picture.tops,
        "apex": picture.apex,
    }


def _html(run: Run, body: str, gallery: str, *, title: str, home: str = "") -> bytes:
    page = Template(_asset("report.html")).substitute(
        title=escape(title),
        version=escape(str(run.record["usmicro"])),
        style=_asset("report.css"),
        navigation=report_summary.navigation(
            gallery=bool(gallery),
            home=home,
            failed=any(row["status"] != "ok" for row in run.images),
        ),
        body=body.replace(report_summary.GALLERY_PLACE, gallery)
        if report_summary.GALLERY_PLACE in body
        else body + gallery,
    )
    return page.encode("utf-8")


def _page_list(run: Run, pages: Sequence[Page]) -> str:
    """The table of pages that stands in the place of the gallery."""
    rows = []
    for number, page in enumerate(pages, 1):
        failed = sum(row["status"] != "ok" for row in page.images)
        foci = sum(row["foci"] or 0 for row in page.images)
        link = f'<a href="{page.name}">Page {number}</a>'
        first, last = escape(page.images[0]["image"]), escape(page.images[-1]["image"])
        rows.append(
            f'<tr><td>{link}</td><td class="path">{first}</td><td class="path">{last}</td><td class="number">{len(page.images):,}</td>'
            f'<td class="number">{failed:,}</td><td class="number">{foci:,}</td></tr>'
        )
    head = '<th>Page</th><th>First image</th><th>Last image</th><th class="number">Images</th><th class="number">Failed</th>'
    head += '<th class="number">Foci</th>'
    said = "There are too many images for one page; they are sorted by name. Search and filters on a page cover the images of that page."
    return (
        f'<section id="gallery"><h2>Gallery</h2><p class="note">{said}</p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div></section>'
    )


def _turns(pages: Sequence[Page], index: int) -> str:
    """Links to the summary and to the neighbouring pages."""
    page = pages[index]
    links = ['<a href="../report.html">Summary</a>']
    for words, other in (("Previous page", index - 1), ("Next page", index + 1)):
        if 0 <= other < len(pages):
            links.append(f'<a href="{Path(pages[other].name).name}">{words}</a>')
    said = f"Page {index + 1} of {len(pages)}: images {page.first + 1:,} to {page.first + len(page.images):,}"
    return f'<nav class="turns" aria-label="Pages"><span>{said}</span>{"".join(links)}</nav>'


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
