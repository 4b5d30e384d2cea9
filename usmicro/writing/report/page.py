"""The report of a run: one HTML file that shows its results.

The report is made only from the files of the run, since the inputs may be gone when
`usmicro report` rebuilds it. A run stores a picture without findings for each image in
DIR/report/images, black outside the tissue and cropped to it. The report draws the findings on it
as layers that the reader can switch. It also embeds a thumbnail, which it enlarges if the picture
is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

from usmicro.model.findings import Mass
from usmicro.model.warnings import EXPLANATIONS
from usmicro.writing.files import cannot_write, write_atomically
from usmicro.writing.report import summary as report_summary
from usmicro.writing.report.details import DETAILS
from usmicro.writing.report.embedding import safe_json
from usmicro.writing.report.film import FILM_RECORD, FILMS, read_film
from usmicro.writing.report.pictures import read_picture
from usmicro.writing.report.run import Row, Run, read_run
from usmicro.writing.report.thumbnails import THUMBNAILS, read_thumbnail
from usmicro.writing.tables import CLUSTERS_COLUMNS, FOCI_COLUMNS, MASSES_COLUMNS

SCRIPTS = (
    *("dom.js", "reviewstore.js", "reviewblind.js"),
    *("gallery.js", "viewer.js", "markers.js", "layers.js", "evidence.js", "tables.js"),
    *("film.js", "filmnotes.js", "player.js", "timeline.js", "twinkling.js"),
    *("reviewcsv.js", "reviewactions.js", "reviewmarks.js", "reviewtools.js", "reviewpanel.js"),
    "reviewgallery.js",
    *("reading_tools.js", "reading_window.js", "reading_ruler.js", "reading_details.js"),
    *("reading_candidates.js", "reading_clusters.js", "reading_confidence.js"),
    "reading_links.js",
)
"""Scripts of the page, in this order. They are modules; `joined_scripts` makes one script of them,
since browsers load no modules from a local file."""
HOME_SCRIPT = "reading_home.js"
"""Script of the main page of a report of several pages."""
BLIND_SCRIPT = "blind_start.js"
"""Script at the top of every page."""
STYLES = ("report.css", "player.css", "review.css", "reading.css")
"""Style sheets of the page, in this order."""
IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const|let|function)", re.MULTILINE)
REPORT, PAGES, PICTURES = "report.html", "report", "report/images"
"""Main page, folder of further pages, and folder of pictures."""
PAGE_NAMES = "report/pages.js"
"""Script with the names of the images of each page. The main page loads it to follow a link."""
MOST_ON_ONE, PAGE_SIZE = 2000, 500
"""Largest number of images of a report on one page, and number of images of each page of a larger
report. Chosen by eye; no measurement is recorded."""
MOST_FOCI = 40_000
"""Largest number of foci on a page, so that browsers stay quick. Chosen by eye; no measurement is
recorded."""
MOST_FOCI_AN_IMAGE = 2000
"""Number of foci of an image that the report lists, the most confident first. Chosen by eye; no
measurement is recorded."""
BYTES_OF_FOCUS = 400
"""Size of a focus in a page, bytes: the mean of the samples is 405 to 437."""
SHOWN = {"masses": MASSES_COLUMNS[1:], "foci": FOCI_COLUMNS[1:], "clusters": CLUSTERS_COLUMNS[1:]}
"""Columns of the tables in the page: all but the name of the image."""
LINKED = {
    "picture": (PICTURES, ".jpg"),
    "overlay": ("overlays", ".png"),
    "mask": ("masks", ".png"),
    "contact_sheet": ("contact_sheets", ".png"),
    "details": (DETAILS, ".js"),
}
"""Folder and ending of the files that the page links, by kind."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the gallery."""

    name: str
    """Path of the file in the folder of the run."""
    images: list[Row]
    """Rows of images.csv."""
    first: int
    """Index of the first image of the page in the run."""


def picture_file(folder: Path, stem: str) -> Path:
    """Return the path of the picture without findings of an image."""
    return folder / PICTURES / f"{stem}.jpg"


