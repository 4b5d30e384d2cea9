"""Section of the report: the devices that made the scans."""

from __future__ import annotations

from collections import Counter
from html import escape

from usmicro.writing.report.run import Run
from usmicro.writing.tables import DEVICE_COLUMNS

MOST_DEVICES = 50
"""Number of devices that are listed. Chosen by judgement, so that the table stays readable."""


def devices(run: Run) -> str:
    """Return a table of the devices with their numbers of images and foci; empty if none is known.

    Images whose file names no device are counted in the last row.
    """
    images: Counter[tuple[str, ...]] = Counter()
    foci: Counter[tuple[str, ...]] = Counter()
    for row in run.images:
        if row["status"] == "ok":
            device = tuple(row[column] or "" for column in DEVICE_COLUMNS)
            images[device] += 1
            foci[device] += row["foci"] or 0
    known = sorted((device for device in images if any(device)), key=lambda d: (-images[d], d))
    if not known:
        return ""
    unknown = tuple("" for _ in DEVICE_COLUMNS)
    shown = known[:MOST_DEVICES] + ([unknown] if unknown in images else [])
    body = "".join(_row(device, images[device], foci[device]) for device in shown)
    names = "".join(f"<th>{name.capitalize()}</th>" for name in DEVICE_COLUMNS)
    numbers = '<th class="number">Images</th><th class="number of-findings">Foci per image</th>'
    rest = len(known) - MOST_DEVICES
    note = f'<p class="note">{rest} more devices are in images.csv.</p>' if rest > 0 else ""
    return (
        '<section id="devices"><h2>Devices</h2><div class="scroll"><table>'
        f"<thead><tr>{names}{numbers}</tr></thead><tbody>{body}</tbody></table></div>{note}</section>"
    )


def _row(device: tuple[str, ...], images: int, foci: int) -> str:
    """Return the row of one device; its texts come from files and are escaped."""
    texts = device if any(device) else ("not known", *device[1:])
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return (
        f'<tr>{cells}<td class="number">{images:,}</td>'
        f'<td class="number of-findings">{foci / images:.2f}</td></tr>'
    )
