"""Sections of the report: summary, distributions, failed files, settings and versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from html import escape
from typing import Any

from usmicro.settings import Settings
from usmicro.writing.report.devices import devices
from usmicro.writing.report.plots import bars, histogram, shape_icon
from usmicro.writing.report.run import Run

GALLERY_PLACE = "<!--gallery-->"
"""Text that the gallery replaces."""
MOST_FAILED = 500
"""Number of failed files that are listed. Chosen by eye, so that the list stays readable."""
LABELS = ("intramass", "extramass", "intraductal")


def sections(run: Run, images: str = GALLERY_PLACE) -> str:
    """Return the sections of the main page; `images` is the gallery or the list of its pages."""
    parts = (
        warnings(run),
        summary(run),
        distributions(run),
        devices(run),
        failed(run),
        images,
        settings(run),
    )
    return "".join(parts)


def navigation(*, gallery: bool, home: str, warned: bool, failed: bool) -> str:
    """Return links to the sections of the page.

    Parameters
    ----------
    gallery : bool
        True if the page has a gallery.
    home : str
        Address of the folder of the main page, for further pages; empty on the main page.
    warned : bool
        True if there are warnings.
    failed : bool
        True if there are failed files.
    """
    if home:
        return f'<a href="{home}report.html">Summary</a><a href="#gallery">Gallery</a>'
    names = [("warnings", "Warnings")] if warned else []
    names += [("summary", "Summary"), ("distributions", "Distributions")]
    names += [("failed", "Failed files")] if failed else []
    names += [("gallery", "Gallery"), ("settings", "Settings")]
    return "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in names)


def summary(run: Run) -> str:
    """Return counts of the tables, and the computing time."""
    done = [row for row in run.images if row["status"] == "ok"]
    foci = run.shown_foci
    labels = Counter(focus["label"] for focus in foci)
    seconds = run.record["seconds"].get("total")
    tiles = [
        _tile("inputs", "Inputs", f"{len(run.images):,}"),
        _tile("done", "Done", f"{len(done):,}"),
        _tile(
            "failed",
            "Failed",
            f"{len(run.images) - len(done):,}",
            alarm=len(done) < len(run.images),
        ),
        _tile("frames", "Frames", f"{sum(row['frames'] for row in done):,}"),
        _tile("foci", "Foci", f"{len(foci):,}"),
        *(_tile(label, label.capitalize(), f"{labels[label]:,}", icon=label) for label in LABELS),
        _tile("masses", "Masses", f"{sum(map(len, run.masses.values())):,}"),
        _tile("clusters", "Clusters of foci", f"{sum(map(len, run.clusters.values())):,}"),
    ]
    if seconds is not None:
        tiles.append(_tile("time", "Computing time", _duration(seconds), measured=True))
    notes = list(run.record.get("remarks", []))
    if source := run.record["settings"].get("calibration", {}).get("source"):
        notes.append(f"Calibrated settings: {source}")
    if detector := run.record["options"].get("detector"):
        notes.append(
            f"The foci are those of the detector {detector}. Their confidence is its score."
        )
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in notes)
    remarks = f'<ul class="remarks">{remarks}</ul>' if remarks else ""
    content = f'<dl class="tiles">{"".join(tiles)}</dl>{_listing_note(run)}{remarks}'
    return f'<section id="summary"><h2>Summary</h2>{content}</section>'


def _listing_note(run: Run) -> str:
    """Return a note if the report does not begin with all foci that the run lists."""
    if run.shown_from <= run.listed_from:
        return ""
    listed = sum(map(len, run.foci.values()))
    return (
        f'<p class="note" id="listing-note">foci.csv lists {listed:,} foci from confidence '
        f"{run.listed_from:.2g} on. The report begins with those from {run.shown_from:.2g} on, "
        "from which foci are listed by default. The slider of the gallery shows the others.</p>"
    )


def warnings(run: Run) -> str:
    """Return the kinds of warnings, each with its count, what to do and examples."""
    kinds = run.record.get("warnings") or []
    if not kinds:
        return ""
    body = ""
    for kind in kinds:
        examples = "".join(f"<li>{escape(example)}</li>" for example in kind["examples"])
        if examples:
            examples = f"<details><summary>Examples</summary><ul>{examples}</ul></details>"
        body += (
            f'<tr><td class="number">{kind["count"]:,}</td>'
            f"<td><strong>{escape(kind['title'])}.</strong> {escape(kind['advice'])}"
            f"{examples}</td><td><code>{escape(kind['code'])}</code></td></tr>"
        )
    head = '<th class="number">Count</th><th>Warning</th><th>Code</th>'
    note = '<p class="note">Some numbers of these images may be wrong or missing.</p>'
    return (
        f'<section id="warnings"><h2>Warnings</h2>{note}<div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def distributions(run: Run) -> str:
    """Return histograms and bars of all images and foci."""
    foci = run.shown_foci
    images = [
        row["foci"]
        if run.shown_from <= run.listed_from
        else sum(map(run.is_shown, run.foci.get(row["image"], ())))
        for row in run.images
        if row["status"] == "ok"
    ]
    sizes, no_size = _known(foci, "diameter_mm")
    size_unit = "mm" if sizes else "pixels (no spacing is known)"
    depths, no_depth = _known(foci, "depth_mm")
    depth_note = _unknown(no_depth, "depth")
    labels, shadows, twinkling = (
        Counter(focus[name] for focus in foci) for name in ("label", "shadow", "twinkling")
    )
    plots = [
        bars([(label, labels[label], label) for label in LABELS], "Labels"),
        histogram(images, "Foci per image", "foci", whole=True),
        histogram(
            sizes or _known(foci, "diameter_px")[0],
            "Diameter of a focus",
            size_unit,
            missing=_unknown(no_size, "diameter in mm") if sizes else "",
        ),
        histogram(_known(foci, "contrast")[0], "Contrast of a focus", "local units"),
        histogram(
            depths,
            "Depth of a focus",
            "mm from the transducer",
            missing=depth_note,
        ),
        histogram(_known(foci, "confidence")[0], "Confidence of a focus", "0 to 1", most=1.0),
        bars(
            [(name, shadows[name], "plain") for name in ("yes", "no", "not assessable")],
            "Posterior shadow",
        ),
        bars(
            [
                (name, twinkling[name], "plain")
                for name in ("yes", "possible", "no", "not assessable")
            ],
            "Twinkling",
        ),
    ]
    listed = sum(map(len, run.foci.values()))
    note = (
        f'<p class="note">Foci from confidence {run.shown_from:.2g} on: '
        f"{len(foci):,} of {listed:,} in foci.csv.</p>"
        if run.shown_from > run.listed_from
        else ""
    )
    content = f'{note}<div class="plots">{"".join(plots)}</div>'
    return f'<section id="distributions"><h2>Distributions</h2>{content}</section>'


def failed(run: Run) -> str:
    """Return the files that failed, each with its reason; empty if there are none."""
    rows = [row for row in run.images if row["status"] != "ok"]
    if not rows:
        return ""
    body = "".join(
        f'<tr><td class="path">{escape(row["image"])}</td>'
        f"<td>{escape(row['error'] or '')}</td></tr>"
        for row in rows[:MOST_FAILED]
    )
    more = (
        f'<p class="note">The first {MOST_FAILED} of {len(rows):,}; all are in images.csv.</p>'
        if len(rows) > MOST_FAILED
        else ""
    )
    return (
        f'<section id="failed"><h2>Failed files</h2>{more}<div class="scroll"><table>'
        "<thead><tr><th>File</th><th>Reason</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div></section>"
    )


def settings(run: Run) -> str:
    """Return settings, options, versions and times."""
    record = run.record
    groups = [
        _values(group, values, meanings=_meanings(group))
        for group, values in record["settings"].items()
    ]
    options = {name: value for name, value in record["options"].items() if name != "workers"}
    run_facts = {
        "Options": options,
        "Versions": {"usmicro": record["usmicro"], **record["versions"]},
        "Decoders (inputs)": record["decoders"],
        "Platform": record["platform"],
    }
    times = {
        "started": _time(record.get("started")),
        "finished": _time(record.get("finished")),
        "workers": record["options"].get("workers"),
    }
    times |= {f"{stage}, s": value for stage, value in record["seconds"].items()}
    groups += [_values(name, values) for name, values in run_facts.items()]
    groups.append(_values("Times (computing time summed over the inputs)", times, measured=True))
    note = '<p class="note">Rest the pointer on a setting to read its meaning.</p>'
    content = f'{note}<div class="groups">{"".join(groups)}</div>'
    return f'<section id="settings"><h2>Settings and versions</h2>{content}</section>'


def _tile(
    key: str, name: str, value: str, *, icon: str = "", alarm: bool = False, measured: bool = False
) -> str:
    """Return a tile with a number; `measured` marks times, which differ between equal runs."""
    shape = shape_icon(icon) if icon else ""
    classes = " ".join(name for name, on in (("alarm", alarm), ("measured", measured)) if on)
    number = f'<dd id="count-{key}" class="{classes}">{escape(value)}</dd>'
    return f'<div class="tile"><dt>{shape}{escape(name)}</dt>{number}</div>'


def _meanings(group: str) -> dict[str, tuple[str, str]]:
    """Return meaning and unit of each setting of a group; empty for an unknown group."""
    settings_group = getattr(Settings(), group, None)
    if settings_group is None:
        return {}
    described = fields(settings_group)
    return {item.name: (item.metadata["says"], item.metadata["unit"]) for item in described}


def _values(
    title: str,
    values: Mapping[str, Any],
    *,
    measured: bool = False,
    meanings: Mapping[str, tuple[str, str]] | None = None,
) -> str:
    """Return a table of names and values; empty if there are none."""
    kind = ' class="measured"' if measured else ""
    rows = ""
    for name, value in values.items():
        says, unit = (meanings or {}).get(name, ("", ""))
        meaning = f' title="{escape(says, quote=True)}"' if says else ""
        unit = f" <small>{escape(unit)}</small>" if unit else ""
        rows += (
            f"<tr{meaning}><th>{escape(str(name))}</th><td{kind}>{_words(value)}{unit}</td></tr>"
        )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>" if rows else ""


def _words(value: Any) -> str:
    """Return a value as HTML."""
    if value is None or value == "":
        return '<span class="none">none</span>'
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))


def _time(text: str | None) -> str | None:
    """Return a time of run.json in a form that is easier to read."""
    return text.replace("T", " ").replace("+00:00", " UTC") if text else text


def _known(rows: Iterable[Mapping[str, Any]], column: str) -> tuple[list[float], int]:
    """Return the values that are known, and the number of those that are not."""
    values = [row[column] for row in rows]
    known = [value for value in values if value is not None]
    return known, len(values) - len(known)


def _unknown(count: int, quantity: str) -> str:
    """Return the note on foci of which a quantity is not known."""
    if not count:
        return ""
    return f"Not shown: {count:,} {'focus' if count == 1 else 'foci'} without a measured {quantity}"


def _duration(seconds: float) -> str:
    """Return a time in seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, hours = round(seconds / 60), round(seconds // 3600)
    return f"{minutes} min" if hours == 0 else f"{hours} h {round(seconds % 3600 / 60) % 60} min"