def write_report(folder: Path) -> Path:
    """Write report.html, and further pages in report/ if one page has too many images.

    Returns
    -------
    Path
        The main page.

    Raises
    ------
    UsageError
        If the folder has no finished run, or the report cannot be written.
    """
    run = read_run(folder)
    remove_report(folder)
    pages = report_pages(run)
    if pages[0].name == REPORT:
        gallery = _gallery_of(run, pages[0], root="")
        content = _html(run, report_summary.sections(run), gallery, title="Report")
        write_atomically(folder / REPORT, content)
        return folder / REPORT
    for index, page in enumerate(pages):
        content = _html(
            run,
            _page_links(pages, index),
            _gallery_of(run, page, root="../"),
            title=f"Report, page {index + 1} of {len(pages)}",
            home="../",
        )
        write_atomically(folder / page.name, content)
    names = [(page.name, [row["image"] for row in page.images]) for page in pages]
    write_atomically(folder / PAGE_NAMES, f"usmicroPages({safe_json(names)});\n".encode("ascii"))
    sections = report_summary.sections(run, images=_page_list(pages))
    sections += f"<script>\n{_asset(HOME_SCRIPT)}</script>"
    write_atomically(folder / REPORT, _html(run, sections, "", title="Report"))
    return folder / REPORT


def remove_report(folder: Path) -> None:
    """Delete the pages of an earlier report, but not the pictures of the run.

    Raises
    ------
    UsageError
        If a page cannot be deleted.
    """
    pages = folder / PAGES
    earlier = pages.glob("page-*.html") if pages.is_dir() else ()
    numbered = [path for path in earlier if re.fullmatch(r"page-\d+\.html", path.name)]
    for path in (folder / REPORT, folder / PAGE_NAMES, *numbered):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error


def report_pages(run: Run) -> list[Page]:
    """Return the pages on which the images are shown: report.html itself if they fit on it."""
    pages = paginate(run)
    if len(pages) == 1 and len(run.images) <= MOST_ON_ONE:
        return [replace(pages[0], name=REPORT)]
    return pages


def paginate(run: Run) -> list[Page]:
    """Divide the images into pages of neither too many images nor too many foci.

    The film of a cine counts as the foci that need as much space in the page.
    """
    most = MOST_ON_ONE if len(run.images) <= MOST_ON_ONE else PAGE_SIZE
    starts, page_foci = [0], 0
    for index, row in enumerate(run.images):
        foci = min(len(run.foci.get(row["image"], ())), MOST_FOCI_AN_IMAGE)
        if (row["frames"] or 0) > 1:
            film = run.file(FILMS, row["image"], f"/{FILM_RECORD}")
            foci += film.stat().st_size // BYTES_OF_FOCUS if film.is_file() else 0
        if index > starts[-1] and (index - starts[-1] >= most or page_foci + foci > MOST_FOCI):
            starts.append(index)
            page_foci = 0
        page_foci += foci
    spans = list(pairwise([*starts, len(run.images)]))
    digits = max(3, len(str(len(spans))))
    return [
        Page(f"{PAGES}/page-{number:0{digits}d}.html", run.images[a:b], a)
        for number, (a, b) in enumerate(spans, 1)
    ]


def _gallery_of(run: Run, page: Page, *, root: str) -> str:
    """Return the gallery and the viewer of a page; `root` is the address of the run's folder."""
    data = {
        "root": root,
        "columns": SHOWN,
        "confidence": {"listed": run.listed_from, "shown": run.shown_from},
        "clusters": run.cluster_rule,
        "review": {
            "run": run.identifier,
            "images": sum(row["status"] == "ok" for row in run.images),
        },
        "images": [_entry(run, row) for row in page.images],
    }
    template = Template(_asset("gallery.html"))
    return template.substitute(
        total=f"{len(page.images):,}", data=safe_json(data), script=joined_scripts()
    )


def joined_scripts() -> str:
    """Return the scripts of the page as one script without imports and exports."""
    scripts = (EXPORT.sub("", IMPORT.sub("", _asset(name))) for name in SCRIPTS)
    return f'"use strict";\n{"".join(scripts)}'


def _entry(run: Run, row: Row) -> dict[str, Any]:
    """Return the data of one image; `row` is its row of images.csv."""
    name = row["image"]
    entry: dict[str, Any] = {
        key: row[key] for key in row if key not in ("seconds", "warnings") and row[key] is not None
    }
    record = run.image_record(name)
    if warnings := record.get("warnings"):
        entry["warnings"] = [_warning_text(**warning) for warning in warnings]
    if notes := record.get("notes"):
        entry["notes"] = notes
    if row["status"] != "ok":
        return entry
    findings = {
        "masses": run.masses.get(name, []),
        "foci": run.foci.get(name, []),
        "clusters": run.clusters.get(name, []),
    }
    key_frame = record.get("key_frame", 0)
    picture = read_thumbnail(run.file(THUMBNAILS, name, ".json"))
    if picture is None:  # the run was made by a former version
        masses = [
            Mass(**{column: mass[column] for column in SHOWN["masses"]})
            for mass in findings["masses"]
        ]
        files = run.file(PICTURES, name, ".jpg"), run.file("masks", name, ".png")
        picture = read_picture(*files, masses, key_frame, sector=row["geometry"] == "sector")
    tables = {
        kind: [[finding[column] for column in SHOWN[kind]] for finding in rows[:MOST_FOCI_AN_IMAGE]]
        for kind, rows in findings.items()
    }
    tops = picture.tops
    if (row["frames"] or 0) > 1 and (
        film := read_film(run.file(FILMS, name, f"/{FILM_RECORD}").parent)
    ):
        # masses.csv does not say where a mass lies on the key frame
        tops = next((f["tops"] for f in film.get("frames", ()) if f["frame"] == key_frame), tops)
        folder = run.link(FILMS, name, f"/{FILM_RECORD}").rpartition("/")[0]
        entry["cine"] = film | {"folder": folder}
    links = {kind: run.link(where, name, ending) for kind, (where, ending) in LINKED.items()}
    return {
        **entry,
        "key_frame": key_frame,
        "tables": tables,
        "links": {kind: link for kind, link in links.items() if link},
        "box": picture.box or (0, 0, row["columns"], row["rows"]),
        "thumbnail": picture.thumbnail,
        "outlines": dict(picture.outlines),
        "tops": tops,
        "apex": picture.apex,
    }


def _warning_text(code: str, text: str) -> str:
    """Return a warning on an image with its meaning and what to do."""
    explanation = EXPLANATIONS.get(code)  # unknown if a later version wrote the run
    return f"{text} ({code})" if explanation is None else explanation.about(text)


def _html(run: Run, body: str, gallery: str, *, title: str, home: str = "") -> bytes:
    """Return a whole page; the gallery goes to its place in the body, or behind it."""
    page = Template(_asset("report.html")).substitute(
        title=escape(title),
        version=escape(str(run.record["usmicro"])),
        run=run.identifier,
        blind=_asset(BLIND_SCRIPT),
        style="".join(_asset(name) for name in STYLES),
        navigation=report_summary.navigation(
            gallery=bool(gallery),
            home=home,
            warned=bool(run.record.get("warnings")),
            failed=any(row["status"] != "ok" for row in run.images),
        ),
        body=body.replace(report_summary.GALLERY_PLACE, gallery)
        if report_summary.GALLERY_PLACE in body
        else body + gallery,
    )
    return page.encode("utf-8")


def _page_list(pages: Sequence[Page]) -> str:
    """Return the table of pages, which the main page has in place of the gallery."""
    rows = []
    for number, page in enumerate(pages, 1):
        failed = sum(row["status"] != "ok" for row in page.images)
        foci = sum(row["foci"] or 0 for row in page.images)
        link = f'<a href="{page.name}">Page {number}</a>'
        first, last = escape(page.images[0]["image"]), escape(page.images[-1]["image"])
        rows.append(
            f'<tr><td>{link}</td><td class="path">{first}</td><td class="path">{last}</td>'
            f'<td class="number">{len(page.images):,}</td><td class="number">{failed:,}</td>'
            f'<td class="number of-findings">{foci:,}</td></tr>'
        )
    head = "<th>Page</th><th>First image</th><th>Last image</th>"
    head += "".join(f'<th class="number">{name}</th>' for name in ("Images", "Failed"))
    head += '<th class="number of-findings">Foci</th>'
    note = (
        "There are too many images for one page. They are sorted by name. "
        "Search and filters of a page cover the images of that page."
    )
    blind = (
        "Blind mode: counts and distributions of findings are hidden on this page too. "
        "It is switched off on a page of the gallery."
    )
    return (
        f'<section id="gallery"><h2>Gallery</h2><p class="note">{note}</p>'
        f'<p class="note" id="blind-note">{blind}</p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _page_links(pages: Sequence[Page], index: int) -> str:
    """Return links to the summary and to the neighbouring pages."""
    page = pages[index]
    links = ['<a href="../report.html">Summary</a>']
    for text, other in (("Previous page", index - 1), ("Next page", index + 1)):
        if 0 <= other < len(pages):
            links.append(f'<a href="{Path(pages[other].name).name}">{text}</a>')
    first, last = page.first + 1, page.first + len(page.images)
    position = f"Page {index + 1} of {len(pages)}: images {first:,} to {last:,}"
    links_html = f"<span>{position}</span>{''.join(links)}"
    return f'<nav class="page-links" aria-label="Pages">{links_html}</nav>'


def _asset(name: str) -> str:
    """Return the text of a file beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
